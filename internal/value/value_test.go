package value

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/image"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

var (
	tInt    = &program.Type{Name: "int", Kind: reflect.Int, Size: 8}
	tU8     = &program.Type{Name: "uint8", Kind: reflect.Uint8, Size: 1}
	tU16    = &program.Type{Name: "uint16", Kind: reflect.Uint16, Size: 2}
	tU32    = &program.Type{Name: "uint32", Kind: reflect.Uint32, Size: 4}
	tU64    = &program.Type{Name: "uint64", Kind: reflect.Uint64, Size: 8}
	tBool   = &program.Type{Name: "bool", Kind: reflect.Bool, Size: 1}
	tString = &program.Type{Name: "string", Kind: reflect.String, Size: 16}
	tBytes  = &program.Type{Name: "[]uint8", Kind: reflect.Slice, Size: 24, Elem: tU8}
	tInts   = &program.Type{Name: "[]int", Kind: reflect.Slice, Size: 24, Elem: tInt}
	tAny    = &program.Type{Name: "interface {}", Kind: reflect.Interface, Size: 16}
	tErr    = &program.Type{Name: "error", Kind: reflect.Interface, Size: 16, Iface: true}
	tFunc   = &program.Type{Name: "func()", Kind: reflect.Func, Size: 8}
	tNode   = node()
	tPtr    = tNode.Fields[1].Type
)

func ptr(t *program.Type) *program.Type {
	return &program.Type{Name: "*" + t.Name, Kind: reflect.Pointer, Size: 8, Elem: t}
}

func arr(t *program.Type, n int64) *program.Type {
	return &program.Type{Name: fmt.Sprintf("[%d]%s", n, t.Name), Kind: reflect.Array, Size: n * t.Size, Len: n, Elem: t}
}

// structOf lays fields out one behind the other: name, type, …
func structOf(name string, fields ...any) *program.Type {
	t := &program.Type{Name: name, Kind: reflect.Struct, Typed: true}
	for i := 0; i < len(fields); i += 2 {
		ft := fields[i+1].(*program.Type)
		align := min(max(ft.Size, 1), 8)
		if ft.Kind == reflect.Struct || ft.Kind == reflect.Array {
			align = 8
		}
		t.Size = (t.Size + align - 1) / align * align
		t.Fields = append(t.Fields, program.Field{Name: fields[i].(string), Type: ft, Offset: t.Size})
		t.Size += ft.Size
	}
	t.Size = (t.Size + 7) &^ 7
	return t
}

func node() *program.Type {
	t := &program.Type{Name: "main.Node", Kind: reflect.Struct, Size: 16, Typed: true}
	t.Fields = []program.Field{{Name: "V", Type: tInt}, {Name: "Next", Type: ptr(t), Offset: 8}}
	return t
}

// block is memory that was copied, at a depth.
type block struct {
	addr  uint64
	data  []byte
	depth uint16
	short bool
	mixed bool // written while others were copied
}

func words(v ...uint64) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b
}

