//go:build linux && amd64

package inject

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/arch/x86/x86asm"
	"golang.org/x/net/bpf"

	"github.com/sidelight-dev/sidelight/internal/ring"
)

const someMaps = `00400000-004a1000 r-xp 00000000 fe:00 77                                 /bin/a program
004a1000-0054f000 r--p 000a1000 fe:00 77                                 /bin/a program
0054f000-00555000 rw-p 0014f000 fe:00 77                                 /bin/a program
01f00000-01f21000 rw-p 00000000 00:00 0                                  [heap]
c000000000-c004000000 rw-p 00000000 00:00 0
7f5000000000-7f5000010000 r-xp 00000000 00:01 12                         /memfd:sidelight (deleted)
7f5000010000-7f5000011000 rw-p 00010000 00:01 12                         /memfd:sidelight (deleted)
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`

func TestParseMaps(t *testing.T) {
	maps, err := parseMaps([]byte(someMaps))
	if err != nil || len(maps) != 8 {
		t.Fatalf("%d mappings, %v", len(maps), err)
	}
	want := Mapping{Lo: 0x4a1000, Hi: 0x54f000, Read: true, Offset: 0xa1000, Dev: "fe:00", Inode: 77, Path: "/bin/a program"}
	if maps[1] != want {
		t.Errorf("%+v", maps[1])
	}
	if m := maps[4]; m.Path != "" || !m.Write || m.Size() != 64<<20 {
		t.Errorf("%+v", m)
	}
	if maps[7].Lo != 0xffffffffff600000 {
		t.Errorf("%+v", maps[7])
	}
	for _, bad := range []string{"x", "1-2 r", "2-1 r-xp 0 0:0 0", "1-z r-xp 0 0:0 0 a"} {
		if _, err := parseMaps([]byte(bad)); err == nil {
			t.Errorf("%q was understood", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(someMaps))
	f.Add([]byte("202 0x1 0x80 0x0 0x0 0x0 0x0 0x7ffe 0x401000"))
	f.Add([]byte("1 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if maps, err := parseMaps(text); err == nil {
			for _, m := range maps {
				if m.Hi <= m.Lo {
					t.Fatalf("%+v", m)
				}
			}
		}
		parseStatus(text)
		parseJournal(text)
		parseHeader(text)
		trapPlaces(text)
	})
}

// TestResume follows arch_do_signal_or_restart of the kernel.
func TestResume(t *testing.T) {
	neg := func(n int64) uint64 { return uint64(-n) }
	for _, c := range []struct {
		name         string
		rax, orig    uint64
		wantIP, want uint64
	}{
		{"in no system call", 5, neg(1), 100, 5},
		{"complete", 7, 0, 100, 7},
		{"EINTR", neg(4), 232, 100, neg(4)},
		{"ERESTARTSYS", neg(512), 202, 98, 202},
		{"ERESTARTNOINTR", neg(513), 56, 98, 56},
		{"ERESTART_RESTARTBLOCK", neg(516), 35, 98, 219},
		{"like a restart, but in no system call", neg(512), neg(1), 100, neg(512)},
	} {
		ip, rax, ok := resume(100, c.rax, c.orig)
		if !ok || ip != c.wantIP || rax != c.want {
			t.Errorf("%s: rip %d rax %d", c.name, ip, int64(rax))
		}
	}
	if _, _, ok := resume(100, neg(514), 34); ok {
		t.Error("a thread in ERESTARTNOHAND is diverted")
	}
}

func TestFindGap(t *testing.T) {
	maps, _ := parseMaps([]byte(someMaps))
	for _, c := range []struct {
		name   string
		lo, hi uint64
		above  bool
	}{
		{"at a low address", 0x400000, 0x555000, true},
		{"position-independent", 0x555555554000, 0x555556000000, false},
	} {
		at, err := findGap(maps, c.lo, c.hi, 16<<20)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if above := at > c.hi; above != c.above || at%pageSize != 0 {
			t.Errorf("%s: %#x", c.name, at)
		}
		if at > c.hi && at+16<<20-c.lo > 1<<31 || at < c.lo && c.hi-at > 1<<31 {
			t.Errorf("%s: %#x is out of reach", c.name, at)
		}
		if c.above && at < 0x1f21000+heapRoom {
			t.Errorf("%s: %#x is where the heap grows", c.name, at)
		}
	}
	full := []Mapping{{Lo: 1 << 16, Hi: 1 << 40}}
	var re *RefusedError
	if _, err := findGap(full, 0x400000, 0x555000, pageSize); !errors.As(err, &re) || re.Code != CodeMemory {
		t.Errorf("no gap: %v", err)
	}
}

func TestFindGapNeverOverlaps(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var maps []Mapping
		for at := uint64(1 << 20); at < 4<<30; {
			size := (r.Uint64N(64<<20) + pageSize) &^ (pageSize - 1)
			maps = append(maps, Mapping{Lo: at, Hi: at + size})
			at += size + r.Uint64N(40<<20)&^(pageSize-1)
		}
		exe := maps[r.IntN(len(maps))]
		at, err := findGap(maps, exe.Lo, exe.Hi, 16<<20)
		if err != nil {
			continue
		}
		for _, m := range maps {
			if at < m.Hi && m.Lo < at+16<<20 {
				t.Fatalf("%#x overlaps %+v", at, m)
			}
		}
	}
}

