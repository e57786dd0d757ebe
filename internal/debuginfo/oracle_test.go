package debuginfo

import (
	"bytes"
	"debug/dwarf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-delve/delve/pkg/dwarf/godwarf"
	"github.com/go-delve/delve/pkg/dwarf/loclist"
	"github.com/go-delve/delve/pkg/dwarf/op"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// TestLinesAsStdlib compares all line rows with those that debug/dwarf reads.
func TestLinesAsStdlib(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		data := stdlib(t, b)
		want := map[uint64]string{}
		eachUnit(t, data, func(e *dwarf.Entry) {
			lr, err := data.LineReader(e)
			if err != nil || lr == nil {
				return
			}
			var le dwarf.LineEntry
			for lr.Next(&le) == nil {
				if !le.EndSequence {
					want[le.Address] = fmt.Sprintf("%s:%d %v %v", le.File.Name, le.Line, le.IsStmt, le.PrologueEnd)
				}
			}
		})
		n := 0
		for _, f := range b.Funcs() {
			for _, r := range b.Lines(f) {
				got := fmt.Sprintf("%s:%d %v %v", r.File, r.Line, r.Stmt, r.PrologueEnd)
				if got != want[r.PC] {
					t.Fatalf("%s %#x: %s, want %s", f.Name, r.PC, got, want[r.PC])
				}
				n++
			}
		}
		if n < 10000 {
			t.Errorf("only %d rows", n)
		}
	})
}

func stdlib(t *testing.T, b *Build) *dwarf.Data {
	t.Helper()
	data, err := b.elf.DWARF()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func eachUnit(t *testing.T, data *dwarf.Data, visit func(*dwarf.Entry)) {
	for r := data.Reader(); ; r.SkipChildren() {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			return
		}
		if e.Tag == dwarf.TagCompileUnit {
			visit(e)
		}
	}
}

// TestInliningAsStdlib holds the trees against the ranges that debug/dwarf
// reads: at the first address of each inlined call, InlineAt names it.
func TestInliningAsStdlib(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		data := stdlib(t, b)
		n := 0
		for r := data.Reader(); ; {
			e, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if e == nil {
				break
			}
			if e.Tag != dwarf.TagInlinedSubroutine {
				continue
			}
			ranges, err := data.Ranges(e)
			if err != nil {
				t.Fatal(err)
			}
			name := b.dieName(uint64(e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)))
			for _, rg := range ranges {
				f := b.FuncAt(rg[0])
				if rg[0] == rg[1] || f == nil {
					continue
				}
				n++
				if !namesOne(b.InlineAt(f, rg[0]), name, rg) {
					t.Errorf("%s at %#x in %s is not in the tree", name, rg[0], f.Name)
				}
			}
		}
		if n < 1000 && o.GCFlags == "" {
			t.Errorf("only %d ranges", n)
		}
	})
}

func namesOne(list []*Inline, name string, rg [2]uint64) bool {
	for _, i := range list {
		if i.Name == name && i.CallLine > 0 && i.CallFile != "" && i.Contains(rg[1]-1) {
			return true
		}
	}
	return false
}

// TestCFAAsStackDepth holds .debug_frame against the runtime's own table of
// stack depths: in Go code the frame begins that far, and a return address,
// above the stack pointer.
func TestCFAAsStackDepth(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		for _, f := range b.Funcs() {
			if f.Assembly {
				continue
			}
			for _, r := range b.Lines(f) {
				depth, ok := b.StackDepth(r.PC)
				c, err := b.CFA(r.PC)
				if !ok || err != nil {
					t.Fatalf("%s %#x: %v %v", f.Name, r.PC, ok, err)
				}
				if want := (program.CFA{Reg: 4, Offset: depth + 8}); c != want {
					t.Fatalf("%s %#x: %+v, want %+v", f.Name, r.PC, c, want)
				}
			}
		}
	})
}

// TestLocationsAsDelve compares every variable of the main package, at every
// row, with what Delve's readers of location lists and expressions find.
func TestLocationsAsDelve(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		n := 0
		for _, f := range b.Funcs() {
			if f.Package != "main" && f.Package != "fmt" {
				continue
			}
			for _, r := range b.Lines(f) {
				for _, v := range b.Scope(r.PC) {
					compareLocation(t, b, v, r.PC)
					n++
				}
			}
		}
		if n < 1000 {
			t.Errorf("only %d variables", n)
		}
	})
}

func compareLocation(t *testing.T, b *Build, v *Variable, pc uint64) {
	t.Helper()
	size := v.Type.Size
	if v.indirect {
		size = 8
	}
	got := ""
	for _, p := range v.here(pc, size).Pieces {
		got += showPiece(p)
	}
	want := delvePieces(t, b, v, pc, size)
	if got != want {
		t.Errorf("%s at %#x: %s, want %s", v.Name, pc, got, want)
	}
}

const cfa = 1 << 40

