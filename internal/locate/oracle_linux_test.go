package locate

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// The sites of every line and of every function of a program fire as often as
// the definition of a pass says, by the instructions that it executed; and, where
// its comments say so, as often as a reader of the source counts.
func TestSitesCountPasses(t *testing.T) {
	ways := []testprog.Options{{GCFlags: "-N -l"}, {GCFlags: "-l"}, {GOAMD64: "v3"}}
	for _, v := range testprog.Toolchains {
		ways = append(ways, testprog.Options{Toolchain: v})
	}
	for _, o := range ways {
		t.Run(o.String(), func(t *testing.T) {
			if testing.Short() && o != (testprog.Options{}) {
				t.Skip("short: only the plain build is stepped")
			}
			testOn(t, open(t, testprog.Dir(t, "testdata/passes", o)), strings.Contains(o.GCFlags, "-N"))
		})
	}
}

func open(t *testing.T, path string) *debuginfo.Build {
	t.Helper()
	b, err := debuginfo.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func testOn(t *testing.T, b *debuginfo.Build, all bool) {
	funcs := map[*debuginfo.Func]*function{}
	for _, fn := range b.Funcs() {
		if fn.Package == "main" {
			f, err := read(b, fn)
			if err != nil {
				t.Errorf("%s: %v", fn.Name, err)
				continue
			}
			funcs[fn] = f
		}
	}
	run := step(t, b, "main.work", funcs)
	t.Logf("%d instructions", run.steps)
	byDefinition(t, funcs, run)
	byReader(t, b, funcs, run, all)
	byCall(t, b, funcs, run)
}

// byDefinition compares, for each line in each copy, sites and definition.
func byDefinition(t *testing.T, funcs map[*debuginfo.Func]*function, run stepped) {
	lines := 0
	for fn, f := range funcs {
		for p, e := range f.extents() {
			if f.nested(p, e) {
				continue
			}
			lines++
			e := f.extent(p)
			plan := f.code.runs(e).solve()
			if !plan.exact() {
				t.Logf("%s: %s:%d in %s is approximate", fn.Name, base(p.file), p.line, f.nodes[p.node].name)
			}
			want, got := 0, 0
			for _, trace := range run.traces[fn] {
				want += passes(f.code, e, trace)
				got += hits(plan, trace)
			}
			if got != want && plan.exact() {
				t.Errorf("%s: %s:%d in %s: %d passes, %d hits", fn.Name, base(p.file), p.line, f.nodes[p.node].name, want, got)
			}
		}
	}
	t.Logf("%d lines", lines)
}

var wanted = regexp.MustCompile(`// = (\d+)$`)

// byReader compares the sites that Resolve finds with the numbers in the source.
// all: every line has code.
func byReader(t *testing.T, b *debuginfo.Build, funcs map[*debuginfo.Func]*function, run stepped, all bool) {
	for _, file := range []string{"main.go", "iterate.go"} {
		text, err := os.ReadFile("testdata/passes/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if m := wanted.FindStringSubmatch(line); m != nil {
				want, _ := strconv.Atoi(m[1])
				readerOf(t, b, funcs, run, fmt.Sprintf("%s:%d", file, i+1), strings.TrimSpace(line), want, all)
			}
		}
	}
}

func readerOf(t *testing.T, b *debuginfo.Build, funcs map[*debuginfo.Func]*function, run stepped, at, line string, want int, all bool) {
	res, err := Resolve(b, at)
	var none *NotFoundError
	if errors.As(err, &none) && !all {
		return // the compiler left no code of it
	}
	if err != nil {
		t.Errorf("%s: %v", at, err)
		return
	}
	if got := run.hits(funcs, res); got != want {
		t.Errorf("%s %s: a reader counts %d, the sites %d %v", at, line, want, got, res.Issues)
	}
}

// byCall compares the sites of functions with the number of their calls.
func byCall(t *testing.T, b *debuginfo.Build, funcs map[*debuginfo.Func]*function, run stepped) {
	calls := map[string]int{"main.square": 10, "main.clamp": 5, "main.upto": 3,
		"main.closures.func1": 4, "main.total": 2, "main.total[float64]": 1, "main.(*stack).push": 3,
		"main.recurse": 4, "main.box.area": 2, "main.(*disc).area": 2, "main.recovered": 2}
	for name, want := range calls {
		res, err := Resolve(b, name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := run.hits(funcs, res); got != want {
			t.Errorf("%s: called %d times, counted %d %v", name, want, got, res.Issues)
		}
	}
}

// hits tells how often a run executed the sites of a result.
func (s stepped) hits(funcs map[*debuginfo.Func]*function, res *Result) int {
	n := 0
	for _, site := range res.Sites {
		for _, trace := range s.traces[site.Func] {
			for _, i := range trace {
				if funcs[site.Func].code.insts[i].PC == site.PC {
					n++
				}
			}
		}
	}
	return n
}
