// Package house holds the project to its own laws: who may import whom, and
// that every package says what it is. Each failure names the cure.
package house

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sidelight-dev/sidelight"

type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module+"/internal/") }

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports", module+"/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing the packages: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// outside is what may be imported of each room's neighbours: the way data
// takes. A room that is not listed may import nothing of the project.
var rooms = map[string][]string{
	"probe":     {},
	"program":   {},
	"ring":      {},
	"clock":     {},
	"testprog":  {},
	"house":     {},
	"testcpu":   {"amd64"},
	"amd64":     {"program"},
	"expr":      {"program"},
	"interp":    {"program", "ring"},
	"cache":     {},
	"symbol":    {"cache", "debuginfo"},
	"source":    {"debuginfo"},
	"debuginfo": {"amd64", "cache", "program"},
	"pattern":   {"program"},
	"patch":     {"amd64", "program"},
	"vdso":      {"amd64"},
	"jit":       {"amd64", "program", "ring"},
	"locate":    {"amd64", "debuginfo", "probe"},
	"otel":      {"program"},
	"compile":   {"debuginfo", "expr", "locate", "otel", "pattern", "probe", "program"},
	"redact":    {"probe", "program"},
	"image":     {"program", "ring"},
	"value":     {"image", "otel", "probe", "program", "ring"},
	"moment":    {"amd64", "debuginfo", "image", "probe", "program", "value"},
	"decode":    {"image", "moment", "probe", "program", "redact", "ring", "value"},
	"inject":    {"amd64", "jit", "ring"},
	"engine":    {"amd64", "cache", "clock", "compile", "debuginfo", "decode", "expr", "inject", "jit", "locate", "moment", "otel", "patch", "probe", "program", "redact", "ring", "source", "symbol", "vdso"},
	"target":    {"debuginfo", "probe"},
	"tree":      {"probe"},
	"sink":      {"probe", "tree"},
	"otlp":      {"probe", "sink"},
	"view":      {"probe", "sink", "tree"},
	"dash":      {"probe", "sink"},
	"saved":     {"probe"},
	"demo":      {"demo/shop", "probe", "sink", "target"},
	"demo/shop": {},
	"picture":   {},
	"daemon":    {"probe", "redact"},
	"dap":       {"probe", "redact", "target"},
	"cli":       {"cache", "daemon", "dap", "demo", "engine", "probe", "redact", "dash", "otlp", "saved", "sink", "target", "source", "symbol", "view"},
	"sidelight": {"cache", "cli", "daemon", "dap", "engine", "source", "symbol"},
	"bench":     {"engine", "probe", "testprog"},
	"where":     {"engine", "probe"},
}

func TestRoomsImportOnlyWhatStandsBeforeThem(t *testing.T) {
	for _, p := range packages(t) {
		room := p.name()
		if i := strings.LastIndex(room, "/"); strings.HasPrefix(room, module) && i >= 0 {
			room = room[i+1:]
		}
		may, known := rooms[room]
		if !known {
			t.Errorf("package %s has no place in the house: name it in rooms with what it may import, and draw it in docs/architecture.md", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			dep, inside := strings.CutPrefix(imp, module+"/internal/")
			if inside && !slices.Contains(may, dep) {
				t.Errorf("%s imports %s, which does not stand before it: pass what it needs as an argument, or move the code to where the data already is", room, dep)
			}
		}
	}
}

// TestWordsImportOnlyTheStandardLibrary keeps probe, program and ring light
// enough for everybody.
func TestWordsImportOnlyTheStandardLibrary(t *testing.T) {
	for _, p := range packages(t) {
		if !slices.Contains([]string{"probe", "program", "ring"}, p.name()) {
			continue
		}
		for _, imp := range p.Imports {
			if strings.Contains(imp, ".") {
				t.Errorf("%s imports %s: the words import only the standard library; put the code beside its user", p.name(), imp)
			}
		}
	}
}

// TestOnlyInjectTouchesProcesses looks for the calls that reach into another
// process outside the one package that may.
func TestOnlyInjectTouchesProcesses(t *testing.T) {
	for _, p := range packages(t) {
		if p.name() == "inject" {
			continue
		}
		for _, name := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range []string{"unix.Ptrace", "PTRACE_", "unix.ProcessVM", "syscall.Ptrace"} {
				if strings.Contains(string(text), word) && !strings.Contains(string(text), "PR_SET_PTRACER") {
					t.Errorf("%s/%s uses %s: only inject touches another process; give inject the method that you need", p.name(), name, word)
				}
			}
		}
	}
}

// TestEveryPackageSaysWhatItIs wants one package comment of some substance.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		longest := ""
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil && len(f.Doc.Text()) > len(longest) {
				longest = f.Doc.Text()
			}
		}
		if len(p.GoFiles) > 0 && len(longest) < 80 {
			t.Errorf("%s: say in the package comment what comes in, what goes out, and which packages stand before and after it", p.ImportPath)
		}
	}
}

// TestFunctionsAreShort keeps functions readable at a glance. Tables and
// generated text are no functions; a few long switches are named with a reason.
func TestFunctionsAreShort(t *testing.T) {
	const most = 80
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Body == nil {
					continue
				}
				if n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line; n > most {
					t.Errorf("%s/%s: %s has %d lines: split it; %d is the most", p.name(), name, fn.Name.Name, n, most)
				}
			}
		}
	}
}

// TestArchitectureDrawsEveryRoom keeps docs/architecture.md true.
func TestArchitectureDrawsEveryRoom(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages(t) {
		if !strings.Contains(string(text), p.name()+"/") && strings.Contains(p.ImportPath, "/internal/") {
			t.Errorf("docs/architecture.md does not have %s/: draw it", p.name())
		}
	}
}
