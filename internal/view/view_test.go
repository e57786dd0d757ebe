package view

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/tree"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

func integer(n int64) probe.Value { return probe.Value{Shape: probe.Int, Type: "int", Int: n} }

func str(s string) probe.Value {
	return probe.Value{Shape: probe.String, Type: "string", Data: []byte(s), Len: int64(len(s))}
}

func named(name string, v probe.Value) probe.NamedValue {
	return probe.NamedValue{Name: name, Value: v}
}

func order(id int64, name string) probe.Value {
	return probe.Value{Shape: probe.Pointer, Type: "*acme/shop/orders.Order", Uint: 0xc000010000 + uint64(id), Elems: []probe.Value{
		{Shape: probe.Struct, Type: "acme/shop/orders.Order", Fields: []probe.NamedValue{
			named("ID", integer(id)), named("Name", str(name)), named("Note", str(strings.Repeat("fragile & cold, ", 12))),
			named("Tags", probe.Value{Shape: probe.List, Type: "[]string", Len: 2, Elems: []probe.Value{str("new"), str("paid")}})}}}}
}

// sample is two moments with something to fold, to search and to scroll.
func sample() []*probe.Moment {
	orders := probe.Value{Shape: probe.List, Type: "[]*acme/shop/orders.Order", Len: 3}
	for i, name := range []string{"alice", "bob", "ca\x1b[2Jrol"} {
		orders.Elems = append(orders.Elems, order(int64(i+1), name))
	}
	shop := probe.Value{Shape: probe.Pointer, Type: "*acme/shop.Shop", Uint: 0xc000123400, Elems: []probe.Value{{Shape: probe.Struct, Type: "acme/shop.Shop",
		Fields: []probe.NamedValue{named("orders", orders), named("open", probe.Value{Shape: probe.Bool, Type: "bool", Bool: true, Late: true}),
			named("token", probe.Value{Shape: probe.Redacted, Type: "string", Text: "token"})}}}}
	first := &probe.Moment{Time: time.Date(2026, 1, 2, 15, 4, 5, 123456789, time.UTC), PID: 4711, Target: "shop", Goroutine: 8,
		Function: "acme/shop.(*Shop).take", File: "/src/orders.go", Line: 78, Took: 12340,
		Trace:   &probe.TraceID{Trace: "4bf92f3577b34da6a3ce929d0e0e4736", Span: "00f067aa0ba902b7"},
		Watches: []probe.NamedValue{named("len(s.orders)", integer(3))},
		Frames: []probe.Frame{
			{Function: "acme/shop.(*Shop).take", File: "/src/orders.go", Line: 78, Variables: []probe.Variable{
				{Name: "s", Role: probe.RoleReceiver, Value: shop}, {Name: "qty", Role: probe.RoleArgument, Value: integer(28)},
				{Name: "left", Role: probe.RoleLocal, Value: probe.Why("optimised out")}}},
			{Function: "acme/shop.(*Shop).Place", File: "/src/orders.go", Line: 61, Inlined: true, Variables: []probe.Variable{
				{Name: "o", Role: probe.RoleArgument, Value: order(9, "dora")}}},
			{Function: "acme/shop.customer", File: "/src/traffic.go", Line: 133, Issue: "its variables lie in registers that a call may have changed"},
			{Function: "runtime.goexit", File: "/go/asm_amd64.s", Line: 1700}}}
	second := *first
	second.Seq, second.Goroutine, second.Trace = 2, 9, nil
	return []*probe.Moment{first, &second}
}

func at100(t *testing.T) *page {
	t.Helper()
	p := newPage("order.moments", sample())
	resize(p, 100, 26)
	return p
}

func resize(p *page, w, h int) { p.Update(tea.WindowSizeMsg{Width: w, Height: h}) }

// press gives keys to the page: words are names of keys, one letter is itself.
func press(p *page, keys ...string) (quit bool) {
	codes := map[string]rune{"enter": tea.KeyEnter, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight,
		"tab": tea.KeyTab, "esc": tea.KeyEscape, "backspace": tea.KeyBackspace, "home": tea.KeyHome, "end": tea.KeyEnd, "pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp}
	for _, k := range keys {
		msg := tea.KeyPressMsg{Code: codes[k]}
		if msg.Code == 0 {
			msg = tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
		}
		if _, cmd := p.Update(msg); cmd != nil {
			return true
		}
	}
	return false
}

func typed(word string) (keys []string) {
	for _, r := range word {
		keys = append(keys, string(r))
	}
	return keys
}

func golden(t *testing.T, name string, p *page) {
	t.Helper()
	got := p.draw()
	if !strings.HasSuffix(name, "color") {
		got = ansi.Strip(got)
	}
	var lines []string
	for _, l := range strings.Split(got, "\n") {
		lines = append(lines, strings.TrimRight(l, " "))
	}
	got = strings.Join(lines, "\n") + "\n"
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it):\n%s", path, got)
	}
}

