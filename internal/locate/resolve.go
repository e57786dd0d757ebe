package locate

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Resolve finds the sites of a location. The error is a *SyntaxError,
// *NotFoundError, *AmbiguousError or *RefusedError; each says what to do next.
func Resolve(b *debuginfo.Build, at string) (*Result, error) {
	r := newResolver(b, at)
	loc, err := r.location(at)
	if err != nil {
		return nil, err
	}
	if loc.file != "" {
		err = r.line(loc)
	} else {
		err = r.function(loc)
	}
	if err != nil {
		return nil, err
	}
	return r.result()
}

// location parses what was asked.
func (r *resolver) location(at string) (location, error) {
	if rest, ok := strings.CutPrefix(at, r.build.Main+"."); ok && r.build.Main != "" && !strings.HasPrefix(rest, "go:") {
		at = "main." + rest // the linker's name of the main package, whatever its path
	}
	return parse(at)
}

// resolver gathers the sites of one location.
type resolver struct {
	build   *debuginfo.Build
	at      string
	sites   []Site
	issues  map[probe.Issue]bool
	refused map[string]int // reason: copies that take no probe for it
	strange []string       // functions whose code is not understood
	calls   *Calls         // where calls end; nil: nobody asks
	copied  []uint64       // addresses at which inlined copies begin
	own     bool           // no inlined copies
}

func newResolver(b *debuginfo.Build, at string) *resolver {
	return &resolver{build: b, at: at, issues: map[probe.Issue]bool{}}
}

// add turns a plan into sites.
func (r *resolver) add(fn *debuginfo.Func, f *function, p plan, name, file string, line int) {
	for _, i := range p.sites {
		r.sites = append(r.sites, Site{PC: f.code.insts[i].PC, Func: fn, Function: name, File: file, Line: line})
	}
	if p.rest {
		r.issue(probe.IssueApproximate, fmt.Sprintf(
			"%s in %s: the compiler merged its work into other lines and left moves between registers or jumps; what is counted is how often these execute", r.at, name))
	}
	if p.unsure {
		r.issue(probe.IssueApproximate, fmt.Sprintf(
			"%s in %s: only debug information could tell where its statements begin, and this build has none; the count may be of something close to it (sidelight symbols --help says how to give it)", r.at, name))
	}
	if p.exact() {
		return
	}
	how := "some passes may be counted twice"
	switch {
	case p.twice && p.missed:
		how = "some passes may be counted twice or not at all"
	case p.missed:
		how = "some passes may not be counted"
	}
	r.issue(probe.IssueApproximate, fmt.Sprintf(
		"%s in %s: the compiler mixed its code with that of other lines, so that no set of addresses meets every pass once; %s", r.at, name, how))
}

func (r *resolver) issue(code, message string) {
	r.issues[probe.Issue{Code: code, Message: message}] = true
}

func (r *resolver) refuse(why string) {
	if r.refused == nil {
		r.refused = map[string]int{}
	}
	r.refused[why]++
}

// result orders what was gathered. Code that takes no probe is an error if there
// is nothing else, and an issue if there is.
func (r *resolver) result() (*Result, error) {
	var whys []string
	for why := range r.refused {
		whys = append(whys, why)
	}
	sort.Strings(whys)
	if len(r.sites) == 0 {
		if len(whys) > 0 {
			return nil, &RefusedError{r.at, whys[0]}
		}
		if len(r.strange) > 0 {
			return nil, &RefusedError{r.at, "the code of " + alternatives(r.strange) + " is not understood"}
		}
		return nil, &NotFoundError{At: r.at, Why: "has no code in this build that a probe could be put into"}
	}
	for _, why := range whys {
		r.issue(probe.IssueRefusedCode, fmt.Sprintf("%s: passes through %d of its copies are not counted: %s", r.at, r.refused[why], why))
	}
	for _, name := range r.strange {
		r.issue(probe.IssueUndecodable, fmt.Sprintf("%s: passes in %s are not counted: its code is not understood", r.at, name))
	}
	res := &Result{Sites: r.sites}
	slices.SortStableFunc(res.Sites, func(a, b Site) int { return compare(a.PC, b.PC) })
	n := len(res.Sites)
	res.Sites = slices.CompactFunc(res.Sites, func(a, b Site) bool { return a.PC == b.PC })
	if len(res.Sites) < n {
		r.issue(probe.IssueApproximate, fmt.Sprintf("%s: copies of it begin at one address; a pass through both is counted once", r.at))
	}
	for i := range r.issues {
		res.Issues = append(res.Issues, i)
	}
	slices.SortFunc(res.Issues, func(a, b probe.Issue) int { return strings.Compare(a.Code+a.Message, b.Code+b.Message) })
	return res, nil
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
