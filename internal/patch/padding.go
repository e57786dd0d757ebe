package patch

// Padding hands out the padding between functions: bytes of INT3 that no
// function owns and nothing leads to. Jumps that spill over the end of a function
// and hops take their room from the same Padding, so that they never overlap.
type Padding struct {
	near  func(lo, hi uint64) [][2]uint64
	taken [][2]uint64
}

// NewPadding makes one with nothing taken. near lists, in order, the stretches
// that have an address in common with [lo,hi).
func NewPadding(near func(lo, hi uint64) [][2]uint64) *Padding { return &Padding{near: near} }

// Take marks [lo,hi) as in use.
func (p *Padding) Take(lo, hi uint64) { p.taken = append(p.taken, [2]uint64{lo, hi}) }

// Give takes a Take back.
func (p *Padding) Give(lo, hi uint64) {
	for i, t := range p.taken {
		if t == [2]uint64{lo, hi} {
			p.taken = append(p.taken[:i], p.taken[i+1:]...)
			return
		}
	}
}

// user is who has an address in common with [lo,hi).
func (p *Padding) user(lo, hi uint64) (taken [2]uint64, ok bool) {
	for _, t := range p.taken {
		if t[0] < hi && lo < t[1] {
			return t, true
		}
	}
	return taken, false
}

// After is how many bytes from the end of a function on are free, at most as many
// as a jump can cover there.
func (p *Padding) After(end uint64) int {
	for _, s := range p.near(end, end+1) {
		if s[0] != end {
			continue
		}
		n := uint64(0)
		for n < JumpLen && end+n < s[1] {
			if _, used := p.user(end+n, end+n+1); used {
				break
			}
			n++
		}
		return int(n)
	}
	return 0
}

// Hop finds room for a jump that starts in [lo,hi]. It comes from the back of a
// stretch: the front is where the jumps of the function before spill.
func (p *Padding) Hop(lo, hi uint64) (at uint64, ok bool) {
	for _, s := range p.near(lo, hi+JumpLen) {
		end := min(s[1], hi+JumpLen)
		for end >= max(s[0], lo)+JumpLen {
			used, ok := p.user(end-JumpLen, end)
			if !ok {
				return end - JumpLen, true
			}
			end = used[0]
		}
	}
	return 0, false
}
