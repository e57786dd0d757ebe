package locate

import (
	"errors"
	"slices"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// load reads a function of the build. false: it takes no probe, or its code is
// not understood; the resolver has noted why.
func (r *resolver) load(fn *debuginfo.Func) (*function, bool) {
	why := forbidden(fn)
	if why == "" {
		why = lent(r.build, fn)
	}
	if why != "" {
		r.refuse(why)
		return nil, false
	}
	f, err := read(r.build, fn)
	if err != nil {
		r.strange = append(r.strange, fn.Name)
		return nil, false
	}
	return f, true
}

// read makes the flow, lines and inlined copies of a function.
func read(b *debuginfo.Build, fn *debuginfo.Func) (*function, error) {
	bytes, err := b.Bytes(fn.Entry, int(fn.End-fn.Entry))
	if err != nil {
		return nil, err
	}
	callee := func(addr uint64) string {
		if f := b.FuncAt(addr); f != nil && f.Entry == addr {
			return f.Name
		}
		return ""
	}
	opt := amd64.FlowOptions{Read: b.Loaded, NoReturn: func(addr uint64) bool { return !Returns(callee(addr)) }}
	if fn.DeferReturn != 0 {
		opt.Entries = []uint64{fn.DeferReturn}
	}
	g, err := amd64.Flow(bytes, fn.Entry, opt)
	if err != nil {
		return nil, err
	}
	if len(g.Insts) == 0 {
		return nil, errors.New("no code")
	}
	c, err := flow(g, fn.DeferReturn, callee)
	if err != nil {
		return nil, err
	}
	f := &function{code: c}
	f.readLines(b.Lines(fn))
	f.readCopies(fn.Name, b.Inline(fn))
	if !b.Statements() {
		f.other = f.withoutIdle()
	}
	return f, nil
}

// withoutIdle is the function with the other reading of a line table that does
// not say where statements begin: at no instruction that only moves something.
func (f *function) withoutIdle() *function {
	g := &function{code: f.code, nodes: f.nodes, node: f.node, pos: slices.Clone(f.pos)}
	for i, x := range f.code.insts {
		g.pos[i].stmt = !x.Idle
	}
	return g
}

// readLines gives each instruction the row that covers it.
func (f *function) readLines(rows []debuginfo.Row) {
	f.pos = make([]pos, len(f.code.insts))
	k := -1
	for i, x := range f.code.insts {
		for k+1 < len(rows) && rows[k+1].PC <= x.PC {
			k++
		}
		if k >= 0 {
			f.pos[i] = pos{rows[k].File, rows[k].Line, rows[k].Stmt}
		}
	}
}

// readCopies gives each instruction the innermost inlined copy that it is of.
func (f *function) readCopies(name string, tree []*debuginfo.Inline) {
	f.nodes = []node{{name: name}}
	f.node = make([]int32, len(f.code.insts))
	var walk func(list []*debuginfo.Inline, parent int32)
	walk = func(list []*debuginfo.Inline, parent int32) {
		for _, in := range list {
			n := int32(len(f.nodes))
			f.nodes = append(f.nodes, node{name: in.Name, parent: parent, file: in.CallFile, line: in.CallLine})
			for _, span := range in.Ranges {
				for i := f.code.from(span[0]); int(i) < len(f.code.insts) && f.code.insts[i].PC < span[1]; i++ {
					f.node[i] = n
				}
			}
			walk(in.Children, n)
		}
	}
	walk(tree, 0)
	for i := 1; i < len(f.node); i++ { // padding has the line before it, but no copy
		a, b := f.pos[i-1], f.pos[i]
		if f.code.insts[i].Pad && a.line == b.line && a.file == b.file {
			f.node[i] = f.node[i-1]
		}
	}
	f.foldRanges()
}
