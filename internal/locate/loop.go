package locate

// loops finds the loops of the flow by their heads: blocks that a jump comes
// back to from a block that they dominate.
func (c *code) loops() {
	if c.inner != nil || len(c.blocks) == 0 {
		return
	}
	idom := c.dominators()
	c.inner = make([]int32, len(c.blocks))
	c.outer = map[int32]int32{}
	c.bodies = map[int32][]int32{}
	for b := range c.inner {
		c.inner[b] = -1
	}
	order := c.reversePostorder()
	number := make([]int32, len(c.blocks))
	for k, b := range order {
		number[b] = int32(k)
	}
	for _, b := range order {
		for _, s := range c.blocks[b].succs {
			c.tangled = c.tangled || number[s] <= number[b] && !dominates(idom, s, b)
		}
	}
	for k := len(order) - 1; k >= 0; k-- { // inner loops before outer ones
		c.loop(order[k], idom)
	}
}

// loop gathers the blocks of the loop with the given head, if it is one.
func (c *code) loop(head int32, idom []int32) {
	in := map[int32]bool{head: true}
	var work []int32
	is := false
	for _, p := range c.blocks[head].preds {
		if dominates(idom, head, p) {
			is = true
			if !in[p] {
				in[p] = true
				work = append(work, p)
			}
		}
	}
	if !is {
		return
	}
	for len(work) > 0 {
		b := work[len(work)-1]
		work = work[:len(work)-1]
		for _, p := range c.blocks[b].preds {
			if !in[p] {
				in[p] = true
				work = append(work, p)
			}
		}
	}
	for b := range in {
		c.bodies[head] = append(c.bodies[head], b)
		if c.inner[b] < 0 {
			c.inner[b] = head
		}
		if _, known := c.outer[b]; !known && b != head && c.inner[b] == b {
			c.outer[b] = head
		}
	}
}

// inLoop tells whether block b lies in the loop with this head.
func (c *code) inLoop(b, head int32) bool {
	for h := c.inner[b]; h >= 0; {
		if h == head {
			return true
		}
		next, ok := c.outer[h]
		if !ok {
			return false
		}
		h = next
	}
	return false
}

// again tells whether control can come from block b back to it without passing
// block without, which dominates it.
func (c *code) again(b, without int32) bool {
	if !c.tangled {
		return c.inner[b] >= 0 && !c.inLoop(without, c.inner[b])
	}
	seen := map[int32]bool{without: true}
	work := []int32{b}
	for len(work) > 0 {
		x := work[len(work)-1]
		work = work[:len(work)-1]
		for _, s := range c.blocks[x].succs {
			if s == b {
				return true
			}
			if !seen[s] {
				seen[s] = true
				work = append(work, s)
			}
		}
	}
	return false
}
