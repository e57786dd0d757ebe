package debuginfo

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// marked finds the line of the sample that ends in "// line: name".
func marked(t *testing.T, name string) int {
	t.Helper()
	text, err := os.ReadFile("testdata/sample/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range strings.Split(string(text), "\n") {
		if strings.HasSuffix(l, "// line: "+name) {
			return i + 1
		}
	}
	t.Fatalf("no line %s", name)
	return 0
}

// at is the first statement of a marked line in a function.
func at(t *testing.T, b *Build, function, name string) uint64 {
	t.Helper()
	line := marked(t, name)
	for _, r := range b.Lines(b.FuncNamed(function)) {
		if r.Stmt && r.Line == line && strings.HasSuffix(r.File, "/main.go") {
			return r.PC
		}
	}
	t.Fatalf("%s has no code on line %d", function, line)
	return 0
}

// describe shows the variables in scope: name, type, and how they are found.
func describe(b *Build, pc uint64) string {
	var out []string
	for _, v := range b.Scope(pc) {
		if strings.HasPrefix(v.Name, "~") {
			continue
		}
		s := v.Name + " " + v.Type.Name
		l := v.Locate(pc)
		if l.Indirect {
			s += " indirect"
		}
		if v.Fresh {
			s += " fresh"
		}
		if l.Why != "" {
			s += " (" + l.Why + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func TestScope(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		if o.GCFlags != "" {
			return // another compiler, as far as places go
		}
		for _, c := range []struct{ function, line, want string }{
			{"main.escape", "escape", "o main.Order, k int, p main.Order indirect"},
			{"main.(*Order).Total", "shadow", "x float64, o *main.Order (optimised out), f float64, sum float64, err error, v int, x int"},
		} {
			if got := describe(b, at(t, b, c.function, c.line)); !sameScope(got, c.want) {
				t.Errorf("%s:\n got %s\nwant %s", c.line, got, c.want)
			}
		}
	})
}

// sameScope compares descriptions but for what a compiler may have optimised
// away where another has not.
func sameScope(got, want string) bool {
	strip := func(s string) string {
		for _, w := range []string{WhyOptimised, WhyPartly} {
			s = strings.ReplaceAll(s, " ("+w+")", "")
		}
		return s
	}
	return strip(got) == strip(want)
}

func find(t *testing.T, b *Build, pc uint64, name string) *Variable {
	t.Helper()
	for _, v := range b.Scope(pc) {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("no %s in scope at %#x: %s", name, pc, describe(b, pc))
	return nil
}

// TestPadding: the parts of a struct behind padding are where they belong, in
// registers at the entry as well as later.
func TestPadding(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		f := b.FuncNamed("main.small")
		want := map[int64]Piece{0: {Reg: 0, Size: 1}, 4: {Reg: 3, Size: 4}, 8: {Reg: 1, Size: 1}, 16: {Reg: 7, Size: 8}}
		for _, pc := range []uint64{f.Entry, b.bodyStart(f)} {
			l := find(t, b, pc, "p").Locate(pc)
			off, found := int64(0), 0
			for _, p := range l.Pieces {
				if w, ok := want[off]; ok && p.Kind == InReg && p.Reg == w.Reg && p.Size == w.Size {
					found++
				}
				off += p.Size
			}
			if found != 4 || off != 24 || l.Why != "" {
				t.Errorf("at %#x: %+v", pc, l)
			}
		}
	})
}

func TestClosure(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		pc := at(t, b, "main.counter.func1", "closure")
		for name, indirect := range map[string]bool{"total": true, "n": false, "d": false} {
			v := find(t, b, pc, name)
			if v.Type.Name != "int" || v.Locate(pc).Indirect != indirect {
				t.Errorf("%s: %+v", name, v)
			}
		}
		if o.Toolchain == "go1.22.12" || o.GCFlags != "" {
			return // says nothing of offsets in closures
		}
		f := b.FuncAt(pc)
		for name, off := range map[string]int64{"total": 8, "n": 16, "name": 24} {
			v := find(t, b, f.Entry, name)
			for _, pc := range []uint64{f.Entry, b.bodyStart(f)} {
				l := v.Locate(pc)
				if !v.Captured || !l.Readable() || l.Pieces[0].Kind != AtReg || l.Pieces[0].Reg != 2 || l.Pieces[0].Off != off {
					t.Errorf("%s at %#x: %+v", name, pc, l)
				}
			}
		}
	})
}

