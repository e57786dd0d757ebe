package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// What a snapshot may find: nothing here is wrong by itself, and all of it is
// bad to follow.

// look is where snapshots are taken.
//
//go:noinline
func look(v any, n int) int {
	sink += n // mark:look
	runtime.KeepAlive(v)
	return n
}

type chain struct {
	next *chain
	back *chain
	id   int
}

// cyclic is a ring of a million nodes that point to each other.
func cyclic(n int) int {
	nodes := make([]chain, 1_000_000)
	for i := range nodes {
		nodes[i] = chain{&nodes[(i+1)%len(nodes)], &nodes[(i+len(nodes)-1)%len(nodes)], i}
	}
	for range n {
		look(&nodes[0], 1)
	}
	return n
}

// corrupt are headers that no length of memory fits.
func corrupt(n int) int {
	text, list := "text", []int{1, 2, 3}
	type header struct {
		p   unsafe.Pointer
		n   int
		cap int
	}
	type bad struct {
		huge, negative, wild string
		list                 []int
		low, odd             *chain
	}
	for range n {
		b := &bad{huge: text, negative: text, wild: text, list: list}
		(*header)(unsafe.Pointer(&b.huge)).n = 1 << 37
		(*header)(unsafe.Pointer(&b.negative)).n = -5
		*(*uintptr)(unsafe.Pointer(&b.wild)) = 0x7fff_dead_0000
		(*header)(unsafe.Pointer(&b.list)).n = 1 << 60
		*(*uintptr)(unsafe.Pointer(&b.low)) = 8
		*(*uintptr)(unsafe.Pointer(&b.odd)) = 0xdead_beef_dead_beef // no address at all
		look(unsafe.Pointer(b), 1)
		lookBad(&b.huge, &b.list, &b.odd)
		*b = bad{}
	}
	return n
}

//go:noinline
func lookBad(s *string, list *[]int, odd **chain) {
	sink++ // mark:bad
	runtime.KeepAlive(s)
	runtime.KeepAlive(list)
	runtime.KeepAlive(odd)
}

// freed is memory that goes away and comes back while it is looked at.
func freed(n int) int {
	const size = 1 << 16
	mem, _, errno := syscall.Syscall6(syscall.SYS_MMAP, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE, ^uintptr(0), 0)
	if errno != 0 {
		broken("mmap", errno)
	}
	p := *(**[size]byte)(unsafe.Pointer(&mem))
	var end atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for prot := uintptr(0); !end.Load(); prot ^= syscall.PROT_READ {
			_, _, _ = syscall.Syscall(syscall.SYS_MPROTECT, mem, size, prot)
		}
	})
	for range n {
		look(p, 1)
	}
	end.Store(true)
	wg.Wait()
	_, _, _ = syscall.Syscall(syscall.SYS_MUNMAP, mem, size, 0)
	return n
}

// written is a map and a slice that others change at the same moment. The lock
// of the program does not bind a snapshot.
func written(n int) int {
	type both struct {
		m    map[int]*chain
		list []*chain
	}
	var mu sync.Mutex
	b := &both{m: map[int]*chain{}}
	var end atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; !end.Load(); i++ {
			mu.Lock()
			b.m[i%5000] = &chain{id: i}
			if i%7 == 0 {
				delete(b.m, (i/2)%5000)
			}
			b.list = append(b.list, b.m[i%5000])
			if len(b.list) > 3000 {
				b.list = make([]*chain, 0, i%3000)
			}
			mu.Unlock()
		}
	})
	for range n {
		look(b, 1)
		lookBoth(&b.m, &b.list)
	}
	end.Store(true)
	wg.Wait()
	return n
}

//go:noinline
func lookBoth(m *map[int]*chain, list *[]*chain) {
	sink++ // mark:both
	runtime.KeepAlive(m)
	runtime.KeepAlive(list)
}

// huge is a gigabyte of which nothing was ever touched, and a struct of many
// fields.
func huge(n int) int {
	type wide struct {
		a, b, c, d, e, f, g, h [64]struct{ p *chain }
	}
	mem := make([]byte, 1<<30)
	w := &wide{}
	for i := range w.a {
		w.a[i].p, w.h[i].p = &chain{id: i}, &chain{id: -i}
	}
	for range n {
		lookHuge(mem, *w, w)
	}
	return n
}

//go:noinline
func lookHuge(mem []byte, by struct {
	a, b, c, d, e, f, g, h [64]struct{ p *chain }
}, w any) {
	sink++ // mark:huge
	runtime.KeepAlive(mem)
	runtime.KeepAlive(&by)
	runtime.KeepAlive(w)
}

// crowd is n goroutines that come to the line at once, each on a stack that has
// just grown.
func crowd(n int) int {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			down(50 + i%100)
			look(&chain{id: i}, 1)
		})
	}
	close(start)
	wg.Wait()
	return n
}

type receiver struct{ a, b *chain }

//go:noinline
func (r *receiver) method(other *receiver) (n int) {
	n++ // mark:receiver
	defer func() { _ = recover() }()
	n += r.a.id + other.b.id
	return n
}

// nilReceivers calls a method of nil.
func nilReceivers(n int) int {
	for range n {
		(*receiver)(nil).method(nil)
		(&receiver{}).method(&receiver{b: &chain{}})
	}
	return 2 * n
}
