//go:build linux && amd64

package compile_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// kept are maps of testdata/churn: what the key that is there always has, and what
// the others have (or what is zero: the program puts a key in before it gives it its
// value).
var kept = map[string]struct{ key, value, other string }{
	"byText":   {"fixed", "7", "1"},
	"byNumber": {"7", "seven", "x"},
	"byZero":   {"0", "zero", "x"},
	"structs":  {"fixed", `{Name:"fixed" N:7 Pair:[7 7]}`, `{Name:"x" N:0 Pair:[0 0]}`},
	"arrays":   {"[7 7 7]", "[1 2 3]", "[0 0 0]"},
}

var zeros = []string{"", "0", `{Name:"" N:0 Pair:[0 0]}`, "[0 0 0]"}

// TestMapsUnderWrites takes snapshots of maps that another goroutine fills and
// empties: each is right, or it is said that it may not be.
func TestMapsUnderWrites(t *testing.T) {
	for _, o := range []testprog.Options{{Toolchain: "go1.22.12"}, {}} {
		t.Run(o.String(), func(t *testing.T) {
			bounds := probe.Bounds{MaxItems: 3000, MaxBytes: 1 << 20, MaxTime: probe.NoMaxTime}
			spec := probe.Spec{ID: "p", Kind: probe.Snapshot, At: "main.tick", Rate: 2000, For: 2 * time.Second, Bounds: bounds}
			for name, k := range kept {
				key := k.key
				switch {
				case strings.HasPrefix(key, "["):
					key = "seven"
				case key == "fixed":
					key = `"fixed"`
				}
				spec.Watch = append(spec.Watch, name, name+"["+key+"]")
			}
			cmd := exec.Command(testprog.Dir(t, "testdata/churn", o), "busy")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}()
			got, wrong := map[string]int{}, map[string]int{}
			askAll(t, cmd.Process.Pid, []probe.Spec{spec}, func(e probe.Event) {
				m, ok := e.(*probe.Moment)
				if !ok {
					return
				}
				for _, w := range m.Watches {
					name, _, one := strings.Cut(w.Name, "[")
					said, why := false, ""
					if one {
						said, why = checkOne(w.Value, kept[name].value)
					} else {
						said, why = checkMap(w.Value, name)
					}
					switch {
					case why != "":
						wrong[w.Name+": "+why]++
					case said:
						got["said"]++
					default:
						got["right"]++
					}
				}
			})
			for what, n := range wrong {
				t.Errorf("%s (%d times)", what, n)
			}
			if t.Logf("%v", got); got["right"] < 100 || got["said"] == 0 {
				t.Errorf("only %v", got)
			}
		})
	}
}

// checkOne tells whether it is said of a value that it may not be right, or why it
// is wrong.
func checkOne(v probe.Value, want string) (said bool, why string) {
	switch s := v.String(); {
	case v.Shape == probe.Unreadable:
		return true, ""
	case s != want:
		return false, s
	}
	return false, ""
}

// checkMap is the same of a map.
func checkMap(v probe.Value, name string) (said bool, why string) {
	if v.Shape == probe.Unreadable || v.Note != "" || v.Truncated || v.Cut != "" {
		return true, ""
	}
	if int(v.Len) != len(v.Entries) {
		return false, fmt.Sprintf("%d entries of %d", len(v.Entries), v.Len)
	}
	there, k := false, kept[name]
	for _, e := range v.Entries {
		key, value := e.Key.String(), e.Value.String()
		switch {
		case e.Value.Truncated:
			return true, ""
		case key == k.key:
			if there = true; value != k.value {
				return false, key + " has " + value
			}
		case value != k.other && !isZero(value):
			return false, "another key has " + value
		}
	}
	if !there {
		return false, "the key is missing"
	}
	return false, ""
}

func isZero(s string) bool {
	for _, z := range zeros {
		if s == z {
			return true
		}
	}
	return false
}
