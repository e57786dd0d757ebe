package locate

import (
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// TestRelocatedJumpTables understands the functions of a position-independent
// build whose jump tables the loader alone fills in, as the ones of the same build
// with the tables in its file.
func TestRelocatedJumpTables(t *testing.T) {
	path := testprog.Build(t, map[string]string{"main.go": "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(1) }\n"},
		testprog.Options{PIE: true})
	understood := func(path string) map[string]bool {
		b, err := debuginfo.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		out := map[string]bool{}
		for _, fn := range b.Funcs() {
			if strings.HasPrefix(fn.Name, "fmt.") {
				_, err := read(b, fn)
				out[fn.Name] = err == nil
			}
		}
		return out
	}
	want, got := understood(path), understood(testprog.ZeroRelocated(t, path))
	for name, is := range want {
		if got[name] != is {
			t.Errorf("%s is understood: %v, want %v", name, got[name], is)
		}
	}
	if !want["fmt.(*pp).printArg"] {
		t.Error("the function that has a jump table is not understood")
	}
}
