//go:build linux && amd64

package engine

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// everyLine is a count for each line of the files that takes one, every third a
// log.
func everyLine(t *testing.T, s *Session, files ...string) []probe.Spec {
	t.Helper()
	var specs []probe.Spec
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file)
		for i := range strings.Split(string(text), "\n") {
			at := fmt.Sprintf("%s:%d", name, i+1)
			if _, err := locate.Resolve(s.build, at); err != nil || len(specs) == ring.ProbesMax {
				continue
			}
			spec := probe.Spec{ID: at, Kind: probe.Count, At: at}
			if i%3 == 0 {
				spec.Kind, spec.Message, spec.Rate = probe.Log, "{$goroutine} {$line}", 100
			}
			specs = append(specs, spec)
		}
	}
	return specs
}

// TestEveryLineAtOnce probes every line of the target's own code, and runs all
// that it can do. Naively, windows of neighbours overlap, or one covers an
// address to which a jump table, a loop or a recovered panic leads.
func TestEveryLineAtOnce(t *testing.T) {
	c := startHazard(t)
	s := open(t, c, Options{})
	specs := everyLine(t, s, "testdata/hazard/code.go", "testdata/hazard/sched.go", "testdata/hazard/system.go")
	s.Close()
	o := observe(t, c, specs...)
	sites, jumps := 0, 0
	for _, p := range o.ready.Probes {
		sites, jumps = sites+p.Sites, jumps+p.Jumps
	}
	t.Logf("%d probes, %d sites, %d jumps", len(specs), sites, jumps)
	everything(c)
	for id, e := range o.end() {
		if e.Hits != e.Emitted+e.Suppressed+e.Dropped {
			t.Errorf("%s: %+v", id, e)
		}
	}
	checkText(t, c)
}

// TestRandomInstructions puts counts before random instructions of the target's
// own functions, prologues and ends included, and runs all that it can do.
func TestRandomInstructions(t *testing.T) {
	rounds := 6
	if n, err := strconv.Atoi(os.Getenv("SIDELIGHT_RANDOM")); err == nil {
		rounds = n
	}
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewSource(seed))
	c := startHazard(t)
	c.run("nil", 1)
	c.run("calltrace", 1)
	for round := range rounds {
		o := collecting(t, c)
		pcs := o.instructions("main.", func(amd64.Inst) bool { return r.Intn(4) == 0 })
		r.Shuffle(len(pcs), func(i, j int) { pcs[i], pcs[j] = pcs[j], pcs[i] })
		p := o.planAt(probe.Spec{Kind: probe.Count}, pcs[:min(len(pcs), 400)])
		o.install(p)
		everything(c)
		ends := o.end()
		t.Logf("round %d: %d windows, %d ends", round, len(p.windows), len(ends))
		checkText(t, c)
	}
}

// everything lets a target do all that it can.
func everything(c *child) {
	for _, s := range []string{"callgc", "callgrow", "callclosure", "callmethod", "calltrace", "nil", "fault", "defers", "goexit",
		"open", "through", "spinners", "ticks", "collect", "locked", "births", "deep", "stacks", "fork", "restarts"} {
		c.run(s, 10)
	}
	c.run("profile", 2000)
	c.run("procs", 2000)
}
