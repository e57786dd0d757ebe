//go:build linux && amd64

package patch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/testcpu"
)

// Each displaced instruction runs where it was and in a trampoline, from the same
// state: registers, flags, memory and the way on must come out the same.

// stand is where things lie in the machine.
type stand struct {
	*testcpu.Machine
	site, far, tramp uint64 // original instruction; what branches and calls lead to; trampoline
	fill             []byte
	rng              *rand.Rand
}

// The ways on.
const (
	wentOn = iota
	wentFar
)

func newStand(t *testing.T, low bool) *stand {
	t.Helper()
	m, err := testcpu.New(low)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	code := m.Base + testcpu.CodeAt
	s := &stand{Machine: m, site: code + 0x1003, far: code + 0x1040, tramp: code + 0x9001,
		rng: rand.New(rand.NewPCG(3, 4))}
	s.Leave(s.far, wentFar)
	s.fill = make([]byte, testcpu.DataLen)
	for i := range s.fill {
		s.fill[i] = byte(s.rng.Uint32())
	}
	return s
}

func (s *stand) middle(i int) uint64 { return s.Base + testcpu.DataAt + 1024 + 64*uint64(i) }

// word puts a word where the instructions find their operands.
func (s *stand) word(addr, v uint64) {
	binary.LittleEndian.PutUint64(s.fill[addr-s.Base-testcpu.DataAt:], v)
}

func (s *stand) state() *testcpu.State {
	st := new(testcpu.State)
	for r := range st.Regs {
		st.Regs[r] = s.middle(r)
	}
	st.Flags = s.rng.Uint64() & 0x8D5
	for x := range st.X {
		st.X[x] = [2]uint64{s.rng.Uint64(), s.rng.Uint64()}
	}
	return st
}

func (s *stand) run(at uint64, st *testcpu.State) (testcpu.State, int, []byte) {
	copy(s.Data(), s.fill)
	out, exit := s.Run(at, st)
	return out, exit, bytes.Clone(s.Data())
}

// compare runs code, an instruction as it stands at s.site, both ways. slide is
// what its address as linked is smaller by.
func (s *stand) compare(code []byte, slide uint64, st *testcpu.State) error {
	inst, err := amd64.Decode(code, s.site-slide)
	if err != nil || inst.Len != len(code) {
		return fmt.Errorf("decoded to %d bytes: %v", inst.Len, err)
	}
	moved, faults, err := Displace(inst, slide, s.tramp)
	if err != nil {
		return err
	}
	if inst.MayFault != (len(faults) > 0) {
		return fmt.Errorf("may fault: %v, entries: %v", inst.MayFault, faults)
	}
	for _, f := range faults {
		if f.PC != s.site || f.At < s.tramp || f.At >= s.tramp+uint64(len(moved)) {
			return fmt.Errorf("fault entry %+v", f)
		}
	}
	s.Put(s.site, code)
	s.Leave(s.site+uint64(len(code)), wentOn)
	s.Put(s.tramp, moved)
	back, err := Jump(s.tramp+uint64(len(moved)), s.site+uint64(len(code)))
	if err != nil {
		return err
	}
	s.Put(s.tramp+uint64(len(moved)), back[:])
	want, wantExit, wantMem := s.run(s.site, st)
	got, gotExit, gotMem := s.run(s.tramp, st)
	below := int(got.Regs[amd64.RSP] - s.Base - testcpu.DataAt) // below the stack pointer anything goes
	if below >= 16 && below < len(gotMem) {
		copy(gotMem[below-16:below], wantMem[below-16:below])
	}
	switch {
	case gotExit != wantExit:
		return fmt.Errorf("went on to %d, not %d", gotExit, wantExit)
	case got != want:
		return fmt.Errorf("left %+v, not %+v", got, want)
	case !bytes.Equal(gotMem, wantMem):
		return errors.New("left other memory")
	}
	return nil
}

// rel32 is the distance to target for an instruction at site of n bytes in all.
func (s *stand) rel32(n int, target uint64) []byte {
	return binary.LittleEndian.AppendUint32(nil, uint32(target-s.site-uint64(n)))
}

