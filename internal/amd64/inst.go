package amd64

import "fmt"

// Kind says where control goes after an instruction.
type Kind uint8

// The kinds of instruction.
const (
	Plain   Kind = iota // the next instruction
	Call                // Target, and back to the next instruction
	CallInd             // an address from a register or memory, and back
	Jmp                 // Target
	JmpInd              // an address from a register or memory
	Jcc                 // Target or the next instruction (LOOP and JRCXZ included)
	Ret                 // the caller
	Trap                // nowhere: INT3, UD2, HLT and the like
	System              // enters the kernel or depends on where it lies: must not be moved
)

var kindNames = [...]string{"plain", "call", "indirect call", "jump", "indirect jump",
	"conditional jump", "return", "trap", "system"}

func (k Kind) String() string { return kindNames[k] }

// FlagSet is a set of the arithmetic flags.
type FlagSet uint8

// The arithmetic flags.
const (
	FlagO FlagSet = 1 << iota
	FlagS
	FlagZ
	FlagA
	FlagP
	FlagC

	AllFlags = FlagO | FlagS | FlagZ | FlagA | FlagP | FlagC
)

// Map is the opcode map that an instruction's opcode is looked up in.
type Map uint8

// The opcode maps. The VEX and EVEX coded maps have their legacy map's number
// (1 for 0F, 2 for 0F38, 3 for 0F3A; 5 and 6 exist for EVEX only) added.
const (
	MapOne  Map = 0
	Map0F   Map = 1
	Map0F38 Map = 2
	Map0F3A Map = 3
	MapVEX  Map = 0x10
	MapEVEX Map = 0x20
)

// Operand is the memory operand of an instruction.
type Operand struct {
	Present  bool
	RIPRel   bool // the address is Disp after the end of the instruction
	Segment  byte // prefix byte of FS (0x64) or GS (0x65); 0 for none
	HasBase  bool
	HasIndex bool // a general register; the vector index of a gather is not told
	VSIB     bool // the index is a vector register
	Base     Reg
	Index    Reg
	Scale    uint8
	Disp     int64
	DispOff  int // where the displacement lies in the instruction
	DispSize int // 0, 1 or 4 bytes (8 for an absolute address)
}

// Inst is one instruction.
type Inst struct {
	PC     uint64
	Len    int
	Kind   Kind
	Target uint64 // of Call, Jmp, Jcc

	Map    Map
	Opcode byte
	ModRM  byte // 0 if there is none
	Mem    Operand
	ImmOff int // where the immediate or branch offset lies in the instruction
	ImmLen int

	// MayFault: a memory operand that is neither relative to RIP nor a plain slot
	// of the stack, or a division. The kernel may raise a signal here that Go
	// turns into a panic.
	MayFault bool

	// Unknown: what it does to registers and flags is not known; Reads, Writes and
	// the flags then say the worst.
	Unknown bool

	Reads      RegSet  // registers whose value before matters, partly written ones included
	Writes     RegSet  // registers that may be changed
	Kills      RegSet  // registers overwritten as a whole in every execution
	ReadFlags  FlagSet // flags whose value before matters
	KillFlags  FlagSet // flags overwritten (or left undefined) in every execution
	WriteFlags FlagSet // flags that may be changed

	Bytes []byte // the instruction: Len bytes of the code given to Decode
}

// End is the address after the instruction.
func (i *Inst) End() uint64 { return i.PC + uint64(i.Len) }

// RIPTarget is the address of an operand relative to RIP.
func (i *Inst) RIPTarget() uint64 { return i.End() + uint64(i.Mem.Disp) }

// Falls tells whether control can go on to the next instruction (after a call,
// when the callee returns).
func (i *Inst) Falls() bool {
	switch i.Kind {
	case Jmp, JmpInd, Ret, Trap:
		return false
	}
	return true
}

// UndecodableError says that the bytes at PC are no instruction that this
// package knows. Code that holds one is left alone.
type UndecodableError struct {
	PC    uint64
	Bytes []byte // at most 16
	Why   string
}

func (e *UndecodableError) Error() string {
	return fmt.Sprintf("no known instruction at %#x: % x (%s); a probe cannot be put where the code is not understood",
		e.PC, e.Bytes, e.Why)
}
