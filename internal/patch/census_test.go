package patch_test

import (
	"os"
	"slices"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/patch"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

func TestMain(m *testing.M) { os.Exit(testprog.Main(m)) }

// census counts what the statement addresses of a build can take.
type census struct {
	build           *debuginfo.Build
	sites, jumps    int
	refused         map[string]int
	traps           map[string]int
	tables, unknown int // functions with jump tables, with jumps to unknown places
	functions       int
}

func (c *census) count(t *testing.T, fn *debuginfo.Func) {
	c.functions++
	sites := statements(c.build, fn)
	code, err := c.build.Bytes(fn.Entry, int(fn.End-fn.Entry))
	if err != nil {
		t.Fatal(err)
	}
	ordinary := func(addr uint64) bool { f := c.build.FuncAt(addr); return f != nil && !f.Assembly }
	g, err := amd64.Flow(code, fn.Entry, amd64.FlowOptions{Read: c.build.Loaded, Entries: []uint64{fn.DeferReturn}, Ordinary: ordinary})
	if err != nil {
		c.sites += len(sites)
		c.refused["undecodable"] += len(sites)
		return
	}
	if g.Unresolved {
		c.unknown++
	}
	if slices.ContainsFunc(g.Insts, func(i amd64.Inst) bool { return i.Kind == amd64.JmpInd }) {
		c.tables++
	}
	rules := patch.Rules{Graph: g, FuncEnd: fn.End, DeferReturn: fn.DeferReturn,
		PaddingAfter: padding(c.build, fn)}
	for _, pc := range sites {
		c.sites++
		w, err := patch.Plan(rules, pc)
		switch {
		case err != nil:
			c.refused[err.(*patch.RefusedError).Why]++
		case w.Jump:
			c.jumps++
		default:
			c.traps[w.Why]++
		}
		if err == nil {
			checkMoves(t, &w)
		}
	}
}

// checkMoves displaces every instruction of a window to a distant place and
// reads back what came out.
func checkMoves(t *testing.T, w *patch.Window) {
	for _, inst := range w.Insts {
		at := inst.PC - 0x4000_0000&^0xFFF + 0x123
		code, _, err := patch.Displace(inst, 0, at)
		if err != nil {
			t.Errorf("%#x % x: %v", inst.PC, inst.Bytes, err)
			continue
		}
		for off := 0; off < len(code); {
			moved, err := amd64.Decode(code[off:], at+uint64(off))
			if err != nil {
				t.Errorf("%#x % x: displaced to % x: %v", inst.PC, inst.Bytes, code, err)
				break
			}
			if moved.Mem.RIPRel && inst.Mem.RIPRel && moved.RIPTarget() != inst.RIPTarget() {
				t.Errorf("%#x: operand at %#x, was at %#x", inst.PC, moved.RIPTarget(), inst.RIPTarget())
			}
			off += moved.Len
		}
	}
}

// statements are the distinct addresses of fn at which a statement begins.
func statements(b *debuginfo.Build, fn *debuginfo.Func) []uint64 {
	var list []uint64
	for _, row := range b.Lines(fn) {
		if row.Stmt && row.PC < fn.End {
			list = append(list, row.PC)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// padding is how many bytes of INT3 follow fn, up to what a jump needs.
func padding(b *debuginfo.Build, fn *debuginfo.Func) int {
	code, err := b.Bytes(fn.End, patch.JumpLen)
	if err != nil || b.FuncAt(fn.End) != nil {
		return 0
	}
	n := 0
	for n < len(code) && code[n] == 0xCC && b.FuncAt(fn.End+uint64(n)) == nil {
		n++
	}
	return n
}

const service = `package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"text/template"
)

type order struct{ ID, Qty int; Name string }

func main() {
	page := template.Must(template.New("page").Parse("{{.ID}} {{.Name}}"))
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		var o order
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			http.Error(w, fmt.Sprint(err), 400)
			return
		}
		page.Execute(w, o)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:0", nil))
}
`

// TestCensus holds the engine to its promise: of the statement addresses that may
// be probed at all, 99.5 % take a probe, and 95 % take it by a jump. With
// SIDELIGHT_BINARY set to a program with debug information it counts that one.
func TestCensus(t *testing.T) {
	path, least := os.Getenv("SIDELIGHT_BINARY"), 95.0
	if path == "" {
		path = testprog.Build(t, map[string]string{"main.go": service}, testprog.Options{GOAMD64: "v3", PIE: true})
		least = 94 // a small program: more of it is the library's tight loops
	}
	b, err := debuginfo.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c := census{build: b, refused: map[string]int{}, traps: map[string]int{}}
	for _, fn := range b.Funcs() {
		if locate.Refused(fn) == "" {
			c.count(t, fn)
		}
	}
	refused := 0
	for _, n := range c.refused {
		refused += n
	}
	taken := 100 * float64(c.sites-refused) / float64(c.sites)
	jumps := 100 * float64(c.jumps) / float64(c.sites)
	t.Logf("%d functions (%d with indirect jumps, %d of them to unknown places), %d statement addresses: %.2f %% take a probe, %.2f %% by a jump",
		c.functions, c.tables, c.unknown, c.sites, taken, jumps)
	t.Logf("refused %v; traps %v", c.refused, c.traps)
	if taken < 99.5 || jumps < least || c.sites < 10000 {
		t.Errorf("want at least 99.5 %% and %v %% of some ten thousand addresses", least)
	}
}
