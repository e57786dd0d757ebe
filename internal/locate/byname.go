package locate

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// found is what the names of a build have for a query.
type found struct {
	own     []*debuginfo.Func // with code of their own
	inlined []string          // names of functions that were inlined somewhere
}

// function finds the sites of a function: where its own code begins, for each
// instantiation, and where its inlined copies are entered.
func (r *resolver) function(loc location) error {
	got, err := r.names(loc.fn)
	if err != nil {
		return err
	}
	wrappers := 0
	for _, fn := range got.own {
		if fn.Wrapper {
			wrappers++
			continue
		}
		if err := r.entry(fn); err != nil {
			return err
		}
	}
	if r.own && len(got.own) > wrappers {
		got.inlined = nil
	}
	for _, name := range got.inlined {
		for _, fn := range r.build.InlinedIn(name) {
			if err := r.copies(fn, name); err != nil {
				return err
			}
		}
	}
	if len(r.sites) == 0 && wrappers > 0 {
		r.refuse(whyWrapper)
	}
	if len(r.sites)+len(r.refused)+len(r.strange) == 0 {
		return r.vanished()
	}
	return nil
}

// vanished says of a function that the debug information still knows that no
// code of it is left.
func (r *resolver) vanished() error {
	return &NotFoundError{At: r.at, Why: "has no code in this build: it was inlined everywhere, and what it does was moved into its callers' code or removed; probe the lines that call it"}
}

// entry adds the site at which a function's own code begins.
func (r *resolver) entry(fn *debuginfo.Func) error {
	if f, ok := r.load(fn); ok {
		r.entryOf(fn, f)
	}
	return nil
}

func (r *resolver) entryOf(fn *debuginfo.Func, f *function) {
	after := fn.Entry
	for _, row := range r.build.Lines(fn) {
		if row.PrologueEnd {
			after = row.PC
			break
		}
	}
	r.returns(fn, f)
	p := f.entry(after)
	for _, i := range p.sites {
		r.add(fn, f, plan{sites: []int32{i}}, fn.Name, f.pos[i].file, f.pos[i].line)
	}
	p.sites = nil
	r.add(fn, f, p, fn.Name, "", 0)
}

// copies adds the sites at which inlined copies of a function are entered.
func (r *resolver) copies(fn *debuginfo.Func, name string) error {
	f, ok := r.load(fn)
	if !ok {
		return nil
	}
	for _, n := range f.copies(func(s string) bool { return s == name }) {
		p := f.solve(func(f *function) extent { return f.copyExtent(n) })
		if !r.leaves(fn, f, n, name, p.sites) {
			continue
		}
		for _, i := range p.sites {
			r.add(fn, f, plan{sites: []int32{i}}, name, f.pos[i].file, f.pos[i].line)
		}
		p.sites = nil
		r.add(fn, f, p, name, "", 0)
	}
	return nil
}

// names finds all functions that a query means: one function of the source,
// with all its instantiations.
func (r *resolver) names(q query) (found, error) {
	if got, ok := r.exactly(q); ok {
		return r.twins(q, got), nil
	}
	last := q.text[strings.LastIndexByte(q.text, '.')+1:]
	best := matchNone
	means := map[string]bool{} // plain names
	var got found
	look := func(full string) bool {
		if end := strings.TrimSuffix(full, "]"); end == full && !strings.HasSuffix(full, last) || end != full && !strings.Contains(full, last+"[") {
			return false // most names, as cheaply as can be: a pattern asks for hundreds
		}
		n := splitName(full)
		m := q.match(n)
		if m == matchNone || m < best {
			return false
		}
		if m > best {
			best, got, means = m, found{}, map[string]bool{}
		}
		means[n.plain()] = true
		return true
	}
	for i, name := range r.build.FuncNames() {
		if look(name) {
			got.own = append(got.own, r.build.Func(i))
		}
	}
	slices.SortFunc(got.own, func(a, b *debuginfo.Func) int { return compare(a.Entry, b.Entry) })
	for _, name := range r.build.InlinedNames() {
		if look(name) {
			got.inlined = append(got.inlined, name)
		}
	}
	switch len(means) {
	case 0:
		if got = r.twins(q, got); len(got.own) == 0 {
			return got, r.unknown(q)
		}
		return got, nil
	case 1:
		return r.twins(q, got), nil
	}
	var list []string
	for name := range means {
		list = append(list, name)
	}
	sort.Strings(list)
	return got, &AmbiguousError{At: r.at, What: "functions", Candidates: list}
}

