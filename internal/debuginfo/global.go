package debuginfo

import (
	"slices"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Global is a package-level variable that the linker kept.
type Global struct {
	Name string // full: example.com/mod/pkg.Var
	Type *program.Type
	Addr uint64 // as linked
}

// Global finds a package variable by its full name (example.com/mod/pkg.Var) or
// by any unambiguous end of it that begins a path element (pkg.Var).
func (b *Build) Global(name string) (*Global, bool) {
	all := b.GlobalNames(name)
	if len(all) != 1 {
		return nil, false
	}
	return b.global(all[0])
}

// GlobalNames are the full names that name may mean: none, the one, or several
// where it is ambiguous. A full name means itself only.
func (b *Build) GlobalNames(name string) []string {
	x, err := b.indexed()
	if err != nil {
		return nil
	}
	if _, ok := x.globals.get(name); ok {
		return []string{name}
	}
	var out []string
	for full := range x.globals.all() {
		if strings.HasSuffix(full, "/"+name) || strings.Contains(full, "%") && strings.HasSuffix("/"+unescape(full), "/"+name) {
			out = append(out, full)
		}
	}
	slices.Sort(out)
	return out
}

// Globals are the full names of all package variables, sorted.
func (b *Build) Globals() []string {
	x, err := b.indexed()
	if err != nil {
		return nil
	}
	out := make([]string, 0, x.globals.n)
	for name := range x.globals.all() {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (b *Build) global(name string) (*Global, bool) {
	x, err := b.indexed()
	if err != nil {
		return nil, false
	}
	off, ok := x.globals.get(name)
	if !ok {
		return nil, false
	}
	var d die
	u := x.unitAt(off)
	if u == nil || !b.readDIE(x.info, u, off, &d) {
		return nil, false
	}
	l, ok := b.pieces(u, d.expr, 1)
	if !ok || len(l.Pieces) != 1 || l.Pieces[0].Kind != AtAddr {
		return nil, false
	}
	return &Global{Name: name, Type: b.typeAt(d.typ), Addr: uint64(l.Pieces[0].Off)}, true
}

// Constant finds an integer constant of a package by its full name.
func (b *Build) Constant(name string) (value int64, t *program.Type, ok bool) {
	x, err := b.indexed()
	if err != nil {
		return 0, nil, false
	}
	off, ok := x.consts.get(name)
	if !ok {
		return 0, nil, false
	}
	var d die
	u := x.unitAt(off)
	if u == nil || !b.readDIE(x.info, u, off, &d) || !d.has(atConstValue) {
		return 0, nil, false
	}
	return d.constVal, b.typeAt(d.typ), true
}
