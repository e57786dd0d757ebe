package decode

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

var (
	tInt    = &program.Type{Name: "int", Kind: reflect.Int, Size: 8}
	tInt8   = &program.Type{Name: "int8", Kind: reflect.Int8, Size: 1}
	tU64    = &program.Type{Name: "uint64", Kind: reflect.Uint64, Size: 8}
	tBool   = &program.Type{Name: "bool", Kind: reflect.Bool, Size: 1}
	tF32    = &program.Type{Name: "float32", Kind: reflect.Float32, Size: 4}
	tF64    = &program.Type{Name: "float64", Kind: reflect.Float64, Size: 8}
	tC128   = &program.Type{Name: "complex128", Kind: reflect.Complex128, Size: 16}
	tString = &program.Type{Name: "string", Kind: reflect.String, Size: 16}
	tBytes  = &program.Type{Name: "[]uint8", Kind: reflect.Slice, Size: 24}
	tInts   = &program.Type{Name: "[]int", Kind: reflect.Slice, Size: 24, Elem: tInt}
	tStrs   = &program.Type{Name: "[]string", Kind: reflect.Slice, Size: 24, Elem: tString}
	tArr    = &program.Type{Name: "[3]int8", Kind: reflect.Array, Size: 3, Len: 3, Elem: tInt8}
	tOrder  = &program.Type{Name: "main.Order", Kind: reflect.Struct, Size: 24}
	tPtr    = &program.Type{Name: "*main.Order", Kind: reflect.Pointer, Size: 8, Elem: tOrder}
	tMap    = &program.Type{Name: "map[string]int", Kind: reflect.Map, Size: 8}
	tFunc   = &program.Type{Name: "func()", Kind: reflect.Func, Size: 8}
	tErr    = &program.Type{Name: "error", Kind: reflect.Interface, Size: 16, Iface: true}
	tCels   = &program.Type{Name: "main.Celsius", Kind: reflect.Float64, Size: 8}
	tErrStr = &program.Type{Name: "*errors.errorString", Kind: reflect.Pointer, Size: 8}
)

// got is one slot as a target would have recorded it.
type got struct {
	slot   program.Slot
	status program.Status
	data   []byte // all of the bytes of a run, before they are cut
}

func scalarSlot(v uint64, size int64) got {
	return got{slot: program.Slot{Kind: program.SlotScalar, Size: size}, data: binary.LittleEndian.AppendUint64(nil, v)}
}

func blockSlot(data []byte) got {
	return got{slot: program.Slot{Kind: program.SlotBlock, Size: int64(len(data))}, data: data}
}

func runSlot(data []byte, elem, most int64) got {
	return got{slot: program.Slot{Kind: program.SlotBytes, Elem: elem, Max: most}, data: data}
}

func failed(s got, why program.Status) got {
	s.status = why
	return s
}

func pad(b []byte) []byte { return append(b, make([]byte, -len(b)&7)...) }

// record lays slots out as package ring says.
func record(slots ...got) []byte {
	b := make([]byte, ring.RecordHeader)
	binary.LittleEndian.PutUint64(b[ring.RecordTSC:], 5)
	binary.LittleEndian.PutUint64(b[ring.RecordGoid:], 18)
	for _, s := range slots {
		b = append(b, byte(s.status))
	}
	b = pad(b)
	for _, s := range slots {
		if s.slot.Kind == program.SlotBytes {
			b = binary.LittleEndian.AppendUint64(b, uint64(int64(len(s.data))/s.slot.Elem))
		} else {
			b = pad(append(b, s.data...))
		}
	}
	for _, s := range slots {
		if s.slot.Kind == program.SlotBytes && s.status == program.StatusOK {
			b = pad(append(b, s.data[:min(int64(len(s.data)), s.slot.Max)]...))
		}
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	return b
}

func leaf(t *program.Type, slot int, off int64) program.Shape {
	return program.Shape{Form: program.FormScalar, Type: t, Slot: slot, Off: off, Slot2: -1}
}

func words(v ...uint64) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b
}

const slide, typesBase = 0x1000, 0x500000

