package debuginfo

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/testprog"
)

const twinSource = `package main

import (
	"fmt"
	"os"
	"strings"
)

type Order struct {
	ID   int
	Name string
}

var (
	Total   int
	Rate    = 0.5
	Names   = []string{"a", "b"}
	Last    *Order
	byName  = map[string]*Order{}
	zeroes  [64]byte
	counter uint32
)

//go:noinline
func place(o *Order, s fmt.Stringer) string {
	Total += o.ID
	Last = o
	byName[o.Name] = o
	zeroes[o.ID&63]++
	counter++
	return strings.Repeat(o.Name, Total) + s.String() + Names[o.ID&1] + fmt.Sprint(Rate)
}

func (o *Order) String() string { return fmt.Sprint(*o) }

func main() { fmt.Println(place(&Order{len(os.Args), "x"}, Last)) }
`

// twins builds one program in one directory in several ways.
func twins(t *testing.T, toolchain, source string, ways ...[]string) []string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"main.go": source, "go.mod": "module example.com/twin\n\ngo 1.22\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if toolchain == "" {
		toolchain = strings.Fields(runtime.Version())[0]
	}
	var out []string
	for i, flags := range ways {
		path := filepath.Join(dir, string(rune('a'+i)))
		cmd := exec.Command("go", append(append([]string{"build", "-o", path}, flags...), ".")...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOTOOLCHAIN="+toolchain, "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0")
		if strings.Contains(strings.Join(flags, " "), "external") {
			cmd.Env = append(cmd.Env, "CGO_ENABLED=1")
		}
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build %v: %v\n%s", flags, err, text)
		}
		out = append(out, path)
	}
	return out
}

// TestStrippedTwins settles what a build stripped by its linker has in common
// with the build that was not (docs/decisions/twins.md), and reads variables of
// the one by the debug information of the other.
func TestStrippedTwins(t *testing.T) {
	sameText := 0
	for _, tc := range testprog.Toolchains {
		if testing.Short() && tc != "" {
			continue
		}
		for _, mode := range []string{"exe", "pie", "pie -linkmode=external"} {
			mode, link, external := strings.Cut(mode, " ")
			if _, err := exec.LookPath("gcc"); external && (err != nil || tc != "go1.24.11") {
				continue // one release without a section for the table of functions
			}
			t.Run(tc+"/"+mode+link, func(t *testing.T) {
				m, l := "-buildmode="+mode, "-ldflags="+link
				p := twins(t, tc, twinSource, []string{m, l}, []string{m, l + " -w"}, []string{m, l + " -s -w"},
					[]string{m, l, "-trimpath"}, []string{m, "-trimpath", l + " -s -w"})
				full := open(t, p[0])
				for i, twin := range [][2]string{{p[1], p[0]}, {p[2], p[0]}, {p[4], p[3]}} {
					b, err := Open(twin[0], WithDebug(twin[1]))
					if err != nil {
						t.Fatal(err)
					}
					defer b.Close()
					if b.ID == full.ID {
						t.Error("the Go build IDs are equal: the decision can be made simpler")
					}
					if b.sep.proven {
						sameText++
					}
					if !b.HasDebug() || len(b.Globals()) != len(full.Globals()) {
						t.Errorf("%d globals, want %d", len(b.Globals()), len(full.Globals()))
					}
					if i == 0 {
						checkGlobals(t, b)
					}
					checkMoved(t, b)
				}
				for _, wrong := range [][2]string{{p[4], p[0]}, {p[2], p[3]}} { // other paths of files
					if _, err := Open(wrong[0], WithDebug(wrong[1])); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), full.ID[:20]) && wrong[1] == p[0] {
						t.Errorf("debug information of a build with other paths: %v", err)
					}
				}
			})
		}
	}
	t.Logf("%d twins have the same bytes of code", sameText)
}

