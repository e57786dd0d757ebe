package debuginfo

import (
	"slices"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// onceWays are those ways of building in which Once is asked for, and more.
func onceWays() []testprog.Options {
	out := []testprog.Options{{External: true}, {External: true, PIE: true}, {}}
	if testing.Short() {
		return out
	}
	for _, v := range testprog.Toolchains {
		out = append(out, testprog.Options{Toolchain: v, External: true}, testprog.Options{Toolchain: v, Race: true},
			testprog.Options{Toolchain: v, External: true, GCFlags: "all=-N -l"})
	}
	return append(out, testprog.Options{External: true, GOAMD64: "v3"}, testprog.Options{External: true, Strip: true})
}

// TestOnce finds room for a first stub in code that runs once, and looks through
// the whole program for whatever else might lead there.
func TestOnce(t *testing.T) {
	for _, o := range onceWays() {
		t.Run(o.String(), func(t *testing.T) {
			path := testprog.Dir(t, "testdata/sample", o)
			b := open(t, path)
			edge, middle, ok := b.Once()
			if !ok {
				t.Fatal("there is none")
			}
			bare, err := Open(path, WithoutDebug())
			if err != nil {
				t.Fatal(err)
			}
			defer bare.Close()
			if e, m, _ := bare.Once(); e != edge || m != middle {
				t.Errorf("without debug information %#x and %#x, not %#x and %#x", e, m, edge, middle)
			}
			// What inject wants; for the edge with what it may lose where a page ends.
			roomIn(t, b, onceFirst, edge, 124)
			roomIn(t, b, onceCheck, middle, 308)
			ledToFrom(t, b, onceFirst, "runtime.rt0_go", "_rt0_amd64", "_rt0_amd64_lib_go", "main")
			ledToFrom(t, b, onceCheck, "runtime.rt0_go")
		})
	}
}

// roomIn checks that a range is large enough, in a function, and no call in it.
func roomIn(t *testing.T, b *Build, name string, in [2]uint64, size uint64) {
	t.Helper()
	f := b.FuncNamed(name)
	if in[0] < f.Entry+onceEntry || in[1] > f.End || in[1]-in[0] < size {
		t.Errorf("%s: %#x of %#x to %#x, %d bytes", name, in, f.Entry, f.End, in[1]-in[0])
	}
	err := b.eachInstOf(f, func(i *amd64.Inst) {
		if (i.Kind == amd64.Call || i.Kind == amd64.CallInd) && i.End() >= in[0] && i.PC < in[1] {
			t.Errorf("%s: the call at %#x returns into %#x", name, i.PC, in)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// ledToFrom checks that nothing in the program's code and data leads to a function
// or its wrapper, but those who may.
func ledToFrom(t *testing.T, b *Build, name string, may ...string) {
	t.Helper()
	own := func(pc uint64) bool { f := b.FuncAt(pc); return f != nil && f.Name == name }
	seen := false
	for _, f := range b.Funcs() {
		if f.Name == name {
			if at := b.pointersTo(f.Entry); len(at) != 0 {
				t.Errorf("data at %#x have the address of %s", at, name)
			}
			continue
		}
		err := b.eachInstOf(f, func(in *amd64.Inst) {
			to := in.Target
			if in.Mem.Present && in.Mem.RIPRel {
				to = in.RIPTarget()
			}
			if to != 0 && own(to) {
				seen = true
				if !slices.Contains(may, f.Name) {
					t.Errorf("%s is led to from %s", name, f.Name)
				}
			}
		})
		if err != nil && f.Package == "runtime" {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if !seen {
		t.Errorf("nothing leads to %s: the test sees nothing", name)
	}
}

// TestOnceOfAnotherRelease takes nothing for granted of a runtime to come.
func TestOnceOfAnotherRelease(t *testing.T) {
	b := open(t, testprog.Dir(t, "testdata/sample", testprog.Options{External: true}))
	b.GoVersion = "go1.99.1"
	if edge, middle, ok := b.Once(); ok {
		t.Errorf("%#x and %#x of %s", edge, middle, b.GoVersion)
	}
}