func decoder(shapes []program.Shape, slots []got) *Decoder {
	p := &program.Program{Log: true, Text: []string{""}}
	site := program.Site{Function: "main.handle", File: "/src/orders.go", Line: 42}
	for i, s := range shapes {
		p.Values = append(p.Values, program.Value{Expr: string(rune('a' + i)), Type: s.Type})
		p.Text = append(p.Text, "")
		p.Parts = append(p.Parts, i)
		site.Captures = append(site.Captures, program.Capture{Shape: s})
	}
	for _, s := range slots {
		site.Slots = append(site.Slots, s.slot)
	}
	p.Sites = []program.Site{site}
	types := map[uint64]*program.Type{8: tCels, 16: tErrStr, 24: tString, 32: tPtr, 40: tInts, 48: tC128, 56: tOrder}
	return New(Config{
		PID: 7, Slide: slide, TypesBase: typesBase,
		Probes:   []probe.Spec{{ID: "p1", At: "orders.go:42"}},
		Type:     func(off uint64) *program.Type { return types[off] },
		Function: func(pc uint64) string { return map[uint64]string{0x401000: "main.handle"}[pc] },
		Time:     func(tsc uint64) time.Time { return time.Unix(int64(tsc), 0).UTC() },
	}, []*program.Program{p})
}

func ifaceShape(first int) program.Shape {
	s := program.Shape{Form: program.FormInterface, Type: tErr, Slot: -1}
	for i := range 5 {
		s.Fields = append(s.Fields, leaf(tU64, first+i, 0))
	}
	return s
}

func ifaceSlots(typ, data uint64, block []byte, text string, hasText bool) []got {
	if typ != 0 {
		typ += slide + typesBase
	}
	run := runSlot([]byte(text), 1, 256)
	if !hasText {
		run = failed(run, program.StatusAbsent)
	}
	return []got{scalarSlot(typ, 8), scalarSlot(typ, 8), scalarSlot(data, 8), blockSlot(block), run}
}

