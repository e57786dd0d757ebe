package probe

import (
	"encoding/json"
	"math"
	"testing"
)

func TestNode(t *testing.T) {
	i := func(n int64) Value { return Value{Shape: Int, Type: "int", Int: n} }
	text := func(s string) Value {
		return Value{Shape: String, Type: "string", Data: []byte(s), Len: int64(len(s))}
	}
	point := Value{Shape: Struct, Type: "main.Point", Address: 0x40, Fields: []NamedValue{{"X", i(1)}, {"Y", i(2)}}}
	to := func(typ string, at uint64, v Value) Value {
		return Value{Shape: Pointer, Type: typ, Uint: at, Elems: []Value{v}}
	}
	late := point
	late.Late = true
	tests := []struct {
		name string
		v    Value
		want string
	}{
		{"int", i(math.MaxInt64), `{"name":"v","type":"int","value":9223372036854775807}`},
		{"uint", Value{Shape: Uint, Type: "uint64", Uint: math.MaxUint64}, `{"name":"v","type":"uint64","value":18446744073709551615}`},
		{"nan", Value{Shape: Float, Type: "float64", Float: math.NaN(), Bits: 64}, `{"name":"v","type":"float64","value":"NaN"}`},
		{"empty string", text(""), `{"name":"v","type":"string","value":""}`},
		{"bytes", text("\xff"), `{"name":"v","type":"string","value":{"base64":"/w=="}}`},
		{"cut", Value{Shape: String, Type: "string", Data: []byte("ab"), Len: 9, Truncated: true, Cut: "max-bytes", Address: 0x10},
			`{"name":"v","type":"string","value":"ab","len":9,"truncated":true,"cut":"max-bytes","address":"0x10"}`},
		{"nil", Value{Shape: Nil, Type: "*main.Point"}, `{"name":"v","type":"*main.Point","value":null}`},
		{"struct", point, `{"name":"v","type":"main.Point","fields":[{"name":"X","type":"int","value":1},{"name":"Y","type":"int","value":2}],"address":"0x40"}`},
		{"no fields", Value{Shape: Struct, Type: "struct {}"}, `{"name":"v","type":"struct {}","fields":[]}`},
		{"complex", Value{Shape: Complex, Type: "complex128", Fields: []NamedValue{{"real", i(1)}, {"imag", i(2)}}},
			`{"name":"v","type":"complex128","fields":[{"name":"real","type":"int","value":1},{"name":"imag","type":"int","value":2}]}`},
		{"pointer", to("*main.Point", 0x40, late),
			`{"name":"v","type":"*main.Point","fields":[{"name":"X","type":"int","value":1},{"name":"Y","type":"int","value":2}],"late":true,"address":"0x40"}`},
		{"pointer not followed", Value{Shape: Pointer, Type: "*int", Uint: 7, Cut: "depth"}, `{"name":"v","type":"*int","cut":"depth","address":"0x7"}`},
		{"address kept as a number", Value{Shape: Pointer, Type: "uintptr", Uint: 7, Address: 0x40}, `{"name":"v","type":"uintptr","address":"0x7"}`},
		{"no address", Value{Shape: Pointer, Type: "uintptr", Address: 0x40}, `{"name":"v","type":"uintptr","address":"0x0"}`},
		{"pointer in an interface", Value{Shape: Interface, Type: "*int", Declared: "interface {}", Address: 0x40,
			Elems: []Value{{Shape: Pointer, Type: "*int", Uint: 7, Cut: "depth"}}},
			`{"name":"v","type":"interface {}","dynamic":"*int","cut":"depth","address":"0x7"}`},
		{"pointer to pointer", to("**int", 0x10, to("*int", 0x20, i(3))),
			`{"name":"v","type":"**int","elements":[{"type":"*int","value":3,"address":"0x20"}],"address":"0x10"}`},
		{"pointer to nil", to("**int", 0x10, Value{Shape: Nil, Type: "*int"}), `{"name":"v","type":"**int","value":null,"address":"0x10"}`},
		{"interface", Value{Shape: Interface, Type: "string", Declared: "interface {}", Elems: []Value{text("x")}},
			`{"name":"v","type":"interface {}","dynamic":"string","value":"x"}`},
		{"interface of a pointer", Value{Shape: Interface, Type: "*int", Declared: "any", Note: "a", Elems: []Value{to("*int", 9, Value{Shape: Int, Int: 1, Note: "b"})}},
			`{"name":"v","type":"any","dynamic":"*int","value":1,"note":"a; b","address":"0x9"}`},
		{"interface, no content", Value{Shape: Interface, Type: "main.T", Declared: "error"}, `{"name":"v","type":"error","dynamic":"main.T"}`},
		{"pointer to interface", to("*error", 0x10, Value{Shape: Interface, Type: "*main.E", Declared: "error", Elems: []Value{{Shape: Pointer, Uint: 0x20, Late: true}}}),
			`{"name":"v","type":"*error","elements":[{"type":"error","dynamic":"*main.E","late":true,"address":"0x20"}],"address":"0x10"}`},
		{"list", Value{Shape: List, Type: "[]int", Len: 3, Elems: []Value{i(1)}, Truncated: true, Cut: "max-items", Address: 0x30},
			`{"name":"v","type":"[]int","elements":[{"type":"int","value":1}],"len":3,"truncated":true,"cut":"max-items","address":"0x30"}`},
		{"map", Value{Shape: Map, Type: "map[string]int", Len: 1, Note: "being written", Entries: []Entry{{text("a"), i(1)}}},
			`{"name":"v","type":"map[string]int","entries":[{"key":{"type":"string","value":"a"},"value":{"type":"int","value":1}}],"len":1,"note":"being written"}`},
		{"map of unknown length", Value{Shape: Map, Type: "map[int]int", Len: -1}, `{"name":"v","type":"map[int]int"}`},
		{"empty map", Value{Shape: Map, Type: "map[int]int", Entries: []Entry{}}, `{"name":"v","type":"map[int]int","entries":[],"len":0}`},
		{"chan", Value{Shape: Chan, Type: "chan int", Len: 1, Uint: 0x50, Fields: []NamedValue{{"cap", i(4)}}, Elems: []Value{i(9)}},
			`{"name":"v","type":"chan int","fields":[{"name":"cap","type":"int","value":4}],"elements":[{"type":"int","value":9}],"len":1,"address":"0x50"}`},
		{"func", Value{Shape: Func, Type: "func()", Text: "main.main.func1", Uint: 0x60, Fields: []NamedValue{{"n", i(1)}}},
			`{"name":"v","type":"func()","value":"main.main.func1","fields":[{"name":"n","type":"int","value":1}],"address":"0x60"}`},
		{"literal", Value{Shape: Literal, Type: "net.IP", Text: "10.0.0.1"}, `{"name":"v","type":"net.IP","value":"10.0.0.1"}`},
		{"redacted", Value{Shape: Redacted, Type: "string", Text: "password"}, `{"name":"v","type":"string","redacted":"password"}`},
		{"unreadable", Why("optimised out"), `{"name":"v","unreadable":"optimised out"}`},
	}
	for _, test := range tests {
		got := string(AppendNode(nil, "v", test.v))
		if got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("%s: this is no JSON: %s", test.name, got)
		}
	}
	v := Variable{Name: "n", Role: RoleArgument, Value: i(1)}
	if got, want := string(AppendVariable(nil, v)), `{"name":"n","role":"argument","type":"int","value":1}`; got != want {
		t.Errorf("variable: %s, want %s", got, want)
	}
}
