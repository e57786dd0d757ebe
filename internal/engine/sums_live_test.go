//go:build linux && amd64

package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// truth is what the program in testdata/calls says of a scenario.
type truth struct {
	Count, Returned, Recovered, Panicked, Goexited, Running uint64
	Sum, Min, Max, Last                                     int64
	Values, Durations                                       []int64
	Saved                                                   uint64
	Inner, Outer                                            []int64
	By                                                      map[string]uint64
	Sums                                                    map[string]int64
	FloatSum                                                float64
	Took                                                    map[int]int64
}

const callsSource = "testdata/calls/main.go"

// startCalls runs the program that knows what aggregates must come to.
func startCalls(t *testing.T, toolchain string, flags ...string) *child {
	t.Helper()
	return startProgram(t, callsSource, toolchain, flags...)
}

// startProgram builds a program of one file and runs it.
func startProgram(t *testing.T, source, toolchain string, flags ...string) *child {
	t.Helper()
	key := fmt.Sprint(source, " ", toolchain, flags)
	path := built[key]
	if path == "" {
		dir, err := os.MkdirTemp("", "sidelight-engine")
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(dir, filepath.Base(filepath.Dir(source)))
		src, err := filepath.Abs(source)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("go", append(append([]string{"build", "-o", path}, flags...), src)...)
		cmd.Dir = dir // outside the module, which asks for a newer toolchain
		if cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false"); toolchain != "" {
			cmd.Env = append(cmd.Env, "GOTOOLCHAIN="+toolchain)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", source, err, out)
		}
		built[key] = path
	}
	return startTarget(t, path)
}

func (c *child) truth(name string, n int) (tr truth) {
	c.t.Helper()
	c.say("run %s %d", name, n)
	if err := json.Unmarshal([]byte(c.line()), &tr); err != nil {
		c.t.Fatalf("scenario %s: %v", name, err)
	}
	return tr
}

func callsMark(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(callsSource)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasSuffix(line, "// mark:"+name) {
			return fmt.Sprintf("main.go:%d", i+1)
		}
	}
	t.Fatalf("no mark %s", name)
	return ""
}

// final is the last word of each aggregating probe.
func (o *observation) final() map[string]*probe.Measured {
	out := map[string]*probe.Measured{}
	for _, e := range o.events {
		if m, ok := e.(*probe.Measured); ok && m.Final {
			out[m.Probe] = m
		}
	}
	return out
}

func near(got, want, share float64) bool { return math.Abs(got-want) <= share*math.Abs(want) }

func TestMeasuresAreTheTargetsOwn(t *testing.T) {
	c := startCalls(t, "")
	at := callsMark(t, "order")
	o := observe(t, c,
		probe.Spec{Kind: probe.Measure, At: at, Value: "qty"},
		probe.Spec{Kind: probe.Measure, At: at, Value: "price"},
		probe.Spec{Kind: probe.Measure, At: at, Value: "qty", By: "user"},
		probe.Spec{Kind: probe.Measure, At: at, Value: "len(user)", If: "qty > 0"},
		probe.Spec{Kind: probe.Count, At: at, By: "user"},
		probe.Spec{Kind: probe.Count, At: at, By: "qty > 0"})
	want := c.truth("numbers", 40_000)
	ends := o.end()
	final := o.final()
	for id, e := range ends {
		if e.Dropped != 0 || id != "p4" && e.Hits != want.Count {
			t.Errorf("%s: %+v, want %d hits", id, e, want.Count)
		}
	}
	d := final["p1"].Dist
	if d.Count != want.Count || d.Sum.Cmp(big.NewInt(want.Sum)) != 0 || d.Min.Int != want.Min || d.Max.Int != want.Max || d.Last.Int != want.Last {
		t.Errorf("qty: count %d sum %v min %v max %v last %v\nwant count %d sum %d min %d max %d last %d", d.Count, d.Sum, d.Min, d.Max, d.Last, want.Count, want.Sum, want.Min, want.Max, want.Last)
	}
	for _, q := range []float64{0.01, 0.1, 0.5, 0.9, 0.99, 0.999} {
		exact := want.Values[min(len(want.Values)-1, int(math.Ceil(q*float64(len(want.Values))))-1)]
		if got := d.Quantile(q); !near(got, float64(exact), 0.0055) {
			t.Errorf("the %v quantile is %v, and %d by the target", q, got, exact)
		}
	}
	if p := final["p2"].Dist; p.Count != want.Count || !near(p.SumFloat, want.FloatSum, 1e-9) {
		t.Errorf("price: %d, sum %v; want sum %v", p.Count, p.SumFloat, want.FloatSum)
	}
	checkRows(t, final["p3"], want)
	rows := map[string]uint64{}
	positive := uint64(0)
	for _, e := range o.events {
		if n, ok := e.(*probe.CountNow); ok && n.Final {
			for _, r := range n.By.Rows {
				rows[n.Probe+" "+r.Key.String()] = r.Count
			}
		}
	}
	for _, v := range want.Values {
		if v > 0 {
			positive++
		}
	}
	if rows["p6 true"] != positive || rows["p6 false"] != want.Count-positive || rows["p5 user-7"] != want.By["user-7"] {
		t.Errorf("rows %v, want %d positive and %d of user-7", rows, positive, want.By["user-7"])
	}
	checkText(t, c)
}

// checkRows compares rows with the target's own; long keys are cut.
func checkRows(t *testing.T, m *probe.Measured, want truth) {
	t.Helper()
	counts, sums := map[string]uint64{}, map[string]int64{}
	for key, n := range want.By {
		counts[key[:min(64, len(key))]] += n
		sums[key[:min(64, len(key))]] += want.Sums[key]
	}
	total := m.By.Other.Count + m.By.Unreadable.Count
	for _, r := range m.By.Rows {
		key := string(r.Key.Data)
		total += r.Count
		if r.Count != counts[key] || r.Dist.Sum.Cmp(big.NewInt(sums[key])) != 0 || r.Key.Truncated != (len(key) == 64) {
			t.Errorf("row %q: %d, sum %v, cut %v; want %d, %d", key, r.Count, r.Dist.Sum, r.Key.Truncated, counts[key], sums[key])
		}
	}
	if len(m.By.Rows) != len(counts) || total != want.Count || m.Dist.Count != want.Count || m.Dist.Sum.Cmp(big.NewInt(want.Sum)) != 0 {
		t.Errorf("%d rows with %d hits, all %d, sum %v; want %d, %d, %d", len(m.By.Rows), total, m.Dist.Count, m.Dist.Sum, len(counts), want.Count, want.Sum)
	}
}

func TestKeysWithoutBoundAreCounted(t *testing.T) {
	c := startCalls(t, "")
	o := observe(t, c, probe.Spec{Kind: probe.Count, At: callsMark(t, "order"), By: "user"})
	want := c.truth("keys", 30_000)
	o.end()
	for _, e := range o.events {
		n, ok := e.(*probe.CountNow)
		if !ok || !n.Final {
			continue
		}
		total := n.By.Other.Count
		for _, r := range n.By.Rows {
			total += r.Count
			if r.Count != want.By[r.Key.String()] {
				t.Errorf("row %s: %d, want %d", r.Key, r.Count, want.By[r.Key.String()])
			}
		}
		if total != want.Count || len(n.By.Rows) != 1024 {
			t.Errorf("%d rows with %d hits, want 1024 with %d", len(n.By.Rows), total, want.Count)
		}
	}
}
