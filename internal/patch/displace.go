package patch

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// Fault says that a fault at the trampoline's instruction At is the fault of the
// instruction at PC: both as they are in the running target.
type Fault struct {
	At uint64
	PC uint64
}

// ImmovableError says that an instruction cannot run elsewhere.
type ImmovableError struct {
	PC  uint64
	Why string
}

func (e *ImmovableError) Error() string {
	return fmt.Sprintf("the instruction at %#x cannot run elsewhere: %s", e.PC, e.Why)
}

// TooFarError says that a trampoline at At cannot reach Target, which must lie
// within 2 GiB: the memory for trampolines must be mapped nearer.
type TooFarError struct {
	At, Target uint64
}

func (e *TooFarError) Error() string {
	return fmt.Sprintf("%#x is more than 2 GiB away from %#x; trampolines must be mapped nearer to the program",
		e.Target, e.At)
}

// Jump is the five bytes of a JMP at from to to.
func Jump(from, to uint64) ([JumpLen]byte, error) {
	var b [JumpLen]byte
	rel := int64(to - (from + JumpLen))
	if rel != int64(int32(rel)) {
		return b, &TooFarError{from, to}
	}
	b[0] = 0xE9
	binary.LittleEndian.PutUint32(b[1:], uint32(rel))
	return b, nil
}

// mover writes one displaced instruction.
type mover struct {
	inst   amd64.Inst // as linked
	slide  uint64
	at     uint64 // where buf goes
	buf    []byte
	faults []Fault
}

// Displace gives code that does at the address at, in the running target, what
// inst does at its own address there, which is inst.PC + slide. Registers, flags
// and rsp must be the original ones when it begins, and are what inst leaves when
// control comes to its end; a displaced call never comes there: it returns to the
// instruction after the original one.
func Displace(inst amd64.Inst, slide, at uint64) ([]byte, []Fault, error) {
	m := &mover{inst: inst, slide: slide, at: at}
	if err := m.move(); err != nil {
		return nil, nil, err
	}
	return m.buf, m.faults, nil
}

func (m *mover) move() error {
	switch m.inst.Kind {
	case amd64.Trap, amd64.System:
		return m.refuse("it stops the program, enters the kernel or depends on where it lies")
	case amd64.Call:
		m.pushReturn()
		return m.branch("\xE9", m.inst.Target+m.slide)
	case amd64.CallInd:
		return m.callIndirect()
	case amd64.Jmp:
		return m.branch("\xE9", m.inst.Target+m.slide)
	case amd64.Jcc:
		return m.conditional()
	}
	return m.copy(m.inst.Bytes)
}

func (m *mover) refuse(why string) error { return &ImmovableError{m.inst.PC, why} }

func (m *mover) here() uint64 { return m.at + uint64(len(m.buf)) }

// original is where inst stands in the running target.
func (m *mover) original() uint64 { return m.inst.PC + m.slide }

// branch appends opcode and the 32-bit distance to target.
func (m *mover) branch(opcode string, target uint64) error {
	m.buf = append(m.buf, opcode...)
	rel := int64(target - (m.here() + 4))
	if rel != int64(int32(rel)) {
		return &TooFarError{m.here(), target}
	}
	m.buf = binary.LittleEndian.AppendUint32(m.buf, uint32(rel))
	return nil
}

// conditional widens a conditional jump. LOOP and JRCXZ know no wide form.
func (m *mover) conditional() error {
	target := m.inst.Target + m.slide
	if m.inst.Map == amd64.Map0F || m.inst.Opcode&0xF0 == 0x70 {
		return m.branch(string([]byte{0x0F, 0x80 | m.inst.Opcode&15}), target)
	}
	short := append([]byte(nil), m.inst.Bytes...)
	short[m.inst.ImmOff] = 2
	m.buf = append(m.buf, short...)      // taken: over the next two bytes
	m.buf = append(m.buf, 0xEB, JumpLen) // not taken: over the jump
	return m.branch("\xE9", target)
}

