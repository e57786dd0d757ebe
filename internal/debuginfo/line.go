package debuginfo

import (
	"iter"
	"path"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
)

// Row is one row of the line table: the instructions from PC up to the next
// row's PC belong to File:Line.
type Row struct {
	PC          uint64
	File        string // the build's own path
	Line        int
	Stmt        bool // is_stmt: a good place to stop; false for reloads and the like
	PrologueEnd bool // the first row behind the function's stack check and frame set-up
}

// lineCache holds the line tables that were read.
type lineCache struct {
	mu    sync.Mutex
	units map[*unit]*lineUnit
	files onceErr[*fileTable]
}

// lineUnit is one unit's line table: its files, and where in its program the
// sequences (one a function, in Go) begin.
type lineUnit struct {
	dirs       []string
	files      []lineFile
	first      uint64 // number of the first file: 0 in DWARF 5, 1 before
	sec        *part
	start, end uint64 // of the program, in sec
	params     lineParams
	seqs       []lineSeq // by address; nil until needed
	seqErr     error
	once       sync.Once
	kept       func() ([]lineSeq, bool) // the cache's copy of seqs; nil: none
}

// lineFile is a file's name, and the number of the directory that it is in. Its
// path is made when it is first asked for: of most files nobody does.
type lineFile struct {
	dir  uint64
	name string
	path atomic.Pointer[string]
}

type lineParams struct {
	minInst    uint64
	defStmt    bool
	lineBase   int64
	lineRange  int64
	opcodeBase uint8
	lengths    string // operand counts of the standard opcodes
}

type lineSeq struct {
	low, high uint64
	off       int // in program
	files     []uint32
}

// rawRow is a row as the state machine makes it.
type rawRow struct {
	pc          uint64
	file        uint64
	line        int64
	stmt, prlog bool
	end         bool
}

func (l *lineUnit) file(n uint64) string {
	i := n - l.first
	if i >= uint64(len(l.files)) {
		return ""
	}
	f := &l.files[i]
	if p := f.path.Load(); p != nil {
		return *p
	}
	path := f.name
	if f.dir < uint64(len(l.dirs)) {
		path = joinPath(l.dirs[f.dir], path)
	}
	f.path.Store(&path)
	return path
}

// paths are the paths of all files, with their numbers.
func (l *lineUnit) paths() iter.Seq2[uint64, string] {
	return func(yield func(n uint64, path string) bool) {
		for i := range l.files {
			if n := uint64(i) + l.first; !yield(n, l.file(n)) {
				return
			}
		}
	}
}

// linesOf reads the header of a unit's line table.
func (b *Build) linesOf(u *unit) (*lineUnit, error) {
	if !u.hasLines {
		return nil, damaged("unit %s has no line table", u.name)
	}
	b.lines.mu.Lock()
	defer b.lines.mu.Unlock()
	if l := b.lines.units[u]; l != nil {
		return l, nil
	}
	sec, err := b.section("line")
	if err != nil {
		return nil, err
	}
	l, err := b.parseLineHeader(sec, u)
	if err != nil {
		return nil, err
	}
	if b.lines.units == nil {
		b.lines.units = map[*unit]*lineUnit{}
	}
	l.kept = b.cached.sequences(b, u)
	b.lines.units[u] = l
	return l, nil
}

func (b *Build) parseLineHeader(sec *part, u *unit) (*lineUnit, error) {
	r := sec.at(u.stmtList)
	n, wide := r.initial()
	if r.bad || n > uint64(r.left()) {
		return nil, damaged("line table at %#x", u.stmtList)
	}
	r = sec.within(uint64(r.off), uint64(r.off)+n)
	version := r.u16()
	if version < 2 || version > 5 {
		return nil, damaged("line table at %#x has version %d", u.stmtList, version)
	}
	if version == 5 {
		r.skip(2)
	}
	headerLen := r.offset(wide)
	if headerLen > uint64(r.left()) {
		return nil, damaged("line table at %#x", u.stmtList)
	}
	l := &lineUnit{sec: sec, start: uint64(r.off) + headerLen, end: uint64(r.off + r.left())}
	p := &l.params
	p.minInst = uint64(r.u8())
	if version >= 4 {
		r.skip(1)
	}
	p.defStmt = r.u8() != 0
	p.lineBase, p.lineRange = int64(int8(r.u8())), int64(r.u8())
	p.opcodeBase = r.u8()
	if p.opcodeBase == 0 || p.lineRange == 0 {
		return nil, damaged("line table at %#x", u.stmtList)
	}
	p.lengths = r.bytes(uint64(p.opcodeBase - 1))
	if version == 5 {
		b.readFiles5(&r, u, wide, l)
	} else {
		readFiles4(&r, u, l)
	}
	if r.bad {
		return nil, damaged("file names of the line table at %#x", u.stmtList)
	}
	return l, nil
}

// readFiles4 reads the directory and file names of DWARF 2 to 4.
func readFiles4(r *buf, u *unit, l *lineUnit) {
	l.first = 1
	l.dirs = []string{u.compDir}
	for r.more() {
		s := r.cstr()
		if s == "" {
			break
		}
		l.dirs = append(l.dirs, s)
	}
	for r.more() {
		name := r.cstr()
		if name == "" {
			break
		}
		l.files = append(l.files, lineFile{dir: r.uleb(), name: name})
		r.uleb()
		r.uleb()
	}
}

