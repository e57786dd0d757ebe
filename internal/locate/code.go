package locate

import "sort"

// inst is one instruction of a function as this package needs to know it.
type inst struct {
	PC    uint64
	Len   int
	Succ  []int32 // indices of the instructions that may follow; a call is followed by its return
	Ends  bool    // ends a block: a jump of any kind, a return, a call that does not return
	Call  bool    // a call, or anything else during which control is elsewhere
	Fault bool    // may fault
	Idle  bool    // only moves values between registers and the stack, loads a constant, or jumps on
	Void  bool    // no code of the source: never a site and no part of any line (the way back from a recovered panic)
	Pad   bool    // does nothing at all
	Slow  bool    // belongs to the slow way of a write barrier, which repeats parts of the statement
	Grow  bool    // belongs to the call for a larger stack: no site; control comes back to the entry
	Ret   bool    // leaves the function in good order: a return or a jump to another function
}

// block is a maximal run of instructions that execute one after the other,
// unless one faults.
type block struct {
	first, last int32   // instructions
	preds       []int32 // blocks
	succs       []int32
	outside     bool // also entered from elsewhere: the function's entry, recovery from a panic
}

// code is the flow of one function.
type code struct {
	insts   []inst
	blocks  []block
	blockOf []int32
	idoms   []int32           // immediate dominators, on demand
	inner   []int32           // by block: the head of the innermost loop around it, -1 none; on demand
	tangled bool              // some loop has several heads; loops do not tell of it
	bodies  map[int32][]int32 // by head of a loop: its blocks
	outer   map[int32]int32   // by head of a loop: the head of the loop around it
}

// newCode forms the blocks. insts are sorted by PC; entries are the indices of
// the instructions at which control comes from outside the function, the
// function's own entry first.
func newCode(insts []inst, entries []int32) *code {
	c := &code{insts: insts, blockOf: make([]int32, len(insts))}
	lead := make([]bool, len(insts)+1)
	for _, e := range entries {
		lead[e] = true
	}
	if len(insts) > 0 {
		lead[0] = true
	}
	for i := range insts {
		if !insts[i].Ends && follows(insts, i) {
			continue
		}
		lead[i+1] = true
		for _, s := range insts[i].Succ {
			lead[s] = true
		}
	}
	for i := range insts {
		if lead[i] {
			c.blocks = append(c.blocks, block{first: int32(i)})
		}
		b := int32(len(c.blocks) - 1)
		c.blockOf[i] = b
		c.blocks[b].last = int32(i)
	}
	c.connect(entries)
	return c
}

// follows tells whether instruction i is followed by the next one and by no other.
func follows(insts []inst, i int) bool {
	return len(insts[i].Succ) == 1 && int(insts[i].Succ[0]) == i+1
}

func (c *code) connect(entries []int32) {
	for b := range c.blocks {
		seen := map[int32]bool{}
		for _, s := range c.insts[c.blocks[b].last].Succ {
			t := c.blockOf[s]
			if seen[t] {
				continue
			}
			seen[t] = true
			c.blocks[b].succs = append(c.blocks[b].succs, t)
			c.blocks[t].preds = append(c.blocks[t].preds, int32(b))
		}
	}
	for _, e := range entries {
		c.blocks[c.blockOf[e]].outside = true
	}
}

// at returns the index of the instruction that begins at pc.
func (c *code) at(pc uint64) (int32, bool) {
	i := c.from(pc)
	return i, int(i) < len(c.insts) && c.insts[i].PC == pc
}

// from returns the index of the first instruction at or after pc.
func (c *code) from(pc uint64) int32 {
	return int32(sort.Search(len(c.insts), func(i int) bool { return c.insts[i].PC >= pc }))
}
