// Command world has a variable for each thing that the probe language can ask
// of. They are those of world_test.go, where the same questions are asked of the
// test itself.
package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unsafe"
)

type (
	celsius  float64
	myBool   bool
	myString string
	level    int8
)

type base struct {
	Created int64
	Note    string
}

type inner struct{ Deep int }

type order struct {
	base
	*inner
	ID    int
	Qty   uint16
	Price float64
	Name  string
	Paid  bool
	Tags  []string
	Prev  *order
	Attrs map[string]int
	Temp  celsius
	_     int
	Grid  [2][2]int8
	Err   error
	Done  chan int
	Fn    func()
}

type matrix [3]int32

func handler() {}

var (
	o, zero           order
	p, nilp           *order
	pp                **order
	i, neg            int
	big               uint64
	i8                int8
	u8                byte
	u32               uint32
	r                 rune
	f                 float64
	f32               float32
	b, no             bool
	mb                myBool
	s, empty, long    string
	ms                myString
	raw, text         []byte
	ints, none        []int
	strs              []string
	orders            []order
	ptrs              []*order
	empties           []struct{}
	arr               [4]int
	mat               matrix
	parr              *[4]int
	m, nilm           map[string]int
	ch, nilch         chan int
	fn, nilfn         func()
	err, eof, nilerr  error
	wrapped           error
	any1, any2, any3  any
	anys              []any
	anyp, anyf, anyst any
	c128              complex128
	c64               complex64
	lvl               level
	temp              celsius
	up                unsafe.Pointer
	uptr              uintptr
	idx               int
)

const eleven = 11

func init() {
	o = order{base: base{Created: 99, Note: "first"}, inner: &inner{Deep: 5}, ID: 7, Qty: 3, Price: 1.5, Name: "alice", Paid: true,
		Tags: []string{"a", "b"}, Attrs: map[string]int{"x": 1, "y": 2}, Temp: 36.6, Grid: [2][2]int8{{1, 2}, {3, -4}}}
	i = 42
	neg = -7
	big = 1 << 63
	i8 = -128
	u8 = 200
	u32 = 1 << 31
	r = 'é'
	f = 2.5
	f32 = 0.1
	b = true
	mb = true
	s = "hello"
	long = strings.Repeat("x", 300)
	ms = "mine"
	raw = []byte{0xff, 1}
	text = []byte("text")
	ints = []int{10, 20, 30, 40, 50, 60, 70, 80, 90, 100}
	strs = []string{"one", "", "three"}
	arr = [4]int{1, 2, 3, 4}
	mat = matrix{-1, 0, 1}
	m = map[string]int{"a": 1}
	ch = make(chan int, 3)
	fn = handler
	err = errors.New("no such order")
	eof = io.EOF
	any1 = 12
	any2 = celsius(1.5)
	any3 = myString("dyn")
	c128 = 1 - 2i
	c64 = 3 + 4i
	lvl = -2
	temp = 20
	uptr = 4096
	idx = 2
	empties = make([]struct{}, 3)
	wrapped = fmt.Errorf("while saving: %w", err)
	p, pp, parr = &o, &p, &arr
	o.Prev = &order{ID: 6}
	orders = []order{{ID: 1, Name: "first"}, {ID: 2, Name: "second"}}
	ptrs = []*order{nil}
	ch <- 1
	anys = []any{1, "two"}
	anyp, anyf, anyst = p, handler, base{Created: 1}
}

//go:noinline
func tick(n int) {
	if n < 0 { // never: it keeps the variables in the program
		fmt.Println(eleven, o, zero, p, nilp, pp, i, neg, big, i8, u8, u32, r, f, f32, b, no, mb, s, empty, long, ms, raw, text, ints, none, strs, orders, ptrs, empties, arr, mat, parr, m, nilm, ch, nilch, fn, nilfn, err, eof, nilerr, wrapped, any1, any2, any3, anys, anyp, anyf, anyst, c128, c64, lvl, temp, up, uptr, idx, io.EOF)
	}
}
func main() {
	for n := 0; ; n++ {
		tick(n)
		time.Sleep(5 * time.Millisecond)
	}
}
