package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// counting is the body of a probe that counts every pass. It works in one
// register and touches no stack, so that it fits anywhere.
type counting struct {
	env  Env
	live Live
	a    *amd64.Asm

	work   amd64.Reg // the register it works in
	parked bool      // work is RAX, whose value (and the flags) wait in X15
	kept   amd64.Reg // where RAX waits while it holds the flags, if keeps
	keeps  bool

	back, end amd64.Label
	base      amd64.Label // constant: address of the probe's counters in the first block
}

// choose decides where the body works and where flags and RAX wait meanwhile.
func (c *counting) choose() {
	free := c.live.FreeRegs.List()
	if c.live.FlagsDead {
		if len(free) > 0 {
			c.work = free[0]
			return
		}
		c.work, c.parked = amd64.RAX, true
		return
	}
	// Live flags go to AX, so the work needs another register, and RAX a place.
	others := c.live.FreeRegs &^ (1 << amd64.RAX)
	switch {
	case c.live.FreeRegs.Has(amd64.RAX) && others != 0:
		c.work = others.List()[0]
	case others.Len() >= 2:
		c.work, c.kept, c.keeps = others.List()[0], others.List()[1], true
	default:
		c.work, c.parked = amd64.RAX, true
	}
}

func counter(env Env, live Live, at uint64) (Code, error) {
	c := &counting{env: env, live: live, a: amd64.NewAsm(at)}
	a := c.a
	c.choose()
	c.back, c.end, c.base = a.NewLabel(), a.NewLabel(), a.NewLabel()
	alone, sample := a.NewLabel(), a.NewLabel()

	c.enter()
	env.asked(a, c.back)
	env.processor(a, c.work, alone)
	a.OpLoad(amd64.ADD, c.work, amd64.AtLabel(c.base), 8)
	a.OpMemImm(amd64.ADD, amd64.At(c.work, ring.CounterEmitted), 1, 8)
	a.OpMemImm(amd64.ADD, amd64.At(c.work, ring.CounterTick), 1, 1)
	a.Jcc(amd64.CondE, sample)
	a.Bind(c.back)
	c.leave()
	a.Jmp(c.end)

	a.Bind(alone)
	a.LockOpImm(amd64.ADD, env.sharedCounter(ring.CounterEmitted), 1, 8)
	a.Jmp(c.back)
	a.Bind(sample)
	c.sample()
	a.Align(8, 0xCC)
	a.Bind(c.base)
	a.U64(env.Shared + uint64(env.Layout.Block(0)) + uint64(env.counter(0)))
	a.Bind(c.end)
	bytes, err := a.Code()
	return Code{Bytes: bytes}, err
}

func (c *counting) enter() {
	switch {
	case c.parked:
		park(c.a, !c.live.FlagsDead)
	case !c.live.FlagsDead:
		if c.keeps {
			c.a.MovRR(c.kept, amd64.RAX)
		}
		saveFlags(c.a)
	}
}

func (c *counting) leave() {
	switch {
	case c.parked:
		unpark(c.a, !c.live.FlagsDead)
	case !c.live.FlagsDead:
		restoreFlags(c.a)
		if c.keeps {
			c.a.MovRR(amd64.RAX, c.kept)
		}
	}
}

// sample does the work of a pass once more between two readings of the clock,
// adding 0: a clock around every pass would cost more than the pass, and one
// around this pass would need registers that it does not have.
func (c *counting) sample() {
	a, env := c.a, c.env
	if !c.live.StackProven {
		a.Lea(c.work, amd64.At(amd64.RSP, -64))
		a.OpLoad(amd64.CMP, c.work, amd64.At(amd64.R14, int32(env.RT.GStackLo)), 8)
		a.Jcc(amd64.CondB, c.back)
	}
	saved := []amd64.Reg{amd64.RAX, amd64.RCX, amd64.RDX, amd64.RBX}
	for _, r := range saved {
		a.Push(r)
	}
	done := a.NewLabel()
	startClock(a, amd64.RBX)
	env.asked(a, done)
	env.processor(a, amd64.RCX, done)
	a.OpLoad(amd64.ADD, amd64.RCX, amd64.AtLabel(c.base), 8)
	a.OpMemImm(amd64.ADD, amd64.At(amd64.RCX, ring.CounterEmitted), 0, 8)
	stopClock(a, amd64.RBX, interrupted, done)
	a.OpStore(amd64.ADD, amd64.At(amd64.RCX, ring.CounterCycles), amd64.RBX, 8)
	a.OpMemImm(amd64.ADD, amd64.At(amd64.RCX, ring.CounterSamples), 1, 8)
	a.Bind(done)
	for i := range saved {
		a.Pop(saved[len(saved)-1-i])
	}
	a.Jmp(c.back)
}

// startClock reads the clock twice, so that what a reading itself costs can be
// taken off: acc holds t0 - 2*t1. RAX and RDX are lost.
func startClock(a *amd64.Asm, acc amd64.Reg) {
	a.Rdtsc()
	a.MovRRSized(acc, amd64.RAX, 4)
	a.Rdtsc()
	a.Op(amd64.SUB, acc, amd64.RAX, 4)
	a.Op(amd64.SUB, acc, amd64.RAX, 4)
}

// interrupted is how many cycles no body takes by itself: the thread was off its
// processor meanwhile, and one such sample would outweigh thousands.
const interrupted = 1 << 16

// interruptedShort is the same for a body that only adds up.
const interruptedShort = 1 << 12

// interruptedImage is likewise for a snapshot, whose largest take a few hundred
// thousand.
const interruptedImage = 1 << 22

// stopClock makes acc the cycles since startClock less those of one reading, at
// least 0; or jumps to discard if they are more than most. RAX and RDX are lost.
func stopClock(a *amd64.Asm, acc amd64.Reg, most int64, discard amd64.Label) {
	positive := a.NewLabel()
	a.Rdtsc()
	a.Op(amd64.ADD, acc, amd64.RAX, 4)
	a.JccShort(amd64.CondNS, positive)
	a.Zero(acc)
	a.Bind(positive)
	a.OpImm(amd64.CMP, acc, most, 4)
	a.Jcc(amd64.CondA, discard)
}