func TestRecord(t *testing.T) {
	long := strings.Repeat("é", 200)
	strs := program.Shape{Form: program.FormSlice, Type: tStrs, Slot: 0, Slot2: -1, Elems: []program.Shape{
		{Form: program.FormString, Type: tString, Slot: 1}, {Form: program.FormString, Type: tString, Slot: 2}}}
	order := program.Shape{Form: program.FormStruct, Type: tOrder, Names: []string{"ID", "OK", "Name"}, Fields: []program.Shape{
		leaf(tInt, 0, 0), leaf(tBool, 0, 8), {Form: program.FormString, Type: tString, Slot: 1}}}
	ptr := program.Shape{Form: program.FormPointer, Type: tPtr, Slot: 2, Elems: []program.Shape{order}}
	orderSlots := []got{blockSlot(words(7, 1, 9)), runSlot([]byte("alice"), 1, 256), scalarSlot(0xc000, 8)}
	for _, c := range []struct {
		name  string
		shape program.Shape
		slots []got
		text  string
		json  string
	}{
		{"int", leaf(tInt, 0, 0), []got{scalarSlot(^uint64(0), 8)}, "-1", "-1"},
		{"int8 in a block", leaf(tInt8, 0, 2), []got{blockSlot([]byte{1, 2, 0x80})}, "-128", "-128"},
		{"float32", leaf(tF32, 0, 0), []got{scalarSlot(0x3dcccccd, 4)}, "0.1", "0.1"},
		{"string", program.Shape{Form: program.FormString, Type: tString}, []got{runSlot([]byte("alice"), 1, 256)}, "alice", `"alice"`},
		{"cut in a character", program.Shape{Form: program.FormString, Type: tString}, []got{runSlot([]byte(long), 1, 3)}, "é… (400 bytes)", `{"value":"é","len":400,"truncated":true}`},
		{"byte slice", program.Shape{Form: program.FormString, Type: tBytes}, []got{runSlot([]byte{1, 0xff}, 1, 256)}, "01ff", `{"base64":"Af8="}`},
		{"struct", order, orderSlots, `{ID:7 OK:true Name:"alice"}`, `{"ID":7,"OK":true,"Name":"alice"}`},
		{"struct in parts", order, []got{orderSlots[0], failed(orderSlots[1], program.StatusFault)}, `{ID:7 OK:true Name:<memory could not be read>}`, `{"ID":7,"OK":true,"Name":{"unreadable":"memory could not be read"}}`},
		{"struct behind nil", order, []got{failed(orderSlots[0], program.StatusNil), failed(orderSlots[1], program.StatusNil)}, `<nil pointer>`, `{"unreadable":"nil pointer"}`},
		{"pointer", ptr, orderSlots, `&{ID:7 OK:true Name:"alice"}`, `{"ID":7,"OK":true,"Name":"alice"}`},
		{"array", program.Shape{Form: program.FormArray, Type: tArr, Elems: []program.Shape{leaf(tInt8, 0, 0), leaf(tInt8, 0, 1)}}, []got{blockSlot([]byte{1, 2, 3})}, "[1 2 …] (len 3)", `{"value":[1,2],"len":3,"truncated":true}`},
		{"slice", program.Shape{Form: program.FormSlice, Type: tInts, Elems: []program.Shape{leaf(tInt, 0, 0), leaf(tInt, 0, 8)}}, []got{runSlot(words(4, 5), 8, 64)}, "[4 5]", "[4,5]"},
		{"short slice", program.Shape{Form: program.FormSlice, Type: tInts, Elems: []program.Shape{leaf(tInt, 0, 0), leaf(tInt, 0, 8)}}, []got{runSlot(nil, 8, 64)}, "[]", "[]"},
		{"slice's length", program.Shape{Form: program.FormSlice, Type: tInts, Slot: -1, Slot2: 0, Off: 8}, []got{blockSlot(words(1, 3))}, "[…] (len 3)", `{"value":[],"len":3,"truncated":true}`},
		{"strings", strs, []got{runSlot(words(1, 1), 16, 32), runSlot([]byte("x y"), 1, 256), failed(runSlot(nil, 1, 256), program.StatusAbsent)}, `["x y"]`, `["x y"]`},
		{"map", program.Shape{Form: program.FormMap, Type: tMap, Slot: 0, Slot2: 1}, []got{scalarSlot(0xc000, 8), scalarSlot(3, 8)}, "map[string]int(len 3)", `{"len":3}`},
		{"nil map", program.Shape{Form: program.FormMap, Type: tMap, Slot: 0, Slot2: 1}, []got{scalarSlot(0, 8), failed(scalarSlot(0, 8), program.StatusNil)}, "nil", "null"},
		{"func", program.Shape{Form: program.FormFunc, Type: tFunc, Slot: 0, Slot2: 1}, []got{scalarSlot(0xc000, 8), scalarSlot(0x402000, 8)}, "main.handle", `"main.handle"`},
		{"complex", program.Shape{Form: program.FormComplex, Type: tC128, Fields: []program.Shape{leaf(tF64, 0, 0), leaf(tF64, 0, 8)}}, []got{blockSlot(words(0x3ff0000000000000, 0))}, "(1+0i)", `{"real":1,"imag":0}`},
		{"error", ifaceShape(0), ifaceSlots(16, 0xc000, words(1, 2), "no such order", true), `*errors.errorString("no such order")`, `{"type":"*errors.errorString","value":"no such order"}`},
		{"named scalar", ifaceShape(0), ifaceSlots(8, 0xc000, words(0x4000000000000000, 2), "", false), "main.Celsius(2)", `{"type":"main.Celsius","value":2}`},
		{"string in an interface", ifaceShape(0), ifaceSlots(24, 0xc000, words(1, 2), "x", true), `string("x")`, `{"type":"string","value":"x"}`},
		{"pointer in an interface", ifaceShape(0), ifaceSlots(32, 0xc000, words(1, 2), "", false), `*main.Order(0xc000)`, `{"type":"*main.Order","value":"0xc000"}`},
		{"slice in an interface", ifaceShape(0), ifaceSlots(40, 0xc000, words(1, 2), "", false), `[]int([…] (len 2))`, `{"type":"[]int","value":{"value":[],"len":2,"truncated":true}}`},
		{"complex in an interface", ifaceShape(0), ifaceSlots(48, 0xc000, words(0, 0), "", false), `complex128((0+0i))`, `{"type":"complex128","value":{"real":0,"imag":0}}`},
		{"struct in an interface", ifaceShape(0), ifaceSlots(56, 0xc000, words(0, 0), "", false), `main.Order`, `{"type":"main.Order"}`},
		{"unknown dynamic type", ifaceShape(0), ifaceSlots(72, 0xc000, words(0, 0), "", false), `unknown type 0x500048`, `{"type":"unknown type 0x500048"}`},
		{"nil interface", ifaceShape(0), ifaceSlots(0, 0, words(0, 0), "", false), `nil`, `null`},
		{"out of range", leaf(tInt, 0, 0), []got{failed(scalarSlot(0, 8), program.StatusRange)}, "<out of range>", `{"unreadable":"out of range"}`},
		{"static", program.Shape{Form: program.FormStatic, Type: tInt, Static: words(42)}, nil, "42", "42"},
		{"static text", program.Shape{Form: program.FormStatic, Type: tString, Static: []byte("main.handle")}, nil, "main.handle", `"main.handle"`},
		{"bad shape", leaf(tInt, 9, 0), nil, "<damaged>", `{"unreadable":"damaged"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := decoder([]program.Shape{c.shape}, c.slots).Record(record(c.slots...))
			if err != nil {
				t.Fatal(err)
			}
			if h.Message != c.text {
				t.Errorf("message %s, want %s", h.Message, c.text)
			}
			b, err := json.Marshal(h.Values[0].Value)
			if err != nil || string(b) != c.json {
				t.Errorf("JSON %s (%v), want %s", b, err, c.json)
			}
		})
	}
}

func TestHit(t *testing.T) {
	slots := []got{scalarSlot(1, 8)}
	d := decoder([]program.Shape{leaf(tInt, 0, 0)}, slots)
	rec := append(record(slots...), 0xee) // what follows is another record's
	for seq := range uint64(3) {
		h, err := d.Record(rec)
		if err != nil {
			t.Fatal(err)
		}
		want := &probe.Hit{Probe: "p1", Location: "orders.go:42", Seq: seq + 1, Time: time.Unix(5, 0).UTC(), PID: 7,
			Goroutine: 18, Function: "main.handle", File: "/src/orders.go", Line: 42, Message: "1",
			Values: []probe.NamedValue{{Name: "a", Value: probe.Value{Shape: probe.Int, Type: "int", Int: 1}}}}
		if !reflect.DeepEqual(h, want) {
			t.Errorf("got %+v, want %+v", h, want)
		}
	}
}

func TestPadding(t *testing.T) {
	rec := make([]byte, 16)
	binary.LittleEndian.PutUint32(rec, 16)
	binary.LittleEndian.PutUint16(rec[ring.RecordProbe:], ring.Pad)
	if size, _, _, err := Header(rec); size != 16 || !errors.Is(err, ErrPadding) {
		t.Errorf("got %d, %v", size, err)
	}
}

// FuzzRecord damages records: they give errors, or values that print.
func FuzzRecord(f *testing.F) {
	slots := append(ifaceSlots(16, 0xc000, words(1, 2), "text", true), blockSlot(words(1, 2)), runSlot(words(1, 2), 8, 64))
	shapes := []program.Shape{ifaceShape(0), leaf(tInt, 5, 8),
		{Form: program.FormSlice, Type: tInts, Slot: 6, Elems: []program.Shape{leaf(tInt, 6, 0), leaf(tInt, 6, 8)}},
		{Form: program.FormSlice, Type: tInts, Slot: -1, Slot2: 5, Off: 8},
		{Form: program.FormMap, Type: tMap, Slot: 5, Slot2: 0}, {Form: program.FormFunc, Type: tFunc, Slot: 5, Slot2: 1}}
	f.Add(record(slots...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, rec []byte) {
		h, err := decoder(shapes, slots).Record(rec)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrPadding) {
				t.Fatalf("error %v", err)
			}
			return
		}
		for _, v := range h.Values {
			if b := v.Value.AppendJSON(nil); !json.Valid(b) {
				t.Fatalf("%s is no JSON", b)
			}
		}
	})
}