func (s *stand) rel8(n int, target uint64) []byte { return []byte{byte(target - s.site - uint64(n))} }

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// cases are the instructions whose displaced form is not their own bytes.
func (s *stand) cases() map[string][]byte {
	hole := s.middle(20)
	s.word(hole, s.far)
	s.word(s.middle(int(amd64.RSP))+8, s.far)
	s.word(s.middle(int(amd64.RBX))+16, s.far)
	rip := func(n int) []byte { return s.rel32(n, hole) }
	m := map[string][]byte{
		"call":          cat([]byte{0xE8}, s.rel32(5, s.far)),
		"call [rip]":    cat([]byte{0xFF, 0x15}, rip(6)),
		"call r12":      {0x41, 0xFF, 0xD4},
		"call rcx":      {0xFF, 0xD1},
		"call [rsp+8]":  {0xFF, 0x54, 0x24, 0x08},
		"call [rbx+16]": {0xFF, 0x53, 0x10},
		"jmp rel32":     cat([]byte{0xE9}, s.rel32(5, s.far)),
		"jmp rel8":      cat([]byte{0xEB}, s.rel8(2, s.far)),
		"jmp rcx":       {0xFF, 0xE1},
		"jmp [rip]":     cat([]byte{0xFF, 0x25}, rip(6)),
		"jmp [rbx+16]":  {0xFF, 0x63, 0x10},
		"jrcxz":         cat([]byte{0xE3}, s.rel8(2, s.far)),
		"loop":          cat([]byte{0xE2}, s.rel8(2, s.far)),
		"loope":         cat([]byte{0xE1}, s.rel8(2, s.far)),
		"lea":           cat([]byte{0x48, 0x8D, 0x05}, rip(7)),
		"lea r13":       cat([]byte{0x4C, 0x8D, 0x2D}, rip(7)),
		"mov load":      cat([]byte{0x48, 0x8B, 0x0D}, rip(7)),
		"mov store imm": cat([]byte{0x48, 0xC7, 0x05}, rip(11), []byte{1, 2, 3, 4}),
		"cmp byte imm":  cat([]byte{0x80, 0x3D}, rip(7), []byte{9}),
		"movups":        cat([]byte{0x0F, 0x10, 0x05}, rip(7)),
		"push [rip]":    cat([]byte{0xFF, 0x35}, rip(6)),
		"lock xadd":     cat([]byte{0xF0, 0x48, 0x0F, 0xC1, 0x05}, rip(9)),
		"ret":           {0xC3},
		"push":          {0x41, 0x57},
		"pop rsp":       {0x5C},
		"add rsp":       {0x48, 0x83, 0xC4, 0x18},
		"mov [rsp+8]":   {0x48, 0x89, 0x44, 0x24, 0x08},
		"rep movs":      {0xF3, 0xA4},
		"div [rbx+16]":  {0x48, 0xF7, 0x73, 0x10},
		"imul rip imm":  cat([]byte{0x48, 0x69, 0x05}, rip(11), []byte{7, 0, 0, 0}),
	}
	for cc := range byte(16) {
		m[fmt.Sprintf("jcc8 %x", cc)] = cat([]byte{0x70 | cc}, s.rel8(2, s.far))
		m[fmt.Sprintf("jcc32 %x", cc)] = cat([]byte{0x0F, 0x80 | cc}, s.rel32(6, s.far))
	}
	return m
}

func TestDisplacedRunsAsTheOriginal(t *testing.T) {
	for _, low := range []bool{false, true} {
		s := newStand(t, low)
		for name, code := range s.cases() {
			for round := range 40 {
				st := s.state()
				switch name {
				case "call r12":
					st.Regs[amd64.R12] = s.far
				case "call rcx", "jmp rcx":
					st.Regs[amd64.RCX] = s.far
				case "jrcxz", "loop", "loope", "rep movs":
					st.Regs[amd64.RCX] = uint64(round % 3)
				case "div [rbx+16]":
					st.Regs[amd64.RDX] = 0
				case "ret":
					st.Regs[amd64.RSP] = s.middle(20)
				}
				slide := uint64(round%2) * 0x1234_5000
				if err := s.compare(code, slide, st); err != nil {
					t.Errorf("%s (% x), low %v, slide %#x: %v", name, code, low, slide, err)
					break
				}
			}
		}
	}
}

// A displaced call must never leave an address of the trampoline on the stack:
// the collector would throw. This is the naive way, and what it leaves.
func TestDisplacedCallPushesTheOriginalReturn(t *testing.T) {
	for _, low := range []bool{false, true} {
		s := newStand(t, low)
		for _, name := range []string{"call", "call [rip]", "call [rsp+8]", "call [rbx+16]"} {
			code := s.cases()[name]
			st := s.state()
			if err := s.compare(code, 0, st); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_, exit, mem := s.run(s.tramp, st)
			ret := binary.LittleEndian.Uint64(mem[st.Regs[amd64.RSP]-8-s.Base-testcpu.DataAt:])
			if exit != wentFar || ret != s.site+uint64(len(code)) {
				t.Errorf("%s: return address %#x, want %#x", name, ret, s.site+uint64(len(code)))
			}
		}
	}
}

func TestDisplaceRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		code []byte
	}{
		{"int3", []byte{0xCC}}, {"ud2", []byte{0x0F, 0x0B}}, {"syscall", []byte{0x0F, 0x05}},
		{"int 80", []byte{0xCD, 0x80}}, {"call rsp", []byte{0xFF, 0xD4}}, {"xbegin", []byte{0xC7, 0xF8, 0, 0, 0, 0}},
	} {
		inst, err := amd64.Decode(c.code, 0x401000)
		if err != nil {
			t.Fatal(err)
		}
		var immovable *ImmovableError
		if _, _, err := Displace(inst, 0, 0x501000); !errors.As(err, &immovable) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	inst, err := amd64.Decode([]byte{0x48, 0x8B, 0x05, 0, 0, 0, 0}, 0x401000)
	if err != nil {
		t.Fatal(err)
	}
	var far *TooFarError
	if _, _, err := Displace(inst, 0, 0x401000+1<<32); !errors.As(err, &far) {
		t.Errorf("load from 4 GiB away: %v", err)
	}
	if _, err := Jump(0x401000, 0x401000+1<<32); !errors.As(err, &far) {
		t.Errorf("jump over 4 GiB: %v", err)
	}
}

// A LEA needs no memory, so that it may be far away.
func TestFarLEABecomesMOV(t *testing.T) {
	inst, err := amd64.Decode([]byte{0x4C, 0x8D, 0x2D, 0x10, 0, 0, 0}, 0x401000)
	if err != nil {
		t.Fatal(err)
	}
	code, _, err := Displace(inst, 0x5500_0000_0000, 0x1000)
	want := append([]byte{0x49, 0xBD}, 0x17, 0x10, 0x40, 0, 0, 0x55, 0, 0)
	if err != nil || !bytes.Equal(code, want) {
		t.Errorf("% x, %v; want % x", code, err, want)
	}
}
