package amd64

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// A form is what the table says of an opcode.
type form struct {
	modrm   bool
	imm     immKind
	kind    Kind
	ops     []operand
	kill    FlagSet
	read    FlagSet
	touch   FlagSet // may be changed, not in kill
	cc      bool    // reads the flags that the low four bits of the opcode name
	address bool    // the memory operand is computed, not accessed
	hint    bool    // the operand has no effect that a program could see
	vsib    bool
	unknown bool
	faults  bool
	shift   shiftKind
	zero    bool // of the same register twice gives zero, whatever it held
	rep     bool // a string instruction: RCX with a repeat prefix
}

type immKind uint8

const (
	immNone immKind = iota
	imm8
	imm16
	immZ    // 2 or 4 bytes by operand size
	immV    // 2, 4 or 8 bytes
	immEnt  // 2 + 1 bytes
	immAddr // 8-byte absolute address
	rel8
	rel32
)

type shiftKind uint8

const (
	shiftNone shiftKind = iota
	shiftImm            // flags change only if the count in the immediate is not 0
)

// Where an operand is found.
type place uint8

const (
	inRM   place = iota // register or memory by ModRM
	inReg               // register by ModRM.reg
	inLow               // register by the opcode's low bits
	inVVVV              // register by VEX.vvvv
	inFix               // a fixed register
)

type width uint8

const (
	w8 width = iota
	w16
	wV // 16, 32 or 64 by operand size
	wY // 32 or 64: always the whole register when written
)

type role uint8

const (
	reads role = iota
	writes
	both
)

type operand struct {
	place place
	width width
	role  role
	reg   Reg
}

// An entry holds the forms of one opcode by mandatory prefix (none, 66, F3, F2)
// and, for groups, by ModRM.reg + 8 for a register operand.
type entry struct {
	plain [4]*form
	group *[16][4]*form
}

func (e *entry) pick(prefix int, modrm byte) *form {
	if e.group != nil {
		i := modrm >> 3 & 7
		if modrm >= 0xC0 {
			i += 8
		}
		return e.group[i][prefix]
	}
	return e.plain[prefix]
}

// hasModRM: an opcode has a ModRM byte in all of its forms or in none.
func (e *entry) hasModRM() bool {
	if e.group != nil {
		return true
	}
	for _, f := range e.plain {
		if f != nil {
			return f.modrm
		}
	}
	return false
}

// tables are read when a first instruction of their kind is decoded.
var tables = map[Map]func() *[256]entry{
	MapOne:      table(oneByteTable),
	Map0F:       table(table0F),
	Map0F38:     table(table0F38),
	Map0F3A:     table(table0F3A),
	MapVEX + 1:  table(vexTable1),
	MapVEX + 2:  table(vexTable2),
	MapVEX + 3:  table(vexTable3),
	MapEVEX + 1: table(evexTable1),
	MapEVEX + 2: table(evexTable2),
	MapEVEX + 3: table(evexTable3),
	MapEVEX + 5: table(evexTable5),
	MapEVEX + 6: table(evexTable6),
}

func table(text string) func() *[256]entry {
	return sync.OnceValue(func() *[256]entry { return parseTable(text) })
}

// parseTable reads the notation of the tables. A line is a key and the tokens of
// a form; a later line overrides an earlier one. The key is an opcode or a range
// in hex, then optionally /N (ModRM.reg), /Nm or /Nr (memory or register operand
// only), /r or /m (any N), then optionally .66 .F3 .F2 or .NP.
func parseTable(text string) *[256]entry {
	t := new([256]entry)
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		addLine(t, words[0], parseForm(words[1:]))
	}
	return t
}

func addLine(t *[256]entry, key string, f *form) {
	key, prefix, _ := strings.Cut(key, ".")
	key, group, isGroup := strings.Cut(key, "/")
	lo, hi, isRange := strings.Cut(key, "-")
	if !isRange {
		hi = lo
	}
	first, last := hexByte(lo), hexByte(hi)
	for op := int(first); op <= int(last); op++ {
		e := &t[op]
		if !isGroup && e.group == nil {
			fillPrefix(&e.plain, prefix, f)
			continue
		}
		if e.group == nil {
			e.group = new([16][4]*form)
			for i := range e.group {
				e.group[i] = e.plain
			}
		}
		for _, i := range groupSlots(group) {
			fillPrefix(&e.group[i], prefix, f)
		}
	}
}

func fillPrefix(p *[4]*form, prefix string, f *form) {
	switch prefix {
	case "":
		*p = [4]*form{f, f, f, f}
	case "NP":
		p[0] = f
	case "66":
		p[1] = f
	case "F3":
		p[2] = f
	case "F2":
		p[3] = f
	default:
		panic("amd64: bad prefix in table: " + prefix)
	}
}

func groupSlots(g string) []int {
	lo, hi := 0, 7
	if g != "" && g[0] >= '0' && g[0] <= '7' {
		lo = int(g[0] - '0')
		hi, g = lo, g[1:]
	}
	var slots []int
	for i := lo; i <= hi; i++ {
		if g != "r" {
			slots = append(slots, i)
		}
		if g != "m" {
			slots = append(slots, i+8)
		}
	}
	return slots
}

func hexByte(s string) byte {
	n, err := strconv.ParseUint(s, 16, 8)
	if err != nil {
		panic(fmt.Sprintf("amd64: bad opcode in table: %v", err))
	}
	return byte(n)
}
