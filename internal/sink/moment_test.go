package sink

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/tree"
)

func integer(n int64) probe.Value { return probe.Value{Shape: probe.Int, Type: "int", Int: n} }

func str(s string) probe.Value {
	return probe.Value{Shape: probe.String, Type: "string", Data: []byte(s), Len: int64(len(s))}
}

func pointer(typ string, at uint64, to probe.Value) probe.Value {
	return probe.Value{Shape: probe.Pointer, Type: typ, Uint: at, Elems: []probe.Value{to}}
}

func structure(typ string, fields ...probe.NamedValue) probe.Value {
	return probe.Value{Shape: probe.Struct, Type: typ, Fields: fields}
}

func list(typ string, whole int64, elems ...probe.Value) probe.Value {
	return probe.Value{Shape: probe.List, Type: typ, Elems: elems, Len: whole, Truncated: whole > int64(len(elems))}
}

func field(name string, v probe.Value) probe.NamedValue {
	return probe.NamedValue{Name: name, Value: v}
}

const (
	orderType = "example.com/acme/shop/orders.Order"
	shopType  = "example.com/acme/shop.Shop"
)

// shopValue is the receiver of the moment: something of everything.
func shopValue() probe.Value {
	stock := probe.Value{Shape: probe.Map, Type: "map[string]int", Len: 3, Note: "being written", Entries: []probe.Entry{
		{Key: str("cappuccino"), Value: integer(28)}, {Key: str("tea"), Value: integer(3)}, {Key: str("w\x1b[2Jater"), Value: integer(1000)}}}
	order := structure(orderType, field("ID", integer(7)), field("Qty", integer(3)), field("Name", str("alice")))
	long := order
	long.Fields = append(long.Fields[:3:3], field("Items", list("[]string", 2, str("tea"), str("cake"))), field("Made", probe.Value{Shape: probe.Literal, Type: "time.Time", Text: "2026-01-02T15:04:05Z"}))
	wrapped := probe.Value{Shape: probe.Interface, Type: "*fmt.wrapError", Declared: "error", Elems: []probe.Value{
		pointer("*fmt.wrapError", 0xc000010020, structure("fmt.wrapError", field("msg", str("order 7: no such item")),
			field("err", probe.Value{Shape: probe.Interface, Type: "*errors.errorString", Declared: "error", Elems: []probe.Value{str("no such item")}})))}}
	next := pointer("*"+orderType, 0xc000010800, probe.Value{Shape: probe.Unreadable, Type: orderType, Text: "memory could not be read"})
	late := order
	late.Late = true
	return structure(shopType,
		field("mu", probe.Value{Shape: probe.Literal, Type: "sync.Mutex", Text: "held"}),
		field("stock", stock),
		field("orders", list("[]*"+orderType, 40, pointer("*"+orderType, 0xc000010040, order), pointer("*"+orderType, 0xc000010080, long), pointer("*"+orderType, 0xc0000100c0, late), probe.Value{Shape: probe.Nil, Type: "*" + orderType})),
		field("next", next),
		field("token", probe.Value{Shape: probe.Redacted, Type: "string", Text: "token"}),
		field("queue", probe.Value{Shape: probe.Chan, Type: "chan int", Len: 2, Uint: 0xc000020000, Fields: []probe.NamedValue{field("cap", integer(8))}, Elems: []probe.Value{integer(1), integer(2)}}),
		field("done", probe.Value{Shape: probe.Func, Type: "func()", Text: shopType + ".Open.func1", Fields: []probe.NamedValue{field("n", integer(4))}}),
		field("err", wrapped),
		field("self", probe.Value{Shape: probe.Pointer, Type: "*" + shopType, Uint: 0xc000123400, Note: "shown above"}),
		field("deep", probe.Value{Shape: probe.Pointer, Type: "*main.Node", Uint: 0xc000030000, Cut: "depth 3"}))
}

