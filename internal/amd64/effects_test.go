//go:build linux

package amd64_test

import (
	"bytes"
	"debug/elf"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/sys/cpu"

	. "github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/testcpu"
)

// The processor is the judge of what the tables say. Each instruction runs twice
// from states that differ only in something that it is said not to read: all the
// rest must come out the same. What is said to be overwritten must come out the
// same even so, and what is said not to be changed must not change.

// flagBits are the places in RFLAGS of a FlagSet's bits: O S Z A P C.
var flagBits = [6]uint64{1 << 11, 1 << 7, 1 << 6, 1 << 4, 1 << 2, 1}

const arithmetic = 0x8D5

func flagsOf(s FlagSet) (bits uint64) {
	for i, b := range flagBits {
		if s>>i&1 != 0 {
			bits |= b
		}
	}
	return bits
}

// judge runs instructions.
type judge struct {
	*testcpu.Machine
	rng  *rand.Rand
	fill []byte
	at   uint64 // where the instruction stands
}

func newJudge(t *testing.T) *judge {
	t.Helper()
	m, err := testcpu.New(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	j := &judge{Machine: m, rng: rand.New(rand.NewPCG(7, 7)), at: m.Base + testcpu.CodeAt + 4096}
	j.fill = make([]byte, testcpu.DataLen)
	for i := range j.fill {
		j.fill[i] = byte(j.rng.Uint32())
	}
	return j
}

// middle is an aligned place in the data, different for each i.
func (j *judge) middle(i int) uint64 { return j.Base + testcpu.DataAt + 1024 + 64*uint64(i) }

// runnable tells whether an instruction can run here without harm and with a
// result that depends on nothing but the state.
func runnable(i *Inst) bool {
	m := &i.Mem
	mem, op := m.Present, i.Opcode
	switch {
	case i.Kind != Plain, i.Unknown, m.RIPRel, m.Segment != 0, m.VSIB, m.DispSize == 8:
		return false
	case m.HasBase && m.HasIndex && m.Base == m.Index:
		return false
	}
	switch i.Map {
	case MapOne:
		// POPF, ENTER, STD, XLAT; x87 keeps state of its own; F6 divides in 8 bits
		return op != 0x9D && op != 0xC8 && op != 0xFD && op != 0xD7 && (op < 0xD8 || op > 0xDF) && op != 0x9B &&
			!(op == 0xF6 && i.ModRM&0x30 == 0x30) && !(op == 0xF7 && i.ModRM&0x30 == 0x30)
	case Map0F:
		bits := op == 0xA3 || op == 0xAB || op == 0xB3 || op == 0xBB
		return op != 0x31 && op != 0xA2 && op != 0xAE && op != 0xC7 && op != 0xF7 && !(mem && bits)
	case Map0F38:
		return op < 0x0C && cpu.X86.HasSSSE3 || op >= 0xF0 && op < 0xF2 && cpu.X86.HasSSE42 ||
			op == 0xF6 && cpu.X86.HasADX || op == 0x17 && cpu.X86.HasSSE41
	case Map0F3A:
		return op >= 0x14 && op <= 0x22 && cpu.X86.HasSSE41 || op >= 0x60 && op <= 0x63 && cpu.X86.HasSSE42
	case MapVEX + 1:
		return cpu.X86.HasAVX2 && op != 0xAE && op != 0xF7 && (op < 0x41 || op > 0x4B) && (op < 0x90 || op > 0x99)
	case MapVEX + 2:
		return cpu.X86.HasAVX2 && cpu.X86.HasBMI2 && cpu.X86.HasFMA && (op < 0x50 || op > 0x53) && op != 0x72 && (op < 0xB0 || op > 0xB5) && (op < 0xCB || op > 0xDF)
	case MapVEX + 3:
		return cpu.X86.HasAVX2 && cpu.X86.HasBMI2 && (op < 0x30 || op > 0x33) && op != 0x44 && op != 0x48 && op != 0x49 && (op < 0x5C || op > 0x5F) && (op < 0x68 || op > 0x7F) && op < 0xCE || op == 0xF0
	}
	return false
}

// state makes registers with which the instruction's memory operands lie in the data.
func (j *judge) state(i *Inst) *testcpu.State {
	s := new(testcpu.State)
	for r := range s.Regs {
		s.Regs[r] = j.middle(r)
	}
	s.Flags = j.rng.Uint64() & arithmetic
	for x := range s.X {
		s.X[x] = [2]uint64{j.rng.Uint64(), j.rng.Uint64()}
	}
	m := &i.Mem
	target := j.middle(17)
	if i.Reads.Has(RCX) && !(m.HasBase && m.Base == RCX) {
		s.Regs[RCX] = uint64(j.rng.IntN(20)) // a count
	}
	if m.HasIndex {
		s.Regs[m.Index] = 64 * uint64(j.rng.IntN(3))
		target -= s.Regs[m.Index] * uint64(m.Scale)
	}
	if m.HasBase {
		s.Regs[m.Base] = target - uint64(m.Disp)
	}
	return s
}

// reachable tells whether the operand without a base can lie in the data.
func reachable(i *Inst) bool { return !i.Mem.Present || i.Mem.HasBase }

func (j *judge) run(s *testcpu.State) (testcpu.State, []byte) {
	copy(j.Data(), j.fill)
	out, _ := j.Run(j.at, s)
	return out, bytes.Clone(j.Data())
}

// check gives the faults found in what the decoder says of i.
func (j *judge) check(i *Inst) error {
	j.Put(j.at, i.Bytes)
	j.Put(j.at+uint64(i.Len), []byte{0xFF, 0x25, 0, 0, 0, 0}) // overwritten by Leave
	j.Leave(j.at+uint64(i.Len), 0)
	base := j.state(i)
	out, mem := j.run(base)
	if err := unchanged(i, base, &out); err != nil {
		return err
	}
	for r := range Reg(16) {
		if i.Reads.Has(r) {
			continue
		}
		other := *base
		other.Regs[r] ^= j.rng.Uint64()
		got, gotMem := j.run(&other)
		if err := unchanged(i, &other, &got); err != nil {
			return err
		}
		if !i.Kills.Has(r) {
			got.Regs[r] = out.Regs[r]
		}
		if got != out || !bytes.Equal(mem, gotMem) {
			return fmt.Errorf("reads %s, or does not overwrite it", RegName(r))
		}
	}
	for f, bit := range flagBits {
		flag := FlagSet(1 << f)
		if (i.ReadFlags|undefined(i))&flag != 0 {
			continue
		}
		other := *base
		other.Flags ^= bit
		got, gotMem := j.run(&other)
		if i.KillFlags&flag == 0 {
			got.Flags = got.Flags&^bit | out.Flags&bit
		}
		if got != out || !bytes.Equal(mem, gotMem) {
			return fmt.Errorf("reads flag %d of OSZAPC, or does not overwrite it", f)
		}
	}
	return nil
}

// undefined are the flags that the manual leaves undefined: no program reads
// them, and processors differ in what they leave there, the old value included.
func undefined(i *Inst) FlagSet {
	op := i.Opcode
	switch i.Map {
	case MapOne:
		switch {
		case op == 0x69, op == 0x6B, op == 0xF6 || op == 0xF7:
			return AllFlags &^ (FlagO | FlagC)
		case op >= 0xC0 && op <= 0xC1, op >= 0xD0 && op <= 0xD3:
			return FlagO | FlagA | FlagC
		}
	case Map0F:
		switch {
		case op == 0xAF:
			return AllFlags &^ (FlagO | FlagC)
		case op == 0xBC || op == 0xBD:
			return AllFlags &^ FlagZ
		case op&0xE7 == 0xA3 || op == 0xBA: // BT and its kin
			return AllFlags &^ (FlagZ | FlagC)
		case op&0xF6 == 0xA4: // double shifts
			return FlagO | FlagA | FlagC
		}
	}
	return FlagA | FlagP // BMI and the logic operations leave AF, some of them PF
}

func unchanged(i *Inst, in, out *testcpu.State) error {
	for r := range Reg(16) {
		if !i.Writes.Has(r) && in.Regs[r] != out.Regs[r] {
			return fmt.Errorf("changes %s", RegName(r))
		}
	}
	if keep := arithmetic &^ flagsOf(i.WriteFlags); in.Flags&keep != out.Flags&keep {
		return fmt.Errorf("changes flags %#x", (in.Flags^out.Flags)&keep)
	}
	if i.Kills&^i.Writes != 0 || i.KillFlags&^i.WriteFlags != 0 {
		return fmt.Errorf("overwrites what it does not write")
	}
	return nil
}

// samples are the distinct instructions of a program, at most a few of each opcode.
func samples(t *testing.T, path string, most int) []Inst {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	code, err := f.Section(".text").Data()
	if err != nil {
		t.Fatal(err)
	}
	var list []Inst
	seen, count := map[string]bool{}, map[[4]byte]int{}
	for off := 0; off < len(code); {
		i, err := Decode(code[off:], 0)
		if err != nil { // data: on with the next function
			for off++; off < len(code) && (off%32 != 0 || code[off-1] != 0xCC); off++ {
			}
			continue
		}
		off += i.Len
		key := [4]byte{byte(i.Map), i.Opcode, i.ModRM >> 6, i.Bytes[0]}
		if seen[string(i.Bytes)] || count[key] >= most {
			continue
		}
		seen[string(i.Bytes)] = true
		count[key]++
		list = append(list, i)
	}
	return list
}

// random makes instructions with register operands, of every opcode of the first two maps.
func random(rng *rand.Rand, n int) []Inst {
	var list []Inst
	for len(list) < n {
		var code []byte
		if rng.IntN(4) == 0 {
			code = append(code, 0x66)
		}
		if rng.IntN(2) == 0 {
			code = append(code, 0x40|byte(rng.IntN(16)))
		}
		if rng.IntN(3) == 0 {
			code = append(code, 0x0F)
		}
		code = append(code, byte(rng.IntN(256)), 0xC0|byte(rng.IntN(64)))
		for range 8 {
			code = append(code, byte(rng.Uint32()))
		}
		i, err := Decode(code, 0)
		harmless := i.Map == MapOne || i.Map == Map0F && (i.Opcode >= 0x40 && i.Opcode < 0x50 || i.Opcode >= 0x90 && i.Opcode < 0xD0)
		if err == nil && !i.Mem.Present && harmless && i.Opcode != 0xC4 && i.Opcode != 0x8E {
			list = append(list, i)
		}
	}
	return list
}

func TestProcessorAgreesOnEffects(t *testing.T) {
	path, most := os.Args[0], 6
	if p := os.Getenv("SIDELIGHT_BINARY"); p != "" {
		path, most = p, 40
	}
	j := newJudge(t)
	list := append(samples(t, path, most), random(j.rng, 6000)...)
	checked, wrong, opcodes := 0, 0, map[[2]byte]bool{}
	for n := range list {
		i := &list[n]
		if !runnable(i) || !reachable(i) {
			continue
		}
		checked++
		opcodes[[2]byte{byte(i.Map), i.Opcode}] = true
		if err := j.check(i); err != nil {
			if wrong++; wrong < 40 {
				t.Errorf("% x (reads %v, writes %v, kills %v, flags read %06b, killed %06b): %v",
					i.Bytes, i.Reads, i.Writes, i.Kills, i.ReadFlags, i.KillFlags, err)
			}
		}
	}
	t.Logf("%d instructions of %d opcodes ran, %d wrong", checked, len(opcodes), wrong)
	if checked < 3000 {
		t.Errorf("only %d instructions ran", checked)
	}
}