// copy appends an instruction that does not branch relative to where it lies,
// with a displacement relative to RIP moved.
func (m *mover) copy(code []byte) error {
	if m.inst.MayFault {
		m.faults = append(m.faults, Fault{m.here(), m.original()})
	}
	start := len(m.buf)
	m.buf = append(m.buf, code...)
	if !m.inst.Mem.RIPRel {
		return nil
	}
	target := m.inst.RIPTarget() + m.slide
	rel := int64(target - m.here())
	if rel < math.MinInt32 || rel > math.MaxInt32 {
		m.buf = m.buf[:start]
		return m.farAddress(target)
	}
	binary.LittleEndian.PutUint32(m.buf[start+m.inst.Mem.DispOff:], uint32(rel))
	return nil
}

// farAddress loads an address that LEA cannot reach from the trampoline.
func (m *mover) farAddress(target uint64) error {
	i := &m.inst
	if i.Map != amd64.MapOne || i.Opcode != 0x8D || i.Kills == 0 || i.Bytes[0]&0xF8 != 0x48 {
		return &TooFarError{m.here(), target}
	}
	reg := i.Kills.List()[0]
	m.buf = append(m.buf, 0x48|byte(reg)>>3, 0xB8|byte(reg)&7) // MOV reg, imm64
	m.buf = binary.LittleEndian.AppendUint64(m.buf, target)
	return nil
}

// pushReturn pushes the original return address, which unwinders must find, with
// no other effect on registers and flags.
func (m *mover) pushReturn() {
	ret := m.original() + uint64(m.inst.Len)
	m.buf = append(m.buf, 0x68) // PUSH imm32, sign-extended
	m.buf = binary.LittleEndian.AppendUint32(m.buf, uint32(ret))
	if int64(ret) != int64(int32(ret)) {
		m.buf = append(m.buf, 0xC7, 0x44, 0x24, 0x04) // MOV dword [rsp+4], imm32
		m.buf = binary.LittleEndian.AppendUint32(m.buf, uint32(ret>>32))
	}
}

// callIndirect: the operand of the call is that of a jump behind the push, unless
// it lies relative to rsp, which the push moves, or may fault, which it must do
// before the push.
func (m *mover) callIndirect() error {
	i := &m.inst
	stack := i.Mem.HasBase && i.Mem.Base == amd64.RSP
	extended := i.Len >= 3 && i.Bytes[i.Len-3]&0xF1 == 0x41 // REX.B: R12
	if i.ModRM >= 0xC0 && i.ModRM&7 == byte(amd64.RSP) && !extended {
		return m.refuse("it calls the stack pointer")
	}
	if stack || i.MayFault {
		return m.callThroughStack()
	}
	m.pushReturn()
	return m.copy(m.withExtension(4))
}

// callThroughStack pushes the callee's address, where a fault is the call's own,
// copies it below, puts the return address over it and returns into the copy.
func (m *mover) callThroughStack() error {
	if err := m.copy(m.withExtension(6)); err != nil { // PUSH qword [mem]
		return err
	}
	ret := m.original() + uint64(m.inst.Len)
	m.buf = append(m.buf, 0xFF, 0x34, 0x24) // PUSH qword [rsp]
	m.buf = append(m.buf, 0xC7, 0x44, 0x24, 0x08)
	m.buf = binary.LittleEndian.AppendUint32(m.buf, uint32(ret))
	m.buf = append(m.buf, 0xC7, 0x44, 0x24, 0x0C)
	m.buf = binary.LittleEndian.AppendUint32(m.buf, uint32(ret>>32))
	m.buf = append(m.buf, 0xC3)
	return nil
}

// withExtension is the instruction, an FF /2, with another number in ModRM.reg:
// 4 is JMP, 6 is PUSH.
func (m *mover) withExtension(n byte) []byte {
	code := append([]byte(nil), m.inst.Bytes...)
	at := m.inst.Len - 1 // of ModRM
	if op := &m.inst.Mem; op.Present {
		at = m.inst.Len - 1 - op.DispSize
		if m.inst.ModRM&7 == 4 {
			at-- // SIB
		}
	}
	code[at] = code[at]&^0x38 | n<<3
	return code
}
