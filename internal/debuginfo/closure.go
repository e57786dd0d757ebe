package debuginfo

import (
	"debug/elf"
	"slices"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Closure is what the closures whose code is at entry captured: offsets in the
// closure, whose first word is the code. Before the name of a variable that is
// shared with the function around it stands "&", and its type is the pointer.
// Builds of Go before 1.23 do not tell; others tell all but what the compiler
// made for itself. A method value has captured its receiver.
func (b *Build) Closure(entry uint64) []program.Field {
	f := b.FuncAt(entry)
	if f == nil || f.Entry != entry {
		return nil
	}
	if method, ok := strings.CutSuffix(f.Name, methodValue); ok {
		return b.bound(method)
	}
	root := b.tree(f)
	if root == nil {
		return nil
	}
	var out []program.Field
	for _, d := range root.vars {
		if d.closure < 8 || d.name == "" || d.name[0] == '.' {
			continue
		}
		field := program.Field{Name: d.name, Type: b.typeAt(d.typ), Offset: d.closure}
		if !slices.ContainsFunc(out, func(o program.Field) bool { return o.Offset == field.Offset }) {
			out = append(out, field)
		}
	}
	slices.SortFunc(out, func(x, y program.Field) int { return int(x.Offset - y.Offset) })
	return out
}

// methodValue ends the name of the code that a method value leads to.
const methodValue = "-fm"

// bound is what a method value captured: no debug information tells, but it is
// always its receiver, behind the code (cmd/compile/internal/typecheck, 1.22 to 1.26:
// MethodValueType). The method's name has its type: pkg.T.M, or pkg.(*T).M.
func (b *Build) bound(method string) []program.Field {
	typ := method[:max(0, lastDot(method))]
	if i := strings.Index(typ, ".(*"); i >= 0 && strings.HasSuffix(typ, ")") {
		typ = "*" + typ[:i+1] + typ[i+len(".(*"):len(typ)-1]
	}
	t := b.TypeByName(typ)
	if t == nil {
		return nil
	}
	return []program.Field{{Name: "receiver", Type: t, Offset: 8}}
}

// lastDot is the place of the last dot outside brackets; -1 if there is none.
func lastDot(s string) int {
	depth := 0
	for i := len(s) - 1; i >= 0; i-- {
		switch s[i] {
		case ']':
			depth++
		case '[':
			depth--
		case '.':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

// Closures are the entries of functions whose closures may have captured
// something, those of the program's own packages first; at most most of them.
func (b *Build) Closures(most int) []uint64 {
	var own, others []uint64
	for _, f := range b.Funcs() {
		switch {
		case !strings.Contains(f.Name, ".func") && !strings.HasSuffix(f.Name, methodValue) && !strings.Contains(f.Name, ".gowrap"):
		case f.Package == "main" || b.ModulePath != "" && strings.HasPrefix(f.Package, b.ModulePath):
			own = append(own, f.Entry)
		default:
			others = append(others, f.Entry)
		}
	}
	all := append(own, others...)
	return all[:min(len(all), most)]
}

// ReadOnly reads n bytes at a linked address that nothing can change while the
// program runs; nil where there are none. What the loader relocates is not of
// that kind.
func (b *Build) ReadOnly(addr uint64, n int64) []byte {
	for _, s := range b.elf.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_ALLOC == 0 || s.Flags&elf.SHF_WRITE != 0 {
			continue
		}
		if addr < s.Addr || addr-s.Addr >= s.Size || n < 0 || uint64(n) > s.Size-(addr-s.Addr) {
			continue
		}
		out, err := b.Bytes(addr, int(n))
		if err != nil {
			return nil
		}
		return out
	}
	return nil
}

// Direct tells whether an interface holds a value of type t in its data word
// instead of a pointer to it: the runtime's descriptor has a bit for that, in
// its kind up to Go 1.25 and in its flags since (internal/abi/type.go).
func (b *Build) Direct(t *program.Type) (direct, known bool) {
	const tflag, kind, bit = 20, 23, 1 << 5
	base := b.TypesBase()
	if t == nil || t.RType == 0 || base == 0 {
		return false, false
	}
	raw, err := b.Bytes(base+t.RType, kind+1)
	if err != nil {
		return false, false
	}
	return (raw[tflag]|raw[kind])&bit != 0, true
}
