package sink

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// The table has the calls' own numbers, and their quantile as exact as that of a time.
func TestCallsAddUp(t *testing.T) {
	c, w := NewCalls(), rand.New(rand.NewSource(1))
	start := time.Unix(1e9, 0)
	var all []float64
	total := time.Duration(0)
	for i := range 5000 {
		s := &probe.Span{Function: "example.com/shop.f", Start: start.Add(time.Duration(i/1000) * time.Second), Outcome: probe.Returned}
		switch i % 10 {
		case 3:
			s.Outcome = probe.Panicked
		case 4:
			s.Error = &probe.Value{}
			fallthrough
		default:
			s.Duration = time.Duration(math.Exp(18 * w.Float64()))
			total += s.Duration
			all = append(all, float64(s.Duration))
		}
		c.Add(s)
	}
	slices.Sort(all)
	r := c.rows["example.com/shop.f"]
	exact := all[int(math.Ceil(0.99*float64(len(all))))-1]
	if r.calls != 5000 || r.failed != 1000 || r.total != total || math.Abs(r.p99()-exact) > 0.0055*exact {
		t.Errorf("%+v, p99 %v, exact %v, total %v", r, r.p99(), exact, total)
	}
	c.Now(start.Add(6 * time.Second))
	if got := fmt.Sprint(c.Rates()); got != "[1000 1000 1000 1000 1000 0]" {
		t.Errorf("calls by second: %s", got)
	}
	c.Now(start.Add(time.Hour))
	if got := c.Rates(); len(got) > mostSeconds {
		t.Errorf("%d seconds are remembered", len(got))
	}
	c.Add(&probe.Span{Function: "shop.never", Outcome: probe.Unfinished, Start: start})
	text := strings.Join(c.Lines("p99", 1, 0, Paint(false)), "\n")
	if !strings.Contains(text, "shop.f") || !strings.Contains(text, "1 more") || strings.Contains(text, "never") {
		t.Errorf("the largest is not first:\n%s", text)
	}
}

// Spans that found no room while they waited are missed, and the tree says so.
func TestTreesSayWhatTheyMiss(t *testing.T) {
	f := NewForest()
	f.kept = maxWaiting - 1
	for range 3 {
		f.Add(&probe.Span{ID: "in", Parent: "root", Root: "root", Function: "shop.take"})
	}
	text := strings.Join(f.Add(&probe.Span{ID: "root", Root: "root", Function: "shop.place"}).Lines(Paint(false)), "\n")
	if strings.Count(text, "shop.take") != 1 || !strings.Contains(text, "2 spans more") || f.kept != maxWaiting-1 {
		t.Errorf("%d kept:\n%s", f.kept, text)
	}
}
