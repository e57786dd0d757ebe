package debuginfo

import (
	"debug/elf"
	"sync/atomic"
	"unsafe"

	"github.com/sidelight-dev/sidelight/internal/cache"
)

// part is a debug section, or a table that was made of some, whose bytes are
// there when they are first asked for. Where a cache has it, what is read of it
// is tested then, and the whole is made anew if that turns out to be damaged: the
// same bytes, so that no reader is any the wiser.
type part struct {
	sec   *elf.Section           // nil: it is a table
	make  func() (string, error) // uncompresses the section, or works out the table; nil: there is nothing
	kept  *cache.Kept            // nil: no cache has it
	spoil func()                 // is called when kept is damaged
	whole onceErr[string]
	real  atomic.Bool // whole counts, and not kept
}

// ready makes the part, where no cache has it.
func (p *part) ready() error {
	if p.fromCache() {
		return nil
	}
	_, err := p.all()
	return err
}

func (p *part) fromCache() bool { return p.kept != nil && !p.real.Load() }

// size is how many bytes there are.
func (p *part) size() int {
	if p.fromCache() {
		return p.kept.Len()
	}
	data, _ := p.made()
	return len(data)
}

func (p *part) made() (string, error) {
	if p.make == nil {
		return "", nil
	}
	return p.whole.get(p.make)
}

// all is everything.
func (p *part) all() (string, error) {
	if p.fromCache() {
		if data, ok := p.upto(0, p.kept.Len()); ok {
			return data, nil
		}
	}
	return p.made()
}

// upto is the part from its beginning to at least off+n; ok is false if it ends
// before that. What stands before off is not to be read: see cache.Kept.
func (p *part) upto(off, n int) (data string, ok bool) {
	if p.fromCache() {
		if off > p.kept.Len() || n > p.kept.Len()-off {
			return "", false
		}
		if raw, ok := p.kept.Upto(off, n); ok {
			return unsafe.String(unsafe.SliceData(raw), len(raw)), true // nobody changes it
		}
		p.spoil()
		p.real.Store(true)
	}
	data, _ = p.made()
	return data, off <= len(data) && n <= len(data)-off
}

// at reads from an offset on.
func (p *part) at(off uint64) buf { return p.within(off, uint64(p.size())) }

// within reads from an offset on, as far as end.
func (p *part) within(off, end uint64) buf {
	if !p.fromCache() {
		data, _ := p.made()
		return bufAt(data[:min(end, uint64(len(data)))], off)
	}
	b := buf{of: p, end: int(min(end, uint64(p.size())))}
	if off > uint64(b.end) {
		b.bad = true
		return b
	}
	b.off = int(off)
	b.grow(min(1, uint64(b.end-b.off)))
	return b
}

// bytes are n bytes at an offset; "" if there are not as many.
func (p *part) bytes(off, n int) string {
	if off < 0 || n < 0 {
		return ""
	}
	data, ok := p.upto(off, n)
	if !ok {
		return ""
	}
	return data[off : off+n]
}

// u32 and u64 are numbers at an offset; 0 if there are none.
func (p *part) u32(off int) uint32 {
	s := p.bytes(off, 4)
	if s == "" {
		return 0
	}
	return le32(s)
}

func (p *part) u64(off int) uint64 {
	s := p.bytes(off, 8)
	if s == "" {
		return 0
	}
	return le64(s)
}
