package locate

import (
	"fmt"
	"math/rand"
	"testing"
)

// passes applies the definition of a pass to a trace of executed instructions,
// independently of labels and cuts. It knows of the plan only the definition's
// own terms: segments, blocks, statements.
func passes(c *code, e extent, trace []int32) int {
	in := map[int32]bool{}
	for _, i := range e.insts {
		in[i] = true
	}
	count, counted := 0, false
	for k, i := range trace {
		if i == c.blocks[c.blockOf[i]].first {
			counted = false // another execution of a block begins
		}
		if in[i] && (k == 0 || !in[trace[k-1]]) && !counted && mayReach(c, e, in, i) {
			count++
			counted = true
		}
	}
	return count
}

// mayReach tells whether, from i and without leaving the extent, the beginning of
// the location's work can be reached: an instruction of a segment with a
// statement that no other one always comes before.
func mayReach(c *code, e extent, in map[int32]bool, i int32) bool {
	seen := map[int32]bool{i: true}
	work := []int32{i}
	for len(work) > 0 {
		j := work[0]
		work = work[1:]
		if begins(c, e, j) {
			return true
		}
		for _, s := range c.insts[j].Succ {
			if in[s] && !seen[s] {
				seen[s] = true
				work = append(work, s)
			}
		}
	}
	return false
}

// begins finds by search what the code finds by dominators and loops.
func begins(c *code, e extent, i int32) bool {
	segs := c.segments(e)
	best := worthNone
	for _, s := range segs {
		best = max(best, s.worth)
	}
	marked := func(s seg) bool { return s.worth == best }
	var own seg
	for _, s := range segs {
		if s.first <= i && i <= s.last {
			own = s
		}
	}
	if !marked(own) {
		return false
	}
	for _, s := range segs {
		if !marked(s) || s.first == own.first {
			continue
		}
		if s.block == own.block {
			if s.first < own.first {
				return false
			}
			continue
		}
		if reachable(c, 0, own.block) && !reachableWithout(c, 0, own.block, s.block) && !comesAgain(c, own.block, s.block) {
			return false
		}
	}
	return true
}

func reachable(c *code, from, to int32) bool { return reachableWithout(c, from, to, -1) }

func reachableWithout(c *code, from, to, without int32) bool {
	if from == without {
		return false
	}
	seen := map[int32]bool{from: true}
	work := []int32{from}
	for len(work) > 0 {
		b := work[0]
		work = work[1:]
		if b == to {
			return true
		}
		for _, s := range c.blocks[b].succs {
			if s != without && !seen[s] {
				seen[s] = true
				work = append(work, s)
			}
		}
	}
	return false
}

func comesAgain(c *code, b, without int32) bool {
	for _, s := range c.blocks[b].succs {
		if reachableWithout(c, s, b, without) {
			return true
		}
	}
	return false
}

func hits(p plan, trace []int32) int {
	n := 0
	for _, i := range trace {
		for _, s := range p.sites {
			if s == i {
				n++
			}
		}
	}
	return n
}

// randomCode makes a function of n instructions with random jumps.
func randomCode(rnd *rand.Rand, n int) *code {
	insts := make([]inst, n)
	for i := range insts {
		insts[i] = inst{PC: uint64(i), Len: 1}
		next := int32(i + 1)
		switch k := rnd.Intn(10); {
		case i == n-1 || k == 0:
			insts[i].Ends, insts[i].Ret = true, true
		case k == 1:
			insts[i].Ends = true
			insts[i].Succ = []int32{int32(rnd.Intn(n))}
		case k == 2 || k == 3:
			insts[i].Ends = true
			insts[i].Succ = []int32{int32(rnd.Intn(n)), next}
		default:
			insts[i].Succ = []int32{next}
			insts[i].Fault = k == 4
		}
	}
	return newCode(insts, []int32{0})
}

// randomExtent covers runs of instructions, as lines do.
func randomExtent(rnd *rand.Rand, c *code) extent {
	e := extent{stmt: map[int32]bool{}}
	inside := rnd.Intn(2) == 0
	for i := range c.insts {
		if rnd.Intn(3) == 0 {
			inside = !inside
		}
		if inside {
			e.insts = append(e.insts, int32(i))
			if rnd.Intn(3) == 0 {
				e.stmt[int32(i)] = true
			}
		}
	}
	return e
}

func walk(rnd *rand.Rand, c *code) []int32 {
	trace := []int32{0}
	for len(trace) < 200 {
		succ := c.insts[trace[len(trace)-1]].Succ
		if len(succ) == 0 {
			return trace
		}
		trace = append(trace, succ[rnd.Intn(len(succ))])
	}
	return nil // it went round and round: its end is not one of the definition
}

// Whatever the flow and the extent, an exact plan counts what the definition
// counts, and an approximate one errs in the way that it says.
func TestSolveCountsByDefinition(t *testing.T) {
	exact, approximate := 0, 0
	for seed := range int64(20000) {
		rnd := rand.New(rand.NewSource(seed))
		c := randomCode(rnd, 3+rnd.Intn(25))
		e := randomExtent(rnd, c)
		p := c.runs(e).solve()
		if p.exact() {
			exact++
		} else {
			approximate++
		}
		for range 20 {
			trace := walk(rnd, c)
			if trace == nil {
				continue
			}
			want, got := passes(c, e, trace), hits(p, trace)
			if got < want && !p.missed || got > want && !p.twice {
				t.Fatalf("seed %d: %d passes, %d hits of %v\n%s\ntrace %v", seed, want, got, p, describe(c, e), trace)
			}
		}
	}
	t.Logf("%d exact, %d approximate", exact, approximate)
}

func describe(c *code, e extent) string {
	in := map[int32]bool{}
	for _, i := range e.insts {
		in[i] = true
	}
	text := ""
	for i, x := range c.insts {
		mark := "   "
		if in[int32(i)] {
			mark = " L "
		}
		if e.stmt[int32(i)] {
			mark = " S "
		}
		text += fmt.Sprintf("b%d %d%s%v\n", c.blockOf[i], i, mark, x.Succ)
	}
	return text
}
