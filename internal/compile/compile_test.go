package compile

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/decode"
	"github.com/sidelight-dev/sidelight/internal/interp"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

var here = locate.Site{PC: 0x401000, Function: "main.handle", File: "/src/orders.go", Line: 42}

func oneSite() *locate.Result { return &locate.Result{Sites: []locate.Site{here}} }

// ownMemory is the memory of the test itself.
var ownMemory = sync.OnceValues(func() (*os.File, error) { return os.Open("/proc/self/mem") })

// self evaluates over the memory of the test itself.
func self(t testing.TB) *interp.State {
	t.Helper()
	mem, err := ownMemory()
	if err != nil {
		t.Skip("the test reads its own memory through /proc/self/mem:", err)
	}
	return &interp.State{Goid: 18, Mem: func(addr uint64, n int) []byte {
		b := make([]byte, n)
		if _, err := mem.ReadAt(b, int64(addr)); err != nil {
			return nil
		}
		return b
	}}
}

// hit compiles a message, runs it in the test's own memory, and decodes it.
func hit(t *testing.T, w *world, message string) *probe.Hit {
	t.Helper()
	spec := probe.Spec{ID: "p1", Kind: probe.Log, At: "orders.go:42", Message: message}
	p, _, err := Compile(w, spec, 0, oneSite())
	if err != nil {
		t.Fatal(err)
	}
	d := decode.New(decode.Config{Probes: []probe.Spec{spec}, Type: w.runtimeType}, []*program.Program{p})
	h, err := d.Record(self(t).Record(&p.Sites[0], 0, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ValueCases are expressions over the variables of world_test.go, and how their
// values print.
var ValueCases = []struct{ Expr, Want string }{
	{"i", "42"}, {"neg", "-7"}, {"big", "9223372036854775808"}, {"i8", "-128"}, {"u8", "200"}, {"r", "233"},
	{"f", "2.5"}, {"f32", "0.1"}, {"b", "true"}, {"mb", "true"}, {"s", "hello"}, {"empty", ""}, {"ms", "mine"},
	{"long", strings.Repeat("x", 256) + "… (300 bytes)"}, {"raw", "ff01"}, {"text", "text"}, {"lvl", "-2"},
	{"c128", "(1-2i)"}, {"c64", "(3+4i)"}, {"uptr", "4096"}, {"up", "nil"},
	{"o.ID", "7"}, {"p.ID", "7"}, {"(*p).Name", "alice"}, {"(*pp).Name", "alice"}, {"o.Created", "99"}, {"p.Note", "first"},
	{"p.base.Created", "99"}, {"o.Deep", "5"}, {"p.Prev.ID", "6"}, {"o.Temp", "36.6"}, {"p.Prev.Deep", "<nil pointer>"},
	{"nilp.ID", "<nil pointer>"}, {"*nilp", "<nil pointer>"}, {"nilp", "nil"}, {"zero.Prev.Prev.ID", "<nil pointer>"},
	{"o.Grid[1][1]", "-4"}, {"o.Grid", "[[1 2] [3 -4]]"}, {"o.Tags[1]", "b"}, {"o.Tags[2]", "<out of range>"},
	{"ints", "[10 20 30 40 50 60 70 80 …] (len 10)"}, {"none", "[]"}, {"strs", `["one" "" "three"]`}, {"arr", "[1 2 3 4]"},
	{"mat", "[-1 0 1]"}, {"parr[3]", "4"}, {"*parr", "[1 2 3 4]"}, {"arr[idx]", "3"}, {"arr[idx*2]", "<out of range>"}, {"arr[neg]", "<out of range>"},
	{"ints[idx+1]", "40"}, {"s[1]", "101"}, {"s[idx]", "108"}, {"s[big]", "<out of range>"}, {"s[u8]", "<out of range>"}, {`"abc"[idx]`, "99"},
	{"s[1:3]", "el"}, {"s[idx:]", "llo"}, {"s[:idx]", "he"}, {"s[:]", "hello"}, {"s[idx:1]", "<out of range>"}, {"s[:6]", "<out of range>"}, {"s[5:]", ""},
	{"s[1:][1:][:2]", "ll"}, {"ints[8:]", "[90 100]"}, {"text[1:3]", "ex"}, {"len(ints[8:])", "2"}, {"cap(ints[8:])", "2"},
	{"orders[1].Name", "second"}, {"orders[idx].Name", "<out of range>"}, {"ptrs", "[nil]"}, {"empties", "[…] (len 3)"}, {"ptrs[0].ID", "<nil pointer>"},
	{"len(s)", "5"}, {"len(strs)", "3"}, {"cap(ints)", "10"}, {"len(arr)", "4"}, {"len(parr)", "4"}, {"len(m)", "1"}, {"len(nilm)", "0"},
	{"len(ch)", "1"}, {"cap(ch)", "3"}, {"len(nilch)", "0"}, {`len("héllo")`, "6"}, {"len($function)", "11"},
	{"m", "map[string]int(len 1)"}, {"nilm", "nil"}, {"ch", "chan int(len 1)"}, {"nilfn", "nil"},
	{"err", "no such order"}, {"wrapped", "while saving: no such order"}, {"nilerr", "nil"},
	{"any1", "int(12)"}, {"any2", "main.celsius(1.5)"}, {"any3", `main.myString("dyn")`}, {"anys", `[int(1) string("two")]`}, {"anyst", "main.base"},
	{"i + 1", "43"}, {"neg / 2", "-3"}, {"neg % 4", "-3"}, {"i8 - 1", "127"}, {"u8 + 100", "44"}, {"-i8", "-128"}, {"^u8", "55"}, {"u32 << 1", "0"},
	{"neg >> 1", "-4"}, {"1 << idx", "4"}, {"i << 70", "0"}, {"i << neg", "<out of range>"}, {"i / (idx - 2)", "<division by zero>"}, {"f / 0.5", "5"}, {"f32 * 2", "0.2"},
	{"i &^ 2", "40"}, {"i | 1", "43"}, {"i ^ 3", "41"}, {"i & 6", "2"}, {"i*i - 1", "1763"}, {"+i", "42"}, {"-f", "-2.5"},
	{"float64(i) / 4", "10.5"}, {"int(f)", "2"}, {"uint8(i)", "42"}, {"int8(i * 10)", "-92"}, {"uint64(neg)", "18446744073709551609"}, {"celsius(f)", "2.5"}, {"int64(i8)", "-128"},
	{"float32(i)", "42"}, {"string(ms)", "mine"}, {"int(temp)", "20"},
	{"i > 41 && s == \"hello\"", "true"}, {"i > 41 && nilp.ID == 3", "<nil pointer>"}, {"i < 41 && nilp.ID == 3", "false"}, {"b || nilp.Paid", "true"}, {"!b", "false"},
	{"s < \"help\"", "true"}, {"s >= \"help\"", "false"}, {"s <= s", "true"}, {"s > empty", "true"}, {"s != empty", "true"},
	{"p == nil", "false"}, {"nilp == nil", "true"}, {"nil != err", "true"}, {"nilerr == nil", "true"}, {"none == nil", "true"}, {"nilfn == nil", "true"},
	{"p == *pp", "true"}, {"eof == io.EOF", "true"}, {"err == io.EOF", "false"}, {"nilerr == io.EOF", "false"}, {"err == wrapped", "false"}, {"nilerr == nilerr", "true"},
	{"any1 == any1", "true"}, {"any1 == any2", "false"}, {"mb == (i > 3)", "true"}, {"f > 2", "true"}, {"f32 < 0.2", "true"}, {"r == 'é'", "true"},
	{"1 + 2*3", "7"}, {"7 / 2", "3"}, {"7 / 2.0", "3.5"}, {"'a' + 1", "98"}, {`"x"`, "x"}, {"true && !false", "true"}, {"1 << 10", "1024"}, {"^0", "-1"},
	{"$line + 1", "43"}, {"$function", "main.handle"}, {"$goroutine", "18"}, {"$goroutine == 18", "true"}, {"io.EOF", "EOF"}, {"i == 0x2a", "true"},
	{"eleven + i", "53"}, {"err == p.Err", "false"},
}

func TestValues(t *testing.T) {
	w := newWorld()
	for _, c := range ValueCases {
		if got := hit(t, w, "{"+c.Expr+"}").Message; got != c.Want {
			t.Errorf("%s: got %s, want %s", c.Expr, got, c.Want)
		}
	}
}

func TestDepth(t *testing.T) {
	w := newWorld()
	o := hit(t, w, "{o}").Message
	for _, part := range []string{"base:{Created:99 Note:\"first\"}", "ID:7 Qty:3 Price:1.5 Name:\"alice\" Paid:true", "Tags:[…] (len 2)",
		"Attrs:map[string]int(len 2)", "Temp:36.6", "Grid:[[1 2] [3 -4]]", "Err:nil", "Prev:0x", "Done:nil", "Fn:nil"} {
		if !strings.Contains(o, part) {
			t.Errorf("{o} lacks %s: %s", part, o)
		}
	}
	for _, c := range []struct{ expr, part string }{
		{"p.Prev", "&{base:{Created:0 Note:\"\"} inner:nil ID:6"},
		{"orders", "[{base:{Created:0 Note:\"\"}"},
		{"orders", "ID:2 Qty:0 Price:0 Name:\"second\""},
		{"fn", "func(0x"},
		{"anyp", "*main.order(0x"},
	} {
		if got := hit(t, w, "{"+c.expr+"}").Message; !strings.Contains(got, c.part) {
			t.Errorf("{%s} lacks %s: %s", c.expr, c.part, got)
		}
	}
}

func TestMessage(t *testing.T) {
	h := hit(t, newWorld(), "order {o.ID} x{p.Qty} for {{{o.Name}}} {o.ID}")
	if want := "order 7 x3 for {alice} 7"; h.Message != want {
		t.Errorf("message %q, want %q", h.Message, want)
	}
	if len(h.Values) != 3 || h.Values[1].Name != "p.Qty" {
		t.Errorf("values %+v", h.Values)
	}
}

func TestConditions(t *testing.T) {
	w := newWorld()
	for _, c := range []struct {
		cond string
		want uint64
		st   program.Status
	}{
		{"i == 42", 1, 0}, {"i != 42", 0, 0}, {"o.Qty > 10", 0, 0}, {"nilp.ID == 1", 0, program.StatusNil},
		{"i/(idx-2) == 1", 0, program.StatusDivide}, {"nilp != nil && nilp.ID == 1", 0, 0}, {"arr[i] == 1", 0, program.StatusRange},
		{"any1 == any2 || any3 == any3", 1, 0}, {"false", 0, 0}, {"b", 1, 0}, {"len(s) == 5", 1, 0}, {"1 > 2", 0, 0},
	} {
		p, _, err := Compile(w, probe.Spec{Kind: probe.Count, If: c.cond}, 3, oneSite())
		if err != nil {
			t.Errorf("%s: %v", c.cond, err)
			continue
		}
		if p.Log || p.Index != 3 || len(p.Sites) != 1 || p.Sites[0].PC != here.PC {
			t.Errorf("%s: program %+v", c.cond, p)
		}
		if got, st := self(t).Eval(p.Sites[0].Cond); got != c.want || st != c.st {
			t.Errorf("%s: got %d, status %d; want %d, %d", c.cond, got, st, c.want, c.st)
		}
	}
	p, _, err := Compile(w, probe.Spec{Kind: probe.Count, If: "true || i == 0"}, 0, oneSite())
	if err != nil || p.Sites[0].Cond == nil {
		t.Errorf("%v, %v", p, err)
	}
}
