package jit

import "github.com/sidelight-dev/sidelight/internal/amd64"

// Asking is code that goes before the bodies of a window: where the runtime asks
// the goroutine to yield, it runs an int3 (at Trap), so that the handler can let
// the runtime preempt at the site, before anything is counted. Otherwise, and if
// the runtime does not take the chance, it goes on at On, behind the code.
//
// Without it a loop whose time is mostly spent in a trampoline, where the
// runtime may not preempt, would keep the request pending: a collection of
// garbage waited for seconds where 20 goroutines did nothing but pass a count,
// and every record of that time would be dropped.
type Asking struct {
	Bytes    []byte
	Trap, On uint64
}

// Ask makes the code for address at. live is what is dead at the site.
func Ask(env Env, live Live, at uint64) (Asking, error) {
	a := amd64.NewAsm(at)
	on := a.NewLabel()
	pending := func() {
		a.OpMemImm(amd64.CMP, amd64.At(amd64.R14, int32(env.RT.GStackguard0)), stackPreempt, 8)
	}
	var trap amd64.Label
	if live.FlagsDead {
		pending()
		a.Jcc(amd64.CondNE, on)
		trap = a.Here()
		a.Int3()
	} else {
		// Live flags stay where they are: nothing here touches them.
		cold := a.NewLabel()
		a.MovXR(xspill, amd64.RCX, 8)
		a.Load(amd64.RCX, amd64.At(amd64.R14, int32(env.RT.GStackguard0)), 8)
		a.Lea(amd64.RCX, amd64.At(amd64.RCX, -stackPreempt))
		back := func() {
			a.MovRX(amd64.RCX, xspill, 8)
			a.Pxor(xspill, xspill)
		}
		a.JrcxzShort(cold)
		back()
		a.JmpShort(on)
		a.Bind(cold)
		back()
		trap = a.Here()
		a.Int3()
	}
	a.Bind(on)
	code, err := a.Code()
	return Asking{Bytes: code, Trap: a.Addr(trap), On: a.Addr(on)}, err
}
