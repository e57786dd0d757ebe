package engine

import (
	"context"
	"strings"
	"time"

	"github.com/sidelight-dev/sidelight/internal/inject"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// waits tells whether the site traps until goroutines have left its window.
func (site *liveSite) waits() bool { return site.w.Jump && !site.jump && site.in }

// drain waits until no goroutine is parked inside a window, for all windows
// together first, and then for each one alone: one that keeps a goroutine must
// not keep its neighbours from their jumps.
func (s *Session) drain(ctx context.Context, l *live, deadline time.Time) error {
	half := time.Now().Add(time.Until(deadline) / 2)
	clean, err := s.drained(ctx, l, (*liveSite).waits, half)
	if err != nil {
		return err
	}
	if clean {
		return s.jumpNow(l, (*liveSite).waits)
	}
	for _, site := range l.sites {
		if !site.waits() {
			continue
		}
		this := func(other *liveSite) bool { return other == site }
		clean, err := s.drained(ctx, l, this, deadline)
		if err != nil {
			return err
		}
		if !clean {
			continue
		}
		if err := s.jumpNow(l, this); err != nil {
			return err
		}
	}
	return nil
}

// interior is where goroutines may stand in the chosen windows.
func (l *live) interior(slide uint64, chosen func(*liveSite) bool) []uint64 {
	var out []uint64
	for _, site := range l.sites {
		if chosen(site) {
			for _, pc := range site.w.Interior {
				out = append(out, pc+slide)
			}
		}
	}
	return out
}

// drained looks until nobody stands in the chosen windows, or the deadline has come.
func (s *Session) drained(ctx context.Context, l *live, chosen func(*liveSite) bool, deadline time.Time) (bool, error) {
	interior := l.interior(s.text.Slide, chosen)
	if len(interior) == 0 {
		return true, nil
	}
	rt := s.runtime()
	// Where every site traps, the threads are found in the trampolines behind them: who
	// runs there came by a site, and runs the program's own code as well.
	user, from := rt.User, l.bay.Text()
	rt.User = func(pc uint64) bool { return pc-from < ring.TextSize || user(pc) }
	d := s.proc.Drained(interior, rt)
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		clean, _, err := d.Step()
		if clean || err != nil {
			return clean, err
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if time.Until(deadline) < wait {
			return false, nil
		}
		time.Sleep(wait)
	}
}

// runtime is where the running target keeps its goroutines.
func (s *Session) runtime() inject.Runtime {
	rt := s.rt
	return inject.Runtime{
		Allgs: rt.Allgs + s.text.Slide, Allglen: rt.Allglen + s.text.Slide,
		GStackLo: rt.GStackLo, GStackHi: rt.GStackHi, GSchedSP: rt.GSchedSP, GStatus: rt.GStatus,
		GAsyncSafePoint: rt.GAsyncSafePoint, GM: rt.GM, MCurg: rt.MCurg, MProcid: rt.MProcid,
		User: func(pc uint64) bool {
			f := s.build.FuncAt(pc - s.text.Slide)
			return f != nil && !f.Assembly && f.Package != "runtime" && !strings.HasPrefix(f.Package, "internal/runtime/")
		},
	}
}

// claim is what a build without debug information is believed to have.
func (s *Session) claim() inject.Claim {
	rt := s.rt
	return inject.Claim{Runtime: s.runtime(), Allm: rt.Allm + s.text.Slide, Gomaxprocs: rt.Gomaxprocs + s.text.Slide,
		GGoid: rt.GGoid, GStackguard0: rt.GStackguard0, MP: rt.MP, MG0: rt.MG0, MGsignal: rt.MGsignal, MAlllink: rt.MAlllink, PID: rt.PID}
}
