package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/sidelight-dev/sidelight/internal/clock"
	"github.com/sidelight-dev/sidelight/internal/jit"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/ring"
	"github.com/sidelight-dev/sidelight/internal/vdso"
)

// clockVariable makes probes read the kernel's clock, if it is "vdso", also where the
// time-stamp counter is trusted.
const clockVariable = "SIDELIGHT_CLOCK"

// timing is what the probes of a session read the time from.
type timing struct {
	name string // as probe.Ready has it
	vdso uint64 // address of the kernel's clock in the target; 0: the time-stamp counter
	why  error  // why that is none
}

// extra is the memory beside each block that reading the clock takes.
func (t timing) extra() int {
	if t.vdso == 0 {
		return 0
	}
	return ring.ClockStack
}

func (t timing) note() string {
	return fmt.Sprintf("%v: times are the kernel's monotonic clock's, to %v, and a reading takes longer", t.why, clock.Resolution())
}

// checkClock decides what the times of the probes are read from, and refuses them
// where nothing tells the time.
func (s *Session) checkClock(specs []probe.Spec) error {
	s.clock = clock.New()
	s.ticks = s.clock
	if !timed(specs) {
		return nil
	}
	s.timing.name = probe.ClockTSC
	bad := clock.Check()
	if os.Getenv(clockVariable) == probe.ClockVDSO {
		bad = fmt.Errorf("%s asks for the kernel's clock", clockVariable)
	}
	if bad == nil {
		return nil
	}
	at, err := s.kernelClock()
	if err != nil {
		return fmt.Errorf("%w; and the kernel's clock cannot be read in its place: %w. Counts and measures need no clock", bad, err)
	}
	s.ticks = clock.Monotonic()
	s.timing = timing{name: probe.ClockVDSO, vdso: at, why: bad}
	s.proc.ReadsClock()
	return nil
}

func timed(specs []probe.Spec) bool {
	for _, spec := range specs {
		if spec.Kind.Records() || spec.Kind == probe.Time {
			return true
		}
	}
	return false
}

// syncClocks looks at the clocks again.
func (s *Session) syncClocks() {
	s.clock.Sync()
	if s.ticks != s.clock {
		s.ticks.Sync()
	}
}

// kernelClock is the address of the vDSO's clock in the target, which a probe may call,
// and which counts as this process's does.
func (s *Session) kernelClock() (uint64, error) {
	if err := s.sameTime(); err != nil {
		return 0, err
	}
	maps, err := s.proc.Maps()
	if err != nil {
		return 0, err
	}
	for _, m := range maps {
		if m.Path != "[vdso]" {
			continue
		}
		image := make([]byte, m.Hi-m.Lo)
		if err := s.proc.ReadAt(image, m.Lo); err != nil {
			return 0, fmt.Errorf("reading the vDSO: %w", err)
		}
		return vdso.Clock(image, m.Lo, ring.ClockRoom)
	}
	return 0, errors.New("the target has no vDSO")
}

// sameTime refuses a target in another time namespace: its monotonic clock is another.
func (s *Session) sameTime() error {
	own, err := os.Readlink("/proc/self/ns/time")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a kernel without
	}
	if err != nil {
		return err
	}
	its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/time", s.proc.PID))
	if err != nil {
		return err
	}
	if own != its {
		return errors.New("the target is in another time namespace: run sidelight in it")
	}
	return nil
}

// clockRoutine is the code by which bodies read the kernel's clock, to be placed from
// address at on, if they do.
func (s *Session) clockRoutine(where *place, at uint64) ([]byte, error) {
	if s.timing.vdso == 0 {
		return nil, nil
	}
	code, err := jit.Clock(where.env, s.timing.vdso, at)
	if err != nil {
		return nil, err
	}
	where.env.Clock = at
	for len(code)%align != 0 {
		code = append(code, 0xCC)
	}
	return code, nil
}