// imageOf is an image with the blocks in it, of a goroutine whose stack goes from
// 0x8000 to 0x9000, of which two words were copied.
func imageOf(t testing.TB, cut uint16, blocks ...block) *image.Image {
	t.Helper()
	le := binary.LittleEndian
	b := make([]byte, ring.ImageHeader)
	le.PutUint16(b[ring.ImageCut:], cut)
	le.PutUint32(b[ring.ImageObjects:], uint32(len(blocks)))
	all := append([]block{{data: make([]byte, program.RegsSize)}, {addr: 0x7000, data: words(0x8000, 0x9000)}, {addr: 0x8800, data: words(0, 0)}}, blocks...)
	for _, o := range all {
		h := make([]byte, ring.ObjectHeader)
		le.PutUint64(h[ring.ObjectAddr:], o.addr)
		le.PutUint32(h[ring.ObjectBytes:], uint32(len(o.data)))
		le.PutUint16(h[ring.ObjectDepth:], o.depth)
		if o.short {
			le.PutUint16(h[ring.ObjectFlags:], ring.ObjectShort)
		}
		if o.mixed {
			h[ring.ObjectFlags] |= ring.ObjectWritten
		}
		b = append(append(b, h...), o.data...)
		b = append(b, make([]byte, -len(o.data)&7)...)
	}
	le.PutUint32(b[ring.ImageSize:], uint32(len(b)))
	m, err := image.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// read reads a value of type t at 0x10000.
func read(t testing.TB, typ *program.Type, cut uint16, blocks ...block) probe.Value {
	t.Helper()
	return New(Config{Image: imageOf(t, cut, blocks...)}).Value(typ, Place{Addr: 0x10000}, Exact)
}

func at(v ...uint64) block { return block{addr: 0x10000, data: words(v...)} }

func TestCorruptHeaders(t *testing.T) {
	for _, c := range []struct {
		name string
		t    *program.Type
		b    block
		want string
	}{
		{"billions", tString, at(0x20000, 5_000_000_000), `… (5000000000 bytes)`},
		{"negative", tString, at(0x20000, 1<<63), `<impossible length: -9223372036854775808>`},
		{"absurd", tInts, at(0x20000, 1<<62, 1<<62), `<impossible length: 4611686018427387904>`},
		{"beyond the end of memory", tBytes, at(math.MaxUint64-1, 1<<30, 1<<30), `<impossible length: 1073741824>`},
		{"nil with a length", tString, at(0, 7), `… (7 bytes)`},
		{"nil slice", tInts, at(0, 0, 0), "nil"},
		{"a gigabyte", tInts, at(0x20000, 1<<27, 1<<27), "[…] (len 134217728)"},
	} {
		if got := read(t, c.t, 0, c.b).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestCuts: what was not copied says which bound kept it away, and what was is
// not touched by it.
func TestCuts(t *testing.T) {
	text := "0123456789"
	for _, c := range []struct {
		name   string
		t      *program.Type
		cut    uint16
		blocks []block
		want   string
		why    string
	}{
		{"short string", tString, 0, []block{at(0x20000, 100), {addr: 0x20000, data: []byte(text), depth: 1, short: true}},
			"0123456789… (100 bytes)", "more than 64 bytes of one object for --max-bytes 32768"},
		{"short slice", tInts, ring.CutBytes, []block{at(0x20000, 5, 5), {addr: 0x20000, data: words(1, 2), depth: 1}},
			"[1 2 …] (len 5)", "more than --max-bytes 32768"},
		{"deep pointer", tPtr, ring.CutDepth, []block{{addr: 0x10000, data: words(0x20000), depth: 3}}, "0x20000", "deeper than --depth 3"},
		{"bytes, and not depth", tString, ring.CutDepth | ring.CutBytes, []block{{addr: 0x10000, data: words(0x20000, 9), depth: 3}},
			"… (9 bytes)", "more than --max-bytes 32768"},
		{"objects", tPtr, ring.CutObjects, []block{at(0x20000)}, "0x20000", "more than --max-items 256 objects"},
		{"faults", tPtr, ring.CutFaults, []block{at(0x20000)}, "0x20000", "too many addresses could not be read"},
		{"a dynamic type elsewhere", tPtr, ring.CutUnknown, []block{at(0x20000)}, "0x20000", "not copied at the hit"},
		{"nothing said", tPtr, 0, []block{at(0x20000)}, "0x20000", "not copied at the hit"},
		{"small address", tPtr, 0, []block{at(0x20)}, "0x20", "nil pointer"},
	} {
		m := imageOf(t, c.cut, c.blocks...)
		v := New(Config{Image: m, Object: 64}).Value(c.t, Place{Addr: 0x10000}, Exact)
		if got := v.String(); got != c.want || v.Cut != c.why {
			t.Errorf("%s: %s (%s), want %s (%s)", c.name, got, v.Cut, c.want, c.why)
		}
	}
}

// TestLate: what is read after the hit says so, and is read only where that is
// allowed.
func TestLate(t *testing.T) {
	m := imageOf(t, 0, at(0x20000))
	calls := 0
	cfg := Config{Image: m, Late: func(addr uint64, n int64) []byte {
		calls++
		b := make([]byte, n)
		if addr == 0x20000 {
			copy(b, words(7, 0))
		}
		return b
	}}
	v := New(cfg).Value(tPtr, Place{Addr: 0x10000}, Exact)
	if calls != 0 || len(v.Elems) != 0 || v.Cut == "" {
		t.Errorf("read after the hit: %s", v)
	}
	v = New(cfg).Value(tPtr, Place{Addr: 0x10000}, Outer)
	if v.Late || len(v.Elems) != 1 || !v.Elems[0].Late || !v.Elems[0].Fields[0].Value.Late || v.String() != "&{V:7 Next:nil} (late)" {
		t.Errorf("%s: %+v", v, v)
	}
	far, late := slice(tPtr), cfg.Late
	cfg.Image = imageOf(t, 0, at(0x20000, 2*maxPages, 2*maxPages))
	cfg.Late = func(addr uint64, n int64) []byte { // pointers to pages of their own
		b := make([]byte, n)
		for i := range n / 8 {
			binary.LittleEndian.PutUint64(b[8*i:], 0x100000+uint64(addr-0x20000+8*uint64(i))*pageSize/8)
		}
		return b
	}
	cfg.Bounds.MaxItems = 1000
	v = New(cfg).Value(far, Place{Addr: 0x10000}, Outer)
	if e := v.Elems[len(v.Elems)-1]; !strings.HasPrefix(e.Cut, "more than 400 pages") {
		t.Errorf("the last of %d: %+v", len(v.Elems), e)
	}
	cfg.Image, cfg.Late, cfg.Bounds.MaxItems = m, late, 0
	calls, cfg.Past = 0, true // what is there now may be another thing
	v = New(cfg).Value(tPtr, Place{Addr: 0x10000}, Outer)
	if calls != 0 || len(v.Elems) != 0 || v.Cut == "" {
		t.Errorf("read long after the hit: %s: %+v", v, v)
	}
	cfg.Past = false
	// A dynamic type that the snapshot did not expect was copied without what
	// it points to.
	boxed := imageOf(t, ring.CutUnknown, at(0x500010, 0x20000))
	cfg.Image = boxed
	cfg.Type = func(uint64) *program.Type { return tPtr }
	cfg.Listed = func(uint64) bool { return true }
	if v = New(cfg).Value(tAny, Place{Addr: 0x10000}, Exact); v.Elems[0].Elems != nil {
		t.Errorf("a type that was expected is read after the hit: %s", v)
	}
	cfg.Listed = func(uint64) bool { return false }
	if v = New(cfg).Value(tAny, Place{Addr: 0x10000}, Exact); v.Late || len(v.Elems) != 1 || v.Elems[0].Late || !v.Elems[0].Elems[0].Late {
		t.Errorf("%s: %+v", v, v)
	}
}

func TestCycle(t *testing.T) {
	v := read(t, tPtr, 0, at(0x20000),
		block{addr: 0x20000, data: words(1, 0x30000)}, block{addr: 0x30000, data: words(2, 0x20000)})
	if got := v.String(); got != "&{V:1 Next:&{V:2 Next:0x20000 (shown above)}}" {
		t.Error(got)
	}
}

// TestBounded: enormous and broken structures end soon.
func TestBounded(t *testing.T) {
	var chain []byte
	for i := range uint64(100_000) {
		chain = append(chain, words(i, 0x100000+16*(i+1))...)
	}
	m := imageOf(t, 0, at(0x100000), block{addr: 0x100000, data: chain})
	begin := time.Now()
	v := New(Config{Image: m}).Value(tPtr, Place{Addr: 0x10000}, Exact)
	n := 0
	for len(v.Elems) == 1 && v.Elems[0].Shape == probe.Struct {
		n++
		v = v.Elems[0].Fields[1].Value
	}
	if n == 0 || n > maxNesting || v.Cut == "" {
		t.Errorf("%d nodes deep, %q", n, v.Cut)
	}
	// Every byte points to the same words: a graph that grows without end.
	many := &program.Type{Name: "main.Many", Kind: reflect.Struct, Typed: true}
	for i := range int64(500) {
		many.Fields = append(many.Fields, program.Field{Name: fmt.Sprint("F", i), Type: ptr(many), Offset: 8 * i})
	}
	many.Size = 4000
	var self []uint64
	for i := range uint64(600) {
		self = append(self, 0x10000+8*(i%90))
	}
	v = New(Config{Image: imageOf(t, 0, at(self...))}).Value(many, Place{Addr: 0x10000}, Exact)
	if len(v.Fields) != 500 || time.Since(begin) > 10*time.Second {
		t.Errorf("%d fields in %v", len(v.Fields), time.Since(begin))
	}
}

// Maps of both kinds, with made-up layouts: what counts is what the build says.
func classicType(key, val *program.Type) *program.Type {
	bucket := structOf("bucket<k,v>", "tophash", arr(tU8, 8), "keys", arr(key, 8), "values", arr(val, 8))
	bucket.Fields = append(bucket.Fields, program.Field{Name: "overflow", Type: ptr(bucket), Offset: bucket.Size})
	bucket.Size += 8
	h := structOf("hash<k,v>", "count", tInt, "flags", tU8, "B", tU8, "noverflow", tU16, "hash0", tU32,
		"buckets", ptr(bucket), "oldbuckets", ptr(bucket), "nevacuate", tU64)
	return &program.Type{Name: "map[int]int", Kind: reflect.Map, Size: 8, Key: key, Elem: val, Inner: h}
}

// bucketOf is a bucket with the keys k, and values of ten times as much; top
// hashes below 5 say that there is none.
func bucketOf(over uint64, top [8]byte, k ...uint64) []byte {
	b := append([]byte{}, top[:]...)
	var v []uint64
	for i := range 8 {
		if i < len(k) {
			v = append(v, k[i])
		} else {
			v = append(v, 0)
		}
	}
	b = append(b, words(v...)...)
	for i := range v {
		v[i] *= 10
	}
	return append(append(b, words(v...)...), words(over)...)
}

func TestClassicMap(t *testing.T) {
	m := classicType(tInt, tInt)
	head := func(count, flags, b, buckets, old uint64) []byte {
		return words(count, flags|b<<8, buckets, old, 0)
	}
	full := [8]byte{200, 200, 200}
	for _, c := range []struct {
		name   string
		head   []byte
		blocks []block
		want   string
	}{
		{"overflow", head(4, 0, 0, 0x20000, 0), []block{{addr: 0x20000, data: bucketOf(0x30000, full, 3, 1, 2)}, {addr: 0x30000, data: bucketOf(0, [8]byte{0, 9}, 0, 7)}},
			"map[1:10 2:20 3:30 7:70]"},
		{"growing", head(4, 0, 1, 0x20000, 0x40000), []block{
			{addr: 0x20000, data: append(bucketOf(0, full, 3, 1, 2), bucketOf(0, [8]byte{})...)},
			{addr: 0x40000, data: bucketOf(0, [8]byte{2, 3, 4, 99}, 3, 1, 2, 8)}}, "map[1:10 2:20 3:30 8:80]"},
		{"being written", head(4, 4, 0, 0x20000, 0), []block{{addr: 0x20000, data: bucketOf(0, full, 3, 1, 2)}}, "map[1:10 2:20 3:30] (being written)"},
		{"a bucket was written", head(3, 0, 0, 0x20000, 0), []block{{addr: 0x20000, data: bucketOf(0, full, 3, 1, 2), mixed: true}}, "map[1:10 2:20 3:30] (being written)"},
		{"what overflows it was", head(3, 0, 0, 0x20000, 0), []block{{addr: 0x20000, data: bucketOf(0x30000, full, 3, 1, 2)}, {addr: 0x30000, data: bucketOf(0, [8]byte{}), mixed: true}},
			"map[1:10 2:20 3:30] (being written)"},
		{"old buckets were", head(3, 0, 0, 0x20000, 0x40000), []block{{addr: 0x20000, data: bucketOf(0, full, 3, 1, 2)}, {addr: 0x40000, data: bucketOf(0, [8]byte{2, 2, 2}), mixed: true}},
			"map[1:10 2:20 3:30] (being written)"},
		{"changed", head(9, 0, 0, 0x20000, 0), []block{{addr: 0x20000, data: bucketOf(0, full, 3, 1, 2)}}, "map[1:10 2:20 3:30 …] (len 9) (its count says 9: it was changed meanwhile)"},
		{"cut", head(9, 0, 1, 0x20000, 0), []block{{addr: 0x20000, data: bucketOf(0, full, 3, 1, 2)}}, "map[1:10 2:20 3:30 …] (len 9)"},
		{"empty", head(0, 0, 0, 0, 0), nil, "map[]"},
		{"not copied", head(2, 0, 0, 0x20000, 0), nil, "map[int]int(len 2)"},
		{"impossible", head(2, 0, 60, 0x20000, 0), nil, "map[int]int(len 2)"},
		{"circle of buckets", head(1<<20, 0, 0, 0x20000, 0), []block{{addr: 0x20000, data: bucketOf(0x20000, [8]byte{200}, 1)}}, ""},
	} {
		blocks := append([]block{at(0x18000), {addr: 0x18000, data: c.head}}, c.blocks...)
		v := read(t, m, 0, blocks...)
		if got := v.String(); got != c.want && c.want != "" {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if v.Truncated && v.Cut == "" && v.Note == "" {
			t.Errorf("%s does not say why it is cut", c.name)
		}
	}
}

func swissType(split bool) *program.Type {
	pair := structOf("struct", "key", tInt, "elem", tInt)
	group := structOf("noalg.map.group", "ctrl", tU64, "slots", arr(pair, 8))
	if split {
		group = structOf("noalg.map.group", "ctrl", tU64, "keys", arr(tInt, 8), "elems", arr(tInt, 8))
	}
	ref := structOf("groupReference<int,int>", "data", ptr(group), "lengthMask", tU64)
	table := structOf("table<int,int>", "used", tU16, "groups", ref)
	in := structOf("map<int,int>", "used", tU64, "seed", tU64, "dirPtr", ptr(ptr(table)), "dirLen", tInt, "writing", tU8)
	return &program.Type{Name: "map[int]int", Kind: reflect.Map, Size: 8, Key: tInt, Elem: tInt, Inner: in}
}

func TestSwissMap(t *testing.T) {
	const ctrl = 0x8080fe8003800102 // slots 0, 1 and 3 are in use, 5 was deleted
	group := func(split bool, base uint64) []byte {
		w := []uint64{ctrl}
		for i := range uint64(8) {
			if w = append(w, base+i); !split {
				w = append(w, 10*(base+i))
			}
		}
		if split {
			for i := range uint64(8) {
				w = append(w, 10*(base+i))
			}
		}
		return words(w...)
	}
	for _, split := range []bool{false, true} {
		m := swissType(split)
		size := m.Inner.Fields[2].Type.Elem.Elem.Fields[1].Type.Fields[0].Type.Elem.Size
		for _, c := range []struct {
			name   string
			blocks []block
			want   string
		}{
			{"small", []block{{addr: 0x18000, data: words(3, 0, 0x20000, 0, 0)}, {addr: 0x20000, data: group(split, 0)}}, "map[0:0 1:10 3:30]"},
			{"being written", []block{{addr: 0x18000, data: words(4, 0, 0x20000, 0, 1)}, {addr: 0x20000, data: group(split, 0)}}, "map[0:0 1:10 3:30] (being written)"},
			{"the head was written", []block{{addr: 0x18000, data: words(3, 0, 0x20000, 0, 0), mixed: true}, {addr: 0x20000, data: group(split, 0)}}, "map[0:0 1:10 3:30] (being written)"},
			{"a group was written", []block{{addr: 0x18000, data: words(3, 0, 0x20000, 0, 0)}, {addr: 0x20000, data: group(split, 0), mixed: true}}, "map[0:0 1:10 3:30] (being written)"},
			{"its directory was written", []block{
				{addr: 0x18000, data: words(3, 0, 0x20000, 2, 0)}, {addr: 0x20000, data: words(0x30000, 0x30000), mixed: true},
				{addr: 0x30000, data: words(3, 0x40000, 0)}, {addr: 0x40000, data: group(split, 0)},
			}, "map[0:0 1:10 3:30] (being written)"},
			{"directory", []block{
				{addr: 0x18000, data: words(9, 0, 0x20000, 4, 0)},
				{addr: 0x20000, data: words(0x30000, 0x30000, 0x31000, 0x30000)},
				{addr: 0x30000, data: words(3, 0x40000, 0)}, {addr: 0x31000, data: words(6, 0x50000, 1)},
				{addr: 0x40000, data: group(split, 0)}, {addr: 0x50000, data: append(group(split, 20), group(split, 40)...)},
			}, "map[0:0 1:10 3:30 20:200 21:210 23:230 40:400 41:410 43:430]"},
			{"a group is missing", []block{
				{addr: 0x18000, data: words(6, 0, 0x20000, 1, 0)}, {addr: 0x20000, data: words(0x31000)},
				{addr: 0x31000, data: words(6, 0x50000, 1)}, {addr: 0x50000, data: group(split, 20)[:size]},
			}, "map[20:200 21:210 23:230 …] (len 6)"},
			{"impossible", []block{{addr: 0x18000, data: words(3, 0, 0x20000, 1<<60, 0)}}, "map[int]int(len 3)"},
		} {
			v := read(t, m, 0, append(c.blocks, at(0x18000))...)
			if got := v.String(); got != c.want {
				t.Errorf("%s, split %v: %s, want %s", c.name, split, got, c.want)
			}
		}
	}
}

// TestLargeEntries: a map keeps pointers to large keys and elements, which no
// program declared.
func TestLargeEntries(t *testing.T) {
	large := structOf("main.Large", "A", tInt, "B", tPtr)
	m := swissType(false)
	pair := m.Inner.Fields[2].Type.Elem.Elem.Fields[1].Type.Fields[0].Type.Elem.Fields[1].Type.Elem
	m.Elem, pair.Fields[1].Type = large, ptr(large)
	group := words(0x8080808080808000, 7, 0x30000)
	group = append(group, make([]byte, 14*8)...)
	v := read(t, m, 0, at(0x18000), block{addr: 0x18000, data: words(1, 0, 0x20000, 0, 0)},
		block{addr: 0x20000, data: group}, block{addr: 0x30000, data: words(5, 0)})
	if got := v.String(); got != "map[7:main.Large{A:5 B:nil}]" && got != "map[7:{A:5 B:nil}]" {
		t.Fatal(got)
	}
	if e := v.Entries[0].Value; e.Type != "main.Large" {
		t.Errorf("of type %s", e.Type)
	}
}

// TestAtomicValue: it holds an interface, and is declared as itself.
func TestAtomicValue(t *testing.T) {
	v := structOf("sync/atomic.Value", "v", tAny)
	cfg := Config{Type: func(uint64) *program.Type { return tInt }, Image: imageOf(t, 0, at(0x500010, 0x20000), block{addr: 0x20000, data: words(7)})}
	if got := New(cfg).Value(v, Place{Addr: 0x10000}, Exact); got.Declared != "sync/atomic.Value" || got.Type != "int" {
		t.Errorf("declared %q, holds %q", got.Declared, got.Type)
	}
}

func TestManyEntries(t *testing.T) {
	m := classicType(tInt, tInt)
	var data []byte
	for i := range uint64(64) {
		data = append(data, bucketOf(0, [8]byte{9, 9, 9, 9, 9, 9, 9, 9}, 8*i, 8*i+1, 8*i+2, 8*i+3, 8*i+4, 8*i+5, 8*i+6, 8*i+7)...)
	}
	v := read(t, m, 0, at(0x18000), block{addr: 0x18000, data: words(512, 6<<8, 0x20000, 0, 0)}, block{addr: 0x20000, data: data})
	if len(v.Entries) != probe.DefaultMaxItems || !v.Truncated || !strings.Contains(v.Cut, "--max-items 256") || v.Len != 512 {
		t.Errorf("%d entries of %d, %v, %q", len(v.Entries), v.Len, v.Truncated, v.Cut)
	}
}

func chanType() *program.Type {
	sudog := structOf("sudog<int>", "g", tU64, "next", tU64)
	sudog.Fields[1].Type = ptr(sudog)
	q := structOf("waitq<int>", "first", ptr(sudog), "last", ptr(sudog))
	in := structOf("hchan<int>", "qcount", tU64, "dataqsiz", tU64, "buf", ptr(tInt), "closed", tU32, "sendx", tU64, "recvx", tU64, "recvq", q, "sendq", q)
	return &program.Type{Name: "chan int", Kind: reflect.Chan, Size: 8, Elem: tInt, Inner: in}
}

func TestChannel(t *testing.T) {
	head := func(n, size, closed, recvx, first, last uint64) block {
		return block{addr: 0x18000, data: words(n, size, 0x20000, closed, 0, recvx, 0, 0, first, last)}
	}
	buf := block{addr: 0x20000, data: words(10, 20, 30)}
	for _, c := range []struct {
		name   string
		blocks []block
		want   string
	}{
		{"around the end", []block{head(2, 3, 0, 2, 0, 0), buf}, "chan int(len 2 of 3: 30 10)"},
		{"closed", []block{head(0, 3, 1, 0, 0, 0), buf}, "chan int(len 0 of 3, closed)"},
		{"one waits", []block{head(3, 3, 0, 0, 0x30000, 0x30000), buf}, "chan int(len 3 of 3: 10 20 30, 1 waiting to send)"},
		{"two wait", []block{head(3, 3, 0, 0, 0x30000, 0x31000), buf, {addr: 0x30000, data: words(0, 0x31000)}, {addr: 0x31000, data: words(0, 0)}},
			"chan int(len 3 of 3: 10 20 30, 2 waiting to send)"},
		{"some wait", []block{head(3, 3, 0, 0, 0x30000, 0x31000), buf}, "chan int(len 3 of 3: 10 20 30, 1 (at least: not copied at the hit) waiting to send)"},
		{"impossible", []block{head(4, 3, 0, 0, 0, 0), buf}, "chan int"},
		{"buffer missing", []block{head(2, 3, 0, 2, 0, 0)}, "chan int(len 2 of 3)"},
	} {
		v := read(t, chanType(), 0, append(c.blocks, at(0x18000))...)
		if got := v.String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestInterfaces(t *testing.T) {
	types := map[uint64]*program.Type{0x500010: tInt, 0x500020: tPtr, 0x500030: structOf("main.One", "P", tPtr)}
	cfg := Config{Type: func(a uint64) *program.Type { return types[a] }}
	for _, c := range []struct {
		name   string
		t      *program.Type
		blocks []block
		want   string
	}{
		{"nil", tAny, []block{at(0, 0)}, "nil"},
		{"indirect", tAny, []block{at(0x500010, 0x20000), {addr: 0x20000, data: words(7)}}, "int(7)"},
		{"direct", tAny, []block{at(0x500020, 0)}, "*main.Node(nil)"},
		{"direct struct", tAny, []block{at(0x500030, 0)}, "main.One{P:nil}"},
		{"unknown", tAny, []block{at(0x500040, 0x20000)}, "unknown type 0x500040"},
		{"itab", tErr, []block{at(0x40000, 0x20000), {addr: 0x40000, data: words(0, 0x500010)}, {addr: 0x20000, data: words(7)}}, "int(7)"},
		{"no itab", tErr, []block{at(0x40000, 0x20000)}, "unknown type (itab 0x40000)"},
	} {
		cfg.Image = imageOf(t, 0, c.blocks...)
		v := New(cfg).Value(c.t, Place{Addr: 0x10000}, Exact)
		if got := v.String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestPieces: what lies in registers is read as far as it is there.
func TestPieces(t *testing.T) {
	p := Place{Bytes: words(0x20000, 3, 3), Have: make([]bool, 24), Why: "optimised out"}
	for i := range 16 {
		p.Have[i] = true
	}
	m := imageOf(t, 0, block{addr: 0x20000, data: words(1, 2, 3)})
	if got := New(Config{Image: m}).Value(tInts, p, Exact).String(); got != "[1 2 3]" {
		t.Error(got)
	}
	p.Have[9] = false
	if got := New(Config{Image: m}).Value(tInts, p, Exact).String(); got != "<optimised out>" {
		t.Error(got)
	}
	s := structOf("main.S", "A", tInt, "B", tInt, "C", tInt)
	if got := New(Config{Image: m}).Value(s, p, Exact).String(); got != "{A:131072 B:<optimised out> C:<optimised out>}" {
		t.Error(got)
	}
}

func TestSpan(t *testing.T) {
	ctx := &program.Type{Name: "context.Context", Kind: reflect.Interface, Size: 16, Iface: true}
	valueCtx := structOf("context.valueCtx", "Context", ctx, "key", tAny, "val", tAny)
	cancelCtx := structOf("context.cancelCtx", "Context", ctx, "mu", tU64)
	timerCtx := structOf("context.timerCtx", "cancelCtx", cancelCtx, "timer", tU64)
	sc := structOf("trace.SpanContext", "traceID", arr(tU8, 16), "spanID", arr(tU8, 8))
	span := structOf("trace.recordingSpan", "parent", sc, "spanContext", sc)
	key := &program.Type{Name: "go.opentelemetry.io/otel/trace.traceContextKeyType", Kind: reflect.Int, Size: 8}
	types := map[uint64]*program.Type{0x500050: key, 0x500010: ptr(valueCtx), 0x500020: ptr(timerCtx), 0x500030: ptr(span), 0x500040: tInt}
	itab := block{addr: 0x40000, data: words(0, 0x500010, 0, 0x500020)} // at 0x40000 of the one, at 0x40010 of the other
	blocks := []block{at(0x40000, 0x20000), itab,
		{addr: 0x20000, data: words(0x40010, 0x21000, 0x500040, 0, 0x500030, 0x31000)}, // another span, by another key
		{addr: 0x21000, data: words(0x40000, 0x22000, 0, 0)},                           // a timer
		{addr: 0x22000, data: words(0, 0, 0x500050, 0, 0x500030, 0x30000)},             // the span
		{addr: 0x31000, data: words(7, 7, 7, 8, 8, 8)},
		{addr: 0x30000, data: append(words(7, 7, 7), "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8"...)}}
	r := New(Config{Image: imageOf(t, 0, blocks...), Type: func(a uint64) *program.Type { return types[a] }})
	id := r.Span(ctx, Place{Addr: 0x10000})
	if id == nil || id.Trace != "0102030405060708090a0b0c0d0e0f10" || id.Span != "a1a2a3a4a5a6a7a8" {
		t.Errorf("%+v", id)
	}
	if id := r.Span(tInt, Place{Addr: 0x10000}); id != nil {
		t.Errorf("a number carries %+v", id)
	}
	loop := append([]block{at(0x40000, 0x20000), itab}, block{addr: 0x20000, data: words(0x40000, 0x20000, 0, 0, 0, 0)})
	r = New(Config{Image: imageOf(t, 0, loop...), Type: func(a uint64) *program.Type { return types[a] }})
	if id := r.Span(ctx, Place{Addr: 0x10000}); id != nil {
		t.Errorf("a context within itself carries %+v", id)
	}
}

// TestCutObject: all that lies behind the copied part of a large object was cut
// for its size; an object of which nothing was copied is no list of holes, though
// it has parts that take no memory.
func TestCutObject(t *testing.T) {
	large := structOf("main.large", "a", tInt, "b", tInt, "c", structOf("main.none"), "d", tInt)
	cfg := Config{Image: imageOf(t, 0, at(0x20000), block{addr: 0x20000, data: words(1), depth: 1, short: true}), Object: 8}
	v := New(cfg).Value(ptr(large), Place{Addr: 0x10000}, Exact)
	const why = "more than 8 bytes of one object for --max-bytes 32768"
	if f := v.Elems[0].Fields; len(f) != 4 || f[0].Value.Int != 1 || f[1].Value.Text != why || f[3].Value.Text != why {
		t.Errorf("%+v", v)
	}
	cfg.Image = imageOf(t, ring.CutObjects, at(0x20000))
	if v := New(cfg).Value(ptr(large), Place{Addr: 0x10000}, Exact); len(v.Elems) != 0 || v.Cut != "more than --max-items 256 objects" {
		t.Errorf("%+v", v)
	}
}

// TestCutStack: a variable farther up the stack than was copied says so; what lies
// there and was to be followed says which bound kept it away.
func TestCutStack(t *testing.T) {
	m := imageOf(t, ring.CutObjects)
	lo, hi := m.Stack()
	if !m.Above(hi) || m.Above(lo) {
		t.Fatalf("the stack of this image is from %#x to %#x", lo, hi)
	}
	if v := New(Config{Image: m}).Value(tInt, Place{Addr: hi}, Exact); v.Text != WhyStack(probe.Bounds{}) {
		t.Errorf("%+v", v)
	}
	m = imageOf(t, ring.CutObjects, block{addr: 0x10000, data: words(hi)})
	if v := New(Config{Image: m}).Value(tPtr, Place{Addr: 0x10000}, Exact); v.Cut != "more than --max-items 256 objects" {
		t.Errorf("%+v", v)
	}
}

// TestUnforeseen: what an interface holds of a type that the target could not
// follow says so; what no bound kept away in another place does not.
func TestUnforeseen(t *testing.T) {
	cfg := Config{Image: imageOf(t, ring.CutUnknown, at(0x40000, 0x20000)),
		Type: func(uint64) *program.Type { return tPtr }, Listed: func(uint64) bool { return false }}
	if v := New(cfg).Value(tAny, Place{Addr: 0x10000}, Exact); len(v.Elems) != 1 || v.Elems[0].Cut != whyUnforeseen {
		t.Errorf("%+v", v)
	}
	cfg.Listed = func(uint64) bool { return true }
	if v := New(cfg).Value(tAny, Place{Addr: 0x10000}, Exact); len(v.Elems) != 1 || v.Elems[0].Cut != WhyNot {
		t.Errorf("%+v", v)
	}
}

// FuzzValue: no memory, however broken, makes a panic or takes long.
func FuzzValue(f *testing.F) {
	ctx := &program.Type{Name: "context.Context", Kind: reflect.Interface, Size: 16, Iface: true}
	valueCtx := structOf("context.valueCtx", "Context", ctx, "key", tAny, "val", tAny)
	nat := &program.Type{Name: "math/big.nat", Kind: reflect.Slice, Size: 24, Elem: tU64}
	bigInt := structOf("math/big.Int", "neg", tBool, "abs", nat)
	zone := structOf("time.zone", "name", tString, "offset", tInt)
	tx := structOf("time.zoneTrans", "when", tInt, "index", tU8)
	loc := structOf("time.Location", "name", tString, "zone", slice(zone), "tx", slice(tx), "extend", tString, "cacheStart", tInt, "cacheEnd", tInt, "cacheZone", ptr(zone))
	when := structOf("time.Time", "wall", tU64, "ext", tInt, "loc", ptr(loc))
	all := []*program.Type{tPtr, tInts, tBytes, tString, tAny, tErr, tFunc, classicType(tInt, tPtr), swissType(false), swissType(true), chanType(),
		ctx, valueCtx, bigInt, when, arr(tPtr, 4), &program.Type{Name: "net.IP", Kind: reflect.Slice, Size: 24, Elem: tU8},
		&program.Type{Name: "bad", Kind: reflect.Map, Size: 8}, &program.Type{Name: "bad", Kind: reflect.Slice, Size: 24}}
	f.Add(byte(0), words(0x10000, 0x10008, 3), true)
	f.Add(byte(7), words(0x10000, 0x10008, 3, 0x10010, 1<<40), false)
	f.Fuzz(func(t *testing.T, kind byte, data []byte, late bool) {
		if len(data) > 1<<12 {
			return
		}
		cfg := Config{Image: imageOf(t, 0, block{addr: 0x10000, data: data}),
			Type:     func(a uint64) *program.Type { return all[a%uint64(len(all))] },
			Function: func(uint64) string { return "main.f" },
			Closure:  func(pc uint64) []program.Field { return []program.Field{{Name: "&x", Type: tPtr, Offset: 8}} },
			Global:   func(string) (uint64, bool) { return 0x10000, true }}
		if late {
			cfg.Late = func(addr uint64, n int64) []byte { return make([]byte, n) }
		}
		begin := time.Now()
		policy := Exact
		if late {
			policy = Outer
		}
		v := New(cfg).Value(all[int(kind)%len(all)], Place{Addr: 0x10000}, policy)
		_ = v.String()
		New(cfg).Span(all[int(kind)%len(all)], Place{Addr: 0x10000})
		if d := time.Since(begin); d > 5*time.Second {
			t.Fatalf("%v", d)
		}
	})
}

func slice(t *program.Type) *program.Type {
	return &program.Type{Name: "[]" + t.Name, Kind: reflect.Slice, Size: 24, Elem: t}
}
