// Prints what the runtime itself says of the unsafe points of the functions whose
// entries and ends come in: for each byte the value of the table and how many
// bytes before it the run of that value begins.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	_ "unsafe"
)

type info struct{ f, mod uintptr }

//go:linkname findfunc runtime.findfunc
func findfunc(pc uintptr) info

//go:linkname pcdatavalue2 runtime.pcdatavalue2
func pcdatavalue2(f info, table uint32, pc uintptr) (int32, uintptr)

var (
	shared *int
	table  = map[string]*int{}
	lock   sync.Mutex
	count  atomic.Int64
)

//go:noinline
func writes(p *int, m map[string]*int, s []*int) {
	shared = p
	m["x"] = p
	for i := range s {
		s[i] = p
	}
	lock.Lock()
	defer lock.Unlock()
	count.Add(1)
}

//go:noinline
//go:nosplit
func leaf(a, b int) int { return a*b + 1 }

func main() {
	writes(new(int), table, make([]*int, 3))
	leaf(1, 2)
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var entry, end uintptr
		if _, err := fmt.Sscanf(in.Text(), "%x %x", &entry, &end); err != nil {
			panic(err)
		}
		f := findfunc(entry)
		for pc := entry; pc < end; pc++ {
			v, start := pcdatavalue2(f, 0, pc)
			fmt.Fprintln(w, v, pc-start)
		}
	}
}
