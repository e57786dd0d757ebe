package locate

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// shop is a program with everything that names can mean.
var shop = map[string]string{
	"go.mod": "module example.com/shop\n\ngo 1.22\n",
	"main.go": `package main

import (
	"fmt"
	"os"
	"sync"
	"time"
	"example.com/shop/cart"
	cart2 "example.com/shop/order/cart"
)
` + `
type T struct{ n int }

//go:noinline
func (t *T) Add(n int) { t.n += n }

//go:noinline
func (t T) Get() int { return t.n }

func small(x int) int { return x + 1 }

func unused() { fmt.Println("never") }

//go:noinline
func each(n int, f func(int)) {
	for i := 0; i < n; i++ {
		f(i)
	}
}

func outer(k int) func(int) {
	return func(i int) {
		fmt.Println(i, k)
		fmt.Println(k)
	}
}

type number interface{ ~int | ~string }

//go:noinline
func Max[N number](a, b N) N {
	if a > b {
		return a
	}
	return b
}

func main() {
	t := &T{}
	t.Add(small(len(os.Args)))
	time.Sleep(1)
	each(2, outer(1))
	each(3, outer(2))
	var mu sync.Mutex
	mu.Lock()
	fmt.Println(t.Get(), Max(1, 2), Max("a", "b"))
	cart.Fill()
	cart2.Fill()
	mu.Unlock()
}
`,
	"cart/cart.go": `package cart

import "fmt"

//go:noinline
func Fill() {
	fmt.Println("one")
}
`,
	"order/cart/cart.go": `package cart2

import "fmt"

//go:noinline
func Fill() {
	fmt.Println("two")
}
`,
}

// A function that was inlined leaves no trace in a package without debug
// information; that is no reason to say that there is none.
func TestPackageWithoutDebugInformation(t *testing.T) {
	b := open(t, testprog.Build(t, shop, testprog.Options{GCFlags: "-dwarf=false"}))
	for at, want := range map[string]string{
		"main.unused": "package main was compiled without debug information",
		"shopp.Fill":  "this build has no package shopp",
		"os.Nothing":  "package os of this build has no such function",
	} {
		if _, err := Resolve(b, at); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", at, err, want)
		}
	}
}

func TestResolveErrors(t *testing.T) {
	b := open(t, testprog.Build(t, shop, testprog.Options{}))
	for _, c := range []struct{ at, want string }{
		{"main.go:1", "no code was compiled for this line; the nearest with code: main.go:15"},
		{"main.go:900", "the last line of main.go with code is 60"},
		{"mian.go:3", "no file of this build that has code ends in mian.go; did you mean main.go"},
		{"nowhere.go:3", "no file of this build that has code ends in nowhere.go; \"sidelight files\" names those that there are"},
		{"cart.go:6", "means 2 files; say which: prog/cart/cart.go, order/cart/cart.go"},
		{"cart/cart.go:6", "means 2 files"},
		{"main.Ad", "package main of this build has no such function"},
		{"main.T.Add", "did you mean main.(*T).Add?"},
		{"main.unused", "nothing calls it and the linker removed it"},
		{"shopp.Fill", "this build has no package shopp"},
		{"Fill", "a function needs its package"},
		{"runtime.mallocgc", "takes no probe: it belongs to the Go runtime"},
		{"time.Sleep", "takes no probe: it belongs to the Go runtime"},
		{"main.Max[float64]", "package main of this build has no such function"},
		{"main.go:", "no location"},
		{"cart.Fill", "means 2 functions; say which: example.com/shop/cart.Fill, example.com/shop/order/cart.Fill"},
	} {
		res, err := Resolve(b, c.at)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v %v, want %q", c.at, err, res, c.want)
		}
	}
	var ambiguous *AmbiguousError
	if _, err := Resolve(b, "cart.go:6"); errors.As(err, &ambiguous) {
		for _, one := range ambiguous.Candidates {
			if _, err := Resolve(b, one+":7"); err != nil {
				t.Errorf("the candidate %s is no way out: %v", one, err)
			}
		}
	}
}

