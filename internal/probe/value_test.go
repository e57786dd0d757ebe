package probe

import (
	"encoding/json"
	"math"
	"testing"
	"unicode"
)

func str(s string) Value {
	return Value{Shape: String, Type: "string", Data: []byte(s), Len: int64(len(s))}
}
func integer(i int64) Value { return Value{Shape: Int, Type: "int", Int: i} }
func cut(v Value, n int64) Value {
	v.Len, v.Truncated = n, true
	return v
}

func TestValue(t *testing.T) {
	order := Value{Shape: Struct, Type: "main.Order", Fields: []NamedValue{{"ID", integer(7)}, {"Name", str("al\"ice")}}}
	for _, c := range []struct {
		name       string
		v          Value
		text, json string
	}{
		{"nil", Value{Shape: Nil}, "nil", "null"},
		{"bool", Value{Shape: Bool, Bool: true}, "true", "true"},
		{"int", integer(math.MinInt64), "-9223372036854775808", "-9223372036854775808"},
		{"duration", Value{Shape: Int, Type: "time.Duration", Int: 1500000000}, "1.5s", "1500000000"},
		{"uint", Value{Shape: Uint, Uint: math.MaxUint64}, "18446744073709551615", "18446744073709551615"},
		{"float", Value{Shape: Float, Float: 0.1, Bits: 64}, "0.1", "0.1"},
		{"float32", Value{Shape: Float, Float: float64(float32(0.1)), Bits: 32}, "0.1", "0.1"},
		{"large float", Value{Shape: Float, Float: 1e300}, "1e+300", "1e+300"},
		{"NaN", Value{Shape: Float, Float: math.NaN()}, "NaN", `"NaN"`},
		{"Inf", Value{Shape: Float, Float: math.Inf(1)}, "+Inf", `"+Inf"`},
		{"-Inf", Value{Shape: Float, Float: math.Inf(-1)}, "-Inf", `"-Inf"`},
		{"complex", Value{Shape: Complex, Fields: []NamedValue{{"real", Value{Shape: Float, Float: 1}}, {"imag", Value{Shape: Float, Float: -2}}}}, "(1-2i)", `{"real":1,"imag":-2}`},
		{"string", str("alice <b>"), "alice <b>", `"alice <b>"`},
		{"control", str("a\n\x1b[31m\u202eb\u0085"), `a\n\x1b[31m\u202eb\u0085`, "\"a\\n\\u001b[31m\u202eb\u0085\""},
		{"no UTF-8", str("a\xff"), `a\xff`, `{"base64":"Yf8="}`},
		{"replacement character", str("\ufffd"), "\ufffd", "\"\ufffd\""},
		{"cut string", cut(str("abc"), 300), "abc… (300 bytes)", `{"value":"abc","len":300,"truncated":true}`},
		{"cut bytes", cut(str("\xff\xfe"), 300), `\xff\xfe… (300 bytes)`, `{"base64":"//4=","len":300,"truncated":true}`},
		{"byte slice", Value{Shape: String, Type: "[]uint8", Data: []byte{0xff, 1}}, "ff01", `{"base64":"/wE="}`},
		{"byte slice of text", Value{Shape: String, Type: "[]uint8", Data: []byte("a\tb")}, `a\tb`, `"a\tb"`},
		{"byte slice of numbers", Value{Shape: String, Type: "[]uint8", Data: []byte{127, 0, 0, 1}}, "7f000001", "\"\x7f\\u0000\\u0000\\u0001\""},
		{"struct", order, `{ID:7 Name:"al\"ice"}`, `{"ID":7,"Name":"al\"ice"}`},
		{"empty struct", Value{Shape: Struct}, "{}", "{}"},
		{"list", Value{Shape: List, Elems: []Value{integer(1), integer(2)}, Len: 2}, "[1 2]", "[1,2]"},
		{"cut list", cut(Value{Shape: List, Elems: []Value{integer(1)}}, 9), "[1 …] (len 9)", `{"value":[1],"len":9,"truncated":true}`},
		{"unread list", cut(Value{Shape: List}, 9), "[…] (len 9)", `{"value":[],"len":9,"truncated":true}`},
		{"interface", Value{Shape: Interface, Type: "main.Celsius", Elems: []Value{integer(3)}}, "main.Celsius(3)", `{"type":"main.Celsius","value":3}`},
		{"error", Value{Shape: Interface, Type: "*errors.errorString", Elems: []Value{str("no")}}, `*errors.errorString("no")`, `{"type":"*errors.errorString","value":"no"}`},
		{"interface of an unread type", Value{Shape: Interface, Type: "main.T"}, "main.T", `{"type":"main.T"}`},
		{"pointer", Value{Shape: Pointer, Uint: 0xc000}, "0xc000", `"0xc000"`},
		{"pointer to struct", Value{Shape: Pointer, Uint: 0xc000, Elems: []Value{order}}, `&{ID:7 Name:"al\"ice"}`, `{"ID":7,"Name":"al\"ice"}`},
		{"map", Value{Shape: Map, Type: "map[string]int", Len: 3}, "map[string]int(len 3)", `{"len":3}`},
		{"chan", Value{Shape: Chan, Type: "chan int", Len: 0}, "chan int(len 0)", `{"len":0}`},
		{"unread map", Value{Shape: Map, Type: "map[string]int", Len: -1}, "map[string]int", `{"type":"map[string]int"}`},
		{"func", Value{Shape: Func, Text: "main.handle", Uint: 1}, "main.handle", `"main.handle"`},
		{"unknown func", Value{Shape: Func, Uint: 255}, "func(0xff)", `"0xff"`},
		{"unreadable", Why("nil pointer"), "<nil pointer>", `{"unreadable":"nil pointer"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.v.String(); got != c.text {
				t.Errorf("text %s, want %s", got, c.text)
			}
			got, err := json.Marshal(c.v)
			var want, norm any
			if err != nil || json.Unmarshal([]byte(c.json), &want) != nil || json.Unmarshal(got, &norm) != nil {
				t.Fatalf("%s: %v", got, err)
			}
			if raw := string(c.v.AppendJSON(nil)); raw != c.json {
				t.Errorf("JSON %s, want %s", raw, c.json)
			}
		})
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b[2J\xff\u202e\u0000é")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range str(s).String() {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q has a character that does not print: %U", s, r)
			}
		}
		if b := str(s).AppendJSON(nil); !json.Valid(b) {
			t.Fatalf("%q gives %s", s, b)
		}
	})
}
