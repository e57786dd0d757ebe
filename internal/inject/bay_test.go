//go:build linux && amd64

package inject

import (
	"bytes"
	"context"
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/ring"
)

func lock(t testing.TB, p *Proc) func() {
	t.Helper()
	unlock, err := p.Lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return unlock
}

// symbol finds the linked address and size of a function in a target's file.
func symbol(t testing.TB, exe, name string) (addr, size uint64) {
	t.Helper()
	f, err := elf.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	syms, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range syms {
		if s.Name == name {
			return s.Value, s.Size
		}
	}
	t.Fatalf("no symbol %s", name)
	return 0, 0
}

func sameText(t testing.TB, p *Proc) {
	t.Helper()
	diffs, err := p.CompareText()
	if err != nil {
		t.Fatal(err)
	}
	if len(diffs) != 0 {
		t.Fatalf("text differs from the file at %#x: % x for % x (%d places)", diffs[0].Addr, diffs[0].Memory, diffs[0].File, len(diffs))
	}
}

// noDescriptors fails if the target holds a descriptor of ours.
func noDescriptors(t testing.TB, p *Proc) {
	t.Helper()
	fds, err := p.ourFDs()
	if err != nil || len(fds) != 0 {
		t.Fatalf("descriptors left in the target: %v %v", fds, err)
	}
}

// trampoline makes code that counts a pass and goes on behind one instruction.
func countTrampoline(counter, back uint64, displaced []byte, at uint64) []byte {
	e := &emitter{at: at}
	e.put(0x9C)                   // pushfq
	e.put(0xF0, 0x48, 0x83, 0x05) // lock add qword [counter], 1
	e.rel(counter, 1)
	e.put(1)
	e.put(0x9D) // popfq
	e.put(displaced...)
	e.leave(back)
	return e.code
}

// TestTraps installs a trap at the entry of a busy function, checks that it
// counts, and takes it out again, many times in the same bay.
func TestTraps(t *testing.T) {
	for _, kind := range []string{"static", "pie", "external"} {
		t.Run(kind, func(t *testing.T) {
			exe := busyBuild(t, kind)
			tg := start(t, exe, "5")
			p := open(t, tg)
			text, err := p.Text()
			if err != nil {
				t.Fatal(err)
			}
			site, _ := symbol(t, exe, "main.deref") // push rbp; frame with a deferred call
			site += text.Slide
			bays := make(map[uint64]bool)
			for range count("INJECT_BAYS", 10) {
				bays[trapOnce(t, p, site).Base] = true
			}
			if len(bays) > 2 { // a second one only if a thread stays in the first for seconds
				t.Errorf("%d bays for sessions one after the other", len(bays))
			}
			sameText(t, p)
			noDescriptors(t, p)
			tg.end()
		})
	}
}

func trapOnce(t *testing.T, p *Proc, site uint64) *Bay {
	t.Helper()
	defer lock(t, p)()
	layout, err := ring.NewLayout(4, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.NewBay(layout)
	if err != nil {
		t.Fatal(err)
	}
	const stackguard0 = 16
	if err := p.InstallHandlers(stackguard0); err != nil {
		t.Fatal(err)
	}
	orig := make([]byte, 1)
	if err := p.ReadAt(orig, site); err != nil {
		t.Fatal(err)
	}
	whole := make([]byte, 16)
	_ = p.ReadAt(whole, site)
	n := instLen(t, whole)
	counter := b.Control() + ring.TrapCountOff
	plain := b.Control() + ring.TrapCountOff + 8
	tramp := countTrampoline(plain, site+uint64(n), whole[:n], b.Text())
	if err := p.WriteAt(tramp, b.Text()); err != nil {
		t.Fatal(err)
	}
	if err := b.Enter([]Entry{{Key: site, Target: b.Text(), Kind: ring.KindTrap, Counter: counter}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Patch([]Edit{{site, orig, []byte{int3}}}); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); read64(t, p, plain) < 5; time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("site %#x is not passed any more: %d of %d traps came back; threads:\n%s", site, read64(t, p, plain), read64(t, p, counter), threads(p))
		}
	}
	if b.Close() == nil {
		t.Fatal("a bay with changed sites was given back")
	}
	if err := b.Patch([]Edit{{site, orig, orig}}); err != nil {
		t.Fatal(err)
	}
	if ok, err := p.Idle(b.Base, b.Base+ring.CodeSize); err != nil {
		t.Fatal(ok, err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

func read64(t testing.TB, p *Proc, at uint64) uint64 {
	t.Helper()
	var b [8]byte
	if err := p.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	v := uint64(0)
	for i := range b {
		v |= uint64(b[i]) << (8 * i)
	}
	return v
}

// instLen knows the instructions that functions begin with: push rbp, and the
// stack check cmp rsp, [r14+16] or lea r12, [rsp-n].
func instLen(t testing.TB, code []byte) int {
	t.Helper()
	switch {
	case code[0] == 0x55:
		return 1
	case bytes.HasPrefix(code, []byte{0x49, 0x3B, 0x66, 0x10}):
		return 4
	case bytes.HasPrefix(code, []byte{0x4C, 0x8D, 0x64, 0x24}):
		return 5
	case bytes.HasPrefix(code, []byte{0x4C, 0x8D, 0xA4, 0x24}):
		return 8
	}
	t.Fatalf("a function begins with % x", code)
	return 0
}

// TestRefused opens what must not be opened.
func TestRefused(t *testing.T) {
	refused := func(pid int, code, part string) {
		t.Helper()
		p, err := Open(pid)
		if err == nil {
			p.Close()
			t.Fatalf("pid %d was opened", pid)
		}
		re, ok := err.(*RefusedError)
		if !ok || re.Code != code || !strings.Contains(err.Error(), part) {
			t.Fatalf("pid %d: %v, not %s with %q", pid, err, code, part)
		}
	}
	refused(1<<22+1, CodeNoProcess, "no process")
	refused(os.Getpid(), CodeSelf, "itself")

	tg := start(t, busyBuild(t, "static"))
	tasks, _ := filepath.Glob("/proc/" + itoa(tg.cmd.Process.Pid) + "/task/*")
	for _, task := range tasks {
		if tid := atoi(filepath.Base(task)); tid != tg.cmd.Process.Pid {
			refused(tid, CodeNoProcess, "is a thread of process")
			break
		}
	}
	tg.cmd.Process.Kill()
	for !strings.Contains(readFile("/proc/"+itoa(tg.cmd.Process.Pid)+"/stat"), ") Z ") {
		time.Sleep(time.Millisecond)
	}
	refused(tg.cmd.Process.Pid, CodeZombie, "zombie")
}
