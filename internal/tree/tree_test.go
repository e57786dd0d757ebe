package tree

import (
	"strings"
	"testing"
	"unicode"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

func TestShort(t *testing.T) {
	for name, want := range map[string]string{
		"int":                          "int",
		"*example.com/acme/shop.Order": "*shop.Order",
		"map[a.b/c.K]*d.e/f-g/h.V":     "map[c.K]*h.V",
		"func(x.y/z.A, ...int) q/r.B":  "func(z.A, ...int) r.B",
		"a/b.Box[go.shape.int,c/d.T]":  "b.Box[int,d.T]",
		"<-chan a/b.T":                 "<-chan b.T",
		"a/b.(*Shop).take.func1":       "b.(*Shop).take.func1",
		"evil/\x1b[2J":                 `\x1b[2J`,
		"":                             "",
		"a/":                           "",
	} {
		if got := Short(name); got != want {
			t.Errorf("Short(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestKeys(t *testing.T) {
	str := func(s string, whole int64) probe.Value {
		return probe.Value{Shape: probe.String, Type: "string", Data: []byte(s), Len: whole, Truncated: whole > int64(len(s))}
	}
	point := probe.Value{Shape: probe.Struct, Fields: []probe.NamedValue{{Name: "X", Value: probe.Value{Shape: probe.Int, Int: 1}}}}
	v := probe.Value{Shape: probe.Map, Len: 4, Entries: []probe.Entry{{Key: str("a", 1)}, {Key: str("", 1000)}, {Key: str("ab", 5)}, {Key: point}}}
	var names []string
	for _, n := range Of("m", v).Children {
		names = append(names, n.Name)
	}
	if got, want := strings.Join(names, " "), `"a" <1,000 bytes, not taken> "ab…" {X:1}`; got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
}

// A row is never wider than its room, says where it was cut, and is never cut
// without need.
func TestRowKeepsToItsRoom(t *testing.T) {
	long := strings.Repeat("日本 ", 60)
	data := []byte(long)
	nodes := []Node{
		Of("s", probe.Value{Shape: probe.String, Type: "string", Data: data, Len: int64(len(data))}),
		Of("cut", probe.Value{Shape: probe.String, Type: "string", Data: data, Len: 1 << 40, Truncated: true, Cut: "max-bytes", Late: true}),
		Of(strings.Repeat("name", 20), probe.Value{Shape: probe.Bool, Type: strings.Repeat("type", 20)}),
		Of("l", probe.Value{Shape: probe.List, Type: "[]int", Len: 900, Elems: make([]probe.Value, 900)}),
	}
	for i := range nodes[3].Children {
		nodes[3].Items = append(nodes[3].Items, nodes[3].Children[i].Text)
	}
	c := Align(nodes)
	for room := 20; room < 140; room++ {
		for _, n := range nodes {
			row := n.Row(c, room, Unstyled)
			if w := Width(row); w > room {
				t.Fatalf("%s: %d columns in a room of %d: %s", n.Name, w, room, row)
			}
			if !strings.Contains(row, "…") {
				t.Fatalf("%s: nothing says that it was cut to %d: %s", n.Name, room, row)
			}
		}
	}
	for _, n := range nodes[:3] {
		row := n.Row(c, 0, Unstyled)
		if !strings.Contains(row, n.Name) || !strings.Contains(row, n.Type) || !strings.Contains(row, n.Text) {
			t.Errorf("cut without a limit: %s", row)
		}
	}
}

// Where no terminal cuts a row, bytes that are no text are cut all the same; the
// node keeps them whole for whoever wants to see more.
func TestBytesAreNoPage(t *testing.T) {
	of := func(n int, whole int64) Node {
		data := []byte(strings.Repeat("\xff\x01", n/2))
		return Of("b", probe.Value{Shape: probe.String, Type: "[]uint8", Data: data, Len: whole, Truncated: whole > int64(n)})
	}
	for _, c := range []struct {
		node Node
		want string
	}{
		{of(64, 64), "b  []uint8  " + strings.Repeat("ff01", 32)},
		{of(4096, 4096), "b  []uint8  " + strings.Repeat("ff01", 32) + "… (4,096 bytes)"},
		{of(4096, 9000), "b  []uint8  " + strings.Repeat("ff01", 32) + "… (4,096 of 9,000 bytes)"},
	} {
		if got := c.node.Row(Columns{}, 0, Unstyled); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	p := Of("p", probe.Value{Shape: probe.Pointer, Type: "*[]uint8", Elems: []probe.Value{of(4096, 4096).whole}})
	if got, want := p.Row(Columns{}, 0, Unstyled), "p  *[]uint8  &"+strings.Repeat("ff01", 32)+"… (4,096 bytes)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n := of(4096, 4096); len(n.Text) != 8192 {
		t.Errorf("the node has lost bytes: %d digits", len(n.Text))
	}
}

// Entries of a large map of which nothing was taken are told in one row.
func TestEntriesNotTaken(t *testing.T) {
	v := probe.Value{Shape: probe.Map, Type: "map[string]*main.User", Len: 100_000}
	for i := range 200 {
		v.Entries = append(v.Entries, probe.Entry{Key: probe.Value{Shape: probe.String, Len: 11, Truncated: true},
			Value: probe.Value{Shape: probe.Pointer, Uint: uint64(i + 1)}})
	}
	v.Entries[100].Key = probe.Value{Shape: probe.String, Data: []byte("alice"), Len: 5}
	n := Of("rows", v)
	if len(n.Children) != 5 || n.Children[3].Name != `"alice"` || n.Children[4].Name != "… 196 more like these" || n.Size != "(200 of 100,000" && n.Size != "200 of 100,000" {
		t.Errorf("%d rows, %+v, %s", len(n.Children), n.Children, n.Size)
	}
}

func TestItems(t *testing.T) {
	n := Node{Items: []string{"1", "22", "333", "4444"}}
	for room, want := range map[int]string{
		0: "[1 22 333 4444]", 15: "[1 22 333 4444]", 14: "[1 … 3 more]", 16: "[1 22 333 4444]", 13: "[1 … 3 more]", 1: "[1 … 3 more]",
	} {
		if got := n.items(room); got != want {
			t.Errorf("room %d: %s, want %s", room, got, want)
		}
	}
}

// However deep, cyclic or hostile a value is, its row is short text that
// prints.
func FuzzOf(f *testing.F) {
	f.Add([]byte("seed"), uint8(probe.String), uint8(probe.Pointer), "x/y.T", int64(7))
	f.Add([]byte("\x1b[2J\xff"), uint8(probe.List), uint8(probe.Map), "map[a/b.K]\x1b", int64(-1))
	f.Fuzz(func(t *testing.T, data []byte, inner, outer uint8, text string, n int64) {
		v := probe.Value{Shape: probe.Shape(inner % 20), Type: text, Text: text, Data: data, Len: n, Int: n, Truncated: n%2 == 0, Note: text}
		for range 8 {
			v = probe.Value{Shape: probe.Shape(outer % 20), Type: text, Declared: text, Text: text, Len: n, Uint: uint64(n),
				Elems: []probe.Value{v}, Fields: []probe.NamedValue{{Name: text, Value: v}, {Name: text, Value: v}}, Entries: []probe.Entry{{Key: v, Value: v}}}
			if outer%20 == uint8(probe.Map) || outer%20 == uint8(probe.Struct) {
				break // each level multiplies
			}
		}
		var walk func(Node)
		walk = func(n Node) {
			row := n.Row(Columns{}, 80, Unstyled)
			if i := strings.IndexFunc(row, func(r rune) bool { return unicode.IsControl(r) }); i >= 0 {
				t.Fatalf("a control character in %q", row)
			}
			if Width(row) > 80 {
				t.Fatalf("%d columns: %q", Width(row), row)
			}
			for _, c := range n.Children {
				walk(c)
			}
		}
		walk(Of(text, v))
	})
}
