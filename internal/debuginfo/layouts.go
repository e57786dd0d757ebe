package debuginfo

import (
	"fmt"
	"strconv"
	"strings"
)

//go:generate go test -run ^TestLayouts$ -update .

// layout is what of a Go release's runtime is the same in every program.
type layout struct {
	minor, patch              int     // the first release that has it: 23, 4 is go1.23.4
	offsets                   Runtime // without its addresses
	moduleTypes, moduleGofunc int64   // in runtime.moduledata
}

// layout is the layout of the build's Go release. That a release has it which
// came after the last one looked at is for checkOffsets and the process to show.
func (b *Build) layout() (l layout, ok bool) {
	version, experiments, _ := strings.Cut(b.GoVersion, " X:")
	minor, patch, released := release(version)
	if !released || movesFields(experiments) {
		return layout{}, false
	}
	for _, k := range layouts { // sorted
		if k.minor == minor && k.patch <= patch {
			l, ok = k, true
		}
	}
	return l, ok
}

// release takes go1.26.8 apart; what a vendor adds to it is left out.
func release(version string) (minor, patch int, ok bool) {
	rest, ok := strings.CutPrefix(version, "go1.")
	if !ok {
		return 0, 0, false
	}
	if i := strings.IndexByte(rest, '-'); i >= 0 {
		rest = rest[:i]
	}
	first, second, dotted := strings.Cut(rest, ".")
	minor, err := strconv.Atoi(first)
	if err == nil && dotted {
		patch, err = strconv.Atoi(second)
	}
	return minor, patch, err == nil
}

// movesFields tells whether one of the experiments that a version is built with
// has fields of its own in g, m or p (grep goexperiment in runtime/runtime2.go).
func movesFields(experiments string) bool {
	for _, e := range strings.Split(experiments, ",") {
		switch strings.TrimPrefix(strings.TrimSpace(e), "no") {
		case "", "greenteagc", "swissmap", "aliastypeparams", "spinbitmutex", "synchashtriemap",
			"jsonv2", "loopvar", "rangefunc", "regabiwrappers", "regabiargs", "coverageredesign",
			"boringcrypto", "dwarf5", "sizespecializedmalloc", "randomizedheapbase64", "heapminimum512kib", "cacheprog":
		default:
			return true
		}
	}
	return false
}

// inferRuntime is Runtime without debug information.
func (b *Build) inferRuntime() (*Runtime, error) {
	l, ok := b.layout()
	if !ok {
		return nil, &Error{b.Path, ErrNoDWARF, fmt.Sprintf("and the layout of %s's runtime is not among those known without it; give it its debug information (sidelight symbols add), or build it without -w", b.GoVersion)}
	}
	r := l.offsets
	r.Inferred = true
	err := b.checkOffsets(&r)
	if err == nil && !b.symbolsOf(&r) {
		err = b.findRuntimeVars(&r)
	}
	if err != nil {
		return nil, &Error{b.Path, ErrNoDWARF, fmt.Sprintf("and its runtime is not understood without it (%v); give it its debug information (sidelight symbols add), or build it without -w", err)}
	}
	return &r, nil
}

// symbolsOf takes the addresses from the symbol table; false if it lacks one.
func (b *Build) symbolsOf(r *Runtime) bool {
	vars := r.vars()
	found := 0
	b.eachSymbol(func(name string, value, _ uint64) bool {
		for _, v := range vars {
			if v.name == name && value != 0 {
				*v.to = value
				found++
			}
		}
		return found < len(vars)
	})
	return found == len(vars)
}