func TestPages(t *testing.T) {
	p := at100(t)
	golden(t, "first", p)
	golden(t, "color", p)
	press(p, "down", "down", "right", "right", "right")
	golden(t, "unfolded", p)
	press(p, "down", "down", "enter")
	golden(t, "detail", p)
	press(p, "esc", "}")
	golden(t, "caller", p)
	press(p, "f")
	golden(t, "issue", p)
	press(p, "tab")
	golden(t, "stack", p)
	press(p, "?")
	golden(t, "help", p)
	press(p, "x", "]")
	golden(t, "second", p)
	resize(p, 60, 20)
	golden(t, "narrow", p)
}

func TestSearchGoesThroughAllFrames(t *testing.T) {
	p := at100(t)
	press(p, "/")
	press(p, typed("doraX")...)
	golden(t, "typing", p)
	press(p, "backspace", "enter")
	if s := p.state(); s.frame != 1 || p.outline().chosen().node.Text != `"dora"` {
		t.Errorf("frame %d, %+v", s.frame, p.outline().chosen())
	}
	golden(t, "found", p)
	press(p, "/")
	press(p, typed("ORDERS.order")...)
	press(p, "enter")
	var seen []string
	for range 4 {
		seen = append(seen, fmt.Sprint(p.state().frame, p.outline().chosen().node.Name))
		press(p, "n")
	}
	if got := strings.Join(seen, " "); got != "0orders 1o 0orders 1o" {
		t.Errorf("places: %s", got)
	}
	press(p, "N")
	if got := p.search.says; !strings.Contains(got, "of 2") {
		t.Errorf("it says %q", got)
	}
	press(p, "/")
	press(p, typed("nobody")...)
	press(p, "enter")
	if !strings.Contains(p.draw(), `"nobody" is nowhere in this snapshot`) {
		t.Error("nothing says that there is no such place")
	}
	press(p, "/", "x", "esc", "n")
	if p.search.typing || p.search.text != "" {
		t.Error("esc does not leave the search")
	}
}

func TestQuit(t *testing.T) {
	for _, k := range []string{"q", "esc"} {
		if !press(at100(t), k) {
			t.Errorf("%s does not quit", k)
		}
	}
	p := at100(t)
	if press(p, "/", "q") || press(p, "esc", "?", "q") || press(p, "v", "q") {
		t.Error("q quits where it is only a letter, or leaves")
	}
	if _, cmd := p.Update(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}); cmd == nil {
		t.Error("Ctrl-C does not quit")
	}
}

// Whatever is pressed in whatever size, the page has exactly that size, the
// cursor is on a row that is shown, and nothing controls the terminal.
func TestEverySizeAndKey(t *testing.T) {
	keys := []string{"up", "down", "left", "right", "enter", "tab", "esc", "backspace", "home", "end", "pgup", "pgdown",
		"/", "n", "N", "o", "e", "c", "v", "?", "[", "]", "{", "}", "g", "G", "j", "k", "h", "l", "a"}
	empty := []*probe.Moment{{}, {Frames: []probe.Frame{{}}}}
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 5))
		p := newPage("x", append(sample(), empty...))
		for range 150 {
			if r.IntN(10) == 0 {
				resize(p, r.IntN(140), r.IntN(40))
			}
			key := keys[r.IntN(len(keys))]
			press(p, key)
			check(t, p, fmt.Sprintf("seed %d, %s in %dx%d", seed, key, p.width, p.height))
		}
	}
}

func check(t *testing.T, p *page, when string) {
	t.Helper()
	screen := p.draw()
	lines := strings.Split(screen, "\n")
	if p.width >= 20 && p.height >= 8 && len(lines) != p.height {
		t.Fatalf("%s: %d lines:\n%s", when, len(lines), screen)
	}
	for _, l := range lines {
		if w := ansi.StringWidth(l); w > max(0, p.width) {
			t.Fatalf("%s: %d columns: %q", when, w, l)
		}
	}
	if strings.Contains(screen, "\x1b[2J") {
		t.Fatalf("%s: an escape of the target", when)
	}
	o := p.outline()
	if i := o.chosen(); i != nil && p.width >= 40 && p.height >= 12 && !p.help && p.detail == nil {
		if row := tree.Clip(i.node.Name, 8); !strings.Contains(ansi.Strip(screen), strings.TrimSuffix(row, "…")) {
			t.Fatalf("%s: the cursor's row %q is not shown:\n%s", when, row, ansi.Strip(screen))
		}
	}
}
