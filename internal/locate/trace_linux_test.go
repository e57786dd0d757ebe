package locate

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// stepped is what one run of a function of a child process executed: the
// instructions of each activation of each function of package main, in order.
type stepped struct {
	traces map[*debuginfo.Func][][]int32
	steps  int
}

// step starts the program at path, runs it to the entry of the function called
// from and executes that one instruction at a time until it returns. The child
// must run it on its first thread, without growing the stack.
func step(t *testing.T, b *debuginfo.Build, from string, funcs map[*debuginfo.Func]*function) stepped {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command(b.Path)
	cmd.Env = append(cmd.Environ(), "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	p := &stepper{t: t, pid: pid}
	p.wait()
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	p.check(err)
	defer mem.Close()
	p.mem = mem
	const exitKill = 0x100000 // PTRACE_O_EXITKILL
	p.check(syscall.PtraceSetOptions(pid, exitKill))
	entry, ok := b.Symbol(from)
	if !ok {
		t.Fatalf("no function %s", from)
	}
	p.runTo(entry)
	var regs syscall.PtraceRegs
	p.check(syscall.PtraceGetRegs(pid, &regs))
	var word [8]byte
	p.peek(regs.Rsp, word[:])
	end := binary.LittleEndian.Uint64(word[:])
	return p.record(b, funcs, end, regs.Rsp)
}

type stepper struct {
	t   *testing.T
	pid int
	mem *os.File
}

func (p *stepper) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *stepper) peek(addr uint64, out []byte) {
	_, err := p.mem.ReadAt(out, int64(addr))
	p.check(err)
}

// wait waits for the next stop and returns its signal.
func (p *stepper) wait() syscall.Signal {
	var status syscall.WaitStatus
	_, err := syscall.Wait4(p.pid, &status, 0, nil)
	p.check(err)
	if !status.Stopped() {
		p.t.Fatalf("the child ended: %v", status)
	}
	return status.StopSignal()
}

// runTo lets the child run until it reaches addr.
func (p *stepper) runTo(addr uint64) {
	var old [1]byte
	p.peek(addr, old[:])
	p.write(addr, []byte{0xcc})
	var regs syscall.PtraceRegs
	p.run(&regs)
	p.write(addr, old[:])
	if regs.Rip != addr {
		p.t.Fatalf("stopped at %#x instead of %#x", regs.Rip, addr)
	}
}

// frameKey tells the activations of a function apart.
type frameKey struct {
	fn  *debuginfo.Func
	cfa uint64
}

// traps is the code of the functions of interest with a trap wherever control
// may come to it from other code: other code runs at full speed.
type traps struct {
	from         uint64
	clean, armed []byte
}

func (p *stepper) traps(funcs map[*debuginfo.Func]*function) traps {
	low, high := ^uint64(0), uint64(0)
	for fn := range funcs {
		low, high = min(low, fn.Entry), max(high, fn.End)
	}
	tr := traps{from: low, clean: make([]byte, high-low)}
	p.peek(low, tr.clean)
	tr.armed = append([]byte(nil), tr.clean...)
	for fn, f := range funcs {
		tr.armed[fn.Entry-low] = 0xcc
		if fn.DeferReturn != 0 {
			tr.armed[fn.DeferReturn-low] = 0xcc
		}
		for _, x := range f.code.insts {
			if x.Call && x.PC+uint64(x.Len) < fn.End {
				tr.armed[x.PC+uint64(x.Len)-low] = 0xcc
			}
		}
	}
	return tr
}

// record steps until control is at end with the stack above top.
func (p *stepper) record(b *debuginfo.Build, funcs map[*debuginfo.Func]*function, end, top uint64) stepped {
	out := stepped{traces: map[*debuginfo.Func][][]int32{}}
	live := map[frameKey]int{} // index of the activation's trace
	var last *debuginfo.Func
	called := true // the last instruction was a call, or of other code
	tr := p.traps(funcs)
	var regs syscall.PtraceRegs
	for {
		p.check(syscall.PtraceGetRegs(p.pid, &regs))
		if regs.Rip == end && regs.Rsp > top {
			return out
		}
		fn := b.FuncAt(regs.Rip)
		f := funcs[fn]
		if f == nil {
			p.write(tr.from, tr.armed)
			p.run(&regs)
			p.write(tr.from, tr.clean)
			last = nil
			continue
		}
		i, ok := f.code.at(regs.Rip)
		depth, known := b.StackDepth(regs.Rip)
		if !ok || !known {
			p.t.Fatalf("%s: no instruction at %#x", fn.Name, regs.Rip)
		}
		key := frameKey{fn, regs.Rsp + uint64(depth)}
		if _, ok := live[key]; !ok || i == 0 && (called || fn != last) {
			live[key] = len(out.traces[fn])
			out.traces[fn] = append(out.traces[fn], nil)
		}
		trace := &out.traces[fn][live[key]]
		*trace = append(*trace, i)
		called, last = f.code.insts[i].Call, fn
		p.step()
		out.steps++
	}
}

// run lets the child run into a trap and sets it back before it.
func (p *stepper) run(regs *syscall.PtraceRegs) {
	for sig := 0; ; {
		p.check(syscall.PtraceCont(p.pid, sig))
		s := p.wait()
		if s == syscall.SIGTRAP {
			break
		}
		sig = int(s)
	}
	p.check(syscall.PtraceGetRegs(p.pid, regs))
	regs.Rip--
	p.check(syscall.PtraceSetRegs(p.pid, regs))
}

func (p *stepper) write(addr uint64, data []byte) {
	_, err := p.mem.WriteAt(data, int64(addr))
	p.check(err)
}

// step executes one instruction; signals that arrive meanwhile are delivered.
func (p *stepper) step() {
	p.check(syscall.PtraceSingleStep(p.pid))
	for sig := p.wait(); sig != syscall.SIGTRAP; {
		sig = p.deliver(sig)
	}
}

// deliver hands a signal to the child and stops at the next instruction, which
// is the first one of its handler.
func (p *stepper) deliver(sig syscall.Signal) syscall.Signal {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, syscall.PTRACE_SINGLESTEP, uintptr(p.pid), 0, uintptr(sig), 0, 0)
	if errno != 0 {
		p.t.Fatal(errno)
	}
	return p.wait()
}
