package engine

import (
	"github.com/sidelight-dev/sidelight/internal/inject"
	"github.com/sidelight-dev/sidelight/internal/jit"
	"github.com/sidelight-dev/sidelight/internal/patch"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// trampoline is the code of one window, made for one place in the target.
type trampoline struct {
	at      uint64
	code    []byte
	entries []inject.Entry
	trap    inject.Entry // what a trap at the window leads to: one of the entries
}

// here is the address of the next byte.
func (t *trampoline) here() uint64 { return t.at + uint64(len(t.code)) }

// align is where trampolines begin, in bytes: a line of instruction fetch.
const align = 16

// place is what the code of a trampoline depends on: the target and its bay.
type place struct {
	plan     *plan
	slide    uint64
	env      jit.Env                   // without probe and site
	tablesAt map[*program.Image]uint64 // of snapshots

	sumsAt uint64 // the region of aggregates in the target
	region *ring.Aggregates
	rate   float64 // nanoseconds a cycle
}

// trampoline writes the code of a window at an address: before each displaced
// instruction the bodies of its points, at the end the jump back. trap is the
// number of the window's counter of traps.
func (p *place) trampoline(w *window, at uint64, trap int) (*trampoline, error) {
	t := &trampoline{at: at}
	if !p.plan.quiet(w) {
		if err := p.ask(t, w, trap); err != nil {
			return nil, err
		}
	}
	next := 0
	for i := range w.Insts {
		for ; next < len(w.points) && w.points[next].inst == i; next++ {
			if err := p.body(t, w.points[next]); err != nil {
				return nil, err
			}
		}
		code, faults, err := patch.Displace(w.Insts[i], p.slide, t.here())
		if err != nil {
			return nil, err
		}
		t.code = append(t.code, code...)
		for _, f := range faults {
			t.entries = append(t.entries, inject.Entry{Key: f.At, Target: f.PC, Kind: ring.KindDisplaced})
		}
	}
	if w.Falls() {
		back, err := patch.Jump(t.here(), w.End()+p.slide)
		if err != nil {
			return nil, err
		}
		t.code = append(t.code, back[:]...)
	}
	t.trap = inject.Entry{Key: w.Addr + p.slide, Target: at, Kind: ring.KindTrap, Counter: p.trapCount(trap)}
	t.entries = append(t.entries, t.trap)
	return t, nil
}

// trapCount is the address of the counter of a window's traps.
func (p *place) trapCount(trap int) uint64 {
	return p.env.Control + uint64(ring.TrapCountOff+8*trap)
}

// ask lets the goroutine yield at the site before the bodies run: in a hot loop
// the request would otherwise seldom find it outside the trampoline.
func (p *place) ask(t *trampoline, w *window, trap int) error {
	code, err := jit.Ask(p.env, jit.Live{FlagsDead: w.flagsDead}, p.trapCount(trap)+ring.TrapRefused, t.here())
	if err != nil {
		return err
	}
	t.code = append(t.code, code.Bytes...)
	t.entries = append(t.entries, inject.Entry{Key: code.Trap, Target: code.Refused, Kind: ring.KindYield, Counter: w.Addr + p.slide})
	return nil
}

// counted tells whether a record of a site of this role is one of those that a
// limit is about: a span counts once, at its end.
func counted(r program.Role) bool { return r != program.RoleStart && !r.Silent() }

// body appends the code of one probe at one site.
func (p *place) body(t *trampoline, pt point) error {
	pl := p.plan.probes[pt.probe]
	env := p.env
	env.Probe, env.Site = pt.probe, pt.site
	env.Log = pl.program.Log
	role := pl.program.Sites[pt.site].Role
	env.Limited = pl.spec.Limit > 0 && (env.Log && counted(role) || pl.spec.Calls)
	env.Rated = pl.spec.Rate > 0 && (env.Log && !role.Silent() || pl.spec.Calls)
	if env.Log || role == program.RoleStart { // calls are taken where they begin
		env.Image, env.Tables = pl.program.Image, p.tablesAt[pl.program.Image]
	}
	env.Agg = p.aggregation(pl)
	env.After, env.Every = pl.spec.After, pl.spec.Every
	env.Chosen = env.Log && (env.After > 0 || env.Every > 1)
	// A register that is dead to the program may hold a variable that the next
	// probe reads: bodies leave all of them as they are, at a fraction of a
	// nanosecond. Flags hold no variables.
	live := jit.Live{FlagsDead: pt.live.FlagsDead, StackProven: pt.stack}
	code, err := jit.Body(env, &pl.program.Sites[pt.site], live, t.here())
	if err != nil {
		return err
	}
	t.code = append(t.code, code.Bytes...)
	for _, f := range code.Fixups {
		t.entries = append(t.entries, inject.Entry{Key: f.At, Target: f.Target, Kind: ring.KindFixup})
	}
	return nil
}
