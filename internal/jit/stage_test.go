//go:build linux && amd64

package jit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// staged is a call under way, and what its snapshot must be; nil: it has none.
type staged struct {
	depth  uint64
	rec    []byte
	notNow bool
}

// stages is what must become of the snapshots of calls, by definition.
type stages struct {
	open                             map[uint64][]*staged
	told                             [][]byte // that the tool has not seen yet
	published, held, unstaged, taken uint64
}

// used is how many places are taken.
func (m *stages) used() (n int) {
	for _, l := range m.open {
		for _, c := range l {
			if c.rec != nil {
				n++
			}
		}
	}
	return n + len(m.told)
}

// pop gives up the newest calls of a goroutine while they are gone.
func (m *stages) pop(goid uint64, while func(depth uint64) bool) {
	for l := m.open[goid]; len(l) > 0 && while(l[len(l)-1].depth); l = m.open[goid] {
		m.open[goid] = l[:len(l)-1]
	}
}

// stageRig is a rig whose probe takes snapshots of calls, with so few places.
func stageRig(t testing.TB, img *program.Image, what *program.Aggregate, places int) (*rig, []byte) {
	r := newImageRig(t)
	r.env.Log = false
	needs := make([]ring.Need, r.env.Probe+1)
	needs[r.env.Probe] = ring.Need{Hist: true, Pair: true, Stage: 1 << 17}
	region, err := ring.NewAggregates(r.env.Layout.Ps, needs)
	if err != nil {
		t.Fatal(err)
	}
	region.Stages = places
	mem, err := unix.Mmap(-1, 0, int(region.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(mem) })
	region.Prepare(mem)
	r.env.Agg = &Aggregation{At: uint64(uintptr(unsafe.Pointer(&mem[0]))), Region: region, What: what, Rate: 0.5}
	if img != nil {
		r.tables(img)
	}
	return r, mem
}

// states counts the places in each state.
func (r *rig) states(mem []byte) (n [3]int) {
	for i := range uint64(r.env.Agg.Region.Stages) {
		n[ring.WordAt(mem, r.env.Agg.Region.StateAt+8*i)]++
	}
	return n
}

// see takes what was told, as the tool does.
func (r *rig) see(t *testing.T, s *program.Site, mem []byte, want [][]byte) {
	t.Helper()
	region := r.env.Agg.Region
	for i := range uint64(region.Stages) {
		state := mem[region.StateAt+8*i:]
		if binary.LittleEndian.Uint64(state) != ring.StageTold {
			continue
		}
		at := mem[region.StageAt+i*region.StageSize:][:region.StageSize]
		if d := math.Float64frombits(binary.LittleEndian.Uint64(at[ring.StageDuration:])); !(d >= 0 && d < 1e9) {
			t.Errorf("a duration of %v", d)
		}
		size := binary.LittleEndian.Uint32(at[ring.StageRecord:])
		got := plainImage(s, bytes.Clone(at[ring.StageRecord:][:size]))
		found := false
		for k, w := range want {
			if bytes.Equal(got, w) {
				want, found = append(want[:k:k], want[k+1:]...), true
				break
			}
		}
		if !found {
			text := "nothing"
			if len(want) > 0 {
				text = showImage(s, want[0])
			}
			t.Errorf("nobody's snapshot:\n%s", differences(showImage(s, got), text))
		}
		binary.LittleEndian.PutUint64(state, ring.StageFree)
	}
	if len(want) != 0 {
		t.Errorf("%d snapshots were not told", len(want))
	}
}

