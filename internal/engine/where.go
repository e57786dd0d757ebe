package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/cache"
	"github.com/sidelight-dev/sidelight/internal/compile"
	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/symbol"
)

// Examiner says of one build what can be probed and read where. It needs no
// process and touches none; a planner like that of a session answers, so that
// what it says of a site is what a probe there would meet.
type Examiner struct {
	build *debuginfo.Build
}

// Examine opens the build in a file, which may be /proc/PID/exe. What took long
// to read is kept in a cache for the next time; nil: nowhere, which is for those
// who have probes in a process (see cache.Entry).
func Examine(path string, dir *cache.Dir, symbols ...string) (*Examiner, error) {
	b, err := symbol.Open(context.Background(), path, symbol.Options{Given: symbols, Cache: dir})
	if err != nil {
		return nil, err
	}
	return &Examiner{build: b}, nil
}

// Close gives back the file.
func (x *Examiner) Close() error { return x.build.Close() }

// facts says which build is examined.
func (x *Examiner) facts() probe.Build {
	return probe.Build{Path: x.build.Path, Main: x.build.Main, GoVersion: x.build.GoVersion, ID: x.build.ID}
}

// Where says what a probe at a location would meet. A location without code, or
// whose code takes no probe, is an error as it is for a probe.
func (x *Examiner) Where(at string) (*probe.Where, error) {
	found, err := locate.Resolve(x.build, at)
	if err != nil {
		return nil, unserved(err)
	}
	out := &probe.Where{Location: at, Build: x.facts(), Issues: append([]probe.Issue{}, found.Issues...)}
	if why := lacking(x.build, found.Sites); why != "" {
		out.Issues = append(out.Issues, probe.Issue{Code: probe.IssueNoDebug, Message: why})
	}
	scope := compile.NewScope(x.build, true)
	for i, way := range x.ways(newPlanner(x.build), found.Sites) {
		s := found.Sites[i]
		out.Sites = append(out.Sites, probe.WhereSite{Address: s.PC, Function: s.Function, File: s.File, Line: s.Line,
			Inlined: inlinedInto(x.build, s), How: way.how, Why: way.why, Variables: scope.At(s)})
	}
	return out, nil
}

// lacking says what debug information the build of some sites lacks, or the
// package of one of them; "" if none does.
func lacking(b *debuginfo.Build, sites []locate.Site) string {
	why := b.Missing()
	for i := 0; i < len(sites) && why == ""; i++ {
		why = b.MissingAt(sites[i].PC)
	}
	return why
}

// unserved marks the error of code that takes no probe as a refusal.
func unserved(err error) error {
	var refused *locate.RefusedError
	if errors.As(err, &refused) {
		return refusedError{err}
	}
	return err
}

// way is how a probe would get control at a site.
type way struct {
	how probe.How
	why string
}

// ways plans the sites of one location, in order of their addresses, as an
// installation of one probe does.
func (x *Examiner) ways(p *planner, sites []locate.Site) []way {
	all := &program.Program{}
	for _, s := range sites {
		all.Sites = append(all.Sites, program.Site{PC: s.PC})
	}
	plan := &plan{probes: []*planned{{program: all}}}
	p.windows(plan)
	out := make([]way, len(sites))
	for _, w := range plan.windows {
		for _, pt := range w.points {
			out[pt.site] = way{probe.ByJump, ""}
			if !w.Jump {
				out[pt.site] = way{probe.ByTrap, w.Why}
			}
		}
	}
	for i := range out {
		if out[i].how == "" { // no window: ask once more for the reason
			out[i] = way{probe.Refused, "no window"}
			if _, err := p.window(asked{at: sites[i].PC, pc: sites[i].PC}, 0); err != nil {
				out[i].why = err.Error()
			}
		}
	}
	return out
}

// inlinedInto are the calls by which a site's function came into the code that
// it is part of: its caller first.
func inlinedInto(b *debuginfo.Build, s locate.Site) []probe.Call {
	calls := []probe.Call{} // a list in JSON, even if it is empty
	chain := b.InlineAt(s.Func, s.PC)
	at := slices.IndexFunc(chain, func(in *debuginfo.Inline) bool { return in.Name == s.Function })
	if at < 0 {
		return calls
	}
	for i := at; i < len(chain); i++ {
		caller := s.Func.Name
		if i+1 < len(chain) {
			caller = chain[i+1].Name
		}
		calls = append(calls, probe.Call{Function: caller, File: chain[i].CallFile, Line: chain[i].CallLine})
	}
	return calls
}

