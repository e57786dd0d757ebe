package locate

import (
	"slices"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// bareProgram brings much of the standard library with it.
var bareProgram = map[string]string{"main.go": `package main

import (
	"encoding/json"
	"net/http"
	"os"
)

func main() {
	_ = json.NewEncoder(os.Stdout).Encode(http.ListenAndServe(os.Args[1], nil))
}
`}

// TestBareLinesCountTheSame compares the sites of lines that are chosen without
// debug information with those chosen with it: they fire as often, or the answer
// says that it is approximate.
func TestBareLinesCountTheSame(t *testing.T) {
	for _, o := range []testprog.Options{{}, {Toolchain: "go1.22.12", PIE: true}} {
		if testing.Short() && o.Toolchain != "" {
			continue
		}
		t.Run(o.String(), func(t *testing.T) {
			t.Parallel()
			path := testprog.Build(t, bareProgram, o)
			full, err := debuginfo.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer full.Close()
			bare, err := debuginfo.Open(path, debuginfo.WithoutDebug())
			if err != nil {
				t.Fatal(err)
			}
			defer bare.Close()
			var c census
			for i, fn := range full.Funcs() {
				if forbidden(fn) == "" && !fn.Wrapper && (i%7 == 0 || !testing.Short()) {
					c.function(t, full, bare, fn, bare.Funcs()[i])
				}
			}
			t.Logf("of %d lines %d are approximate without debug information", c.lines, c.approximate)
			if c.lines < 4000 || c.approximate*10 > 3*c.lines || c.gone*1000 > c.lines {
				t.Errorf("%+v: that many are approximate or gone, or so few were compared", c)
			}
		})
	}
}

type census struct{ lines, approximate, gone, wrong int }

func (c *census) function(t *testing.T, full, bare *debuginfo.Build, fn, same *debuginfo.Func) {
	f, err := read(full, fn)
	if err != nil {
		return
	}
	g, err := read(bare, same)
	if err != nil {
		t.Fatalf("%s: %v", fn.Name, err)
	}
	for p := range f.extents() {
		if p.file == "" {
			continue // in front of the function's first row
		}
		if g.extents()[p] == nil {
			c.gone++ // the runtime's tables drop some lines of package initialisation
			continue
		}
		c.lines++
		want := f.solve(func(f *function) extent { return f.extent(p) })
		got := g.solve(func(f *function) extent { return f.extent(p) })
		if got.unsure || got.rest || !got.exact() {
			c.approximate++
			continue
		}
		if !slices.Equal(f.blocksOf(got.sites), f.blocksOf(want.sites)) {
			if c.wrong++; c.wrong < 10 {
				t.Errorf("%s %s:%d: sites %v, with debug information %v", fn.Name, p.file, p.line, got.sites, want.sites)
			}
		}
	}
}