// TestInlined: at a line of an inlined function its variables are in scope, not
// the caller's, and one of which nothing is left is said to be optimised out.
func TestInlined(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		if o.GCFlags != "" {
			return
		}
		total := b.FuncNamed("main.(*Order).Total")
		in := b.InlinedIn("main.area")
		if len(in) != 1 || in[0] != total {
			t.Fatalf("area is inlined in %v", in)
		}
		calls := b.Inline(total)
		var pc uint64
		for _, c := range calls {
			if c.Name == "main.area" && c.CallLine == marked(t, "call") && c.Package == "main" {
				pc = c.Ranges[0][0]
			}
		}
		if pc == 0 {
			t.Fatalf("inlined calls: %+v", calls)
		}
		names := map[string]bool{}
		for _, v := range b.Scope(pc) {
			names[v.Name] = true
		}
		if !names["a"] || !names["b"] || names["o"] || names["f"] {
			t.Errorf("in scope: %s", describe(b, pc))
		}
	})
}

func TestReadable(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		checked := 0
		for _, f := range b.Funcs() {
			if f.Package != "main" {
				continue
			}
			for _, r := range b.Lines(f) {
				for _, v := range b.Scope(r.PC) {
					if line, ok := b.Readable(v, r.PC); ok {
						checked++
						if line <= 0 || line == r.Line {
							t.Errorf("%s is readable at line %d, seen from %d", v.Name, line, r.Line)
						}
					}
				}
			}
		}
		if checked == 0 {
			t.Error("nothing is readable anywhere")
		}
	})
}

func TestLeaves(t *testing.T) {
	loop := &program.Type{Name: "loop", Kind: 25, Size: 8}
	loop.Fields = []program.Field{{Name: "self", Type: loop}}
	if got := leaves(loop, 0, nil); len(got) != 0 {
		t.Errorf("a struct that holds itself has leaves %v", got)
	}
}

func TestFileFuncs(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		for _, f := range b.Files() {
			if !strings.HasSuffix(f, "sample/main.go") && !strings.HasSuffix(f, "prog/main.go") {
				continue
			}
			got := map[string]bool{}
			for _, fn := range b.FileFuncs(f) {
				got[fn.Name] = true
			}
			for _, name := range []string{"main.main", "main.counter.func1", "main.Sum[go.shape.int]"} {
				if !got[name] {
					t.Errorf("%s is not among the functions of %s", name, f)
				}
			}
			return
		}
		t.Errorf("no main.go among %d files", len(b.Files()))
	})
}

// TestUnset: without optimisation places are given for the whole function; a
// result at the entry and a local on its own line hold nothing yet.
func TestUnset(t *testing.T) {
	b := open(t, testprog.Dir(t, "testdata/sample", testprog.Options{GCFlags: "-N -l"}))
	f := b.FuncNamed("main.(*Order).Total")
	if l := find(t, b, b.bodyStart(f), "sum").Locate(b.bodyStart(f)); l.Why != WhyUnset {
		t.Errorf("a result at the entry: %+v", l)
	}
	pc := at(t, b, f.Name, "call")
	if l := find(t, b, pc, "v").Locate(pc); l.Why != WhyUnset {
		t.Errorf("a local on the line that declares it: %+v", l)
	}
	pc = at(t, b, f.Name, "shadow")
	for _, name := range []string{"v", "x", "sum"} {
		if l := find(t, b, pc, name).Locate(pc); !l.Readable() {
			t.Errorf("%s later: %+v", name, l)
		}
	}
}

