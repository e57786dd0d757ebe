package jit

import "github.com/sidelight-dev/sidelight/internal/amd64"

// Asking is code that goes before the bodies of a window: where the runtime asks
// the goroutine to yield, it runs an int3 (at Trap), so that the handler can let
// the runtime preempt at the site, before anything is counted. If the runtime does
// not take the chance it goes on at Refused, behind the int3.
//
// Without it a loop whose time is mostly spent in a trampoline, where the
// runtime may not preempt, would keep the request pending for milliseconds, and
// every record of that time would be dropped.
//
// A refusal is remembered in a byte that the tool clears a few times a second:
// where the runtime never preempts, in a loop of a nosplit function, a trap at
// every pass would make the program a thousand times slower.
type Asking struct {
	Bytes         []byte
	Trap, Refused uint64
}

// Ask makes the code for address at. live is what is dead at the site, refused the
// address of the byte.
func Ask(env Env, live Live, refused, at uint64) (Asking, error) {
	a := amd64.NewAsm(at)
	on := a.NewLabel()
	pending := func() {
		a.OpMemImm(amd64.CMP, amd64.At(amd64.R14, int32(env.RT.GStackguard0)), stackPreempt, 8)
	}
	var asked, not amd64.Label
	trap := func() {
		asked = a.Here()
		a.Int3()
		not = a.Here()
		a.StoreImm(amd64.AtAddr(refused), 1, 1)
	}
	if live.FlagsDead {
		pending()
		a.Jcc(amd64.CondNE, on)
		a.OpMemImm(amd64.CMP, amd64.AtAddr(refused), 0, 1)
		a.Jcc(amd64.CondNE, on)
		trap()
	} else {
		// Live flags stay where they are: nothing here touches them.
		cold, warm, first := a.NewLabel(), a.NewLabel(), a.NewLabel()
		back := func() {
			a.MovRX(amd64.RCX, xspill, 8)
			a.Pxor(xspill, xspill)
		}
		a.MovXR(xspill, amd64.RCX, 8)
		a.Load(amd64.RCX, amd64.At(amd64.R14, int32(env.RT.GStackguard0)), 8)
		a.Lea(amd64.RCX, amd64.At(amd64.RCX, -stackPreempt))
		a.JrcxzShort(cold)
		a.Bind(warm)
		back()
		a.JmpShort(on)
		a.Bind(cold)
		a.Load(amd64.RCX, amd64.AtAddr(refused), 1)
		a.JrcxzShort(first)
		a.JmpShort(warm)
		a.Bind(first)
		back()
		trap()
	}
	a.Bind(on)
	code, err := a.Code()
	return Asking{Bytes: code, Trap: a.Addr(asked), Refused: a.Addr(not)}, err
}