// readFiles5 reads the directory and file tables of DWARF 5, whose entries are
// described by content types and forms (section 6.2.4.1).
func (b *Build) readFiles5(r *buf, u *unit, wide bool, l *lineUnit) {
	const contentPath, contentDir = 1, 2
	lu := &unit{off: u.off, version: 5, wide: wide, strOffsets: u.strOffsets, addrBase: u.addrBase}
	table := func(each func(name string, dir uint64)) {
		var formats []attrSpec
		for range r.u8() {
			formats = append(formats, attrSpec{at: uint16(r.uleb()), form: uint16(r.uleb())})
		}
		for n := r.uleb(); n > 0 && r.more(); n-- {
			before := r.off
			var name string
			var dir uint64
			for _, f := range formats {
				v := b.readValue(r, lu, f)
				switch f.at {
				case contentPath:
					name = v.s
				case contentDir:
					dir = v.u
				}
			}
			if r.off == before {
				r.bad = true
				return
			}
			each(name, dir)
		}
	}
	table(func(name string, _ uint64) { l.dirs = append(l.dirs, name) })
	table(func(name string, dir uint64) { l.files = append(l.files, lineFile{dir: dir, name: name}) })
}

// joinPath puts a file into its directory. Go writes whole paths (or, under
// -trimpath, paths that begin with the module) as file names and "." or an
// empty string as the compilation directory.
func joinPath(dir, name string) string {
	if dir == "" || dir == "." || path.IsAbs(name) {
		return name
	}
	return path.Join(dir, name)
}

// sequences indexes a unit's line program.
func (l *lineUnit) sequences() ([]lineSeq, error) {
	l.once.Do(func() {
		defer guard(&l.seqErr)
		if l.kept != nil {
			if seqs, ok := l.kept(); ok {
				l.seqs = seqs
				return
			}
		}
		var cur lineSeq
		started := false
		seen := map[uint64]int{} // file to the sequence that last used it
		l.seqErr = l.run(0, true, func(off int) {
			cur = lineSeq{off: off}
			started = false
		}, func(r rawRow) bool {
			if !started {
				cur.low, started = r.pc, true
			}
			if r.end {
				cur.high = r.pc
				if cur.high > cur.low {
					l.seqs = append(l.seqs, cur)
				}
				return true
			}
			if n := len(l.seqs) + 1; seen[r.file] != n {
				seen[r.file] = n
				cur.files = append(cur.files, uint32(r.file))
			}
			return true
		})
		slices.SortFunc(l.seqs, func(a, b lineSeq) int { return cmpU64(a.low, b.low) })
	})
	return l.seqs, l.seqErr
}

// seqAt is the sequence that holds pc.
func (l *lineUnit) seqAt(pc uint64) *lineSeq {
	seqs, _ := l.sequences()
	i := sort.Search(len(seqs), func(i int) bool { return seqs[i].low > pc })
	if i == 0 || pc >= seqs[i-1].high {
		return nil
	}
	return &seqs[i-1]
}

// seqOf is the sequence of a function. It may begin behind the entry: the
// compiler writes no row for instructions that have the table's initial line
// (line 1 of the first file, as method wrappers do).
func (l *lineUnit) seqOf(f *Func) *lineSeq {
	if s := l.seqAt(f.Entry); s != nil {
		return s
	}
	i := sort.Search(len(l.seqs), func(i int) bool { return l.seqs[i].low > f.Entry })
	if i < len(l.seqs) && l.seqs[i].low < f.End {
		return &l.seqs[i]
	}
	return nil
}

// unitOf is the unit that describes f, or nil.
func (b *Build) unitOf(f *Func) (*unit, uint64) {
	x, err := b.indexed()
	if err != nil {
		return nil, 0
	}
	off, ok := x.dieAt(f.Entry)
	if !ok {
		return nil, 0
	}
	return x.unitAt(off), off
}

// Lines are the rows of the line table in f's range, sorted by PC, at most one
// for each PC (the last one, which is the one that holds there).
func (b *Build) Lines(f *Func) []Row {
	defer ignore()
	if !b.HasDebug() {
		return b.pclnRows(f)
	}
	u, _ := b.unitOf(f)
	if u == nil {
		return nil
	}
	l, err := b.linesOf(u)
	if err != nil {
		return nil
	}
	seq := l.seqOf(f)
	if seq == nil {
		return nil
	}
	var rows []Row
	_ = l.run(seq.off, false, nil, func(r rawRow) bool {
		if r.end || r.pc < f.Entry {
			return true
		}
		if r.pc >= f.End {
			return false
		}
		row := Row{PC: r.pc, File: l.file(r.file), Line: int(r.line), Stmt: r.stmt, PrologueEnd: r.prlog}
		if n := len(rows); n > 0 && rows[n-1].PC == r.pc {
			row.PrologueEnd = row.PrologueEnd || rows[n-1].PrologueEnd
			rows[n-1] = row
		} else {
			rows = append(rows, row)
		}
		return true
	})
	if !slices.IsSortedFunc(rows, func(a, b Row) int { return cmpU64(a.PC, b.PC) }) {
		slices.SortStableFunc(rows, func(a, b Row) int { return cmpU64(a.PC, b.PC) })
	}
	return rows
}

// LineAt is the row that holds at pc.
func (b *Build) LineAt(pc uint64) (Row, bool) {
	f := b.FuncAt(pc)
	if f == nil {
		return Row{}, false
	}
	return rowAt(b.Lines(f), pc)
}

// rowAt is the one of a function's rows that holds at pc.
func rowAt(rows []Row, pc uint64) (Row, bool) {
	i := sort.Search(len(rows), func(i int) bool { return rows[i].PC > pc })
	if i == 0 {
		return Row{}, false
	}
	return rows[i-1], true
}