func TestResolveSites(t *testing.T) {
	b := open(t, testprog.Build(t, shop, testprog.Options{}))
	for _, c := range []struct {
		at, functions string
	}{
		{"main.(*T).Add", "main.(*T).Add"},
		{"main.T.Get", "main.T.Get"},
		{"main.small", "main.small"},
		{"main.Max", "main.Max[go.shape.string] main.Max[go.shape.int]"},
		{"main.Max[...]", "main.Max[go.shape.string] main.Max[go.shape.int]"},
		{"main.Max[string]", "main.Max[go.shape.string]"},
		{"shop/cart.Fill", "example.com/shop/cart.Fill"},
		{"order/cart/cart.go:7", "example.com/shop/order/cart.Fill"},
		{"main.go:15", "main.(*T).Add"},
	} {
		res, err := Resolve(b, c.at)
		if err != nil {
			t.Errorf("%s: %v", c.at, err)
			continue
		}
		seen := map[string]bool{}
		var names []string
		for _, s := range res.Sites {
			if !seen[s.Function] {
				names = append(names, s.Function)
			}
			seen[s.Function] = true
			if s.Line == 0 || s.File == "" || !s.Func.Contains(s.PC) {
				t.Errorf("%s: %+v", c.at, s)
			}
		}
		if got := strings.Join(names, " "); got != c.functions || len(res.Issues) > 0 {
			t.Errorf("%s: %s %v, want %s", c.at, got, res.Issues, c.functions)
		}
	}
}

// A closure that the compiler copied when it inlined the function around it is
// probed in every copy.
func TestResolveClosureCopies(t *testing.T) {
	b := open(t, testprog.Build(t, shop, testprog.Options{}))
	byLine, err := Resolve(b, "main.go:33")
	if err != nil {
		t.Fatal(err)
	}
	byName, err := Resolve(b, "main.outer.func1")
	if err != nil {
		t.Fatal(err)
	}
	if len(byLine.Sites) < 2 || len(byName.Sites) != len(byLine.Sites) {
		t.Errorf("by line %s, by name %s: want a site in each copy", list(byLine), list(byName))
	}
}

func list(r *Result) string {
	var out []string
	for _, s := range r.Sites {
		out = append(out, fmt.Sprintf("%s:%d", s.Function, s.Line))
	}
	return strings.Join(out, " ")
}

// No site lies in code that takes no probe; where all copies do, the error says so.
func TestResolveRefusedCopies(t *testing.T) {
	b := open(t, testprog.Build(t, shop, testprog.Options{}))
	for _, at := range []string{"internal/runtime/atomic.(*Uint32).Load", "internal/stringslite.HasPrefix", "unicode/utf8.RuneLen"} {
		res, err := Resolve(b, at)
		if err != nil {
			if refused := (*RefusedError)(nil); !errors.As(err, &refused) {
				t.Errorf("%s: %v", at, err)
			}
			continue
		}
		for _, s := range res.Sites {
			if why := forbidden(s.Func); why != "" {
				t.Errorf("%s: site in %s: %s", at, s.Func.Name, why)
			}
		}
	}
}

// Every line and function of a whole program can be resolved, almost all of them
// exactly.
func TestWholeProgram(t *testing.T) {
	b := open(t, testprog.Build(t, shop, testprog.Options{}))
	lines, rough := 0, 0
	for _, fn := range b.Funcs() {
		if forbidden(fn) != "" {
			continue
		}
		f, err := read(b, fn)
		if err != nil {
			t.Errorf("%s: %v", fn.Name, err)
			continue
		}
		if p := f.entry(fn.Entry); !fn.Wrapper && (len(p.sites) == 0 || !p.exact()) {
			t.Errorf("%s: entry %+v", fn.Name, p)
		}
		for n := 1; n < len(f.nodes); n++ {
			f.code.runs(f.copyExtent(int32(n))).solve()
		}
		for p := range f.extents() {
			lines++
			if plan := f.code.runs(f.extent(p)).solve(); !plan.exact() {
				rough++
			} else if len(plan.sites) == 0 {
				t.Errorf("%s:%d in %s has no site", p.file, p.line, fn.Name)
			}
		}
	}
	t.Logf("%d of %d lines are approximate", rough, lines)
	if rough*1000 > lines {
		t.Errorf("%d of %d lines are approximate: more than 1 in 1000", rough, lines)
	}
}