// checkGlobals holds the addresses of all package variables to the symbol table
// that the linker left.
func checkGlobals(t *testing.T, b *Build) {
	t.Helper()
	want := map[string]uint64{}
	b.eachSymbol(func(name string, value, _ uint64) bool {
		want[name] = value
		return true
	})
	n := 0
	for _, name := range b.Globals() {
		g, ok := b.Global(name)
		if !ok || want[name] == 0 {
			continue
		}
		n++
		if g.Addr != want[name] {
			t.Errorf("%s is at %#x, the symbol table says %#x", name, g.Addr, want[name])
		}
	}
	if n < 100 {
		t.Errorf("only %d package variables were compared", n)
	}
}

// checkMoved compares what the separate debug information says of the runtime
// with what the code says, and asks for a variable of each kind.
func checkMoved(t *testing.T, b *Build) {
	t.Helper()
	got, err := b.Runtime()
	if err != nil {
		t.Fatal(err)
	}
	bare := bare(t, b.Path)
	want, err := bare.Runtime()
	if err != nil {
		t.Fatal(err)
	}
	g, w := *got, *want
	g.Inferred, w.Inferred = false, false
	if g != w {
		t.Errorf("the runtime: %+v, want %+v", g, w)
	}
	if b.TypesBase() != bare.TypesBase() {
		t.Errorf("types at %#x, want %#x", b.TypesBase(), bare.TypesBase())
	}
	f := b.FuncNamed("main.place")
	vars := b.ScopeOf(f.Entry, "", f.StartLine+1)
	if len(vars) < 2 || !vars[0].Locate(f.Entry).Readable() {
		t.Errorf("in scope of main.place: %+v", vars)
	}
}

// TestForeignDebug refuses debug information of other builds, however alike.
func TestForeignDebug(t *testing.T) {
	other := strings.Replace(twinSource, "Total += o.ID", "Total -= o.ID", 1)
	moved := strings.Replace(twinSource, "zeroes  [64]byte", "zeroes  [65]byte", 1)
	p := twins(t, "", twinSource, []string{"-trimpath"}, []string{"-trimpath", "-ldflags=-s -w"}, []string{"-trimpath", "-buildmode=pie"},
		[]string{"-trimpath", "-gcflags=-N -l"})
	for name, path := range map[string]string{"another sign": twins(t, "", other, []string{"-trimpath"})[0],
		"another array": twins(t, "", moved, []string{"-trimpath"})[0], "PIE": p[2], "unoptimised": p[3]} {
		_, err := Open(p[1], WithDebug(path))
		var m *MismatchError
		if !errors.As(err, &m) || m.Why == "" || !strings.Contains(err.Error(), "the program:") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(p[1], WithDebug(p[1])); !errors.Is(err, ErrNoDWARF) {
		t.Errorf("stripped itself: %v", err)
	}
	if _, err := Open(p[1], WithDebug("separate_test.go")); !errors.Is(err, ErrNotELF) {
		t.Errorf("no ELF file: %v", err)
	}
}

// TestKeptDebug reads the .debug files of binutils: no code is in them, so the
// build IDs have to be equal and to mean something.
func TestKeptDebug(t *testing.T) {
	objcopy, err := exec.LookPath("objcopy")
	if err != nil {
		t.Skip("objcopy is not installed")
	}
	p := twins(t, "", twinSource, nil, []string{"-ldflags=-buildid=redacted"})
	for i, path := range p {
		for _, args := range [][]string{{"--only-keep-debug", path, path + ".debug"}, {"--strip-all", path, path + ".bare"}} {
			if out, err := exec.Command(objcopy, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
		b, err := Open(path+".bare", WithDebug(path+".debug"))
		switch i {
		case 0:
			if err != nil {
				t.Fatal(err)
			}
			checkMoved(t, b)
			b.Close()
		case 1:
			if !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), "give the binary") {
				t.Errorf("an id that is none: %v", err)
			}
			b, err := Open(path+".bare", WithDebug(path)) // by its code
			if err != nil {
				t.Fatal(err)
			}
			b.Close()
		}
	}
}
