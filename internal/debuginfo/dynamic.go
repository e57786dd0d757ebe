package debuginfo

import (
	"reflect"
	"slices"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// itabPrefix begins the symbols of the itabs that the linker lays out:
// "go:itab.CONCRETE,INTERFACE" (cmd/compile/internal/reflectdata, 1.20 and later).
const itabPrefix = "go:itab."

// itabs are the names of the concrete types that the build converts to each
// interface type, by the interface's name.
func (b *Build) itabs() map[string][]string {
	m, _ := b.itabNames.get(func() (map[string][]string, error) {
		m := map[string][]string{}
		b.eachSymbol(func(name string, _, _ uint64) bool {
			if pair, ok := strings.CutPrefix(name, itabPrefix); ok {
				if i := betweenTypes(pair); i > 0 {
					m[pair[i+1:]] = append(m[pair[i+1:]], pair[:i])
				}
			}
			return true
		})
		for _, names := range m {
			slices.Sort(names)
		}
		return m, nil
	})
	return m
}

// betweenTypes is the place of the comma between two types' names, outside all
// brackets; -1 if there is none.
func betweenTypes(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '[', '(', '{':
			depth++
		case ']', ')', '}':
			depth--
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

// plain are types that values of an empty interface often have.
var plain = []string{
	"string", "int", "bool", "float64", "int64", "[]uint8", "[]string", "uint8", "uint16", "uint32", "uint64", "uint",
	"int8", "int16", "int32", "float32", "uintptr", "complex128", "complex64", "[]interface {}", "map[string]interface {}",
	"map[string]string", "[]int", "time.Time", "time.Duration", "*time.Time", "*string", "*int", "struct {}",
}

// mostOwn bounds the program's own types that an empty interface may hold.
const mostOwn = 1500

// Implementations are concrete types that a value of the interface type t may
// have, as far as the build tells: those that it converts to t, and for an
// empty interface the predeclared ones, those that are converted to errors or
// have a String method, and the program's own. There may be others at run time.
func (b *Build) Implementations(t *program.Type) []*program.Type {
	if t == nil || t.Kind != reflect.Interface {
		return nil
	}
	names := b.itabs()[t.Name]
	if !t.Iface {
		names = b.anyNames()
	}
	x, err := b.indexed()
	if err != nil {
		return nil
	}
	out := make([]*program.Type, 0, len(names))
	for _, name := range names {
		off, ok := x.types.get(name)
		if !ok {
			continue // of a package without debug information
		}
		if c := b.typeAt(off); c != nil && c.Kind != reflect.Interface && c.RType != 0 {
			out = append(out, c)
		}
	}
	return out
}

// anyNames are the names of types that an empty interface may hold.
func (b *Build) anyNames() []string {
	names, _ := b.anyTypes.get(func() ([]string, error) {
		x, err := b.indexed()
		if err != nil {
			return nil, err
		}
		names := slices.Clone(plain)
		names = append(names, b.itabs()["error"]...)
		names = append(names, b.itabs()["fmt.Stringer"]...)
		names = append(names, b.itabs()["go.opentelemetry.io/otel/trace.Span"]...) // in contexts
		return append(names, b.ownTypes(x)...), nil
	})
	return names
}

// ownTypes are the names of types of the main module's packages, and of pointers
// to them.
func (b *Build) ownTypes(x *index) []string {
	var own []string
	for name := range x.types.all() {
		bare := strings.TrimLeft(name, "*[]")
		if strings.HasPrefix(bare, "main.") || b.ModulePath != "" && strings.HasPrefix(bare, b.ModulePath+"/") ||
			b.Main != "" && strings.HasPrefix(bare, b.Main+".") {
			own = append(own, name)
		}
	}
	slices.Sort(own)
	return own[:min(len(own), mostOwn)]
}
