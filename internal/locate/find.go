package locate

import (
	"slices"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// FoundFunc is one function of the source that answers to a pattern.
type FoundFunc struct {
	Name    string            // the shortest with a whole package name: what people write as a location
	Own     []*debuginfo.Func // with code of their own; several for a generic function
	Inlined bool              // copies of it are in other functions
	Main    bool              // of the program's own module
	Fuzzy   bool              // only the letters are there, in their order
	Full    string            // with the whole path of its package, without type arguments
	rank    int
}

// FoundFile is one source file that answers to a pattern.
type FoundFile struct {
	Name  string // the shortest end of the path that means no other file
	Path  string // as the build has it
	Main  bool   // of the program's own module
	Fuzzy bool
	rank  int
}

// Functions are the functions of a build that answer to a pattern, the best
// first: those of the program's own module, then by how well they match, then
// by name. Functions that the compiler made for itself have no part in it. See
// newPattern for what a pattern means; an empty one means all.
func Functions(b *debuginfo.Build, text string) []FoundFunc {
	p := newPattern(text)
	g := gatherer{p: p, at: map[string]int{}, main: mainModule(b)}
	g.gather(b)
	if len(g.list) == 0 && p.loose {
		p.fuzzy = true
		g.gather(b)
	}
	return g.found(b)
}

// FunctionsFrom are the functions whose names, whole or without elements of
// their package's path, begin with what was typed; of the program's own module
// where that is nothing. Name is what goes on from there.
func FunctionsFrom(b *debuginfo.Build, typed string) []FoundFunc {
	g := gatherer{p: &pattern{text: typed, prefix: true}, at: map[string]int{}, main: mainModule(b), own: typed == ""}
	g.gather(b)
	list := g.found(b)
	for i := range list {
		if !strings.HasPrefix(list[i].Name, typed) {
			list[i].Name = fromElement(list[i].Full, typed)
		}
	}
	return list
}

// fromElement is the longest end of a plain name that begins with an element of
// its package's path and with what was typed.
func fromElement(plain, typed string) string {
	for from := 0; ; {
		if strings.HasPrefix(plain[from:], typed) {
			return plain[from:]
		}
		next := strings.IndexByte(plain[from:], '/')
		if next < 0 {
			return shortName(plain)
		}
		from += next + 1
	}
}

func (g *gatherer) gather(b *debuginfo.Build) {
	clear(g.at)
	for i, name := range b.FuncNames() {
		at, ok := g.function(name)
		if !ok {
			continue
		}
		if fn := b.Func(i); !fn.Wrapper && fn.Package != "" {
			g.list[at].Own = append(g.list[at].Own, fn)
		}
	}
	for _, name := range b.InlinedNames() {
		if at, ok := g.function(name); ok {
			g.list[at].Inlined = true
		}
	}
	g.list = slices.DeleteFunc(g.list, func(f FoundFunc) bool { return len(f.Own) == 0 && !f.Inlined })
	for _, f := range g.list {
		slices.SortFunc(f.Own, func(a, b *debuginfo.Func) int { return compare(a.Entry, b.Entry) })
	}
}

// found is what was gathered, in order.
func (g *gatherer) found(b *debuginfo.Build) []FoundFunc {
	if len(g.list) > 0 {
		g.shorten(b)
	}
	slices.SortFunc(g.list, func(a, b FoundFunc) int {
		if c := order(a.Main, b.Main, a.rank, b.rank); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return g.list
}

// rankRefused puts behind all others what takes no probe anyway.
const rankRefused = 1 << 16

func order(aMain, bMain bool, a, b int) int {
	if aMain != bMain {
		if aMain {
			return -1
		}
		return 1
	}
	return a - b
}

// gatherer gathers functions by their plain names.
type gatherer struct {
	p    *pattern
	main func(pkg string) bool
	own  bool // only functions of the main module
	list []FoundFunc
	at   map[string]int // plain name to its place in list
}

// function is the place in the list of the function of a linker name; false if it
// does not match.
func (g *gatherer) function(linked string) (at int, ok bool) {
	if strings.HasPrefix(linked, "type:") || strings.HasPrefix(linked, "go:") || strings.HasSuffix(linked, "-fm") {
		return 0, false
	}
	plain := plainName(linked)
	rank, ok := g.p.match(plain)
	if !ok {
		return 0, false
	}
	if at, ok = g.at[plain]; ok {
		return at, true
	}
	pkg := splitName(plain).pkg
	if g.own && !g.main(pkg) {
		return 0, false
	}
	if refusedPackage(pkg) {
		rank += rankRefused
	}
	at = len(g.list)
	g.at[plain] = at
	g.list = append(g.list, FoundFunc{Name: plain, Full: plain, Main: g.main(pkg), Fuzzy: g.p.fuzzy, rank: rank})
	return at, true
}

// shorten leaves the last element of each package's path, where that means no
// other function of the build.
func (g *gatherer) shorten(b *debuginfo.Build) {
	means := make(map[string]string, len(g.list)) // short name to the full one; "" if there are several
	ends := make(map[string]bool, len(g.list))    // last elements, to pass over most others quickly
	last := [256]bool{']': true}                  // what they end in; a bracket may hide it
	for _, f := range g.list {
		means[shortName(f.Full)] = f.Full
		ends[tail(f.Full)] = true
		last[f.Full[len(f.Full)-1]] = true
	}
	look := func(linked string) {
		if linked == "" || !last[linked[len(linked)-1]] {
			return
		}
		plain := plainName(linked)
		if !ends[tail(plain)] {
			return
		}
		short := shortName(plain)
		if full, ok := means[short]; ok && full != plain {
			means[short] = ""
		}
	}
	for _, name := range b.FuncNames() {
		look(name)
	}
	for _, name := range b.InlinedNames() {
		look(name)
	}
	for i := range g.list {
		if short := shortName(g.list[i].Full); means[short] != "" {
			g.list[i].Name = short
		}
	}
}

// shortName is a plain name with what its package is likely called in front:
// the last element of the path that is no version.
func shortName(plain string) string {
	pkg, rest := shortParts(plain)
	if pkg == "" {
		return rest
	}
	return pkg + rest
}

// shortParts is shortName in two parts, the second from the first dot on.
func shortParts(plain string) (pkg, rest string) {
	end := len(plain)
	if i := strings.IndexByte(plain, '('); i >= 0 {
		end = i
	}
	slash := strings.LastIndexByte(plain[:end], '/') + 1
	dot := strings.IndexByte(plain[slash:], '.')
	if dot < 0 {
		return "", plain
	}
	return base(packageName(plain[:slash+dot])), plain[slash+dot:]
}

// mainModule tells which packages are the program's own.
func mainModule(b *debuginfo.Build) func(pkg string) bool {
	return func(pkg string) bool {
		return pkg == "main" || b.ModulePath != "" && b.ModulePath != "std" &&
			(pkg == b.ModulePath || strings.HasPrefix(pkg, b.ModulePath+"/"))
	}
}

// Files are the source files of a build that answer to a pattern, in the order
// of Functions.
func Files(b *debuginfo.Build, text string) []FoundFile {
	p := newPattern(text)
	all := b.Files()
	own := ownFiles(b)
	var list []FoundFile
	for fuzzy := range 2 {
		p.fuzzy = fuzzy == 1
		for _, path := range all {
			if rank, ok := p.match(path); ok {
				list = append(list, FoundFile{Name: base(path), Path: path, Main: own(path), Fuzzy: p.fuzzy, rank: rank})
			}
		}
		if len(list) > 0 || !p.loose {
			break
		}
	}
	unambiguous(list, all)
	slices.SortFunc(list, func(a, b FoundFile) int {
		if c := order(a.Main, b.Main, a.rank, b.rank); c != 0 {
			return c
		}
		return strings.Compare(a.Path, b.Path)
	})
	return list
}

// FilesFrom are the files whose names, from an element of their path on, begin
// with what was typed; of the program's own module where that is nothing. Name
// goes on from there.
func FilesFrom(b *debuginfo.Build, typed string) []FoundFile {
	own := ownFiles(b)
	all := b.Files()
	var list []FoundFile
	for _, path := range all {
		if typed == "" {
			if own(path) {
				list = append(list, FoundFile{Name: base(path), Path: path, Main: true})
			}
			continue
		}
		if i := strings.LastIndex("/"+path, "/"+typed); i >= 0 {
			list = append(list, FoundFile{Name: path[i:], Path: path, Main: own(path)})
		}
	}
	unambiguous(list, all)
	slices.SortFunc(list, func(a, b FoundFile) int {
		if c := order(a.Main, b.Main, len(a.Name), len(b.Name)); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list
}

// unambiguous makes names longer until each means one file.
func unambiguous(list []FoundFile, all []string) {
	paths := make(map[string][]string, len(list)) // by the last element, of those in the list
	for i := range list {
		paths[base(list[i].Path)] = nil
	}
	for _, path := range all {
		if of, wanted := paths[base(path)]; wanted {
			paths[base(path)] = append(of, path)
		}
	}
	for i := range list {
		f := &list[i]
		means := func(name string) (n int) {
			for _, path := range paths[base(f.Path)] {
				if matchFile(path, name) {
					n++
				}
			}
			return n
		}
		for len(f.Name) < len(f.Path) && means(f.Name) > 1 {
			at := len(f.Path) - len(f.Name) - 1
			f.Name = f.Path[strings.LastIndexByte(f.Path[:at], '/')+1:]
		}
	}
}

// ownFiles tells which files are the program's own: those of the folder that
// main.main is in, unless the module's path is in the file's.
func ownFiles(b *debuginfo.Build) func(path string) bool {
	dir := ""
	if fn := b.FuncNamed("main.main"); fn != nil {
		file, _ := Begins(b, fn)
		dir = file[:strings.LastIndexByte(file, '/')+1]
	}
	// /src/shop/cmd/shop/main.go of example.com/shop/cmd/shop: the module's
	// folder is above the folder of main by as much as its path is.
	if rest, ok := strings.CutPrefix(b.Main, b.ModulePath+"/"); ok && strings.HasSuffix(dir, "/"+rest+"/") {
		dir = strings.TrimSuffix(dir, rest+"/")
	}
	return func(path string) bool { return dir != "" && strings.HasPrefix(path, dir) }
}

// Begins is where the source of a function begins.
func Begins(b *debuginfo.Build, fn *debuginfo.Func) (file string, line int) {
	for _, row := range b.Lines(fn) {
		return row.File, fn.StartLine
	}
	return "", fn.StartLine
}

// LineOf is a line with code and a function that has it.
type LineOf struct {
	Line     int
	Function string
}

// Lines are the lines of a file, a full path of the build's Files, that have
// code, sorted. It looks at the line table only.
func Lines(b *debuginfo.Build, file string) []LineOf {
	at := map[int]string{}
	for _, fn := range b.FileFuncs(file) {
		rows := b.Lines(fn)
		own := len(rows) > 0 && rows[0].File == file // the others have it inlined
		for _, row := range rows {
			if row.File == file && row.Line > 0 && (own || at[row.Line] == "") {
				at[row.Line] = ""
				if own {
					at[row.Line] = splitName(fn.Name).rest
				}
			}
		}
	}
	out := make([]LineOf, 0, len(at))
	for n, name := range at {
		out = append(out, LineOf{n, name})
	}
	slices.SortFunc(out, func(a, b LineOf) int { return a.Line - b.Line })
	return out
}
