//go:build linux && amd64

package engine

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

const valuesDir = "../moment/testdata/values"

// valueLine is the location of a marked line of the program that holds values.
func valueLine(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(valuesDir + "/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range strings.Split(string(text), "\n") {
		if strings.HasSuffix(l, "// line: "+name) {
			return fmt.Sprintf("main.go:%d", i+1)
		}
	}
	t.Fatalf("no line %s", name)
	return ""
}

// wantedValues are the values of the arguments and locals, by line and name.
var wantedValues = map[string]map[string]string{
	"numbers": {"a": "-128", "b": "-32768", "c": "-2147483648", "d": "255", "e": "1.5", "f": "(3.5+4i)", "g": "true"},
	"lists":   {"a": `["a" "" "c d"]`, "b": "[[1] nil [2 3]]", "c": `hello\n`, "d": "[1 2 3]", "n": "6"},
	"refs": {"p": `&{ID:8 Name:"y"}`, "a": `main.Base{ID:3 Name:"z"}`, "s": "main.Square{Side:2.5}",
		"err": "outer: inner: boom",
		"m":   `map["a":1 "b":2 "c":3]`, "c": "chan int(len 2 of 3: 20 30)", "n": "8"},
	"known": {"t": "2026-01-02T03:04:05.678Z", "d": "1.5s", "n": "&-123456789012345678901234567890",
		"a": "192.0.2.7", "ip": "192.0.2.1", "y": "2026"},
	"everything": {"o": `&{Base:{ID:1 Name:"n"} Extra:&{Why:"because"} Qty:2 Price:3.5 Tags:["t"] Next:nil note:int(5)}`,
		"cycle": "&{V:1 Next:&{V:2 Next:0x… (shown above)}}", "n": "1"},
	"boxes": {"p": `&&{ID:8 Name:"y"}`, "m": "main.Square.Area-fm{receiver:{Side:4}}", "w": "main.(*Wide).Area-fm{receiver:&{A:6 B:0 C:0 D:0 E:0}}",
		"l": "&ABC", "err": "open /x: no such file or directory"},
	"broad": {"n": "7", "p": `&{ID:8 Name:"y"}`, "moved": `{ID:7 Name:"moved"}`},
}

var shownAbove = regexp.MustCompile(`0x[0-9a-f]+ \(shown`)

// TestSnapshotsOfEveryKindOfValue takes snapshots of a process whose values are
// known, built by each toolchain and in each way.
func TestSnapshotsOfEveryKindOfValue(t *testing.T) {
	ways := []testprog.Options{{}, {Toolchain: testprog.Toolchains[0]}}
	if !testing.Short() {
		for _, v := range testprog.Toolchains[1 : len(testprog.Toolchains)-1] {
			ways = append(ways, testprog.Options{Toolchain: v})
		}
		ways = append(ways, testprog.Options{PIE: true, Trimpath: true}, testprog.Options{Race: true}, testprog.Options{GCFlags: "-N -l"},
			testprog.Options{Toolchain: testprog.Toolchains[0], PIE: true, GCFlags: "-N -l"})
		for _, v := range testprog.Toolchains {
			ways = append(ways, testprog.Options{Toolchain: v, Strip: true, Trimpath: true})
		}
		ways = append(ways, testprog.Options{Strip: true, Trimpath: true, PIE: true})
	}
	for _, o := range ways {
		t.Run(o.String(), func(t *testing.T) {
			if o.Race {
				needC(t)
			}
			c := startValues(t, testprog.Dir(t, valuesDir, o))
			if o.Strip { // by the debug information of its twin
				twin := o
				twin.Strip = false
				c.symbols = []string{testprog.Dir(t, valuesDir, twin)}
			}
			for line, want := range wantedValues {
				t.Run(line, func(t *testing.T) {
					m := takeMoment(t, c, probe.Spec{Kind: probe.Snapshot, At: valueLine(t, line), Limit: 1})
					checkMoment(t, m, line, want, o.GCFlags != "")
				})
			}
		})
	}
}