func showPiece(p Piece) string {
	switch p.Kind {
	case InReg:
		for n, hw := range hardware {
			if hw == p.Reg {
				return fmt.Sprintf("reg%d:%d ", n, p.Size)
			}
		}
	case InXReg:
		return fmt.Sprintf("reg%d:%d ", p.Reg+17, p.Size)
	case AtCFA:
		return fmt.Sprintf("mem%#x:%d ", cfa+p.Off, p.Size)
	case AtAddr:
		return fmt.Sprintf("mem%#x:%d ", p.Off, p.Size)
	case Missing:
		return fmt.Sprintf("none:%d ", p.Size)
	}
	return "? "
}

func delvePieces(t *testing.T, b *Build, v *Variable, pc uint64, size int64) string {
	expr := []byte(v.d.expr)
	if v.d.hasList {
		e := delveEntry(t, b, v, pc)
		if e == nil {
			return ""
		}
		expr = e.Instr
	}
	if len(expr) == 0 {
		return ""
	}
	regs := op.NewDwarfRegisters(0, nil, binary.LittleEndian, 16, 7, 6, 0)
	regs.CFA, regs.FrameBase = cfa, cfa
	addr, pieces, err := op.ExecuteStackProgram(*regs, expr, 8, nil)
	if err != nil {
		t.Fatal(err)
	}
	if pieces == nil {
		return fmt.Sprintf("mem%#x:%d ", addr, size)
	}
	out := ""
	for _, p := range pieces {
		if len(pieces) == 1 && p.Size == 0 {
			p.Size = int(size)
		}
		switch {
		case p.Kind == op.RegPiece:
			out += fmt.Sprintf("reg%d:%d ", p.Val, p.Size)
		case p.Kind == op.AddrPiece:
			out += fmt.Sprintf("mem%#x:%d ", p.Val, p.Size)
		default:
			out += fmt.Sprintf("none:%d ", p.Size)
		}
	}
	return out
}

func sectionText(t *testing.T, b *Build, name string) string {
	t.Helper()
	p, err := b.section(name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := p.all()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func delveEntry(t *testing.T, b *Build, v *Variable, pc uint64) *loclist.Entry {
	u := v.d.unit
	var r loclist.Reader
	var addrs *godwarf.DebugAddr
	if u.version >= 5 {
		data, addr := sectionText(t, b, "loclists"), sectionText(t, b, "addr")
		r, addrs = loclist.NewDwarf5Reader([]byte(data)), godwarf.ParseAddr([]byte(addr)).GetSubsection(u.addrBase)
	} else {
		data := sectionText(t, b, "loc")
		r = loclist.NewDwarf2Reader([]byte(data), 8)
	}
	e, err := r.Find(int(v.d.loclist), 0, u.low, pc, addrs)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestUnsafePointsAsRuntime asks a program to look itself up in its tables with
// the runtime's own code, for each byte of some functions, and compares.
func TestUnsafePointsAsRuntime(t *testing.T) {
	for _, o := range ways() {
		o.LDFlags = "-checklinkname=0"
		if strings.HasPrefix(o.Toolchain, "go1.22") {
			o.LDFlags = ""
		}
		if o.PIE || o.GCFlags != "" {
			continue
		}
		t.Run(o.String(), func(t *testing.T) {
			t.Parallel()
			path := testprog.Dir(t, "testdata/unsafe", o)
			compareUnsafe(t, open(t, path), path)
		})
	}
}

func compareUnsafe(t *testing.T, b *Build, path string) {
	var in bytes.Buffer
	var funcs []*Func
	for i, f := range b.Funcs() {
		if f.Assembly || f.Package != "main" && i%10 != 0 {
			continue
		}
		funcs = append(funcs, f)
		fmt.Fprintf(&in, "%x %x\n", f.Entry, f.End)
	}
	cmd := exec.Command(path)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		var e *exec.ExitError
		if errors.As(err, &e) {
			t.Logf("%s", e.Stderr[:min(len(e.Stderr), 2000)])
		}
		t.Fatal(err)
	}
	unsafe, safe := 0, 0
	r := bytes.NewReader(out)
	for _, f := range funcs {
		for pc := f.Entry; pc < f.End; pc++ {
			var v int
			var since uint64
			if _, err := fmt.Fscanln(r, &v, &since); err != nil {
				t.Fatal(err)
			}
			want := v == unsafePointUnsafe || (v == unsafePointRestart1 || v == unsafePointRestart2) && since != 0 ||
				v == unsafePointAtEntry && pc != f.Entry || !b.pcln.hasFuncdata(f.pcln, funcdataLocals)
			if got := b.UnsafePoint(pc); got != want {
				t.Fatalf("%s+%d: %v, the runtime has %d", f.Name, pc-f.Entry, got, v)
			}
			if want {
				unsafe++
			} else {
				safe++
			}
		}
	}
	if _, err := r.ReadByte(); err != io.EOF || unsafe < 1000 || safe < 1000 {
		t.Errorf("%d unsafe, %d safe bytes; %v", unsafe, safe, err)
	}
	if !b.UnsafePoint(1) {
		t.Error("an address outside Go code is said to be preemptible")
	}
}
