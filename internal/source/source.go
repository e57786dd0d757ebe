// Package source finds the source that a build was made from, and says how sure
// that is.
//
// In come a build and the name that its line table has for a file; out go the
// text, where it was found, and a verdict: the same, likely the same, different
// and how, or nowhere and what was tried. The standard library comes from a
// toolchain of the build's own version, dependencies from the module cache or a
// vendor directory by their exact versions, the program's own files from version
// control at the build's revision or from the tree.
//
// debuginfo stands before it; engine, which joins it to locations, and cli, which
// prints, stand after it. It reads files, asks git and go, and changes nothing.
package source

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// Verdict says how a text relates to what the build was made from. Verdicts are
// part of the output contract.
type Verdict string

// The verdicts.
const (
	Same    Verdict = "same"    // by version or revision, and no line speaks against it
	Likely  Verdict = "likely"  // nothing vouches for it, and no line speaks against it
	Differs Verdict = "differs" // it is another text; Why says how that shows
	Missing Verdict = "missing" // nothing was found; Why says what was tried
)

// Source is a file of a build.
type Source struct {
	File    string   `json:"file"`   // as the build has it
	Path    string   `json:"path"`   // where it was found; empty: nowhere
	Origin  string   `json:"origin"` // what vouches for it, for a person
	Verdict Verdict  `json:"verdict"`
	Why     []string `json:"why"`
	Text    []byte   `json:"-"`
}

// Finder finds the sources of one build. It may be used by several goroutines.
type Finder struct {
	build *debuginfo.Build
	dir   string // where the user is, to find the tree from
	tools tools
}

// New makes a finder that looks for the program's own tree at dir and above it;
// "" is the working directory.
func New(b *debuginfo.Build, dir string) *Finder {
	if dir == "" {
		dir, _ = os.Getwd()
	}
	return &Finder{build: b, dir: dir}
}

// tools are what the go command says.
type tools struct {
	once            sync.Once
	goroot, modules string
	version         string
}

func (t *tools) ask() {
	t.once.Do(func() {
		home, _ := os.UserHomeDir()
		t.modules = filepath.Join(home, "go", "pkg", "mod")
		out, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE", "GOVERSION").Output()
		if parts := strings.Split(string(out), "\n"); err == nil && len(parts) >= 3 {
			t.goroot, t.modules, t.version = parts[0], parts[1], parts[2]
		} else if m := os.Getenv("GOMODCACHE"); m != "" {
			t.modules = m
		}
	})
}

// candidate is a place where the text may be.
type candidate struct {
	path   string
	origin string
	sure   bool   // the place vouches for the text
	doubt  string // why not, where one should think so
}

// Find finds a file; file is one of the build's Files.
func (f *Finder) Find(file string) *Source {
	f.tools.ask()
	s := &Source{File: file, Verdict: Missing, Why: []string{}}
	if at := f.fromRevision(file); at != nil && f.judge(at) {
		return at
	}
	var second *Source
	for _, c := range f.candidates(file) {
		text, err := os.ReadFile(c.path)
		if err != nil {
			s.Why = append(s.Why, fmt.Sprintf("not in %s (%s)", c.path, c.origin))
			continue
		}
		got := &Source{File: file, Path: c.path, Origin: c.origin, Text: text, Verdict: Likely, Why: []string{}}
		if c.sure {
			got.Verdict = Same
		}
		if c.doubt != "" {
			got.Why = append(got.Why, c.doubt)
		}
		if f.judge(got) {
			return got
		}
		if second == nil {
			second = got
		}
	}
	if second != nil {
		return second
	}
	return s
}

// judge holds a text to what the line table says; false: it is another text.
func (f *Finder) judge(s *Source) bool {
	if why := f.lines(s.File, s.Text); len(why) > 0 {
		s.Verdict = Differs
		s.Why = append(s.Why, why...)
		return false
	}
	return true
}

// candidates are the places for a file, the surest first.
func (f *Finder) candidates(file string) []candidate {
	if list := f.library(file); len(list) > 0 {
		return list
	}
	if list := f.module(file); len(list) > 0 {
		return list
	}
	return f.tree(file)
}

