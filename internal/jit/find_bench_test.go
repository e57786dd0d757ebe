//go:build linux && amd64

package jit

import (
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/interp"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// BenchmarkFinds prints the least time of a pass whose condition asks a map for the
// number of a key that is there: a Swiss map, or a classic one, whose hash leads to
// the entry.
func BenchmarkFinds(b *testing.B) {
	text := []byte("session-4711-ab")
	for _, c := range []struct {
		name    string
		classic bool
		key     program.KeyKind
	}{{"swiss/int", false, program.KeyScalar}, {"swiss/string", false, program.KeyString},
		{"classic/int", true, program.KeyScalar}, {"classic/string", true, program.KeyString}} {
		b.Run(c.name, func(b *testing.B) {
			r := newRig(b, 4)
			n := r.hashedFind(&program.Map{Classic: c.classic, Key: c.key, KeyType: program.I64, KeySize: 8}, text)
			value := &program.Node{Op: program.OpLoad, Type: program.U64, X: n}
			wrong := &program.Node{Op: program.OpNe, Type: program.Bool, X: value, Y: constant(program.U64, 7)}
			r.passes(b, &program.Site{Cond: wrong}, Live{FreeRegs: amd64.Regs(amd64.RAX, amd64.RCX), StackProven: true})
			if errors := r.counter(1, ring.CounterErrors); errors != 0 {
				b.Fatalf("%d passes could not be evaluated", errors)
			}
		})
	}
}

// hashedFind looks for a key in a map of one run of groups, which has it with the
// value 7.
func (r *rig) hashedFind(m *program.Map, text []byte) *program.Node {
	const head, table, dir, group, hash, chars = rigHeap + 1024, rigHeap + 1280, rigHeap + 1344, rigHeap + 1408, rigHeap + 2048, rigHeap + 2560
	at := func(off int) uint64 { return r.base + uint64(off) }
	m.Busy, m.BusyMask, m.Dir, m.DirLen, m.Groups, m.Mask = 40, 4, 16, 24, 0, 8
	m.B, m.Buckets, m.Old, m.Moved, m.Overflow = 41, 16, 24, 48, 320
	m.Keys, m.KeyStep, m.ElemStep, m.Elems, m.GroupSize = 8, 24, 24, 24, 328
	m.Hash = &program.Hash{Uses: at(hash), Hasher: at(hash + 8), Func: 4711, Schedule: at(hash + 64), Word: m.Key == program.KeyScalar,
		Seed: 64, SeedSize: 8, Shift: 42}
	for i := range program.ScheduleLen / 8 {
		r.put(hash+64+8*i, 0x9E3779B97F4A7C15*uint64(i+1))
	}
	copy(r.mem[chars:], text)
	key := []byte{7, 0, 0, 0, 0, 0, 0, 0}
	n := &program.Node{Op: program.OpFind, Type: program.U64, Map: m, X: constant(program.U64, int64(at(head))),
		Imm: int64(program.StatusKey), Y: constant(program.I64, 7)}
	if m.Key == program.KeyString {
		key = text
		n.Y, n.Z = &program.Node{Op: program.OpData, Type: program.U64, Data: text}, constant(program.I64, int64(len(text)))
	}
	h := interp.Hash(m.Hash, 99, key, r.mem[hash+64:][:program.ScheduleLen])
	control := h & 0x7f
	if m.Classic {
		control = max(h>>56, program.ClassicFull)
	}
	for off, v := range map[int]uint64{hash: 1, hash + 8: at(hash + 16), hash + 16: 4711, head: 1, head + 64: 99, dir: at(table), table: at(group),
		group: control << 24, group + 8 + 72: 7, group + 8 + 72 + 16: 7} {
		r.put(off, v)
	}
	if m.Key == program.KeyString {
		r.put(group+8+72, at(chars))
		r.put(group+8+72+8, uint64(len(text)))
	}
	r.put(head+16, at(dir))
	r.put(head+24, 1)
	if m.Classic {
		r.put(head+16, at(group))
		r.put(head+24, 0)
	}
	return n
}
