package locate

import (
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// What deferproc leads to when it returns for the second time is no way of the source,
// also where the assembler has aligned the jump.
func TestSecondReturnOfDeferproc(t *testing.T) {
	const entry, deferproc, deferreturn = 0x1000, 0x2000, 0x3000
	call := func(b []byte, to int) []byte {
		rel := to - entry - len(b) - 5
		return append(b, 0xE8, byte(rel), byte(rel>>8), byte(rel>>16), byte(rel>>24))
	}
	for _, pads := range [][]byte{nil, {0x90}, {0x66, 0x90}} {
		b := call(nil, deferproc)
		b = append(b, pads...)
		b = append(b, 0x85, 0xC0, 0x75, 0x06) // TESTL AX, AX; JNE
		b = call(b, deferreturn)
		b = append(b, 0xC3)
		again := len(b)
		b = append(call(b, deferreturn), 0xC3)
		g, err := amd64.Flow(b, entry, amd64.FlowOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := flow(g, 0, func(addr uint64) string {
			return map[uint64]string{deferproc: "runtime.deferproc", deferreturn: "runtime.deferreturn"}[addr]
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range c.insts {
			if x.Void != (x.PC >= entry+uint64(again)) {
				t.Errorf("%d bytes of padding: the instruction at %#x is void: %v", len(pads), x.PC, x.Void)
			}
		}
	}
}