// library finds files of the standard library: under -trimpath they begin with
// their package, else with the toolchain that compiled them.
func (f *Finder) library(file string) []candidate {
	rel, standard := strings.CutPrefix(file, "GOROOT/src/")
	if i := strings.LastIndex(file, "/src/"); !standard && filepath.IsAbs(file) && i >= 0 && f.isGoroot(file, file[:i]) {
		rel, standard = file[i+len("/src/"):], true
	}
	if first, _, _ := strings.Cut(file, "/"); !standard && !filepath.IsAbs(file) && !strings.Contains(first, ".") &&
		first != f.build.ModulePath && !strings.HasPrefix(file, f.build.ModulePath+"/") && strings.Contains(file, "/") {
		rel, standard = file, true
	}
	if !standard {
		return nil
	}
	version, _, _ := strings.Cut(f.build.GoVersion, " ")
	var out []candidate
	add := func(root, what string) {
		if root == "" {
			return
		}
		c := candidate{path: filepath.Join(root, "src", filepath.FromSlash(rel)), origin: what + " " + version, sure: true}
		if v := versionOf(root); v != version {
			c.sure, c.doubt = false, fmt.Sprintf("the build was made by %s, and this is from %s", version, orUnknown(v))
			c.origin = what + " " + orUnknown(v)
			out = append(out, c)
			return
		}
		out = append([]candidate{c}, out...)
	}
	if i := strings.LastIndex(file, "/src/"); filepath.IsAbs(file) && i >= 0 {
		add(file[:i], "toolchain")
	}
	add(filepath.Join(f.tools.modules, "golang.org", "toolchain@v0.0.1-"+version+".linux-amd64"), "toolchain")
	add(f.tools.goroot, "toolchain")
	return out
}

// isGoroot tells whether a directory is where a toolchain lies, on this machine or
// on the one that built: there the package's path is all that is known.
func (f *Finder) isGoroot(file, root string) bool {
	if _, err := os.Stat(filepath.Join(root, "VERSION")); err == nil {
		return true
	}
	if strings.Contains(root, "golang.org/toolchain@") {
		return true
	}
	pkg, ok := f.pkg(file)
	first, _, _ := strings.Cut(pkg, "/")
	return ok && pkg != "main" && !strings.Contains(first, ".") && strings.HasSuffix(path.Dir(file), "/src/"+pkg) &&
		pkg != f.build.ModulePath && !strings.HasPrefix(pkg, f.build.ModulePath+"/")
}

func orUnknown(v string) string {
	if v == "" {
		return "an unknown version"
	}
	return v
}

// versionOf reads the VERSION file of a toolchain.
func versionOf(root string) string {
	text, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return ""
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	return strings.TrimSpace(string(first))
}

// module finds files of dependencies, whose paths hold module@version: in the
// module cache, which is made from checked sums, or in a vendor directory of
// that version.
func (f *Finder) module(file string) []candidate {
	at := strings.IndexByte(file, '@')
	if at < 0 {
		return f.vendored(file)
	}
	end := strings.IndexByte(file[at:], '/')
	if end < 0 {
		return nil
	}
	rel := file
	if i := strings.LastIndex(file[:at], "/pkg/mod/"); i >= 0 {
		rel = file[i+len("/pkg/mod/"):]
	} else if filepath.IsAbs(file) { // a module cache of another name
		return []candidate{{path: file, origin: "the path in the build", sure: true}}
	}
	mod, rest, _ := strings.Cut(rel, "@")
	version, within, _ := strings.Cut(rest, "/")
	mod = unescaped(mod)
	origin := fmt.Sprintf("module %s@%s", mod, version)
	out := []candidate{{path: filepath.Join(f.tools.modules, escaped(mod)+"@"+escaped(unescaped(version)), filepath.FromSlash(within)), origin: origin, sure: true}}
	if filepath.IsAbs(file) && out[0].path != file {
		out = append(out, candidate{path: file, origin: origin, sure: true})
	}
	if root := f.root(); root != "" {
		c := candidate{path: filepath.Join(root, "vendor", filepath.FromSlash(mod), filepath.FromSlash(within)), origin: "vendor directory, " + origin}
		c.sure, c.doubt = vendorHas(root, mod, version)
		out = append(out, c)
	}
	return out
}

// vendored finds files that were compiled from a vendor directory.
func (f *Finder) vendored(file string) []candidate {
	i := strings.LastIndex(file, "/vendor/")
	if i < 0 || !filepath.IsAbs(file) {
		return nil
	}
	out := []candidate{{path: file, origin: "vendor directory"}}
	if root := f.root(); root != "" && root != file[:i] {
		out = append(out, candidate{path: filepath.Join(root, "vendor", file[i+len("/vendor/"):]), origin: "vendor directory"})
	}
	return out
}

// vendorHas tells whether a vendor directory holds a module at a version.
func vendorHas(root, mod, version string) (ok bool, doubt string) {
	text, err := os.ReadFile(filepath.Join(root, "vendor", "modules.txt"))
	if err != nil {
		return false, "the vendor directory does not say which versions it holds"
	}
	for _, line := range strings.Split(string(text), "\n") {
		if line == "# "+mod+" "+version {
			return true, ""
		}
		if strings.HasPrefix(line, "# "+mod+" ") {
			return false, "the vendor directory holds " + strings.TrimPrefix(line, "# ") + ", the build " + version
		}
	}
	return false, "the vendor directory does not name " + mod
}

// escaped writes upper case letters as the module cache does (go.dev/ref/mod).
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('!')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func unescaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '!' && i+1 < len(s) && s[i+1] >= 'a' && s[i+1] <= 'z' {
			i++
			b.WriteByte(s[i] - 'a' + 'A')
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
