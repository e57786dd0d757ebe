package patch

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// JumpLen is the length of the jump that takes a site to its trampoline.
const JumpLen = 5

// Window is what a site gives up; the site is its first instruction or, where no
// jump fits there, a later one. Its instructions run in the trampoline; after
// them control goes on at End, unless the last one never falls through.
type Window struct {
	Addr  uint64
	Insts []amd64.Inst // displaced: one for a trap, as many as the jump covers otherwise
	Len   int          // bytes of Insts

	// Jump: a JMP rel32 may stand at Addr. Otherwise it takes an INT3, and Why
	// says why.
	Jump bool
	Why  string

	// Interior are the starts of the instructions behind the first. A goroutine may
	// be parked there, and where the runtime parks none (an unsafe point) the kernel
	// may still have taken the processor from its thread. Before the jump is written,
	// all must have left (inject's Drained).
	Interior []uint64

	// Spill is how many bytes of padding after the function the jump covers.
	Spill int
}

// End is the address after the displaced instructions.
func (w *Window) End() uint64 { return w.Addr + uint64(w.Len) }

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
	FuncEnd      uint64 // 0: Graph.End
	DeferReturn  uint64 // where a recovered panic continues; 0 none
	PaddingAfter int    // bytes of INT3 after FuncEnd that nothing else uses
	From         uint64 // a window may not begin before it: the end of another one
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
	w := Window{Addr: site, Insts: r.Graph.Insts[first : first+1], Len: inst.Len}
	if w.Why = r.extend(&w, first); w.Why == "" {
		w.Jump = true
		return w, nil
	}
	if back, ok := r.reach(first); ok {
		return back, nil
	}
	w.Insts, w.Len, w.Interior, w.Spill = r.Graph.Insts[first:first+1], inst.Len, nil, 0
	return w, nil
}

// reach finds a window that begins before the site and ends with its instruction:
// where nothing but the instructions before leads to the site, a jump in their
// place serves as well. The probe's body still runs right before the site.
func (r Rules) reach(site int) (Window, bool) {
	g := r.Graph
	if g.Unresolved {
		return Window{}, false
	}
	w := Window{Len: g.Insts[site].Len}
	for i := site; w.Len < JumpLen; i-- {
		if i == 0 || g.Targeted(g.Insts[i].PC) || g.Insts[i].PC == r.DeferReturn {
			return Window{}, false
		}
		before := &g.Insts[i-1]
		if before.Kind != amd64.Plain || before.PC < r.From || immovable(before) != "" {
			return Window{}, false
		}
		w.Interior = append(w.Interior, g.Insts[i].PC)
		w.Len += before.Len
		w.Addr, w.Insts = before.PC, g.Insts[i-1:site+1]
	}
	slices.Reverse(w.Interior)
	w.Jump = true
	return w, true
}

// extend lets the window grow until a jump fits; otherwise it says why none does.
func (r Rules) extend(w *Window, first int) (why string) {
	g := r.Graph
	for i := first; w.Len < JumpLen; i++ {
		if last := &g.Insts[i]; last.Kind == amd64.Call || last.Kind == amd64.CallInd {
			return "a call returns into the bytes that a jump needs"
		}
		if i+1 == len(g.Insts) {
			return r.spill(w)
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
		w.Interior = append(w.Interior, next.PC)
		w.Insts = g.Insts[first : i+2]
		w.Len += next.Len
	}
	return ""
}

// spill lets the jump cover padding after the function's last instruction.
func (r Rules) spill(w *Window) (why string) {
	need := JumpLen - w.Len
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
