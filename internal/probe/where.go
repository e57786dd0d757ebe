package probe

import "time"

// Where is what can be said of a location before any probe is put there.
type Where struct {
	Location string      `json:"location"`
	Build    Build       `json:"build"`
	Sites    []WhereSite `json:"sites"`
	Issues   []Issue     `json:"issues"`
}

// Build says which program an answer is about.
type Build struct {
	Path      string `json:"path"`
	Main      string `json:"main"` // path of the main package
	GoVersion string `json:"go"`
	ID        string `json:"build_id"`
}

// WhereSite is one site and what a probe would find there.
type WhereSite struct {
	Address   uint64     `json:"address"` // as linked
	Function  string     `json:"function"`
	File      string     `json:"file"`
	Line      int        `json:"line"`
	Inlined   []Call     `json:"inlined_into"` // where the function was inlined: its caller first
	How       How        `json:"how"`
	Why       string     `json:"why,omitempty"` // of a trap or a refusal
	Variables []ScopeVar `json:"variables"`
}

// Call is a call of a function that was inlined: the caller and the place.
type Call struct {
	Function string `json:"function"`
	File     string `json:"file"`
	Line     int    `json:"line"`
}

// How is the way in which a probe gets control at a site.
type How string

// The ways. Their text is part of the output contract.
const (
	ByJump  How = "jump"
	ByTrap  How = "trap"
	Refused How = "refused"
)

// Cost is about what one hit costs: a count, and a log of a few values, by the
// measurements in docs/performance.md.
func (h How) Cost() (count, log time.Duration) {
	switch h {
	case ByJump:
		return 2, 12
	case ByTrap:
		return 3 * time.Microsecond, 3 * time.Microsecond
	}
	return 0, 0
}

// ScopeVar is a variable in scope at a site, and whether it can be read there.
type ScopeVar struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Role     Role   `json:"role"`
	Readable bool   `json:"readable"`
	Why      string `json:"why,omitempty"`           // it cannot, or not as a whole
	Up       int    `json:"nearest_above,omitempty"` // lines of the same file where it can; 0: none
	Down     int    `json:"nearest_below,omitempty"`
}

// Survey is what can be probed and read on every line of a file.
type Survey struct {
	File  string       `json:"file"` // as the build has it
	Build Build        `json:"build"`
	Lines []SurveyLine `json:"lines"` // those with code
}

// SurveyLine is one line of a source file that has code.
type SurveyLine struct {
	Line     int      `json:"line"`
	Jumps    int      `json:"jumps"`
	Traps    int      `json:"traps"`
	Refused  int      `json:"refused"`
	Why      string   `json:"why,omitempty"` // of traps and refusals
	Readable int      `json:"readable"`      // variables that can be read at every site
	Lost     []string `json:"lost"`          // variables that cannot
}

// FoundFunction is a function that answers to a pattern.
type FoundFunction struct {
	Name      string `json:"name"` // as a LOCATION names it
	Full      string `json:"-"`    // likewise, with the whole path of its package
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Own       int    `json:"own"`               // functions with code of their own: more than one for generic ones
	Inlined   bool   `json:"inlined"`           // copies of it are in other functions, too
	Refused   string `json:"refused,omitempty"` // why it takes no probe
	Nearly    bool   `json:"fuzzy,omitempty"`   // it has the pattern's letters in their order, and not more
	OfProgram bool   `json:"main_module"`
}

// FoundFile is a source file that answers to a pattern.
type FoundFile struct {
	Name      string `json:"name"` // the shortest that a LOCATION can name it by
	Path      string `json:"path"` // as the build has it
	Functions int    `json:"functions"`
	Nearly    bool   `json:"fuzzy,omitempty"`
	OfProgram bool   `json:"main_module"`
}

// Offer is one way to complete what was typed of a location.
type Offer struct {
	Text  string
	About string // what it is, for shells that show it
	Open  bool   // more belongs behind it
}

// Census is what of a build can be probed and read. Sites are those of all lines,
// in each function that has code of them; variables those in scope at each site.
type Census struct {
	Functions       int `json:"functions"`
	FunctionsProbed int `json:"functions_probed"`
	Lines           int `json:"lines"`
	LinesProbed     int `json:"lines_probed"`
	Sites           int `json:"sites"`
	Jumps           int `json:"jumps"`
	Traps           int `json:"traps"`
	Variables       int `json:"variables"`
	Readable        int `json:"readable"`
	OptimisedOut    int `json:"optimised_out"`
	Unset           int `json:"unset"` // declared on the line, or not set yet
}
