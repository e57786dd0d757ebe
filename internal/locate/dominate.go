package locate

// dominators returns the immediate dominator of each block; that of the entry
// is itself and that of an unreachable block -1. Blocks that are entered from
// elsewhere besides the entry count as unreachable roots of their own.
// (The iteration of Cooper, Harvey and Kennedy, "A Simple, Fast Dominance
// Algorithm".)
func (c *code) dominators() []int32 {
	if c.idoms != nil || len(c.blocks) == 0 {
		return c.idoms
	}
	order := c.reversePostorder()
	number := make([]int32, len(c.blocks))
	idom := make([]int32, len(c.blocks))
	for i := range idom {
		idom[i], number[i] = -1, -1
	}
	for i, b := range order {
		number[b] = int32(i)
	}
	idom[order[0]] = order[0]
	for changed := true; changed; {
		changed = false
		for _, b := range order[1:] {
			best := int32(-1)
			for _, p := range c.blocks[b].preds {
				if idom[p] < 0 {
					continue
				}
				if best < 0 {
					best = p
				} else {
					best = meet(idom, number, best, p)
				}
			}
			if best != idom[b] {
				idom[b], changed = best, true
			}
		}
	}
	c.idoms = idom
	return idom
}

func meet(idom, number []int32, a, b int32) int32 {
	for a != b {
		for number[a] > number[b] {
			a = idom[a]
		}
		for number[b] > number[a] {
			b = idom[b]
		}
	}
	return a
}

// reversePostorder lists the blocks that can be reached from the entry.
func (c *code) reversePostorder() []int32 {
	type frame struct {
		block int32
		next  int
	}
	seen := make([]bool, len(c.blocks))
	var post []int32
	stack := []frame{{block: 0}}
	seen[0] = true
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		succs := c.blocks[top.block].succs
		if top.next == len(succs) {
			post = append(post, top.block)
			stack = stack[:len(stack)-1]
			continue
		}
		s := succs[top.next]
		top.next++
		if !seen[s] {
			seen[s] = true
			stack = append(stack, frame{block: s})
		}
	}
	for i, j := 0, len(post)-1; i < j; i, j = i+1, j-1 {
		post[i], post[j] = post[j], post[i]
	}
	return post
}

// dominates tells whether every way from the entry to block b leads through a.
func dominates(idom []int32, a, b int32) bool {
	for {
		if a == b {
			return true
		}
		if idom[b] < 0 || idom[b] == b {
			return false
		}
		b = idom[b]
	}
}
