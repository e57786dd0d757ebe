//go:build linux && amd64

package jit

import (
	"encoding/binary"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// Where the handlers' test keeps its things in the rig.
const (
	hCode  = 64 << 10
	hWords = rigHeap
	hInfo  = rigHeap + 1024
	hCtx   = rigHeap + 2048
	hCount = rigHeap + 4096
	hSite  = rigHeap + 8192 // "code" with int3 bytes
)

type handlerRig struct {
	*rig
	h      Handlers
	parks  bool // what the runtime's preemption does
	config HandlerConfig
}

func newHandlerRig(t *testing.T) *handlerRig {
	r := newRig(t, 4)
	hr := &handlerRig{rig: r}
	hr.config = HandlerConfig{At: r.base + hCode, Words: r.base + hWords, GStackguard0: rigOffsets.GStackguard0}
	h, err := NewHandlers(hr.config)
	if err != nil {
		t.Fatal(err)
	}
	hr.h = h
	r.writeCode(hCode, h.Code)
	r.put(hWords+WordTables+8*5, r.base+rigTable) // the last but two: empty ones before it
	return hr
}

// What the code around the handlers leaves in memory.
const (
	hPrevious = hCount + 64 // 0, or the number of the word whose handler was reached
	hUrged    = hCount + 72 // signal number that the runtime's handler was called with
	hSkew     = hCount + 80 // how far its stack was from what C wants at a call
)

// signal delivers a signal to entry and tells which earlier handler was reached.
func (r *handlerRig) signal(entry uint64, sig, code int, rip uint64) (previous, ripAfter uint64) {
	r.t.Helper()
	binary.LittleEndian.PutUint32(r.mem[hInfo+siCode:], uint32(code))
	r.put(hCtx+uctxRIP, rip)
	r.put(hCtx+uctxR14, r.base+rigG)
	r.put(hPrevious, 0)
	r.put(hUrged, 0)
	r.assemble(func(a *amd64.Asm) {
		over, back := a.NewLabel(), a.NewLabel()
		a.Jmp(over)
		for i, word := range []int{WordTrap, WordSegv, WordBus, WordFpe} {
			r.put(hWords+word, a.PC())
			a.StoreImm(amd64.AtAddr(r.base+hPrevious), int64(i+1), 8)
			a.Ret()
		}
		r.put(hWords+WordUrg, a.PC())
		a.Store(amd64.AtAddr(r.base+hUrged), amd64.RDI, 8)
		for _, lost := range []amd64.Reg{amd64.RAX, amd64.RCX, amd64.RDX, amd64.RSI, amd64.RDI, amd64.R8, amd64.R9, amd64.R10, amd64.R11} {
			a.MovRI64(lost, 0xBAD) // a C function may
		}
		if r.parks {
			a.MovRI64(amd64.RAX, 0x5AFE)
			a.Store(amd64.AtAddr(r.base+hCtx+uctxRIP), amd64.RAX, 8)
		}
		a.Lea(amd64.RAX, amd64.At(amd64.RSP, 8))
		a.OpImm(amd64.AND, amd64.RAX, 15, 8)
		a.Store(amd64.AtAddr(r.base+hSkew), amd64.RAX, 8)
		a.Ret()
		a.Bind(over)
		a.CallTo(entry)
		a.Jmp(back)
		a.Bind(back)
	})
	in := r.start()
	in.Regs[amd64.RDI], in.Regs[amd64.RSI], in.Regs[amd64.RDX] = uint64(sig), r.base+hInfo, r.base+hCtx
	out := r.run(in)
	for _, kept := range []amd64.Reg{amd64.RBX, amd64.RBP, amd64.RSP, amd64.R12, amd64.R13, amd64.R14, amd64.R15} {
		if in.Regs[kept] != out.Regs[kept] {
			r.t.Errorf("%s changed: a C function keeps it", amd64.RegName(kept))
		}
	}
	if skew := r.get(hSkew); skew != 0 {
		r.t.Errorf("the runtime's handler was called with a stack off by %d", skew)
	}
	return r.get(hPrevious), r.get(hCtx + uctxRIP)
}

func TestFaultHandlers(t *testing.T) {
	r := newHandlerRig(t)
	const displaced, fixup, trap, foreign, target = 0x7001000, 0x7002000, 0x7003000, 0x7004000, 0x400123
	r.enter(displaced, target, ring.KindDisplaced, 0)
	r.enter(fixup, target, ring.KindFixup, 0)
	r.enter(trap, target, ring.KindTrap, 0)
	for i := range uint64(5000) { // a well filled table: neighbours in the way
		r.enter(0x8000000+i*8, 1, ring.KindFixup, 0)
	}
	for n, entry := range []uint64{r.h.Segv, r.h.Bus, r.h.Fpe} {
		through := uint64(n + 2)
		for _, c := range []struct {
			name               string
			code               int
			rip                uint64
			previous, ripAfter uint64
		}{
			{"displaced instruction", 1, displaced, through, target},
			{"displaced, general protection", siKernel, displaced, through, target},
			{"a probe's load", 1, fixup, 0, target},
			{"the program's own", 1, foreign, through, foreign},
			{"a site of a trap", 1, trap, through, trap},
			{"sent by kill", 0, fixup, through, fixup},
			{"sent by tgkill", -6, displaced, through, displaced},
		} {
			previous, after := r.signal(entry, 11, c.code, c.rip)
			if previous != c.previous || after != c.ripAfter {
				t.Errorf("%s: earlier handler %d, rip %#x; want %d, %#x", c.name, previous, after, c.previous, c.ripAfter)
			}
		}
	}
}

func TestTrapHandler(t *testing.T) {
	const target = 0x400123
	r := newHandlerRig(t)
	site, gone, still, two := r.base+hSite, r.base+hSite+64, r.base+hSite+128, r.base+hSite+192
	r.mem[hSite], r.mem[hSite+64], r.mem[hSite+128] = 0xCC, 0x55, 0xCC
	r.mem[hSite+191], r.mem[hSite+192] = 0xCD, 0x03
	r.enter(site, target, ring.KindTrap, r.base+hCount)
	r.enter(still+1000, target, ring.KindTrap, 0)
	for _, c := range []struct {
		name               string
		code               int
		rip                uint64
		previous, ripAfter uint64
		counted            uint64
	}{
		{"a site", siKernel, site + 1, 0, target, 1},
		{"a site without counter", siKernel, still + 1001, 0, target, 0},
		{"just removed", siKernel, gone + 1, 0, gone, 0},
		{"the program's own int3", siKernel, still + 1, 1, still + 1, 0},
		{"two-byte int3", siKernel, two + 1, 1, two + 1, 0},
		{"sent by kill", 0, site + 1, 1, site + 1, 0},
		{"single step", 2, site + 1, 1, site + 1, 0},
	} {
		r.put(hCount, 0)
		previous, after := r.signal(r.h.Trap, 5, c.code, c.rip)
		if previous != c.previous || after != c.ripAfter || r.get(hCount) != c.counted {
			t.Errorf("%s: earlier handler %d, rip %#x, counted %d; want %d, %#x, %d", c.name,
				previous, after, r.get(hCount), c.previous, c.ripAfter, c.counted)
		}
		if r.get(hUrged) != 0 {
			t.Errorf("%s: preempted without being asked", c.name)
		}
	}
}

// A hot trap must not keep a goroutine from being preempted: the runtime gets
// its chance with the site as the place, and a pass that it parks is not counted.
func TestTrapHandlerYields(t *testing.T) {
	const target = 0x400123
	r := newHandlerRig(t)
	r.enter(r.base+hSite, target, ring.KindTrap, r.base+hCount)
	preempt := int64(stackPreempt)
	r.put(rigG+int(rigOffsets.GStackguard0), uint64(preempt))

	r.parks = true
	previous, after := r.signal(r.h.Trap, 5, siKernel, r.base+hSite+1)
	if previous != 0 || after != 0x5AFE || r.get(hCount) != 0 || r.get(hUrged) != sigURG {
		t.Errorf("parked: earlier handler %d, rip %#x, counted %d, signal %d", previous, after, r.get(hCount), r.get(hUrged))
	}
	r.parks = false
	previous, after = r.signal(r.h.Trap, 5, siKernel, r.base+hSite+1)
	if previous != 0 || after != target || r.get(hCount) != 1 || r.get(hUrged) != sigURG {
		t.Errorf("refused: earlier handler %d, rip %#x, counted %d, signal %d", previous, after, r.get(hCount), r.get(hUrged))
	}
}

// A real int3, delivered by the kernel: the pass is counted and goes on behind
// the trap with every register as it was.
func TestTrapForReal(t *testing.T) {
	r := newRig(t, 4)
	r.catch()
	r.assemble(func(a *amd64.Asm) {
		site := a.PC()
		a.Int3()
		a.Ud2()
		r.enter(site, a.PC(), ring.KindTrap, r.base+hCount)
	})
	in := r.start()
	in.Flags = 0x8D5
	for range 100 {
		unchanged(t, "trap", in, r.run(in), Live{})
	}
	if n := r.get(hCount); n != 100 {
		t.Errorf("counted %d of 100", n)
	}
}

// A probe is put in and taken out while traps of its site are on their way, and a
// search takes long: no trap may reach the program.
func TestTrapFindsAProbeJustPutIn(t *testing.T) {
	r := newHandlerRig(t)
	site := r.base + hSite
	r.enter(site, 0x400123, ring.KindTrap, 0)
	key := (*uint64)(unsafe.Pointer(&r.mem[r.filled[len(r.filled)-1]]))
	text := (*uint32)(unsafe.Pointer(&r.mem[hSite]))
	slow := make([]uint64, ring.TableSize/8) // tables full of others
	for i := range slow {
		slow[i] = 1
	}
	for i := range Bays {
		r.put(hWords+WordTables+8*i, uint64(uintptr(unsafe.Pointer(&slow[0]))))
	}
	r.put(hWords+WordTables, r.base+rigTable)

	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for on := true; ; on = !on {
			select {
			case <-stop:
				return
			default:
			}
			if on { // the entry before the int3, and the other way round
				atomic.StoreUint64(key, site)
				atomic.StoreUint32(text, 0xCC)
			} else {
				atomic.StoreUint32(text, 0x55)
				atomic.StoreUint64(key, 1)
			}
			time.Sleep(200 * time.Microsecond)
		}
	}()
	for range 1000 {
		if previous, after := r.signal(r.h.Trap, 5, siKernel, site+1); previous != 0 {
			t.Errorf("a trap reached the program, at %#x", after)
			break
		}
	}
	close(stop)
	<-stopped
	runtime.KeepAlive(slow)
}
