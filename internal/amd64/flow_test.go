package amd64

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// rodata is read-only data for Flow.
type rodata map[uint64]uint64

func (m rodata) read(addr uint64, n int) ([]byte, error) {
	v, ok := m[addr]
	if !ok || n != 8 {
		return nil, errors.New("no data there")
	}
	return binary.LittleEndian.AppendUint64(nil, v), nil
}

// lea is LEA RAX, [target], standing at pc.
func lea(pc, target uint64) []byte {
	return binary.LittleEndian.AppendUint32([]byte{0x48, 0x8D, 0x05}, uint32(target-pc-7))
}

func TestFlowBlocks(t *testing.T) {
	code := []byte{
		0x75, 0x05, // 1000 jne 1007
		0xE8, 0xF9, 0x0F, 0, 0, // 1002 call 2000
		0x90, // 1007
		0xC3, // 1008 ret
	}
	g, err := Flow(code, 0x1000, FlowOptions{Entries: []uint64{0x1008, 0x9999}})
	if err != nil {
		t.Fatal(err)
	}
	type block struct {
		first, last  uint64
		preds, succs []int
		outside      bool
	}
	want := []block{
		{0x1000, 0x1000, nil, []int{1, 2}, true},
		{0x1002, 0x1002, []int{0}, []int{2}, false},
		{0x1007, 0x1007, []int{0, 1}, []int{3}, false},
		{0x1008, 0x1008, []int{2}, nil, true},
	}
	if len(g.Blocks) != len(want) {
		t.Fatalf("%d blocks: %+v", len(g.Blocks), g.Blocks)
	}
	for i, b := range g.Blocks {
		w := want[i]
		if g.Insts[b.First].PC != w.first || g.Insts[b.Last].PC != w.last || !slices.Equal(b.Preds, w.preds) ||
			!slices.Equal(b.Succs, w.succs) || b.Outside != w.outside {
			t.Errorf("block %d: %+v, want %+v", i, b, w)
		}
	}
	if !g.Leaves(3) || g.Leaves(0) || g.Unresolved || !g.Targeted(0x1008) || g.Targeted(0x1002) {
		t.Errorf("leaves, targets or resolution wrong: %+v", g)
	}
}

func TestFlowCallThatNeverReturns(t *testing.T) {
	code := []byte{0xE8, 0xFB, 0x0F, 0, 0, 0x90, 0xC3} // call 2000; nop; ret
	for _, never := range []bool{false, true} {
		g, err := Flow(code, 0x1000, FlowOptions{NoReturn: func(target uint64) bool { return never && target == 0x2000 }})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(g.Succs(0)) == 0; got != never || g.Blocks[0].Last == 0 != never {
			t.Errorf("never returns %v: successors %v, blocks %+v", never, g.Succs(0), g.Blocks)
		}
	}
}

// Two tables lie one behind the other: each jump goes through its own.
func TestFlowTellsTablesApart(t *testing.T) {
	const jump = "\xff\x24\xc8" // jmp [rax+rcx*8]
	code := slices.Concat(
		lea(0x1000, 0x8000), []byte(jump), // 1000, 1007
		[]byte{0x90},                      // 100a
		lea(0x100B, 0x8010), []byte(jump), // 100b, 1012
		[]byte{0x90, 0x90, 0xC3}, // 1015, 1016, 1017
	)
	data := rodata{0x8000: 0x100A, 0x8008: 0x1017, 0x8010: 0x1015, 0x8018: 0x1016, 0x8020: 0x1001}
	g, err := Flow(code, 0x1000, FlowOptions{Read: data.read})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		pc   uint64
		want []uint64
	}{{0x1007, []uint64{0x100A, 0x1017}}, {0x1012, []uint64{0x1015, 0x1016}}} {
		i, _ := g.Index(c.pc)
		if got, ok := g.Targets(i); !ok || !slices.Equal(got, c.want) {
			t.Errorf("jump at %#x: %#x, want %#x", c.pc, got, c.want)
		}
	}
	if g.Unresolved {
		t.Error("unresolved")
	}
}

// Where the table of a jump is not certain it may be any of the function's.
func TestFlowTakesAllTablesWhenInDoubt(t *testing.T) {
	code := slices.Concat(
		lea(0x1000, 0x8000), []byte{0x75, 0x02}, // 1000, 1007 jne 100b
		[]byte{0x90, 0x90},                   // 1009
		[]byte{0xFF, 0x24, 0xC8, 0x90, 0xC3}, // 100b jmp [rax+rcx*8]; 100e; 100f
	)
	g, err := Flow(code, 0x1000, FlowOptions{Read: rodata{0x8000: 0x100E, 0x8008: 0x100F}.read})
	if err != nil {
		t.Fatal(err)
	}
	i, _ := g.Index(0x100B)
	if got, ok := g.Targets(i); !ok || !slices.Equal(got, []uint64{0x100E, 0x100F}) {
		t.Errorf("targets %#x", got)
	}
}

func TestFlowRefusesWhatItDoesNotKnow(t *testing.T) {
	var undecodable *UndecodableError
	if _, err := Flow([]byte{0x90, 0x06, 0x90}, 0x1000, FlowOptions{}); !errors.As(err, &undecodable) || undecodable.PC != 0x1001 {
		t.Errorf("%v", err)
	}
	g, err := Flow([]byte{0xEB, 0x01, 0x48, 0x89, 0xC3, 0xC3}, 0x1000, FlowOptions{}) // into the middle of an instruction
	if err != nil || !g.Unresolved {
		t.Errorf("jump into an instruction: %v", err)
	}
	if l := g.Live(0x1000); l.Regs != 0 || l.FlagsDead {
		t.Errorf("jump into an instruction: %+v", l)
	}
}
