package debuginfo

import (
	"os/exec"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// TestExternalLinking reads programs that the system's linker put together:
// their text begins with C's, and units of C stand among those of Go.
func TestExternalLinking(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no C compiler, which external linking needs")
	}
	for _, o := range []testprog.Options{{External: true}, {External: true, PIE: true}, {Race: true}} {
		if testing.Short() && o.Race {
			continue
		}
		t.Run(o.String(), func(t *testing.T) {
			t.Parallel()
			b := open(t, testprog.Dir(t, "testdata/cgo", o))
			if _, err := b.Runtime(); err != nil {
				t.Error(err)
			}
			checkEntries(t, b)
			f := b.FuncNamed("main.main")
			if f == nil || len(b.Lines(f)) == 0 {
				t.Fatalf("main.main: %+v", f)
			}
			rows := b.Lines(f)
			find(t, b, rows[len(rows)/2].PC, "n")
			if _, ok := b.Global("main.Made"); !ok {
				t.Error("no global main.Made")
			}
		})
	}
}

// checkEntries holds the entries of the pclntab, which are relative to where the
// linker put Go's text, against those of the debug information.
func checkEntries(t *testing.T, b *Build) {
	x, err := b.indexed()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range b.Funcs() {
		if off, ok := x.dieAt(f.Entry); ok {
			n++
			if name := b.dieName(off); name != f.Name {
				t.Errorf("%#x is %s, the debug information says %s", f.Entry, f.Name, name)
			}
		}
	}
	if n < 1000 {
		t.Errorf("only %d functions agree", n)
	}
}

func TestEntries(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) { checkEntries(t, b) })
}
