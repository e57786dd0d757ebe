package debuginfo

import (
	"slices"
	"strings"
)

// What the runtime's own tables (pclntab) tell of lines and inlined calls. They
// are all that a build without debug information has; where there is debug
// information, it says the same and more: which instructions begin a statement.

// From internal/abi/symtab.go.
const (
	pcdataInlTree   = 2
	funcdataInlTree = 3
	inlinedCallSize = 16 // struct inlinedCall (runtime/symtabinl.go)
	inlinedName     = 4
	inlinedParentPC = 8
	noFile          = ^uint32(0)
)

// pclnIndex is what a pass over all functions finds.
type pclnIndex struct {
	names   []string           // of files that have code
	files   map[string][]int32 // file to functions
	inlined map[string][]int32 // name of an inlined function to functions that hold a copy
}

// Statements tells whether Row.Stmt and Row.PrologueEnd mean anything.
func (b *Build) Statements() bool { return b.HasDebug() }

func (b *Build) pclnIndex() *pclnIndex {
	x, _ := b.byPcln.get(func() (*pclnIndex, error) {
		x := &pclnIndex{files: map[string][]int32{}, inlined: map[string][]int32{}}
		seen := map[string]int32{}
		note := func(m map[string][]int32, kind, name string, f int32) {
			if key := kind + name; seen[key] != f+1 {
				seen[key] = f + 1
				m[name] = append(m[name], f)
			}
		}
		for i, f := range b.Funcs() {
			b.pcln.walk(b.pcln.u32(f.pcln, funcPCFile), func(v pcValue) bool {
				if v.start < f.End-f.Entry {
					note(x.files, "f", b.pcln.file(f.pcln, v.value), int32(i))
				}
				return true
			})
			for _, c := range b.inlinedCalls(f) {
				note(x.inlined, "i", c.name, int32(i))
			}
		}
		for name := range x.files {
			if name != "" && !strings.HasPrefix(name, "<") {
				x.names = append(x.names, name)
			}
		}
		slices.Sort(x.names)
		return x, nil
	})
	if x == nil {
		return &pclnIndex{}
	}
	return x
}

func (b *Build) funcsAt(list []int32) []*Func {
	var out []*Func
	for _, i := range list {
		out = append(out, b.Func(int(i)))
	}
	return out
}

// file is the name of file number n of a function's unit.
func (p *pclntab) file(fn uint64, n int32) string {
	if n < 0 {
		return ""
	}
	r := bufAt(p.cutab, 4*(uint64(p.u32(fn, funcCU))+uint64(n)))
	off := r.u32()
	if r.bad || off == noFile {
		return ""
	}
	s := bufAt(p.files, uint64(off))
	return s.cstr()
}

// pclnRows are the rows of a function's line table as the runtime has them.
func (b *Build) pclnRows(f *Func) []Row {
	p, size := &b.pcln, f.End-f.Entry
	var lines []pcValue
	p.walk(p.u32(f.pcln, funcPCLn), func(v pcValue) bool {
		lines = append(lines, v)
		return v.end < size
	})
	var rows []Row
	k := 0
	p.walk(p.u32(f.pcln, funcPCFile), func(v pcValue) bool {
		name := p.file(f.pcln, v.value)
		for ; k < len(lines) && lines[k].start < v.end; k++ {
			at := max(v.start, lines[k].start)
			if at < size {
				rows = append(rows, Row{PC: f.Entry + at, File: name, Line: int(lines[k].value), Stmt: true})
			}
			if lines[k].end > v.end {
				break
			}
		}
		return v.end < size
	})
	return rows
}

// inlinedCall is one entry of a function's inlining tree.
type inlinedCall struct {
	name   string
	parent int32 // index of the call around it; -1: the function itself
	pc     uint64
}

// inlinedCalls reads the inlining tree of a function: by index, as the tables
// of its instructions name them.
func (b *Build) inlinedCalls(f *Func) []inlinedCall {
	p := &b.pcln
	off, ok := p.funcdata(f.pcln, funcdataInlTree)
	m, err := b.module()
	if !ok || err != nil {
		return nil
	}
	n, size := int32(0), f.End-f.Entry
	table := p.pcdata(f.pcln, pcdataInlTree)
	p.walk(table, func(v pcValue) bool {
		n = max(n, v.value+1)
		return true
	})
	if n <= 0 || uint64(n) > size+1 { // a call has an instruction, or is one's parent
		return nil
	}
	calls := make([]inlinedCall, n)
	for i := range calls {
		r := bufAt(m.funcData, uint64(off)+uint64(i)*inlinedCallSize)
		r.skip(inlinedName)
		name, pc := r.u32(), r.u32()
		if r.bad || uint64(pc) >= size {
			return nil
		}
		calls[i] = inlinedCall{name: p.name(name), pc: uint64(pc), parent: -1}
		if v, ok := p.at(table, uint64(pc)); ok && v.value < n && v.value != int32(i) {
			calls[i].parent = v.value
		}
	}
	return calls
}

// pclnInline makes the inlining tree of a function from the runtime's tables.
func (b *Build) pclnInline(f *Func) []*Inline {
	calls := b.inlinedCalls(f)
	if len(calls) == 0 {
		return nil
	}
	rows := b.pclnRows(f)
	nodes := make([]*Inline, len(calls))
	for i, c := range calls {
		row, _ := rowAt(rows, f.Entry+c.pc)
		nodes[i] = &Inline{Name: c.name, Package: packageOf(c.name), CallFile: row.File, CallLine: row.Line}
	}
	b.pcln.walk(b.pcln.pcdata(f.pcln, pcdataInlTree), func(v pcValue) bool {
		span := [2]uint64{f.Entry + v.start, min(f.Entry+v.end, f.End)}
		for i, depth := v.value, 0; i >= 0 && depth < maxDepth && span[0] < span[1]; i, depth = calls[i].parent, depth+1 {
			n := nodes[i]
			if k := len(n.Ranges); k > 0 && n.Ranges[k-1][1] == span[0] {
				n.Ranges[k-1][1] = span[1]
			} else {
				n.Ranges = append(n.Ranges, span)
			}
		}
		return true
	})
	var roots []*Inline
	for i, c := range calls {
		switch {
		case len(nodes[i].Ranges) == 0:
		case c.parent < 0:
			roots = append(roots, nodes[i])
		default:
			nodes[c.parent].Children = append(nodes[c.parent].Children, nodes[i])
		}
	}
	return roots
}

// funcdata is where one of a function's tables lies behind moduledata.gofunc.
func (p *pclntab) funcdata(fn uint64, i uint8) (off uint32, ok bool) {
	if !p.hasFuncdata(fn, i) {
		return 0, false
	}
	return p.u32(fn, funcSize+4*int(p.u32(fn, funcNPCData))+4*int(i)), true
}
