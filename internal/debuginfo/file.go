package debuginfo

import (
	"slices"
	"strings"
)

// fileTable is every file that has code, and the units that name it.
type fileTable struct {
	names []string
	units map[string][]*unit

	// Where the table comes from a cache: names to where in uses those are who use
	// the file.
	kept names
	uses *part // nil: it does not
}

func (b *Build) fileTable() (*fileTable, error) {
	return b.lines.files.get(func() (*fileTable, error) {
		x, err := b.indexed()
		if err != nil {
			return nil, err
		}
		if t := b.cached.files(); t != nil {
			return t, nil
		}
		t := &fileTable{units: map[string][]*unit{}}
		for _, u := range x.units {
			if !u.goLang || !u.hasLines {
				continue
			}
			l, err := b.linesOf(u)
			if err != nil {
				return nil, err
			}
			for _, name := range l.paths() {
				if us := t.units[name]; len(us) == 0 || us[len(us)-1] != u {
					t.units[name] = append(us, u)
				}
			}
		}
		for name := range t.units {
			if name != "" && !strings.HasPrefix(name, "<") {
				t.names = append(t.names, name)
			}
		}
		slices.Sort(t.names)
		return t, nil
	})
}

// Files are the paths of all source files in the line tables, sorted. They are
// as the build has them: absolute, or beginning with the module under
// -trimpath.
func (b *Build) Files() []string {
	if !b.HasDebug() {
		return b.pclnIndex().names
	}
	t, err := b.fileTable()
	if err != nil {
		return nil
	}
	return t.names
}

// FileFuncs are the functions that have instructions of a file (a full path of
// Files), their own or of calls inlined in them, sorted by entry.
func (b *Build) FileFuncs(file string) []*Func {
	if !b.HasDebug() {
		return b.funcsAt(b.pclnIndex().files[file])
	}
	t, err := b.fileTable()
	if err != nil {
		return nil
	}
	var out []*Func
	if t.uses != nil {
		return b.keptFuncsOf(t, file)
	}
	for _, u := range t.units[file] {
		if !u.goLang || !u.hasLines {
			continue
		}
		l, err := b.linesOf(u)
		if err != nil {
			continue
		}
		seqs, _ := l.sequences()
		for i := range seqs {
			if l.uses(&seqs[i], file) {
				if f := b.FuncAt(seqs[i].low); f != nil {
					out = append(out, f)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b *Func) int { return cmpU64(a.Entry, b.Entry) })
	return slices.Compact(out)
}

// CountFileFuncs is how many functions FileFuncs has for a file.
func (b *Build) CountFileFuncs(file string) int {
	if b.HasDebug() {
		if t, err := b.fileTable(); err == nil && t.uses != nil {
			_, n := t.keptUses(file)
			return n
		}
	}
	return len(b.FileFuncs(file))
}

func (l *lineUnit) uses(s *lineSeq, file string) bool {
	for _, n := range s.files {
		if l.file(uint64(n)) == file {
			return true
		}
	}
	return false
}