func TestHeaderAndJournal(t *testing.T) {
	h := header{state: stateTaken, pid: 5, word: 6, start: 7, layout: ring.Layout{Ps: 8, BlockShift: 9, Extra: 4096}, ended: 10, base: 11}
	if got, ok := parseHeader(h.bytes()); !ok || got != h {
		t.Errorf("%+v", got)
	}
	if _, ok := parseHeader(make([]byte, 4096)); ok {
		t.Error("zeros are a header")
	}
	a, b := journalEntry{0x401000, []byte{1, 2, 3, 4, 5}}, journalEntry{0x402000, []byte{9}}
	raw := append(a.bytes(jnlArmed), make([]byte, ring.JournalEntry)...)
	raw = append(raw, b.bytes(jnlArmed)...)
	got := parseJournal(raw)
	if len(got) != 2 || got[0].addr != a.addr || !bytes.Equal(got[1].orig, b.orig) {
		t.Errorf("%+v", got)
	}
}

// TestTable looks entries up as the handlers do.
func TestTable(t *testing.T) {
	raw := make([]byte, ring.TableSize)
	tab := newTable()
	word := func(off uint64) uint64 {
		v := uint64(0)
		for i := range 8 {
			v |= uint64(raw[off+uint64(i)]) << (8 * i)
		}
		return v
	}
	find := func(key uint64) uint64 {
		for i := ring.Hash(key); ; i = (i + 1) % ring.TableLen {
			switch word(i * ring.TableEntry) {
			case key:
				return word(i*ring.TableEntry + 8)
			case 0:
				return 0
			}
		}
	}
	put := func(e Entry) {
		off, err := tab.put(e)
		if err != nil {
			t.Fatal(err)
		}
		copy(raw[off+8:], e.bytes())
		for i := range 8 {
			raw[off+uint64(i)] = byte(e.Key >> (8 * i))
		}
	}
	const n = 10000
	for i := uint64(1); i <= n; i++ {
		put(Entry{Key: 0x400000 + i, Target: i, Kind: ring.KindTrap})
	}
	for i := uint64(1); i <= n; i += 2 {
		off, ok := tab.drop(0x400000 + i)
		if !ok {
			t.Fatal("dropped before")
		}
		copy(raw[off:], []byte{noKey, 0, 0, 0, 0, 0, 0, 0})
	}
	if got := len(trapPlaces(raw)); got != n/2 {
		t.Errorf("%d sites left", got)
	}
	put(Entry{Key: 0x400001, Target: 77, Kind: ring.KindTrap})
	for i := uint64(1); i <= n; i++ {
		want := i * (1 - i%2)
		if i == 1 {
			want = 77
		}
		if got := find(0x400000 + i); got != want {
			t.Fatalf("site %d: %d, not %d", i, got, want)
		}
	}
	var err error
	for i := uint64(0); err == nil; i++ {
		_, err = tab.put(Entry{Key: 0x900000 + i, Kind: ring.KindFixup})
	}
	var re *RefusedError
	if !errors.As(err, &re) || re.Code != CodeFull {
		t.Error(err)
	}
}