// followStages runs random calls with random snapshots, by machine and by model.
func followStages(t *testing.T, seed int64) *stages {
	rnd := rand.New(rand.NewSource(seed))
	places := 1 + rnd.Intn(6)
	r, mem := stageRig(t, nil, &program.Aggregate{Hist: true, Number: program.F64, Pair: true, Frames: rnd.Intn(4) > 0}, places)
	r.catch()
	w := &graph{author: &author{Rand: rnd, r: r}}
	bad := 1 << w.Intn(10)
	w.fill(bad)
	img := w.image()
	start := w.site(img)
	start.Role = program.RoleStart
	r.tables(img)
	r.env.Rated, r.env.Limited = rnd.Intn(3) == 0, rnd.Intn(3) == 0
	control := rigControl + ring.Control(r.env.Probe)
	m := &stages{open: map[uint64][]*staged{}}
	frames := r.env.Agg.What.Frames
	for step := range 150 {
		goid := uint64(1 + rnd.Intn(3))
		role := []program.Role{program.RoleStart, program.RoleStart, program.RoleStop, program.RoleStop, program.RoleRecover}[rnd.Intn(5)]
		if frames && rnd.Intn(8) == 0 {
			role = program.RoleUnwind + program.Role(rnd.Intn(3))
		}
		in := w.state(bad)
		cfa := in.Regs[amd64.RSP] + 16
		r.put(rigG+int(rigOffsets.GStackHi), cfa+64*uint64(1+rnd.Intn(6)))
		r.put(rigG+int(rigOffsets.GGoid), goid)
		depth := r.get(rigG+int(rigOffsets.GStackHi)) - cfa
		s := &program.Site{Role: role, Resumed: frames && role.Ends(), CFA: program.CFA{Reg: amd64.RSP, Offset: 16}}
		kept := r.env.Image
		long := true
		switch role {
		case program.RoleStart:
			s = start
		case program.RoleStop, program.RoleRecover:
			if long = rnd.Intn(4) > 0; !long {
				s.Cond = &program.Node{Op: program.OpGt, Type: program.Bool, X: &program.Node{Op: program.OpDuration, Type: program.I64}, Y: constant(program.I64, 1<<50)}
			}
			if rnd.Intn(12) == 0 {
				s.Cond, long = badTruth(), false
			}
		case program.RoleUnwind:
			in.Regs[amd64.RBP] = cfa - 16
		case program.RoleGoexit:
			in.Regs[amd64.RSP] = cfa - 8
		}
		if role != program.RoleStart {
			r.env.Image = nil
		}
		if !frames {
			depth = 0
		}
		tokens, remaining := uint64(rnd.Intn(4)), uint64(rnd.Intn(4))
		r.put(control+ring.ControlTokens, tokens)
		r.put(control+ring.ControlRemaining, remaining)
		allowed := uint64(rnd.Intn(16)) // by the budget
		r.put(control+ring.ControlStages, allowed)
		r.reset(1, 0)
		live := w.live()
		r.place(s, live)
		spent := r.env.Rated && tokens == 0 || r.env.Limited && remaining == 0
		switch role {
		case program.RoleStart:
			oracle := r.oracle(s, in)
			oracle.Goid = goid
			if oracle.Condition(s) != 0 {
				break
			}
			m.pop(goid, func(d uint64) bool { return d >= depth })
			c := &staged{depth: depth, notNow: spent || allowed == 0}
			if !c.notNow && m.used() < places {
				c.rec = plainImage(s, oracle.Record(s, r.env.Probe, r.env.Site, 0))
				m.taken++
			}
			m.open[goid] = append(m.open[goid], c)
		case program.RoleStop, program.RoleRecover:
			m.pop(goid, func(d uint64) bool { return d > depth+resumed })
			l := m.open[goid]
			if len(l) == 0 || l[len(l)-1].depth&^resumed != depth {
				break
			}
			c := l[len(l)-1]
			m.open[goid] = l[:len(l)-1]
			switch {
			case !long:
			case c.notNow:
				m.held++
			case c.rec == nil:
				m.unstaged++
			case spent:
				m.held++
			default:
				m.published++
				m.told = append(m.told, c.rec)
			}
		case program.RoleUnwind, program.RoleResume:
			m.pop(goid, func(d uint64) bool { return d > depth+resumed })
			if l := m.open[goid]; role == program.RoleResume && len(l) > 0 && l[len(l)-1].depth == depth {
				l[len(l)-1].depth += resumed
			}
		case program.RoleGoexit:
			m.pop(goid, func(uint64) bool { return true })
		}
		unchanged(t, "registers", in, r.run(in), live)
		at := r.env.Agg.Region.AreaOf(r.env.Probe, 1)
		word := func(off uint64) uint64 { return ring.WordAt(mem, at+off) }
		states := r.states(mem)
		want := fmt.Sprint(m.used(), m.published, m.held, m.unstaged, m.taken)
		if got := fmt.Sprint(states[ring.StageTaken]+states[ring.StageTold], word(ring.PairPublished), word(ring.PairHeld), word(ring.PairUnstaged),
			word(ring.StageCount)); got != want || states[ring.StageTold] != len(m.told) || t.Failed() {
			t.Fatalf("seed %d, step %d, role %d, goroutine %d, depth %d, frames %v, live %+v:\n got %s, told %d\nwant %s, told %d",
				seed, step, role, goid, depth, frames, live, got, states[ring.StageTold], want, len(m.told))
		}
		r.env.Image = kept
		if rnd.Intn(4) == 0 {
			r.see(t, start, mem, m.told)
			m.told = nil
		}
	}
	r.see(t, start, mem, m.told)
	m.told = nil
	for goid := range m.open { // Goexit leaves nothing
		if !frames {
			return m
		}
		in := r.start()
		r.put(rigG+int(rigOffsets.GGoid), goid)
		r.env.Image = nil
		r.place(&program.Site{Role: program.RoleGoexit, CFA: program.CFA{Reg: amd64.RSP, Offset: 16}}, Live{})
		r.run(in)
	}
	if states := r.states(mem); states[ring.StageFree] != places {
		t.Errorf("seed %d: %v places are free of %d", seed, states, places)
	}
	return m
}

func TestStagesFollowTheCalls(t *testing.T) {
	var all stages
	for seed := range int64(60) {
		m := followStages(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		all.published, all.held, all.unstaged, all.taken = all.published+m.published, all.held+m.held, all.unstaged+m.unstaged, all.taken+m.taken
	}
	if all.published < 100 || all.held < 50 || all.unstaged < 50 || all.taken < 2*all.published {
		t.Errorf("%d told, %d held back, %d without, of %d: the calls are no test", all.published, all.held, all.unstaged, all.taken)
	}
}
