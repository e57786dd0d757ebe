package debuginfo

import "encoding/binary"

// pack writes tables that are read in one go: numbers and texts behind their
// lengths, as in DWARF itself, so that buf reads them.
type pack struct{ data []byte }

func (p *pack) uleb(n uint64) { p.data = binary.AppendUvarint(p.data, n) }
func (p *pack) text(s string) {
	p.uleb(uint64(len(s)))
	p.data = append(p.data, s...)
}

// delta writes ascending numbers as their differences.
func (p *pack) delta(n, last uint64) uint64 {
	p.uleb(n - last)
	return n
}

// unpack reads what pack wrote.
type unpack struct{ buf }

func (u *unpack) text() string { return u.bytes(u.uleb()) }

// count is a number of things that follow, of at least one byte each.
func (u *unpack) count() int {
	n := u.uleb()
	if n > uint64(u.left()) {
		u.bad = true
		return 0
	}
	return int(n)
}

// whole tells that a table was read to its end and nothing was amiss.
func (u *unpack) whole() bool { return !u.bad && u.left() == 0 }