// Survey says of each line of a source file that has code whether it can be
// probed and which variables cannot be read there.
func (x *Examiner) Survey(asked string) (*probe.Survey, error) {
	file, err := locate.File(x.build, asked)
	if err != nil {
		return nil, err
	}
	out := &probe.Survey{File: file, Build: x.facts(), Lines: []probe.SurveyLine{}}
	scope, p := compile.NewScope(x.build, false), newPlanner(x.build)
	for _, l := range locate.Survey(x.build, file) {
		if l.Err != nil {
			out.Lines = append(out.Lines, probe.SurveyLine{Line: l.Line, Refused: 1, Why: reason(l.Err), Lost: []string{}})
			continue
		}
		out.Lines = append(out.Lines, x.surveyLine(l, p, scope))
	}
	return out, nil
}

// reason is why a line takes no probe, without what the table says already.
func reason(err error) string {
	var refused *locate.RefusedError
	var gone *locate.NotFoundError
	switch {
	case errors.As(err, &refused):
		return refused.Why
	case errors.As(err, &gone):
		return gone.Why
	}
	return err.Error()
}

func (x *Examiner) surveyLine(l locate.Line, p *planner, scope *compile.Scope) probe.SurveyLine {
	out := probe.SurveyLine{Line: l.Line, Lost: []string{}}
	for _, w := range x.ways(p, l.Result.Sites) {
		switch w.how {
		case probe.ByJump:
			out.Jumps++
		case probe.ByTrap:
			out.Traps++
		default:
			out.Refused++
		}
		if w.why != "" && !strings.Contains(out.Why, w.why) {
			out.Why = strings.TrimPrefix(out.Why+"; "+w.why, "; ")
		}
	}
	readable := map[string]bool{}
	var names []string
	for _, s := range l.Result.Sites {
		for _, v := range scope.At(s) {
			can, known := readable[v.Name]
			if !known {
				names = append(names, v.Name)
			}
			readable[v.Name] = v.Readable && (can || !known)
		}
	}
	for _, name := range names {
		if readable[name] {
			out.Readable++
		} else {
			out.Lost = append(out.Lost, name)
		}
	}
	return out
}

// Functions are those whose names answer to a pattern (see locate.Functions),
// the best first: at most limit of them (0: all), and how many there are.
func (x *Examiner) Functions(pattern string, limit int) ([]probe.FoundFunction, int) {
	list := locate.Functions(x.build, pattern)
	n := len(list)
	if limit > 0 {
		list = list[:min(limit, n)]
	}
	out := make([]probe.FoundFunction, len(list))
	for i, f := range list {
		out[i] = probe.FoundFunction{Name: f.Name, Full: f.Full, Own: len(f.Own), Inlined: f.Inlined, Nearly: f.Fuzzy, OfProgram: f.Main}
		if len(f.Own) > 0 {
			out[i].File, out[i].Line = locate.Begins(x.build, f.Own[0])
			out[i].Refused = locate.Refused(f.Own[0])
		}
	}
	return out, n
}

// Files are the source files that answer to a pattern, as Functions does.
func (x *Examiner) Files(pattern string, limit int) ([]probe.FoundFile, int) {
	list := locate.Files(x.build, pattern)
	n := len(list)
	if limit > 0 {
		list = list[:min(limit, n)]
	}
	out := make([]probe.FoundFile, len(list))
	for i, f := range list {
		out[i] = probe.FoundFile{Name: f.Name, Path: f.Path, Functions: x.build.CountFileFuncs(f.Path), Nearly: f.Fuzzy, OfProgram: f.Main}
	}
	return out, n
}

// Complete are the locations that begin with what was typed: functions, files,
// and after a file's colon its lines with code. A line comes with its function.
// Where nothing was typed, they are those of the program's own module.
func (x *Examiner) Complete(typed string, limit int) []probe.Offer {
	if file, line, ok := strings.Cut(typed, ".go:"); ok {
		return x.completeLine(file+".go", line, limit)
	}
	var out []probe.Offer
	add := func(o probe.Offer) {
		if len(out) < limit {
			out = append(out, o)
		}
	}
	for _, f := range locate.FilesFrom(x.build, typed) {
		add(probe.Offer{Text: f.Name + ":", About: f.Path, Open: true})
	}
	for _, f := range locate.FunctionsFrom(x.build, typed) {
		add(probe.Offer{Text: f.Name})
	}
	return out
}

func (x *Examiner) completeLine(file, typed string, limit int) []probe.Offer {
	path, err := locate.File(x.build, file)
	if err != nil {
		return nil
	}
	var out []probe.Offer
	for _, l := range locate.Lines(x.build, path) {
		text := fmt.Sprint(l.Line)
		if strings.HasPrefix(text, typed) && len(out) < limit {
			out = append(out, probe.Offer{Text: file + ":" + text, About: l.Function})
		}
	}
	return out
}
