package amd64

import (
	"encoding/binary"
	"slices"
	"sort"
)

// The compiler makes a jump table of absolute addresses in .rodata, loads its
// address with LEA and jumps with JMP (base)(index*8)
// (cmd/compile/internal/amd64/ssa.go, OpAMD64LoweredJumpTable). How long a table
// is stands nowhere: it ends where the next one of the function begins, or where
// a word is no instruction of the function. Reading too far only adds targets.

// tableMax bounds the entries of one table.
const tableMax = 1 << 16

// findTables fills in the targets of the indirect jumps.
func (g *Graph) findTables() {
	var jumps []int
	for i := range g.Insts {
		if g.Insts[i].Kind == JmpInd {
			jumps = append(jumps, i)
		}
	}
	if len(jumps) == 0 {
		return
	}
	tables := g.readTables()
	for _, list := range tables {
		for _, t := range list {
			g.targets[t] = true
		}
	}
	for _, i := range jumps {
		if targets := g.tableOf(i, tables); len(targets) > 0 {
			g.tables[i] = targets
		} else {
			g.Unresolved = true
		}
	}
}

// readTables reads everything that the function takes the address of and that
// begins like a table of its own instructions.
func (g *Graph) readTables() map[uint64][]uint64 {
	tables := map[uint64][]uint64{}
	if g.options.Read == nil {
		return tables
	}
	var starts []uint64
	for i := range g.Insts {
		inst := &g.Insts[i]
		if addr, ok := inst.loadsAddress(); ok && g.word(addr) != 0 {
			starts = append(starts, addr)
		} else if m := &inst.Mem; inst.Kind == JmpInd && m.HasIndex && !m.HasBase && m.Scale == 8 {
			starts = append(starts, uint64(m.Disp))
		}
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	for n, start := range starts {
		end := start + 8*tableMax
		if n+1 < len(starts) {
			end = min(end, starts[n+1])
		}
		var list []uint64
		for at := start; at+8 <= end; at += 8 {
			t := g.word(at)
			if t == 0 {
				break
			}
			list = append(list, t)
		}
		tables[start] = list
	}
	return tables
}

// word is the word at addr if it is the address of an instruction of the
// function, else 0.
func (g *Graph) word(addr uint64) uint64 {
	b, err := g.options.Read(addr, 8)
	if err != nil || len(b) < 8 {
		return 0
	}
	t := binary.LittleEndian.Uint64(b)
	if t < g.Entry || t >= g.End {
		return 0
	}
	if _, ok := g.Index(t); !ok {
		return 0
	}
	return t
}

// loadsAddress is the address that a LEA relative to RIP loads.
func (i *Inst) loadsAddress() (uint64, bool) {
	if i.Map != MapOne || i.Opcode != 0x8D || !i.Mem.RIPRel {
		return 0, false
	}
	return i.RIPTarget(), true
}

// tableOf is the targets of jump i: those of its table where that is certain,
// else those of every table of the function; none when it is no jump of a table.
func (g *Graph) tableOf(i int, tables map[uint64][]uint64) []uint64 {
	m := &g.Insts[i].Mem
	if !m.HasIndex || m.Scale != 8 || m.Segment != 0 {
		return nil
	}
	if !m.HasBase {
		return distinct(tables[uint64(m.Disp)])
	}
	if m.Disp != 0 {
		return nil
	}
	if addr, ok := g.reaching(i, m.Base); ok {
		return distinct(tables[addr])
	}
	var all []uint64
	for _, list := range tables {
		all = append(all, list...)
	}
	return distinct(all)
}

// reaching is the address that a LEA in the straight line before instruction i
// leaves in reg.
func (g *Graph) reaching(i int, reg Reg) (uint64, bool) {
	for ; i > 0 && !g.targets[g.Insts[i].PC]; i-- {
		before := &g.Insts[i-1]
		if endsBlock(before) && before.Kind != Jcc || before.Kind == Call || before.Kind == CallInd {
			return 0, false
		}
		if before.Writes.Has(reg) {
			return before.loadsAddress()
		}
	}
	return 0, false
}

func distinct(list []uint64) []uint64 {
	list = slices.Clone(list)
	sort.Slice(list, func(i, j int) bool { return list[i] < list[j] })
	return slices.Compact(list)
}