// exactly finds functions by their whole name, without a look at all the others: top
// asks for hundreds. A function of such a name has no instantiations.
func (r *resolver) exactly(q query) (got found, ok bool) {
	if q.args != "" {
		return got, false
	}
	if got.own = r.build.FuncsNamed(q.text); len(got.own) == 0 {
		return got, false
	}
	slices.SortFunc(got.own, func(a, b *debuginfo.Func) int { return compare(a.Entry, b.Entry) })
	if _, inlined := slices.BinarySearch(r.build.InlinedNames(), q.text); inlined {
		got.inlined = []string{q.text}
	}
	return got, true
}

// twins adds the copies of a closure that the compiler made when it inlined the
// function around it: main.g.f.func2 may be main.f.func1 once more. They begin
// at the same line of the same file.
func (r *resolver) twins(q query, got found) found {
	dot := strings.LastIndexByte(q.text, '.')
	stem := strings.TrimRight(q.text, "0123456789")
	if dot < 0 || !strings.HasSuffix(stem, ".func") && !strings.HasSuffix(stem, ".") && !strings.HasSuffix(stem, "-range") {
		return got
	}
	first := r.copyOf(q, got)
	if first == nil {
		return got
	}
	file := r.fileOf(first)
	rest := strings.TrimRight(splitName(first.Name).rest, "0123456789")
	if len(got.own) == 0 { // rest names the copy: what was asked for is its end
		rest = strings.TrimRight(splitName(q.text).rest, "0123456789")
	}
	for _, fn := range r.build.Funcs() {
		if fn.StartLine != first.StartLine || slices.Contains(got.own, fn) {
			continue
		}
		flat, _ := withoutArgs(fn.Name)
		if strings.HasSuffix(strings.TrimRight(flat, "0123456789"), "."+rest) && r.fileOf(fn) == file {
			if n := splitName(fn.Name); len(n.rest) > len(rest)+len("0") && !strings.HasPrefix(n.rest, rest) {
				got.own = append(got.own, fn)
			}
		}
	}
	return got
}

// copyOf is one function with the code of the closure that was asked for: itself,
// or where nothing is left of it, a copy in a function around it.
func (r *resolver) copyOf(q query, got found) *debuginfo.Func {
	if len(got.own) > 0 {
		return got.own[0]
	}
	asked := splitName(q.text)
	for _, fn := range r.build.Funcs() {
		if !strings.HasSuffix(fn.Name, asked.rest) {
			continue
		}
		n := splitName(fn.Name)
		if strings.HasSuffix(n.rest, "."+asked.rest) && matchPath(n.pkg, asked.pkg) != matchNone {
			return fn
		}
	}
	return nil
}

// fileOf is the file in which a function begins.
func (r *resolver) fileOf(fn *debuginfo.Func) string {
	for _, row := range r.build.Lines(fn) {
		return row.File
	}
	return ""
}

// unknown explains a name that the build does not have.
func (r *resolver) unknown(q query) error {
	e := &NotFoundError{At: r.at}
	pkg := ""
	if i := strings.LastIndexByte(q.text, '.'); i < 0 {
		e.Why = "is no location: a function needs its package (pkg.Func), a line its file (file.go:LINE)"
	} else {
		pkg = splitName(q.text).pkg
	}
	paths := map[string]bool{} // of packages that may be meant
	plain := map[string]bool{}
	look := func(name string) {
		n := splitName(name)
		if n.pkg == "" {
			return
		}
		if pkg != "" && (matchPath(n.pkg, pkg) != matchNone || matchPath(packageName(n.pkg), pkg) != matchNone) {
			paths[n.pkg] = true
		}
		plain[n.plain()] = true
	}
	for _, name := range r.build.InlinedNames() {
		look(name)
	}
	for _, name := range r.build.FuncNames() {
		look(name)
	}
	e.Candidates = similar(q.text, plain)
	switch {
	case e.Why != "":
	case len(paths) > 0:
		e.Why = r.noFunction(pkg, paths)
	default:
		e.Why = fmt.Sprintf("this build has no package %s", pkg)
	}
	return e
}

// noFunction explains why a package of this build, one of several paths, does
// not have a function.
func (r *resolver) noFunction(pkg string, paths map[string]bool) string {
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if why := r.build.MissingOf(path); why != "" {
			return why
		}
	}
	return fmt.Sprintf("package %s of this build has no such function; if the source has it, nothing calls it and the linker removed it, or it was inlined until nothing of it was left", pkg)
}
