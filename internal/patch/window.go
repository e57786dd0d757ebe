package patch

import (
	"errors"
	"fmt"
	"math"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// JumpLen is the length of the jump that takes a site to its trampoline.
const JumpLen = 5

// ShortLen is the length of the jump that takes a site to a hop.
const ShortLen = 2

// Window is what a site gives up. Its instructions run in the trampoline; after
// them control goes on at End, unless the last one never falls through.
type Window struct {
	Addr  uint64
	Insts []amd64.Inst // displaced: one for a trap, as many as the jump covers otherwise
	Len   int          // bytes of Insts

	// Jump: a jump may stand at Addr. Otherwise it takes an INT3, and Why says why.
	Jump bool
	Why  string

	// Hop, if not 0: the jump at Addr is the short one, and leads to the padding at
	// Hop, where the long one to the trampoline stands. It must be there first and
	// go last.
	Hop uint64

	// Interior are the starts of instructions that the jump overwrites in the
	// middle and at which a goroutine may be parked. Before the jump is written,
	// all of them must have left (inject's Drained).
	Interior []uint64

	// Spill is how many bytes of padding after the function the jump covers.
	Spill int
}

// End is the address after the displaced instructions.
func (w *Window) End() uint64 { return w.Addr + uint64(w.Len) }

// Room is how many bytes at Addr the window's jump or trap takes.
func (w *Window) Room() int {
	switch {
	case !w.Jump:
		return 1
	case w.Hop != 0:
		return ShortLen
	}
	return JumpLen
}

// Falls tells whether control may come to the end of the window's last
// instruction, so that the trampoline must jump back. A displaced call comes
// back to End by itself.
func (w *Window) Falls() bool {
	switch last := &w.Insts[len(w.Insts)-1]; last.Kind {
	case amd64.Call, amd64.CallInd:
		return false
	default:
		return last.Falls()
	}
}

// Rules is what Plan must know of the function that holds the site.
type Rules struct {
	Graph        *amd64.Graph
	FuncEnd      uint64               // 0: Graph.End
	DeferReturn  uint64               // where a recovered panic continues; 0 none
	UnsafePoint  func(pc uint64) bool // no goroutine can be parked there; nil: none such
	PaddingAfter int                  // bytes of INT3 after FuncEnd that nothing else uses

	// Hop finds JumpLen bytes of padding between functions, starting in [lo,hi],
	// that nothing else uses (Padding.Hop); nil: no hops.
	Hop func(lo, hi uint64) (at uint64, ok bool)
}

// RefusedError says that no probe can stand at a site.
type RefusedError struct {
	PC  uint64
	Why string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("no probe can stand at %#x: %s", e.PC, e.Why)
}

// Plan finds the window of a site. It fails with a *RefusedError when the site is
// no instruction of the function or one that cannot run elsewhere.
func Plan(r Rules, site uint64) (Window, error) {
	if r.FuncEnd == 0 {
		r.FuncEnd = r.Graph.End
	}
	first, ok := r.Graph.Index(site)
	if !ok {
		return Window{}, &RefusedError{site, "it is not the start of an instruction of its function"}
	}
	inst := r.Graph.Insts[first]
	if why := immovable(&inst); why != "" {
		return Window{}, &RefusedError{site, why}
	}
	trap := Window{Addr: site, Insts: r.Graph.Insts[first : first+1], Len: inst.Len}
	w := trap
	if trap.Why = r.extend(&w, first, JumpLen); trap.Why == "" {
		w.Jump = true
		return w, nil
	}
	w = trap
	if r.Hop == nil || r.extend(&w, first, ShortLen) != "" {
		return trap, nil
	}
	if !w.Rehop(r.Hop) {
		return trap, nil
	}
	w.Jump, w.Why = true, ""
	return w, nil
}

// Rehop gives the window another hop, in reach of a short jump and clear of the
// jump itself. find is as Rules.Hop.
func (w *Window) Rehop(find func(lo, hi uint64) (at uint64, ok bool)) bool {
	end := w.Addr + ShortLen
	at, ok := find(end, end+math.MaxInt8)
	if !ok {
		at, ok = find(end-(-math.MinInt8), w.Addr-JumpLen)
	}
	if ok {
		w.Hop = at
	}
	return ok
}

// extend lets the window grow until a jump of that length fits; otherwise it says
// why none does.
func (r Rules) extend(w *Window, first, length int) (why string) {
	g := r.Graph
	for i := first; w.Len < length; i++ {
		if last := &g.Insts[i]; last.Kind == amd64.Call || last.Kind == amd64.CallInd {
			return "a call returns into the bytes that a jump needs"
		}
		if i+1 == len(g.Insts) {
			return r.spill(w, length)
		}
		next := &g.Insts[i+1]
		if g.Unresolved {
			return "the function jumps to places that are not known"
		}
		if g.Targeted(next.PC) || next.PC == r.DeferReturn && r.DeferReturn != 0 {
			return "control comes from elsewhere into the bytes that a jump needs"
		}
		if why := immovable(next); why != "" {
			return "a jump would cover an instruction that cannot run elsewhere: " + why
		}
		if r.UnsafePoint == nil || !r.UnsafePoint(next.PC) {
			w.Interior = append(w.Interior, next.PC)
		}
		w.Insts = g.Insts[first : i+2]
		w.Len += next.Len
	}
	return ""
}

// spill lets the jump cover padding after the function's last instruction.
func (r Rules) spill(w *Window, length int) (why string) {
	need := length - w.Len
	if w.End() != r.FuncEnd || need > r.PaddingAfter {
		return "the function ends in the bytes that a jump needs"
	}
	if w.Insts[len(w.Insts)-1].Falls() {
		return "the function runs past its end"
	}
	w.Spill = need
	return ""
}

// immovable says why an instruction cannot run elsewhere; "" if it can.
func immovable(inst *amd64.Inst) string {
	switch {
	case inst.Kind == amd64.Trap:
		return "it is there to stop the program"
	case inst.Kind == amd64.System:
		return "it enters the kernel or depends on where it lies"
	}
	if _, _, err := Displace(*inst, 0, inst.PC); err != nil {
		var immov *ImmovableError
		if errors.As(err, &immov) {
			return immov.Why
		}
		return err.Error()
	}
	return ""
}
