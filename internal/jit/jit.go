// Package jit turns what a probe does at one site into machine code that runs
// in the target.
//
// In comes a program.Site and the place where its code will lie; out goes the
// code, with the loads in it that may fault. compile stands before it, engine
// puts the code into a trampoline and inject writes it; interp is the oracle
// that its tests compare it with. The resident signal handlers are made here
// too.
//
// # A body
//
// A body runs between two instructions of the program, on the goroutine's own
// stack, and leaves every register and flag as it found them, but for those
// that are dead there. It calls nothing but itself, makes no system call and
// waits for nobody. It asks first whether its probe is on and whether its tool
// lives; then it finds the block of the P that runs it (see ring), where plain
// adds are exact because nothing parks inside a trampoline.
//
// A counter without a condition touches no stack at all. Every other body takes
// a frame below the stack pointer; where the function's own stack check does
// not prove that there is room, the body looks, and without room it counts and
// leaves.
//
// A snapshot is a log whose record goes on with an image (see imager), or is such a
// record of a call that begins, kept until the call ends (see stage). Its
// descriptors lie beside the code (Tables), and all it remembers meanwhile lies
// in the frame, in the record and in the extra memory of its block.
//
// X15 is the vector register that bodies use: Go's compiler keeps it zero
// in Go code and never holds a value there, so it serves as scratch and is zero
// again at the end (cmd/compile/abi-internal.md, and X15 outside the register
// masks of ssa/_gen/AMD64Ops.go, 1.22 to 1.26; in a server of 82 MB only assembly
// writes anything else to it). Assembly takes no probe. Only hashes of keys need
// more of them, which wait in the frame meanwhile.
package jit

import (
	"errors"
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// Offsets are the places of fields in the runtime's structures, in bytes, from
// the debug information of the target's build.
type Offsets struct {
	GM           int64 // g.m
	GGoid        int64 // g.goid
	GStackLo     int64 // g.stack.lo
	GStackHi     int64 // g.stack.hi
	GStackguard0 int64 // g.stackguard0
	MP           int64 // m.p
	PID          int64 // p.id
}

// Env is what a body needs to know of the target and of its probe.
type Env struct {
	Slide   uint64      // to be added to a linked address
	Control uint64      // address of the bay's control region
	Shared  uint64      // address of the bay's shared region: the lifeline page first
	Owner   uint32      // what the lifeline word holds while the tool lives
	Layout  ring.Layout // shape of the shared region
	RT      Offsets
	Probe   int   // index of the probe in its session
	Site    int   // index of the site in its probe
	Log     bool  // hits are recorded, not only counted
	Limited bool  // log, snapshot of a call: every record takes one of ControlRemaining
	Rated   bool  // likewise: every record takes one of ControlTokens
	Chosen  bool  // log: only some hits are meant, by After and Every
	After   int64 // so many hits are passed over first
	Every   int64 // of the others, every so manyth is meant; 0: each

	Agg *Aggregation // what is added up in the target; nil: nothing but hits

	// Image is what a snapshot copies behind the slots of each record, and Tables
	// the address of its Tables in the target. A snapshot is a log, or of the calls
	// that begin at a RoleStart; at the other sites of those Image is nil.
	Image  *program.Image
	Tables uint64

	// Clock is the address of the routine that reads the clock (see Clock); 0: bodies
	// read the time-stamp counter. Tick is the length of one of its ticks, in
	// nanoseconds, for images that are bounded by time; 0: they are not.
	Clock uint64
	Tick  float64
}

// Live is what is known at a site before its instruction. The zero value is
// always right.
type Live struct {
	FreeRegs    amd64.RegSet // dead: may be left changed
	FlagsDead   bool         // likewise the arithmetic flags
	StackProven bool         // at least 800 bytes are free below RSP
}

// Code is machine code for one place.
type Code struct {
	Bytes  []byte
	Fixups []Fixup
}

// Fixup is a load at At that may fault; a fault goes on at Target.
type Fixup struct{ At, Target uint64 }

// ErrTooLarge says that a record cannot fit in a ring of this target.
var ErrTooLarge = errors.New("a hit records more than the buffer of this target holds: print fewer or shorter values")

// reserved are the registers that a body never takes: stack, frame pointer, g.
const reserved = 1<<amd64.RSP | 1<<amd64.RBP | 1<<amd64.R14

// Body makes the code of a site, to be placed at address at. Control falls in
// at its first byte and out at its end.
func Body(env Env, s *program.Site, live Live, at uint64) (Code, error) {
	if err := check(env, s); err != nil {
		return Code{}, err
	}
	live.FreeRegs &^= reserved
	var code Code
	var err error
	if !env.Log && s.Cond == nil && !env.aggregating() {
		code, err = counter(env, live, at)
	} else {
		code, err = full(env, s, live, at)
	}
	if err != nil {
		return Code{}, fmt.Errorf("code of site %#x: %w", s.PC, err)
	}
	return code, nil
}

func check(env Env, s *program.Site) error {
	if env.Probe < 0 || env.Probe >= ring.ProbesMax || env.Site < 0 || env.Site >= ring.Pad {
		return fmt.Errorf("probe %d, site %d: out of the record's range", env.Probe, env.Site)
	}
	nodes := 0
	count := func(*program.Node) { nodes++ }
	walkSite(s, env, count)
	if nodes > maxNodes {
		return fmt.Errorf("expressions of %d operations; at most %d", nodes, maxNodes)
	}
	if env.Image != nil {
		if err := checkImage(env, s); err != nil {
			return err
		}
	}
	if env.Log && env.record(s).most*2 > int64(env.Layout.RingSize()) {
		return ErrTooLarge
	}
	if env.stages() && env.Image != nil && StageBytes(env.Image, s) > int(env.Agg.Region.StageSize-ring.StageRecord) {
		return ErrTooLarge
	}
	return nil
}

// maxNodes bounds the work of one hit.
const maxNodes = 2048

// walkSite calls f for every node that a body of s evaluates.
func walkSite(s *program.Site, env Env, f func(*program.Node)) {
	walk(s.Cond, f)
	if env.aggregating() {
		walk(s.Value, f)
		if s.Key != nil {
			walk(s.Key.Node, f)
			walk(s.Key.Len, f)
		}
	}
	if !env.records() {
		return
	}
	for i := range s.Slots {
		walk(s.Slots[i].Guard, f)
		walk(s.Slots[i].Node, f)
		walk(s.Slots[i].Len, f)
	}
}

func walk(n *program.Node, f func(*program.Node)) {
	if n == nil {
		return
	}
	f(n)
	walk(n.X, f)
	walk(n.Y, f)
	walk(n.Z, f)
	walk(n.W, f)
}