// TestShared: a named result that a deferred function sets lies in memory as a
// whole, although its location list has one place for two words.
func TestShared(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		if o.GCFlags != "" || versionBefore(b.GoVersion, 23) {
			return // has no such lists, or does not tell what closures hold
		}
		pc := at(t, b, "main.(*Order).Total", "shadow")
		for _, v := range b.Scope(pc) {
			if l := v.Locate(pc); v.Name == "err" && (l.Why != "" || len(l.Pieces) != 1 || l.Pieces[0].Kind != AtCFA || l.Pieces[0].Size != 16) {
				t.Errorf("err: %+v", l)
			}
		}
		if !b.shared(b.FuncNamed("main.(*Order).Total"), "err") || b.shared(b.FuncNamed("main.(*Order).Total"), "sum") || b.shared(b.FuncNamed("main.(*Order).Total"), "x") {
			t.Error("which variables are shared is not told")
		}
	})
}

// TestMoved: an argument that escapes is on the heap once the body began; its
// own place keeps what was passed.
func TestMoved(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		f := b.FuncNamed("main.moved")
		pc := at(t, b, "main.moved", "moved")
		for _, c := range []struct {
			pc       uint64
			indirect bool
		}{{pc, true}, {f.Entry, false}} {
			if o.GCFlags == "" && c.pc == f.Entry {
				continue // there is no pointer yet, and no other description
			}
			found := 0
			for _, v := range b.Scope(c.pc) {
				if l := v.Locate(c.pc); v.Name == "o" {
					if found++; l.Why != "" || l.Indirect != c.indirect {
						t.Errorf("at %#x: %+v", c.pc-f.Entry, l)
					}
				}
			}
			if found != 1 {
				t.Errorf("at %#x: o is there %d times", c.pc-f.Entry, found)
			}
		}
	})
}

// TestInlinedInBlock: a call that is inlined in a block has its own variables, and
// none of those around it, although the debug information has the call beside the
// block; the function around it has its own there, those of its blocks too.
func TestInlinedInBlock(t *testing.T) {
	const source = `package main

import "os"

//go:noinline
func mark(n int) int { return n + len(os.Args) }

type list []int

func (l list) each(f func(int, int) bool) {
	for i, v := range l {
		if !f(i, v) {
			return
		}
	}
}

//go:noinline
func outer(n int) (sum int) {
	for i := range n {
		r := list{mark(i), mark(n)}
		if mark(i) > 0 {
			sum += mark(n)
		}
		r.each(func(i, r int) bool {
			sum += mark(i) // line: inner
			return r > 0
		})
		sum += r[0] + i
	}
	return sum
}

func main() { println(outer(3)) }
`
	line := 0
	for i, l := range strings.Split(source, "\n") {
		if strings.HasSuffix(l, "// line: inner") {
			line = i + 1
		}
	}
	for _, toolchain := range []string{testprog.Toolchains[0], testprog.Toolchains[2], ""} {
		o := testprog.Options{Toolchain: toolchain}
		t.Run(o.String(), func(t *testing.T) {
			b, err := Open(testprog.Build(t, map[string]string{"main.go": source}, o))
			if err != nil {
				t.Fatal(err)
			}
			f, seen := b.FuncNamed("main.outer"), false
			for _, r := range b.Lines(f) {
				in := b.InlineAt(f, r.PC)
				if !r.Stmt || r.Line != line || len(in) == 0 {
					continue
				}
				seen = true
				for function, inside := range map[string]bool{"": true, "main.outer.func1": true, "main.outer": false} {
					var names []string
					at := 1000
					if !inside {
						at = in[len(in)-1].CallLine
					}
					for _, v := range b.ScopeOf(r.PC, function, at) {
						if names = append(names, v.Name); v.Name == "i" && v.Param != inside {
							t.Errorf("%q has the i of another function", function)
						}
					}
					if slices.Contains(names, "n") == inside || !slices.Contains(names, "i") || inside && !slices.Contains(names, "r") {
						t.Errorf("%q: %v", function, names)
					}
				}
			}
			if !seen {
				t.Error("the closure was not inlined")
			}
		})
	}
}