func TestPermission(t *testing.T) {
	own := []string{"1000", "1000", "1000", "1000"}
	for _, c := range []struct {
		f    permFacts
		want []string
	}{
		{permFacts{uid: 1000, owner: 1000, targetUIDs: own, yama: "1"}, []string{"ptrace_scope is 1", "sysctl kernel.yama.ptrace_scope=0"}},
		{permFacts{uid: 1000, owner: 1000, targetUIDs: own, yama: "2"}, []string{"ptrace_scope is 2", "sudo"}},
		{permFacts{uid: 0, owner: 0, targetUIDs: own, yama: "3"}, []string{"ptrace_scope is 3", "reboot"}},
		{permFacts{uid: 1000, owner: 33, targetUIDs: []string{"33", "33", "33", "33"}}, []string{"belongs to user 33", "as that user"}},
		{permFacts{uid: 1000, owner: 0, targetUIDs: own}, []string{"not dumpable", "CAP_SYS_PTRACE"}},
		{permFacts{uid: 1000, owner: 1000, targetUIDs: own, otherNS: true}, []string{"user namespace", "nsenter"}},
		{permFacts{uid: 0, targetUIDs: own, lsm: "capability,apparmor"}, []string{"--cap-add=SYS_PTRACE", "apparmor"}},
	} {
		got := c.f.refuse()
		for _, w := range c.want {
			if !strings.Contains(got.Error(), w) {
				t.Errorf("%+v: %q says nothing of %q", c.f, got, w)
			}
		}
	}
}

// TestForbidden evaluates small filters on the calls of stubs.
func TestForbidden(t *testing.T) {
	insns := func(list ...bpf.Instruction) []bpf.RawInstruction {
		raw, err := bpf.Assemble(list)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	allow := bpf.RetConstant{Val: seccompAllow}
	denyNr := func(nr, action uint32) []bpf.RawInstruction {
		return insns(bpf.LoadAbsolute{Off: 0, Size: 4}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: nr, SkipFalse: 1},
			bpf.RetConstant{Val: action}, allow)
	}
	// Executable mappings are forbidden: the low word of the third argument.
	noExec := insns(bpf.LoadAbsolute{Off: 0, Size: 4}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: sysMmap, SkipFalse: 3},
		bpf.LoadAbsolute{Off: 32, Size: 4}, bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: protExec, SkipFalse: 1},
		bpf.RetConstant{Val: seccompErrno}, allow)
	arch := insns(bpf.LoadAbsolute{Off: 4, Size: 4}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: auditArchX8664, SkipFalse: 1},
		allow, bpf.RetConstant{Val: 0})
	for _, c := range []struct {
		name    string
		filters [][]bpf.RawInstruction
		want    string
	}{
		{"none", nil, ""},
		{"allow", [][]bpf.RawInstruction{insns(allow), arch}, ""},
		{"kill memfd_create", [][]bpf.RawInstruction{insns(allow), denyNr(sysMemfdCreate, 0)}, "memfd_create"},
		{"errno for membarrier", [][]bpf.RawInstruction{denyNr(sysMembarrier, seccompErrno|1)}, "membarrier"},
		{"log", [][]bpf.RawInstruction{denyNr(sysClose, seccompLog)}, ""},
		{"no code", [][]bpf.RawInstruction{noExec}, "mmap (code)"},
	} {
		got, err := forbidden(c.filters, filterCalls())
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	noClock := [][]bpf.RawInstruction{denyNr(sysClockGettime, 0)}
	if got, err := forbidden(noClock, filterCalls()); err != nil || got != "" {
		t.Errorf("where no clock is called: %q, %v", got, err)
	}
	if got, err := forbidden(noClock, clockCall()); err != nil || got != "clock_gettime" {
		t.Errorf("the clock: %q, %v", got, err)
	}
}

// TestStubIsHarmless decodes stubs: nothing but moves, loads, stores, lea, jumps
// and system calls, and none of them changes a flag or needs a stack.
func TestStubIsHarmless(t *testing.T) {
	s := saved{RAX: 1, RCX: 1 << 40, RDX: ^uint64(0), R11: 0x246, RIP: 0x401000, Mask: 5}
	const at = 0x10000000
	stub, err := buildStub(at, at+residentSize, 7, []Syscall{
		Sys(sysMemfdCreate, Data([]byte("x\x00")), Num(1)),
		Sys(sysMmap, Num(0x20000000), Num(4096), Num(protRead), Num(mapShared), Result(0), Num(1<<33)),
		Sys(sysRtSigaction, Num(5), Num(0), Out(32), Num(8)),
	}, s)
	if err != nil {
		t.Fatal(err)
	}
	n := harmless(t, "stub", stub, false)
	t.Logf("%d bytes, %d system calls", len(stub), n)
}

