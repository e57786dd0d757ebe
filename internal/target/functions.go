package target

import (
	"debug/elf"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Functions returns the functions of a process's program whose names begin with
// a text, as a person writes them: the last element of the package's path, then
// the name, such as shop.(*Cart).Add. They come from the symbol table, which is
// quick to read and good enough for suggestions; at most max are returned.
func (h *Host) Functions(pid int, prefix string, max int) (names []string, err error) {
	// debug/elf was written for files that can be trusted; these need not be.
	defer func() {
		if p := recover(); p != nil {
			names, err = nil, fmt.Errorf("damaged ELF file: %v", p)
		}
	}()
	f, err := elf.Open(h.path(pid, "exe"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return nil, err
	}
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) != elf.STT_FUNC || !strings.Contains(s.Name, ".") {
			continue
		}
		if name := shortName(s.Name); strings.HasPrefix(name, prefix) && plainFunction(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), max)], nil
}

// shortName leaves the last element of the package's path. A slash may also
// stand in type arguments, behind the name.
func shortName(symbol string) string {
	head, rest := symbol, ""
	if i := strings.IndexAny(symbol, "[("); i >= 0 {
		head, rest = symbol[:i], symbol[i:]
	}
	return path.Base(head) + rest
}

// plainFunction says whether people write a function themselves: not the
// compiler's equality, hash and wrapper functions, nor instantiations, which
// are all meant by the generic function's name.
func plainFunction(name string) bool {
	return !strings.ContainsAny(name, "[:;") && !strings.HasSuffix(name, "-fm")
}
