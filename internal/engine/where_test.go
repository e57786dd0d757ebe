package engine

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/cache"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// examined are builds of small programs, by several toolchains and ways.
func examined(t *testing.T, test func(t *testing.T, x *Examiner)) {
	for _, o := range []testprog.Options{{}, {PIE: true, Trimpath: true}, {GCFlags: "-N -l"}, {Toolchain: "go1.22.12"}, {Toolchain: "go1.24.11"}} {
		t.Run(o.String(), func(t *testing.T) {
			for _, dir := range []string{"../debuginfo/testdata/sample", "../compile/testdata/shop"} {
				x, err := Examine(testprog.Dir(t, dir, o), cache.New(t.TempDir(), cache.DefaultMax))
				if err != nil {
					t.Fatal(err)
				}
				defer x.Close()
				test(t, x)
			}
		})
	}
}

// own are the lines of a program's own files that a probe can be put on.
func own(t *testing.T, x *Examiner) []string {
	t.Helper()
	var at []string
	files, _ := x.Files("", 0)
	for _, f := range files {
		if !f.OfProgram || !strings.HasSuffix(f.Path, ".go") {
			continue
		}
		survey, err := x.Survey(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range survey.Lines {
			if l.Jumps+l.Traps > 0 {
				at = append(at, fmt.Sprintf("%s:%d", f.Path, l.Line))
			}
		}
	}
	if len(at) < 10 {
		t.Fatalf("only %d lines can be probed", len(at))
	}
	return at
}

// TestWhereHoldsItsPromises goes to every line that where names as one on which
// a lost variable can be read, and looks; and asks for every variable by a log.
func TestWhereHoldsItsPromises(t *testing.T) {
	examined(t, func(t *testing.T, x *Examiner) {
		promises, lost, readable := 0, 0, 0
		for _, at := range own(t, x) {
			w, err := x.Where(at)
			if err != nil {
				t.Fatal(err)
			}
			file := at[:strings.LastIndexByte(at, ':')]
			for _, s := range w.Sites {
				for _, v := range s.Variables {
					if v.Readable {
						readable++
						continue
					}
					lost++
					for _, line := range []int{v.Up, v.Down} {
						if line != 0 {
							promises++
							hold(t, x, s, v, fmt.Sprintf("%s:%d", file, line))
						}
					}
				}
			}
			checkAgainstLog(t, x, at, w)
		}
		if promises == 0 || readable < lost/4 {
			t.Errorf("%d promises, %d of %d variables readable", promises, readable, lost+readable)
		}
		t.Logf("%d variables can be read, %d cannot; %d lines were named instead", readable, lost, promises)
	})
}

// hold looks whether a variable that is lost at a site can be read at another
// line of its function.
func hold(t *testing.T, x *Examiner, s probe.WhereSite, v probe.ScopeVar, at string) {
	t.Helper()
	w, err := x.Where(at)
	if err != nil {
		t.Errorf("%s at %s:%d can be read on %s, which %v", v.Name, s.File, s.Line, at, err)
		return
	}
	for _, other := range w.Sites {
		if other.Function != s.Function || x.build.FuncAt(other.Address) != x.build.FuncAt(s.Address) {
			continue
		}
		i := slices.IndexFunc(other.Variables, func(o probe.ScopeVar) bool { return o.Name == v.Name })
		if i >= 0 && other.Variables[i].Readable {
			return // of several inlined copies, one is v's
		}
	}
	t.Errorf("%s at %s:%d (%s) cannot be read on %s", v.Name, filepath.Base(s.File), s.Line, s.Function, at)
}

// checkAgainstLog compiles a log of each variable at a line: its issues say the same as
// where, with the same lines.
func checkAgainstLog(t *testing.T, x *Examiner, at string, w *probe.Where) {
	t.Helper()
	for _, v := range w.Sites[0].Variables {
		p, err := newPlanner(x.build).plan([]probe.Spec{{ID: "p", Kind: probe.Log, At: at, Message: "{" + v.Name + "}"}})
		if err != nil {
			t.Errorf("%s: %s: %v", at, v.Name, err)
			continue
		}
		told := ""
		for _, i := range p.probes[0].issues {
			if i.Code == probe.IssueOptimisedOut {
				told += i.Message
			}
		}
		for _, s := range w.Sites {
			for _, o := range s.Variables {
				if o.Name != v.Name || o.Readable {
					continue
				}
				if !strings.Contains(told, o.Name+" is ") {
					t.Errorf("%s: where says that %s cannot be read (%s), and a log says %q", at, o.Name, o.Why, told)
				}
				for _, line := range []int{o.Up, o.Down} {
					if line != 0 && !strings.Contains(told, fmt.Sprintf(":%d", line)) {
						t.Errorf("%s: where names line %d for %s, and a log says %q", at, line, o.Name, told)
					}
				}
			}
		}
		if told != "" && !slices.ContainsFunc(w.Sites, func(s probe.WhereSite) bool {
			return slices.ContainsFunc(s.Variables, func(o probe.ScopeVar) bool { return o.Name == v.Name && !o.Readable })
		}) {
			t.Errorf("%s: where says that %s can be read, and a log says %q", at, v.Name, told)
		}
	}
}

// TestWhereAgreesWithInstallations: jumps and traps are those of a plan.
func TestWhereAgreesWithInstallations(t *testing.T) {
	examined(t, func(t *testing.T, x *Examiner) {
		for _, at := range own(t, x) {
			w, err := x.Where(at)
			if err != nil {
				t.Fatal(err)
			}
			p, err := newPlanner(x.build).plan([]probe.Spec{{ID: "p", Kind: probe.Count, At: at}})
			if err != nil {
				t.Fatal(err)
			}
			want, got := map[uint64]bool{}, map[uint64]bool{}
			for _, win := range p.windows {
				for _, pt := range win.points {
					want[p.probes[0].program.Sites[pt.site].PC] = win.Jump
				}
			}
			for _, s := range w.Sites {
				if s.How != probe.Refused {
					got[s.Address] = s.How == probe.ByJump
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: where says %v, an installation would be %v", at, got, want)
			}
		}
	})
}

// TestFoundNamesAreLocations: what functions, files and completion offer can be
// given back as a location.
func TestFoundNamesAreLocations(t *testing.T) {
	examined(t, func(t *testing.T, x *Examiner) {
		functions, n := x.Functions("", 0)
		if n != len(functions) || n < 1000 {
			t.Fatalf("%d functions, %d in all", len(functions), n)
		}
		tried := 0
		for i, f := range functions {
			if f.Refused != "" || f.Own == 0 || i%7 != 0 && !f.OfProgram {
				continue
			}
			tried++
			if _, err := x.Where(f.Name); err != nil && strings.Contains(err.Error(), "means") {
				t.Errorf("%s: %v", f.Name, err)
			}
		}
		files, _ := x.Files("", 0)
		for i, f := range files {
			if i%10 == 0 {
				if s, err := x.Survey(f.Name); err != nil || s.File != f.Path {
					t.Errorf("%s: %v", f.Name, err)
				}
			}
		}
		offers := x.Complete("main.", 50)
		offers = append(offers, x.Complete("os.(*File).W", 50)...)
		offers = append(offers, x.Complete("main.go:", 50)...)
		if len(offers) < 10 || tried < 20 {
			t.Errorf("%d offers, %d functions tried", len(offers), tried)
		}
		for _, o := range offers {
			if _, err := x.Where(o.Text); !o.Open && err != nil && strings.Contains(err.Error(), "means") {
				t.Errorf("%s: %v", o.Text, err)
			}
		}
	})
}

// TestWhereWithoutDebugOfAPackage: a package that was compiled without debug
// information has no variables, in a build that has it for others. It says why,
// for a snapshot too.
func TestWhereWithoutDebugOfAPackage(t *testing.T) {
	src := map[string]string{"main.go": "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(add(1, 2)) }\n\n//go:noinline\nfunc add(a, b int) int { return a + b }\n"}
	x, err := Examine(testprog.Build(t, src, testprog.Options{GCFlags: "-dwarf=false"}), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for at, want := range map[string]bool{"main.add": true, "fmt.Fprintln": false} {
		w, err := x.Where(at)
		if err != nil {
			t.Fatal(err)
		}
		pl, err := newPlanner(x.build).probe(0, probe.Spec{Kind: probe.Snapshot, At: at})
		if err != nil {
			t.Fatal(err)
		}
		for _, issues := range [][]probe.Issue{w.Issues, pl.issues} {
			said := slices.ContainsFunc(issues, func(i probe.Issue) bool {
				return i.Code == probe.IssueNoDebug && strings.Contains(i.Message, "package main was compiled without debug information")
			})
			if said != want {
				t.Errorf("%s: %v", at, issues)
			}
		}
	}
}
