package debuginfo_test

import (
	"testing"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// Every byte of padding is an INT3 of no function, and every such byte behind a
// function is padding.
func TestPaddingIsBetweenFunctions(t *testing.T) {
	b, err := debuginfo.Open(testprog.Build(t, map[string]string{"main.go": "package main\n\nfunc main() { println(1) }\n"}, testprog.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	found := map[uint64]bool{}
	for _, s := range b.Padding(b.Text.Addr, b.Text.Addr+b.Text.Size) {
		for a := s[0]; a < s[1]; a++ {
			if code, err := b.Bytes(a, 1); err != nil || code[0] != 0xCC || b.FuncAt(a) != nil || found[a] {
				t.Fatalf("%#x is no padding: % x %v", a, code, err)
			}
			found[a] = true
		}
	}
	stretches := 0
	for i, fn := range b.Funcs() {
		code, err := b.Bytes(fn.End, 1)
		if i+1 == len(b.Funcs()) || err != nil || code[0] != 0xCC || b.FuncAt(fn.End) != nil {
			continue
		}
		if stretches++; !found[fn.End] {
			t.Errorf("the padding behind %s is missing", fn.Name)
		}
		if one := b.Padding(fn.End, fn.End+1); len(one) != 1 || one[0][0] != fn.End {
			t.Errorf("the padding at %#x alone: %#x", fn.End, one)
		}
	}
	if stretches < 100 {
		t.Errorf("only %d stretches of padding", stretches)
	}
}
