package engine

import (
	"encoding/binary"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// A call that is found to be gone is not under way any more, however short ago the
// calls under way of many probes were counted.
func TestCallsAreCountedOnce(t *testing.T) {
	const n = hooked + 1
	p := &plan{}
	for range n {
		p.probes = append(p.probes, &planned{program: &program.Program{Aggregate: &program.Aggregate{Hist: true, Pair: true, Frames: true}}})
	}
	region, err := ring.NewAggregates(1, p.needs())
	if err != nil {
		t.Fatal(err)
	}
	s := newSums(make([]byte, region.Size()), region, p)
	for i := range uint64(n) {
		binary.LittleEndian.PutUint64(s.mem[region.Pairs+64*i:], (i+1)<<ring.PairProbeLen|(i+1))
	}
	calls := s.opens()
	if got := *s.calls(2); len(calls) != n || got != (probe.Calls{Running: 1}) {
		t.Fatalf("%d calls under way, %+v", len(calls), got)
	}
	for _, o := range calls {
		s.drop(o)
		if got := *s.calls(o.probe); got != (probe.Calls{Panicked: 1}) {
			t.Errorf("probe %d: %+v", o.probe, got)
		}
	}
}
