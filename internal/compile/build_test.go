package compile

import (
	"encoding/binary"
	"math"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/decode"
	"github.com/sidelight-dev/sidelight/internal/interp"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

func TestMain(m *testing.M) { os.Exit(testprog.Main(m)) }

// shopOrder lies in memory as Order of testdata/shop does.
type shopOrder struct {
	ID    int
	Qty   int16
	Name  string
	Items []shopItem
	Total float64
	Made  time.Time
	Err   error
	Attrs map[string]string
	Next  *shopOrder
}

type shopItem struct {
	SKU string
	Qty int
}

var order7 = &shopOrder{ID: 7, Qty: 3, Name: "first", Items: []shopItem{{"a", 1}, {"b", 2}}, Total: 2.5,
	Made: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Attrs: map[string]string{"x": "y"}}

const customer = "alice"

// atEntry is the state in which main.handle begins, as Go's ABIInternal passes
// its arguments: RAX, RBX, RCX, RDI, RSI, R8 and R9, and X0.
func atEntry(t *testing.T) *interp.State {
	s := self(t)
	s.Regs[0] = uint64(uintptr(unsafe.Pointer(order7)))
	s.Regs[3] = uint64(uintptr(unsafe.Pointer(unsafe.StringData(customer))))
	s.Regs[1] = uint64(len(customer))
	s.Regs[7] = 5
	s.Regs[9] = 1
	s.X[0] = math.Float64bits(1.5)
	return s
}

func openShop(t *testing.T, o testprog.Options) *debuginfo.Build {
	t.Helper()
	b, err := debuginfo.Open(testprog.Dir(t, "testdata/shop", o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func compileAt(t *testing.T, b *debuginfo.Build, at, message, cond string) (*program.Program, []probe.Issue, error) {
	t.Helper()
	sites, err := locate.Resolve(b, at)
	if err != nil {
		t.Fatal(err)
	}
	return Compile(b, probe.Spec{Kind: probe.Log, At: at, Message: message, If: cond}, 0, sites)
}

// TestArguments evaluates a program for the entry of a real function over
// arguments that are passed as its build passes them.
func TestArguments(t *testing.T) {
	const message = "{o.ID} {o.Qty} {name} {n} {err} {rate} {urgent} {o.Items} {o.Made} {len(o.Attrs)} {o.Next} {name[1:3]} {Limit + n} {o}"
	const want = `7 3 alice 5 nil 1.5 true [{SKU:"a" Qty:1} {SKU:"b" Qty:2}] 2026-01-02T03:04:05.000000006Z 1 nil li 16 ` +
		`&{ID:7 Qty:3 Name:"first" Items:[…] (len 2) Total:2.5 Made:"2026-01-02T03:04:05.000000006Z" Err:nil Attrs:map[string]string(len 1) Next:nil}`
	ways := []testprog.Options{{}, {PIE: true, GOAMD64: "v3"}}
	if !testing.Short() {
		for _, v := range testprog.Toolchains {
			if v != "" {
				ways = append(ways, testprog.Options{Toolchain: v})
			}
		}
	}
	for _, o := range ways {
		t.Run(o.String(), func(t *testing.T) {
			b := openShop(t, o)
			p, issues, err := compileAt(t, b, "main.handle", message, "o.Qty*2 == 6 && name < \"bob\" && rate > 1")
			if err != nil || len(issues) > 0 || len(p.Sites) != 1 {
				t.Fatalf("%+v, %v, %v", p, issues, err)
			}
			s := atEntry(t)
			if got := s.Condition(&p.Sites[0]); got != interp.Held {
				t.Errorf("condition: %d", got)
			}
			h, err := decode.New(decode.Config{Type: b.TypeByRuntime}, []*program.Program{p}).Record(s.Record(&p.Sites[0], 0, 0, 0))
			if err != nil || h.Message != want {
				t.Errorf("got  %v\nwant %s\n%v", h, want, err)
			}
		})
	}
}

func TestGenericSites(t *testing.T) {
	b := openShop(t, testprog.Options{})
	p, issues, err := compileAt(t, b, "main.first", "{len(xs)} {i} {xs}", "i + 1 > 0")
	if err != nil || len(issues) > 0 || len(p.Sites) != 2 {
		t.Fatalf("%+v, %v, %v", p, issues, err)
	}
	// What compares in one instantiation and not in another is an issue.
	p, issues, err = compileAt(t, b, "main.first", "{xs[0] + i}", "")
	if err != nil || len(issues) != 1 || len(p.Sites) != 2 {
		t.Fatalf("%+v, %v, %v", p, issues, err)
	}
}

// TestOptimisedOut asks for what the compiler no longer has: the value is
// unreadable, a condition keeps the probe away, and both say where to look.
func TestOptimisedOut(t *testing.T) {
	b := openShop(t, testprog.Options{})
	const at = "main.go:49" // return total, nil: rate is long gone
	p, issues, err := compileAt(t, b, at, "{rate} {n}", "")
	if err != nil || len(p.Sites) == 0 || p.Sites[0].Captures[0].Unreadable != "optimised out" {
		t.Fatalf("%+v, %v", p, err)
	}
	if len(issues) == 0 || issues[0].Code != probe.IssueOptimisedOut || !strings.Contains(issues[0].Message, "rate is optimised out") ||
		!strings.Contains(issues[0].Message, "the nearest line where it can be read is main.go:4") {
		t.Errorf("issues %v", issues)
	}
	p, issues, err = compileAt(t, b, at, "{n}", "rate > 1")
	if err != nil || len(p.Sites) != 0 || len(issues) != 1 || !strings.Contains(issues[0].Message, "takes no probe") {
		t.Errorf("%+v, %v, %v", p, issues, err)
	}
}

// TestScopeHints checks what a person is told of a real scope.
func TestScopeHints(t *testing.T) {
	b := openShop(t, testprog.Options{})
	for _, c := range []struct{ message, want string }{
		{"{nmae}", "did you mean name? in scope there: err, n, name, o, rate, urgent"},
		{"{ErrLat}", "did you mean ErrLate?"},
		{"{o.Itms}", "did you mean Items? it has Attrs, Err, ID, Items, Made, Name, Next, Qty, Total"},
		{"{os.Arg}", "did you mean os.Args?"},
		{"{time.Now()}", "a probe cannot call functions"},
		{"{n + rate}", "convert one of them: float64(n)"},
	} {
		if _, _, err := compileAt(t, b, "main.handle", c.message, ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.message, err, c.want)
		}
	}
}

// A name that is not there may have been removed by the compiler, or left out
// with all others: who asks for it learns which build has it.
func TestRemovedNames(t *testing.T) {
	for _, c := range []struct {
		flags, want, not string
	}{
		{"", "(what the compiler removed altogether is not known; go build -gcflags=all=-N keeps it)", "-dwarf"},
		{"-N", "in scope there: ", "removed"},
		{"-dwarf=false", "package main was compiled without debug information (-dwarf=false)", "in scope there"},
		{"-dwarf=false", "unless asked by -gcflags=-dwarf=true -ldflags=-w=0", "removed"},
	} {
		b := openShop(t, testprog.Options{GCFlags: c.flags})
		_, _, err := compileAt(t, b, "main.handle", "{unheard}", "")
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), c.not) {
			t.Errorf("%q: %v, want %s", c.flags, err, c.want)
		}
	}
}

// TestLargeValues stays within what one record may hold.
func TestLargeValues(t *testing.T) {
	b := openShop(t, testprog.Options{})
	p, _, err := compileAt(t, b, "main.big", "{a} {a[99]} {len(a)} {a[i]}", "")
	if err != nil {
		t.Fatal(err)
	}
	s := self(t)
	frame := make([]byte, 4096)
	binary.LittleEndian.PutUint64(frame[2048+99*8:], 5)
	s.CFA = p.Sites[0].CFA
	s.Regs[s.CFA.Reg] = uint64(uintptr(unsafe.Pointer(&frame[2048]))) - uint64(s.CFA.Offset)
	s.Regs[0] = 99
	h, err := decode.New(decode.Config{}, []*program.Program{p}).Record(s.Record(&p.Sites[0], 0, 0, 0))
	if err != nil || h.Message != "[0 0 0 0 0 0 0 0 …] (len 100) 5 100 5" {
		t.Errorf("%+v, %v", h, err)
	}
}
