//lint:file-ignore U1000 fields are read by reflection

package compile

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"sort"
	"strings"
	"unsafe"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// world is a build whose variables are those of the test itself, described by
// reflection in place of debug information.
type world struct {
	vars  map[string]reflect.Value // by qualified name; addressable
	types map[reflect.Type]*program.Type
	cfa   error
}

type (
	celsius  float64
	myBool   bool
	myString string
	level    int8
)

type base struct {
	Created int64
	Note    string
}

type inner struct{ Deep int }

type order struct {
	base
	*inner
	ID    int
	Qty   uint16
	Price float64
	Name  string
	Paid  bool
	Tags  []string
	Prev  *order
	Attrs map[string]int
	Temp  celsius
	_     int
	Grid  [2][2]int8
	Err   error
	Done  chan int
	Fn    func()
}

type matrix [3]int32

func handler() {}

// vars are what the tests' expressions speak of; they stay where they are.
type vars struct {
	o, zero           order
	p, nilp           *order
	pp                **order
	i, neg            int
	big               uint64
	i8                int8
	u8                byte
	u32               uint32
	r                 rune
	f                 float64
	f32               float32
	b, no             bool
	mb                myBool
	s, empty, long    string
	ms                myString
	raw, text         []byte
	ints, none        []int
	strs              []string
	orders            []order
	ptrs              []*order
	empties           []struct{}
	arr               [4]int
	mat               matrix
	parr              *[4]int
	m, nilm           map[string]int
	ch, nilch         chan int
	fn, nilfn         func()
	err, eof, nilerr  error
	wrapped           error
	any1, any2, any3  any
	anys              []any
	anyp, anyf, anyst any
	c128              complex128
	c64               complex64
	lvl               level
	temp              celsius
	up                unsafe.Pointer
	uptr              uintptr
	idx               int
}

var v = func() *vars {
	v := &vars{
		o: order{base: base{Created: 99, Note: "first"}, inner: &inner{Deep: 5}, ID: 7, Qty: 3, Price: 1.5, Name: "alice", Paid: true,
			Tags: []string{"a", "b"}, Attrs: map[string]int{"x": 1, "y": 2}, Temp: 36.6, Grid: [2][2]int8{{1, 2}, {3, -4}}},
		i: 42, neg: -7, big: 1 << 63, i8: -128, u8: 200, u32: 1 << 31, r: 'é', f: 2.5, f32: 0.1, b: true, mb: true,
		s: "hello", long: strings.Repeat("x", 300), ms: "mine", raw: []byte{0xff, 1}, text: []byte("text"),
		ints: []int{10, 20, 30, 40, 50, 60, 70, 80, 90, 100}, strs: []string{"one", "", "three"},
		arr: [4]int{1, 2, 3, 4}, mat: matrix{-1, 0, 1}, m: map[string]int{"a": 1}, ch: make(chan int, 3),
		fn: handler, err: errors.New("no such order"), eof: io.EOF, any1: 12, any2: celsius(1.5), any3: myString("dyn"),
		c128: 1 - 2i, c64: 3 + 4i, lvl: -2, temp: 20, uptr: 4096, idx: 2, empties: make([]struct{}, 3),
	}
	v.wrapped = fmt.Errorf("while saving: %w", v.err)
	v.p, v.pp, v.parr = &v.o, &v.p, &v.arr
	v.o.Prev = &order{ID: 6}
	v.orders = []order{{ID: 1, Name: "first"}, {ID: 2, Name: "second"}}
	v.ptrs = []*order{nil}
	v.ch <- 1
	v.anys = []any{1, "two"}
	v.anyp, v.anyf, v.anyst = v.p, handler, base{Created: 1}
	return v
}()

func newWorld() *world {
	w := &world{vars: map[string]reflect.Value{}, types: map[reflect.Type]*program.Type{}}
	rv := reflect.ValueOf(v).Elem()
	for i := range rv.NumField() {
		w.vars["main."+rv.Type().Field(i).Name] = rv.Field(i)
	}
	w.vars["io.EOF"] = reflect.ValueOf(&io.EOF).Elem()
	for _, x := range []any{1, "s", celsius(1), myString(""), v.err, v.wrapped, v.p, handler, base{}, level(0), myBool(true)} {
		w.typeOf(reflect.TypeOf(x))
	}
	return w
}

// typeOf describes a type as debuginfo would.
func (w *world) typeOf(t reflect.Type) *program.Type {
	if have := w.types[t]; have != nil {
		return have
	}
	out := &program.Type{Name: strings.ReplaceAll(t.String(), "compile.", "main."), Kind: t.Kind(), Size: int64(t.Size()), Typed: t.Name() != ""}
	out.RType = uint64(uintptr((*[2]unsafe.Pointer)(unsafe.Pointer(&t))[1]))
	w.types[t] = out
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Chan, reflect.Map, reflect.Array:
		out.Elem = w.typeOf(t.Elem())
	case reflect.Interface:
		out.Iface = t.NumMethod() > 0
	}
	switch t.Kind() {
	case reflect.Array:
		out.Len = int64(t.Len())
	case reflect.Map:
		out.Key = w.typeOf(t.Key())
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			out.Fields = append(out.Fields, program.Field{Name: f.Name, Type: w.typeOf(f.Type), Offset: int64(f.Offset), Embedded: f.Anonymous})
		}
	}
	return out
}

func (w *world) Missing() string { return "" }

func (w *world) MissingAt(uint64) string { return "" }

func (w *world) Optimised(uint64) bool { return true }

func (w *world) ScopeOf(uint64, string, int) []*debuginfo.Variable { return nil }

func (w *world) ReadableLines(*debuginfo.Variable, uint64) (up, down []int) { return nil, nil }

func (w *world) Global(name string) (*debuginfo.Global, bool) {
	rv, ok := w.vars[name]
	if !ok {
		return nil, false
	}
	return &debuginfo.Global{Name: name, Type: w.typeOf(rv.Type()), Addr: uint64(rv.Addr().Pointer())}, true
}

func (w *world) Globals() []string {
	var names []string
	for name := range w.vars {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (w *world) GlobalNames(name string) []string {
	if name == "twice.V" {
		return []string{"a/twice.V", "b/twice.V"}
	}
	return nil
}

func (w *world) Constant(name string) (int64, *program.Type, bool) {
	return 11, w.typeOf(reflect.TypeFor[int]()), name == "main.eleven" || name == "io.Eleven"
}

func (w *world) TypeByName(name string) *program.Type {
	for _, t := range w.types {
		if t.Name == name {
			return t
		}
	}
	return nil
}

func (w *world) TypesBase() uint64 { return 0 }

func (w *world) Hashing() (*debuginfo.Hashing, error) { return nil, errors.ErrUnsupported }

func (w *world) CFA(uint64) (program.CFA, error) { return program.CFA{}, w.cfa }

// runtimeType is the type at the address off, for decode.
func (w *world) runtimeType(off uint64) *program.Type {
	for _, t := range w.types {
		if t.RType == off {
			return t
		}
	}
	return nil
}

func (w *world) Implementations(*program.Type) []*program.Type { return nil }

func (w *world) Closures(int) []uint64          { return nil }
func (w *world) Closure(uint64) []program.Field { return nil }