// fullMoment has every kind of value, and what a hostile target may put there.
func fullMoment() *probe.Moment {
	primes := list("[]int", 12)
	for _, p := range []int64{2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37} {
		primes.Elems = append(primes.Elems, integer(p))
	}
	primes.Truncated = false
	body := str(strings.Repeat("tea & cake, ", 20))
	body.Len, body.Truncated, body.Cut = 4096, true, "max-bytes"
	v := func(name string, role probe.Role, v probe.Value) probe.Variable {
		return probe.Variable{Name: name, Role: role, Value: v}
	}
	return &probe.Moment{Probe: "p1", Location: "shop.(*Shop).take", Seq: 1, Time: noon, PID: 4711, Build: "S8a0Gw/x",
		Target: "shop", Goroutine: 8, Function: "example.com/acme/shop.(*Shop).take", File: "/src/shop/orders.go", Line: 78,
		Took: 12340 * time.Nanosecond, Cuts: []string{"14 objects beyond --max-items 256"},
		Created: &probe.Creation{Goroutine: 1, Function: "example.com/acme/shop.Open", File: "/src/shop/shop.go", Line: 41},
		Trace:   &probe.TraceID{Trace: "4bf92f3577b34da6a3ce929d0e0e4736", Span: "00f067aa0ba902b7"},
		Watches: []probe.NamedValue{field("len(s.stock)", integer(3)), field("item", str("cappuccino"))},
		Frames: []probe.Frame{
			{Function: "example.com/acme/shop.(*Shop).take", File: "/src/shop/orders.go", Line: 78, PC: 0x48a1c0, Variables: []probe.Variable{
				v("item", probe.RoleArgument, str("cappuccino")), v("qty", probe.RoleArgument, integer(28)),
				v("s", probe.RoleReceiver, pointer("*"+shopType, 0xc000123400, shopValue())),
				v("primes", probe.RoleLocal, primes), v("body", probe.RoleLocal, body),
				v("at", probe.RoleLocal, structure("image.Point", field("X", integer(1)), field("Y", integer(-2)))),
				v("left", probe.RoleLocal, probe.Why("optimised out")),
				v("ratio", probe.RoleLocal, probe.Value{Shape: probe.Float, Type: "float64", Float: 0.1, Bits: 64}),
				v("wait", probe.RoleLocal, probe.Value{Shape: probe.Int, Type: "time.Duration", Int: 1500}),
				v("pp", probe.RoleLocal, pointer("**int", 0xc000040000, pointer("*int", 0xc000040008, integer(9)))),
				v("ok", probe.RoleResult, probe.Value{Shape: probe.Bool, Type: "bool"}),
				v("count", probe.RoleCaptured, pointer("*int", 0xc000040010, integer(3)))}},
			{Function: "example.com/acme/shop.(*Shop).Place", File: "/src/shop/orders.go", Line: 61, PC: 0x48a300, Inlined: true,
				Variables: []probe.Variable{v("o", probe.RoleArgument, pointer("*"+orderType, 0xc000010040, structure(orderType, field("ID", integer(7))))),
					v("s", probe.RoleReceiver, pointer("*"+shopType, 0xc000123400, shopValue())),
					v("all", probe.RoleLocal, list("[]"+orderType, 1, structure(orderType, field("Items", list("[]string", 1, str("tea"))))))}},
			{Function: "example.com/acme/shop.customer", File: "/src/shop/traffic.go", Line: 133, PC: 0x48a300, Issue: "its variables lie in registers that a call may have changed"},
			{Function: "runtime.goexit", File: "/go/src/runtime/asm_amd64.s", Line: 1700, PC: 0x4001},
		}}
}