// TestSnapshotsOfGenerics: one piece of code serves several types of a shape, and
// each snapshot tells which.
func TestSnapshotsOfGenerics(t *testing.T) {
	for _, o := range []testprog.Options{{}, {Toolchain: testprog.Toolchains[0]}, {PIE: true}, {GCFlags: "-N -l"}} {
		t.Run(o.String(), func(t *testing.T) {
			c := startValues(t, testprog.Dir(t, valuesDir, o))
			ob := observe(t, c, probe.Spec{Kind: probe.Snapshot, At: valueLine(t, "generic"), Limit: 9})
			select {
			case <-ob.done:
			case <-time.After(20 * time.Second):
			}
			ob.end()
			seen := map[string]int{}
			for _, e := range ob.events {
				m, ok := e.(*probe.Moment)
				if !ok {
					continue
				}
				text := ""
				for _, v := range m.Frames[0].Variables {
					if v.Name == "x" || v.Name == "list" || v.Name == "p" {
						text += v.Name + " " + v.Value.Type + " " + v.Value.String() + "; "
					}
				}
				seen[text]++
			}
			for _, want := range []string{
				`x main.Level 1; list []main.Level [2]; p main.Pair[string,main.Level] {Key:"p" Val:3}; `,
				`x main.Tiny 9; list []main.Tiny [8]; p main.Pair[string,main.Tiny] {Key:"t" Val:7}; `,
				`x string s; list []string ["t"]; p main.Pair[string,string] `, // of which the compiler keeps only some
			} {
				found := false
				for text := range seen {
					found = found || strings.HasPrefix(text, want)
				}
				if !found {
					t.Errorf("not seen: %s", want)
				}
			}
			if t.Failed() {
				t.Logf("%v", seen)
			}
		})
	}
}

func startValues(t *testing.T, path string) *child {
	t.Helper()
	return startTargetArgs(t, path, "loop")
}

// takeMoment waits for one snapshot.
func takeMoment(t *testing.T, c *child, spec probe.Spec) *probe.Moment {
	t.Helper()
	o := observe(t, c, spec)
	select { // the limit ends the probe, and with it the session
	case <-o.done:
	case <-time.After(20 * time.Second):
	}
	o.end()
	for _, e := range o.events {
		if m, ok := e.(*probe.Moment); ok {
			return m
		}
	}
	t.Fatalf("no snapshot: %+v", o.ready.Probes[0])
	return nil
}

func checkMoment(t *testing.T, m *probe.Moment, line string, want map[string]string, all bool) {
	t.Helper()
	if len(m.Frames) < 3 || m.Frames[0].Function != "main."+line || m.Frames[1].Function != "main.loop" || m.Frames[2].Function != "main.main" {
		t.Errorf("stack: %+v", m.Frames)
	}
	seen := map[string]bool{}
	unforeseen := strings.Contains(strings.Join(m.Cuts, ""), "not foreseen") // then a message is of what was read late
	for _, v := range m.Frames[0].Variables {
		got := shownAbove.ReplaceAllString(v.Value.String(), "0x… (shown")
		w, known := want[v.Name]
		seen[v.Name] = true
		switch {
		case v.Value.Shape == probe.Unreadable && !all:
			t.Logf("%s.%s: %s", line, v.Name, got)
		case known && got != w && !(unforeseen && got == w+" (late)"):
			t.Errorf("%s.%s: %s, want %s (%s)", line, v.Name, got, w, v.Value.Cut)
		default:
			t.Logf("%s.%s = %.100s (%s)", line, v.Name, got, v.Value.Cut)
		}
	}
	for name := range want {
		if !seen[name] {
			t.Errorf("%s has no %s", line, name)
		}
	}
	t.Logf("took %v, cuts %q, created %+v", m.Took, m.Cuts, m.Created)
}

// TestSnapshotsWithoutTime: what a hit had no time for is read after it, from values
// that do not change, and none of it is shown as of the hit.
func TestSnapshotsWithoutTime(t *testing.T) {
	for _, o := range []testprog.Options{{}, {Toolchain: testprog.Toolchains[0]}} {
		t.Run(o.String(), func(t *testing.T) {
			c := startValues(t, testprog.Dir(t, valuesDir, o))
			for line, want := range wantedValues {
				m := takeMoment(t, c, probe.Spec{Kind: probe.Snapshot, At: valueLine(t, line), Limit: 1,
					Bounds: probe.Bounds{MaxTime: 1, MaxItems: 5000, MaxBytes: 1 << 20}})
				if pointers := line != "numbers"; slices.Contains(m.Cuts, "more than --max-time 1ns") != pointers {
					t.Errorf("%s: cuts %q", line, m.Cuts)
				}
				for _, v := range m.Frames[0].Variables {
					got := shownAbove.ReplaceAllString(strings.ReplaceAll(v.Value.String(), " (late)", ""), "0x… (shown")
					if w, known := want[v.Name]; known && v.Value.Shape != probe.Unreadable && got != w {
						t.Errorf("%s.%s: %s, want %s (%s)", line, v.Name, got, w, v.Value.Cut)
					}
					for _, e := range v.Value.Elems {
						if v.Value.Shape == probe.Pointer && !e.Late {
							t.Errorf("%s.%s leads to %s as of the hit", line, v.Name, e)
						}
					}
				}
			}
		})
	}
}
