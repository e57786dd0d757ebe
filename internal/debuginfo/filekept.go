package debuginfo

import (
	"encoding/binary"
	"slices"
)

// packFiles makes the table of files, and what it leads to: the functions that
// have instructions of each.
func (b *Build) packFiles(x *index, t *fileTable) (files, uses string, err error) {
	funcs, err := b.funcsByFile(x)
	if err != nil {
		return "", "", err
	}
	list := make([]named, len(t.names))
	var p pack
	for i, name := range t.names {
		list[i] = named{name, uint32(len(p.data))}
		of := funcs[name]
		slices.Sort(of)
		of = slices.Compact(of)
		p.uleb(uint64(len(of)))
		last := uint64(0)
		for _, f := range of {
			last = p.delta(uint64(f), last)
		}
	}
	return packNames(list), string(p.data), nil
}

// funcsByFile are the numbers of the functions that have instructions of a file.
func (b *Build) funcsByFile(x *index) (map[string][]int32, error) {
	funcs := map[string][]int32{}
	for _, u := range x.units {
		if !u.goLang || !u.hasLines {
			continue
		}
		l, err := b.linesOf(u)
		if err != nil {
			return nil, err
		}
		seqs, err := l.sequences()
		if err != nil {
			return nil, err
		}
		for i := range seqs {
			f := b.FuncAt(seqs[i].low)
			if f == nil {
				continue
			}
			for _, n := range seqs[i].files {
				name := l.file(uint64(n))
				funcs[name] = append(funcs[name], f.index)
			}
		}
	}
	return funcs, nil
}

// files takes the table of files from the cache; nil: there is none. Who uses a
// file is read when that is asked for.
func (c *cached) files() *fileTable {
	if c == nil {
		return nil
	}
	t := &fileTable{kept: namesIn(c.tables[tableFiles]), uses: c.tables[tableUses]}
	t.names = make([]string, 0, t.kept.n)
	for name := range t.kept.all() {
		t.names = append(t.names, name)
	}
	return t
}

// keptUses reads the functions of a file: how many there are, and then each one's
// distance from the one before.
func (t *fileTable) keptUses(file string) (u unpack, n int) {
	at, ok := t.kept.get(file)
	if !ok {
		return u, 0
	}
	u = unpack{t.uses.at(at)}
	return u, u.count()
}

// keptFuncsOf is FileFuncs by the cache.
func (b *Build) keptFuncsOf(t *fileTable, file string) []*Func {
	u, n := t.keptUses(file)
	out := make([]*Func, 0, n)
	last := uint64(0)
	for range n {
		last += u.uleb()
		if u.bad || last >= uint64(b.funcs.len()) {
			break
		}
		out = append(out, b.funcs.at(int(last)))
	}
	return out
}

// packSequences writes where each function's rows begin in each unit's line
// program: first a table of offsets, four bytes for each unit and one more.
func (b *Build) packSequences(x *index) (string, error) {
	var p pack
	offsets := make([]byte, 4*(len(x.units)+1))
	for i, u := range x.units {
		if u.goLang && u.hasLines {
			l, err := b.linesOf(u)
			if err != nil {
				return "", err
			}
			seqs, err := l.sequences()
			if err != nil {
				return "", err
			}
			p.sequences(seqs)
		}
		binary.LittleEndian.PutUint32(offsets[4*(i+1):], uint32(len(p.data)))
	}
	return string(append(offsets, p.data...)), nil
}

func (p *pack) sequences(seqs []lineSeq) {
	p.uleb(uint64(len(seqs)))
	last := uint64(0)
	for i := range seqs {
		s := &seqs[i]
		last = p.delta(s.low, last)
		p.uleb(s.high - s.low)
		p.uleb(uint64(s.off))
	}
}

// sequences is what reads a unit's sequences, without their files, from the
// cache; nil: nothing does.
func (c *cached) sequences(b *Build, u *unit) func() ([]lineSeq, bool) {
	if c == nil {
		return nil
	}
	return func() ([]lineSeq, bool) {
		x, err := b.indexed()
		if err != nil {
			return nil, false
		}
		i, ok := slices.BinarySearchFunc(x.units, u.off, func(u *unit, off uint64) int { return cmpU64(u.off, off) })
		if !ok {
			return nil, false
		}
		return b.keptSequences(i)
	}
}

// keptSequences are the sequences of unit i by the cache; false if it says none.
func (b *Build) keptSequences(i int) ([]lineSeq, bool) {
	x, err := b.indexed()
	if err != nil || i < 0 || i >= len(x.units) {
		return nil, false
	}
	p, head := b.cached.tables[tableSeqs], uint64(4*(len(x.units)+1))
	from, to := p.u32(4*i), p.u32(4*(i+1))
	if from == to {
		return nil, true
	}
	return unpackSequences(p.within(head+uint64(from), head+uint64(to)))
}

func unpackSequences(r buf) ([]lineSeq, bool) {
	u := unpack{r}
	seqs := make([]lineSeq, u.count())
	last := uint64(0)
	for i := range seqs {
		s := &seqs[i]
		last += u.uleb()
		s.low, s.high, s.off = last, last+u.uleb(), int(u.uleb())
	}
	return seqs, u.whole()
}