func TestGoldenMoment(t *testing.T) {
	var wide, narrow, color, lines bytes.Buffer
	sinks := map[string]Sink{
		"wide":   NewText(&wide, TextOptions{Zone: time.UTC}),
		"narrow": NewText(&narrow, TextOptions{Zone: time.UTC, Width: 72}),
		"color":  NewText(&color, TextOptions{Zone: time.UTC, Color: true, Width: 100, Named: true}),
		"json":   NewJSON(&lines),
	}
	bare := &probe.Moment{Probe: "p1", Location: "a.go:1", Seq: 2, Time: noon, PID: 7, Goroutine: 1, Function: "main.main", File: "/a.go", Line: 1,
		Frames: []probe.Frame{{Function: "main.main", File: "/a.go", Line: 1}}}
	for _, m := range []*probe.Moment{fullMoment(), bare} {
		for name, s := range sinks {
			if err := s.Event(m); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	golden(t, "moment.golden", wide.String())
	golden(t, "moment_narrow.golden", narrow.String())
	golden(t, "moment_color.golden", color.String())
	golden(t, "moment_json.golden", lines.String())
	for i, line := range strings.Split(narrow.String(), "\n") {
		if strings.ContainsAny(line, "/") { // a trace id or a place may be wider than the terminal
			continue
		}
		if w := tree.Width(line); w > 72 {
			t.Errorf("line %d has %d columns: %s", i+1, w, line)
		}
	}
	for _, text := range []string{wide.String(), narrow.String()} {
		if strings.Contains(text, "\x1b") {
			t.Error("an escape of the target reaches the terminal")
		}
	}
}

// Where variables are not known, a moment does not say that there are none.
func TestUnknownVariables(t *testing.T) {
	for issue, none := range map[string]bool{"": true, "its variables are not known": false} {
		var out bytes.Buffer
		m := &probe.Moment{Frames: []probe.Frame{{Function: "main.main", Issue: issue}}}
		if err := NewText(&out, TextOptions{}).Event(m); err != nil {
			t.Fatal(err)
		}
		if text := out.String(); strings.Contains(text, "no variables in scope") != none || !strings.Contains(text, issue) {
			t.Errorf("%q:\n%s", issue, text)
		}
	}
}

// A list is cut in the number of its rows for a terminal only, and says so.
func TestLongListOnATerminal(t *testing.T) {
	v := list("[]main.T", 100)
	for i := range int64(100) {
		v.Elems = append(v.Elems, structure("main.T", field("a", list("[]int", 0)), field("n", integer(i))))
	}
	m := &probe.Moment{Frames: []probe.Frame{{Variables: []probe.Variable{{Name: "v", Role: probe.RoleLocal, Value: v}}}}}
	for width, want := range map[int]int{0: 100, 80: maxRows - 1} {
		var out bytes.Buffer
		if err := NewText(&out, TextOptions{Width: width}).Event(m); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(out.String(), "int  "); got < want {
			t.Errorf("width %d: %d elements, want %d:\n%s", width, got, want, out.String())
		}
		if says := strings.Contains(out.String(), fmt.Sprintf("… %d more", 100-want)); says != (want < 100) {
			t.Errorf("width %d: says that it cut: %v", width, says)
		}
	}
}

// A pointer is shown whole where a bound had cut what stands above, and not a
// second time where it had not.
func TestSharedPointerIsShownOnce(t *testing.T) {
	inner := list("[]main.T", 2, structure("main.T", field("a", list("[]int", 0)), field("text", str("inmost"))), integer(1))
	whole := pointer("*main.N", 0x10, structure("main.N", field("list", inner)))
	shallow := pointer("*main.N", 0x10, structure("main.N", field("list", probe.Value{Shape: probe.List, Type: "[]main.T", Len: 2, Truncated: true, Cut: "depth"})))
	for _, test := range []struct {
		first, second probe.Value
		inmost, above int
	}{{whole, whole, 1, 1}, {shallow, whole, 1, 0}, {whole, shallow, 1, 1}} {
		var out bytes.Buffer
		m := &probe.Moment{Frames: []probe.Frame{{Variables: []probe.Variable{
			{Name: "a", Role: probe.RoleArgument, Value: test.first}, {Name: "b", Role: probe.RoleLocal, Value: test.second}}}}}
		wide := *m // callers on a terminal, one after another
		wide.Frames = append(wide.Frames, probe.Frame{Variables: m.Frames[0].Variables[:1]}, probe.Frame{Variables: m.Frames[0].Variables[:1]})
		var rows bytes.Buffer
		if err := NewText(&rows, TextOptions{Width: 100}).Event(&wide); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(rows.String(), "as above"); n != test.above+2 {
			t.Errorf("%d pointers point up, want %d:\n%s", n, test.above+2, rows.String())
		}
		if err := NewText(&out, TextOptions{}).Event(m); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "inmost"); n != test.inmost {
			t.Errorf("the inmost value is shown %d times, want %d:\n%s", n, test.inmost, out.String())
		}
		if n := strings.Count(out.String(), "as above"); n != test.above {
			t.Errorf("%d pointers point up, want %d:\n%s", n, test.above, out.String())
		}
	}
}

// Of a call that was timed, the arguments are what was asked for.
func TestArgumentsOfACallComeFirst(t *testing.T) {
	m := &probe.Moment{Frames: []probe.Frame{{Variables: []probe.Variable{
		{Name: "s", Role: probe.RoleReceiver, Value: integer(1)}, {Name: "qty", Role: probe.RoleArgument, Value: integer(2)}}}}}
	for _, m.Call = range []bool{false, true} {
		text := strings.Join(MomentLines(m, false, 0), "\n")
		if first := strings.Index(text, "arguments") < strings.Index(text, "receiver"); first != m.Call {
			t.Errorf("a call: %v, and its text is\n%s", m.Call, text)
		}
	}
}
