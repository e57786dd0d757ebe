package locate

// entry chooses the sites that execute once in each call of the function: best
// the end of the prologue (after), where the arguments have their homes.
func (f *function) entry(after uint64) plan {
	c := f.code
	if len(c.insts) == 0 {
		return plan{missed: true}
	}
	blocks := f.trunk()
	if i, ok := c.at(after); ok {
		for _, b := range blocks {
			if c.blockOf[i] == b {
				return plan{sites: []int32{i}}
			}
		}
	}
	if len(blocks) > 0 {
		return plan{sites: []int32{c.blocks[blocks[0]].first}}
	}
	p := f.whole()
	if len(p.sites) == 0 { // an endless loop from the first instruction on
		return plan{sites: []int32{0}, twice: true}
	}
	return p
}

// trunk lists the blocks at the beginning of the function that execute exactly
// once in each call: after the last check for stack, which is passed again when
// the stack has grown, and before anything that branches or that a loop comes
// back to.
func (f *function) trunk() []int32 {
	c := f.code
	grow := func(b int32) bool { return c.insts[c.blocks[b].first].Grow }
	var trunk []int32
	for b := int32(0); ; {
		ways := 0
		for _, p := range c.blocks[b].preds {
			if !grow(p) {
				ways++
			}
		}
		if b == 0 && ways > 0 || b != 0 && (ways != 1 || c.blocks[b].outside) {
			return trunk
		}
		trunk = append(trunk, b)
		next := int32(-1)
		for _, s := range c.blocks[b].succs {
			switch {
			case grow(s):
				trunk = nil
				continue
			case next >= 0:
				return trunk
			}
			next = s
		}
		if next <= 0 {
			return trunk
		}
		b = next
	}
}

// whole seeks sites anywhere in the function such that every way through it
// meets exactly one.
func (f *function) whole() plan {
	e := extent{}
	for i := range f.code.insts {
		if !f.code.insts[i].Void {
			e.insts = append(e.insts, int32(i))
		}
	}
	return f.code.runs(e).solve()
}