// harmless decodes code as far as the jump that leaves it, and counts its system calls.
func harmless(t *testing.T, name string, code []byte, middle bool) (calls int) {
	t.Helper()
	for off := 0; ; {
		in, err := x86asm.Decode(code[off:], 64)
		if err != nil {
			t.Fatalf("%s: %x: %v", name, code[off:], err)
		}
		off += in.Len
		switch in.Op {
		case x86asm.SYSCALL:
			calls++
		case x86asm.MOV, x86asm.LEA, x86asm.JRCXZ:
		case x86asm.JMP:
			rel, is := in.Args[0].(x86asm.Rel)
			to := off + int(rel)
			if is && middle && (to < 0 || to >= len(code)) {
				return calls
			}
			if _, leaves := in.Args[0].(x86asm.Mem); leaves && !middle && fmt.Sprintf("%x", code[off:off+8]) == "0010400000000000" {
				return calls
			}
		default:
			t.Fatalf("%s: %v", name, in)
		}
	}
}

// TestFirstStubIsHarmless does the same with the parts of the first one, which may
// stand apart: between them all signals are blocked. It needs no more than the room.
func TestFirstStubIsHarmless(t *testing.T) {
	const far = 0x7f0123456000 // a number that takes the longest instructions
	s := saved{far, far, far, far, far, far, far, far, far, 0x401000, far}
	for _, b := range []bootstrap{{edge: far, middle: far + edgeMax, resident: far + 1<<20, token: 1}, {edge: far + 1<<20, middle: far, resident: far - 1<<20, token: 1}} {
		parts, err := b.build(s)
		if err != nil || len(parts) != 2 || parts[0].at != b.edge || parts[1].at != b.middle {
			t.Fatalf("%+v, %v", parts, err)
		}
		edge, middle := parts[0].code, parts[1].code
		if len(edge) > edgeMax || len(middle) > middleMax || !bytes.HasPrefix(edge, stubBegin()) {
			t.Errorf("%d and %d bytes, %x", len(edge), len(middle), edge)
		}
		if !bytes.HasPrefix(middle, bytes.Repeat([]byte{0xFF}, 8)) {
			t.Errorf("the first mask does not block all signals: %x", middle[:8])
		}
		if n := harmless(t, "edge", edge, false); n != 2 {
			t.Errorf("%d system calls where signals may come", n)
		}
		if n := harmless(t, "middle", middle[8:], true); n != 6 {
			t.Errorf("%d system calls in the middle", n)
		}
		t.Logf("%d and %d bytes", len(edge), len(middle))
	}
}

func TestParseWhere(t *testing.T) {
	for text, want := range map[string]where{
		"running\n":              {running: true},
		"-1 0x7ffe10 0x401000\n": {nr: -1, sp: 0x7ffe10, pc: 0x401000},
		"202 0x1 0x80 0x0 0x0 0x0 0x0 0xc000 0x47afc3\n": {nr: 202, sp: 0xc000, pc: 0x47afc3},
	} {
		if got, err := parseWhere(text); err != nil || got != want {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
	if _, err := parseWhere("1 2"); err == nil {
		t.Error("nonsense was understood")
	}
}

// A thread with its stack in a bay is on its way back there.
func TestThreadsOnTheBaysStackAreInside(t *testing.T) {
	p, bay := &Proc{}, extent{0x1000, 0x9000}
	for _, c := range []struct {
		pc, sp uint64
		clear  bool
	}{{0x500, 0x500, true}, {0x1000, 0x500, false}, {0x500, 0x8FF8, false}, {0x9000, 0x9000, true}} {
		if got := p.clearAt(c.pc, c.sp, 0, []extent{bay}); got != c.clear {
			t.Errorf("pc %#x, sp %#x: clear is %v", c.pc, c.sp, got)
		}
	}
}
