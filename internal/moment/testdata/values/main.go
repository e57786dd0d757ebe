// A program that holds one value of every kind that Go has, and of the types of
// the standard library that people write in a way of their own. Behind each
// stands what is to be shown of it. It waits in a system call, several calls
// deep, until its standard input ends; with an argument it calls what holds the
// values as locals and arguments again and again.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/big"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

type (
	Celsius float64
	Name    string
	Raw     []byte
	UUID    [16]byte
	Sum     [32]byte
	Level   int8
	Tiny    int8
	Fn      func(int) int
	Table   map[string]int
)

type Base struct {
	ID   int
	Name string
}

type Order struct {
	Base
	*Extra
	Qty   int32
	Price Celsius
	Tags  []string
	Next  *Order
	_     int
	note  any
}

type Extra struct{ Why string }

type Shape interface{ Area() float64 }

type Square struct{ Side float64 }

func (s Square) Area() float64 { return s.Side * s.Side }

type Wide struct{ A, B, C, D, E int }

func (w *Wide) Area() float64 { return float64(w.A) }

type Single struct{ P *Base }

func (s Single) Area() float64 { return 1 }

type Node struct {
	V    int
	Next *Node
}

type Pair[K comparable, V any] struct {
	Key K
	Val V
}

type Empty struct{}

type MyErr struct{ Code int }

func (e *MyErr) Error() string { return fmt.Sprint("code ", e.Code) }

type Code int

func (c Code) Error() string { return "code" }

var (
	VBool       = true                                                                                                                                      // want: true
	VInt        = math.MinInt64                                                                                                                             // want: -9223372036854775808
	VInt8       = int8(-128)                                                                                                                                // want: -128
	VInt16      = int16(-32768)                                                                                                                             // want: -32768
	VInt32      = int32(math.MinInt32)                                                                                                                      // want: -2147483648
	VInt64      = int64(math.MaxInt64)                                                                                                                      // want: 9223372036854775807
	VUint       = uint(math.MaxUint64)                                                                                                                      // want: 18446744073709551615
	VUint8      = uint8(255)                                                                                                                                // want: 255
	VUint16     = uint16(65535)                                                                                                                             // want: 65535
	VUint32     = uint32(math.MaxUint32)                                                                                                                    // want: 4294967295
	VUint64     = uint64(math.MaxUint64)                                                                                                                    // want: 18446744073709551615
	VUintptr    = uintptr(0xabc)                                                                                                                            // want: 0xabc
	VFloat32    = float32(1.5)                                                                                                                              // want: 1.5
	VFloat64    = 2.25                                                                                                                                      // want: 2.25
	VNaN        = math.NaN()                                                                                                                                // want: NaN
	VInf        = math.Inf(-1)                                                                                                                              // want: -Inf
	VComplex64  = complex64(complex(1, -2))                                                                                                                 // want: (1-2i)
	VComplex128 = complex(3.5, 4)                                                                                                                           // want: (3.5+4i)
	VRune       = 'ä'                                                                                                                                       // want: 228
	VString     = "grüße"                                                                                                                                   // want: grüße
	VEmptyStr   = ""                                                                                                                                        // want:
	VNamed      = Name("bob")                                                                                                                               // want: bob
	VCelsius    = Celsius(36.6)                                                                                                                             // want: 36.6
	VLevel      = Level(-3)                                                                                                                                 // want: -3
	VBytes      = []byte("hello\n")                                                                                                                         // want: hello\n
	VBinary     = []byte{0, 1, 0xff}                                                                                                                        // want: 0001ff
	VRaw        = Raw{0xfe, 0xdc}                                                                                                                           // want: fedc
	VNilSlice   []int                                                                                                                                       // want: nil
	VNoElems    = []int{}                                                                                                                                   // want: []
	VInts       = []int{1, -2, 3}                                                                                                                           // want: [1 -2 3]
	VStrings    = []string{"a", "", "c d"}                                                                                                                  // want: ["a" "" "c d"]
	VNested     = [][]int8{{1}, nil, {2, 3}}                                                                                                                // want: [[1] nil [2 3]]
	VArray      = [3]uint16{1, 2, 3}                                                                                                                        // want: [1 2 3]
	VMatrix     = [2][2]float32{{1, 2}, {3, 4}}                                                                                                             // want: [[1 2] [3 4]]
	VBytes4     = [4]byte{1, 2, 3, 4}                                                                                                                       // want: [1 2 3 4]
	VUUID       = UUID{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 1, 2, 3, 4, 5, 6, 7, 8}                                                              // want: 12345678-9abc-def0-0102-030405060708
	VSum        = Sum{0xab, 31: 0xcd}                                                                                                                       // want: ab000000000000000000000000000000000000000000000000000000000000cd
	VEmpty      = Empty{}                                                                                                                                   // want: {}
	VBase       = Base{7, "x"}                                                                                                                              // want: {ID:7 Name:"x"}
	VPtr        = &Base{8, "y"}                                                                                                                             // want: &{ID:8 Name:"y"}
	VNilPtr     *Base                                                                                                                                       // want: nil
	VPtrPtr     = &VPtr                                                                                                                                     // want: &&{ID:8 Name:"y"}
	VPtrInt     = &VInt                                                                                                                                     // want: &-9223372036854775808
	VOrder      = Order{Base{1, "n"}, &Extra{"because"}, 2, 3.5, []string{"t"}, nil, 0, 5}                                                                  // want: {Base:{ID:1 Name:"n"} Extra:&{Why:"because"} Qty:2 Price:3.5 Tags:["t"] Next:nil note:int(5)}
	VCycle      = ring()                                                                                                                                    // want: &{V:1 Next:&{V:2 Next:0x… (shown above)}}
	VPair       = Pair[string, []int]{"k", []int{1}}                                                                                                        // want: {Key:"k" Val:[1]}
	VAnyNil     any                                                                                                                                         // want: nil
	VAnyInt     any                                                                            = 42                                                         // want: int(42)
	VAnyStr     any                                                                            = "str"                                                      // want: string("str")
	VAnyStruct  any                                                                            = Base{3, "z"}                                               // want: main.Base{ID:3 Name:"z"}
	VAnyPtr     any                                                                            = &Base{4, "w"}                                              // want: *main.Base(&{ID:4 Name:"w"})
	VAnySlice   any                                                                            = []int{5}                                                   // want: []int([5])
	VAnyMap     any                                                                            = map[string]int{"m": 1}                                     // want: map[string]int(map["m":1])
	VAnyFunc    any                                                                            = named                                                      // want: func()(main.named)
	VAnyFloat   any                                                                            = 2.5                                                        // want: float64(2.5)
	VAnyBool    any                                                                            = true                                                       // want: bool(true)
	VAnyArr1    any                                                                            = [1]*Base{{1, "a"}}                                         // want: [1]*main.Base([&{ID:1 Name:"a"}])
	VAnyEmpty   any                                                                            = Empty{}                                                    // want: main.Empty{}
	VShape      Shape                                                                          = Square{2.5}                                                // want: main.Square{Side:2.5}
	VShapePtr   Shape                                                                          = &Wide{1, 2, 3, 4, 5}                                       // want: *main.Wide(&{A:1 B:2 C:3 D:4 E:5})
	VShapeOne   Shape                                                                          = Single{&Base{9, "s"}}                                      // want: main.Single{P:&{ID:9 Name:"s"}}
	VErr                                                                                       = errors.New("boom")                                         // want: boom
	VWrapped                                                                                   = fmt.Errorf("outer: %w", fmt.Errorf("inner: %w", VErr))     // want: outer: inner: boom
	VJoined                                                                                    = errors.Join(VErr, &MyErr{5})                               // want: *errors.joinError(&{errs:[*errors.errorString(&{s:"boom"}) *main.MyErr(&{Code:5})]})
	VPathErr    error                                                                          = &fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOENT} // want: open /x: no such file or directory
	VCodeErr    error                                                                          = Code(7)                                                    // want: main.Code(7)
	VNilMap     map[string]int                                                                                                                              // want: nil
	VNoEntries  = map[string]int{}                                                                                                                          // want: map[]
	VMap        = map[string]int{"b": 2, "a": 1, "c": 3}                                                                                                    // want: map["a":1 "b":2 "c":3]
	VMapInt     = map[int]string{-1: "m", 5: "p"}                                                                                                           // want: map[-1:"m" 5:"p"]
	VMapStruct  = map[Base]*Base{{1, "k"}: {2, "v"}}                                                                                                        // want: map[{ID:1 Name:"k"}:&{ID:2 Name:"v"}]
	VMapArr     = map[[200]byte]Base{{1}: {2, "v"}}                                                                                                         // len: 1
	VMapBig     = big256()                                                                                                                                  // len: 300
	VMapHuge    = hugeMap()                                                                                                                                 // len: 5000
	VMapDel     = deleted()                                                                                                                                 // want: map[500:500 501:501]
	VMapBigVal  = map[int8][300]byte{4: {1}}                                                                                                                // len: 1
	VMapAny     = map[any]any{1: "x", "y": 2.5}                                                                                                             // len: 2
	VSet        = map[string]struct{}{"s": {}}                                                                                                              // want: map["s":{}]
	VTable      = Table{"t": 9}                                                                                                                             // want: map["t":9]
	VNilChan    chan int                                                                                                                                    // want: nil
	VChan       = channel()                                                                                                                                 // want: chan int(len 2 of 3: 20 30)
	VChanClosed = closedChannel()                                                                                                                           // want: chan string(len 1 of 2: "last", closed)
	VChanWait   = make(chan int)                                                                                                                            // want: chan int(len 0 of 0, 2 waiting to send)
	VFunc       = named                                                                                                                                     // want: main.named
	VNilFunc    func()                                                                                                                                      // want: nil
	VFnType     = Fn(double)                                                                                                                                // want: main.double
	VTimeUTC    = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)                                                                                           // want: 2026-01-02T03:04:05.678Z
	VTimeZone   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("ABC", 3600))                                                                            // want: 2026-01-02T03:04:05+01:00 ABC
	VTimeZero   time.Time                                                                                                                                   // want: 0001-01-01T00:00:00Z
	VDuration   = 1500 * time.Millisecond                                                                                                                   // want: 1.5s
	VMonth      = time.May                                                                                                                                  // want: 5
	VMutex      sync.Mutex                                                                                                                                  // want: free
	VHeld       sync.Mutex                                                                                                                                  // want: held
	VRWFree     sync.RWMutex                                                                                                                                // want: free
	VRWRead     sync.RWMutex                                                                                                                                // want: held by 2 readers
	VRWWrite    sync.RWMutex                                                                                                                                // want: held by a writer
	VWaitGroup  sync.WaitGroup                                                                                                                              // want: counter 3
	VAtomI32    atomic.Int32                                                                                                                                // want: -5
	VAtomI64    atomic.Int64                                                                                                                                // want: -6
	VAtomU32    atomic.Uint32                                                                                                                               // want: 5
	VAtomU64    atomic.Uint64                                                                                                                               // want: 6
	VAtomBool   atomic.Bool                                                                                                                                 // want: true
	VAtomPtr    atomic.Pointer[Base]                                                                                                                        // want: &{ID:8 Name:"y"}
	VAtomVal    atomic.Value                                                                                                                                // want: string("stored")
	VBigInt     = bigInt("-123456789012345678901234567890")                                                                                                 // want: &-123456789012345678901234567890
	VBigZero    big.Int                                                                                                                                     // want: 0
	VBigRat     = big.NewRat(-3, 4)                                                                                                                         // want: &-3/4
	VIP4        = net.ParseIP("192.0.2.1")                                                                                                                  // want: 192.0.2.1
	VIP6        = net.ParseIP("2001:db8::1")                                                                                                                // want: 2001:db8::1
	VIPNet      = net.IPNet{IP: net.IPv4(10, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}                                                                     // want: {IP:10.0.0.0 Mask:ff000000}
	VAddr4      = netip.MustParseAddr("192.0.2.7")                                                                                                          // want: 192.0.2.7
	VAddr6      = netip.MustParseAddr("2001:db8::7")                                                                                                        // want: 2001:db8::7
	VAddrNone   netip.Addr                                                                                                                                  // want: invalid IP
	VAddrPort   = netip.MustParseAddrPort("192.0.2.7:80")                                                                                                   // want: 192.0.2.7:80
	VPrefix     = netip.MustParsePrefix("10.0.0.0/8")                                                                                                       // want: 10.0.0.0/8
	VUnsafe     = unsafe.Pointer(uintptr(0xc0ffee00))                                                                                                       // want: 0xc0ffee00
	VUnsafeNil  unsafe.Pointer                                                                                                                              // want: nil
	VStructZero struct{}                                                                                                                                    // want: {}
	VAnon       = struct{ A, b int }{1, 2}                                                                                                                  // want: {A:1 b:2}
	VPtrSlice   = []*Base{{1, "a"}, nil, {2, "b"}}                                                                                                          // want: [&{ID:1 Name:"a"} nil &{ID:2 Name:"b"}]
	VFuncs      = []func(){named, nil}                                                                                                                      // want: [main.named nil]
	VLong       = make([]int64, 1<<20)                                                                                                                      // len: 1048576
	VText       = longText()                                                                                                                                // len: 100000
	VCtx        = context.WithValue(context.Background(), Name("k"), 1)                                                                                     // type: *context.valueCtx
	VList       = longList()                                                                                                                                // type: *main.Node
)

// Values that have captured others.
var (
	VClosure = counter(3, "cap", &Base{5, "shared"})
	VMethod  = Square{4}.Area
)

func named()           {}
func double(n int) int { return 2 * n }

func ring() *Node {
	a, b := &Node{V: 1}, &Node{V: 2}
	a.Next, b.Next = b, a
	return a
}

func longList() *Node {
	var n *Node
	for i := range 100_000 {
		n = &Node{i, n}
	}
	return n
}

func longText() string {
	b := make([]byte, 100_000)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return string(b)
}

func big256() map[int]int {
	m := map[int]int{}
	for i := range 300 {
		m[i] = i * i
	}
	return m
}

func hugeMap() map[string]int {
	m := map[string]int{}
	for i := range 5000 {
		m[fmt.Sprint("key", i)] = i
	}
	return m
}

// deleted leaves tombstones in a table.
func deleted() map[int]int {
	m := map[int]int{}
	for i := range 502 {
		m[i] = i
	}
	for i := range 500 {
		delete(m, i)
	}
	return m
}

func channel() chan int {
	c := make(chan int, 3)
	c <- 10
	<-c
	c <- 20
	c <- 30
	return c
}

func closedChannel() chan string {
	c := make(chan string, 2)
	c <- "last"
	close(c)
	return c
}

func bigInt(s string) *big.Int {
	n, _ := new(big.Int).SetString(s, 10)
	return n
}

//go:noinline
func counter(n int, name string, b *Base) func(int) int {
	total := 100
	return func(d int) int {
		total += d * n
		b.ID += len(name)
		return total
	}
}

//go:noinline
func Generic[T any](x T, list []T, more map[string]T) (z T) {
	z = x
	wait(len(list))
	runtime.KeepAlive(more)
	runtime.KeepAlive(list)
	keep(x)
	return z
}

//go:noinline
func keep(any) {}

// wait blocks in a system call until standard input ends.
//
//go:noinline
func wait(n int) {
	var b [1]byte
	fmt.Println("waiting")
	syscall.Read(0, b[:])
	sink += n
}

var sink int

func helper(a, b int) int { // inlined
	c := a * b
	return outer(c, "called", &Order{Base: Base{77, "frame"}})
}

//go:noinline
func outer(count int, what string, o *Order) int {
	local := count + 1
	total := 0.5
	pair := [2]int{count, 9}
	escaped := Base{count, what}
	hold(&escaped)
	Generic(Level(5), []Level{1, 2}, map[string]Level{"x": 3})
	sink += local + pair[count&1] + len(o.Name) + escaped.ID + len(what)
	if total > 1 {
		return 0
	}
	return local
}

//go:noinline
func hold(b *Base) { held = b }

var held *Base

func prepare() {
	VHeld.Lock()
	VRWRead.RLock()
	VRWRead.RLock()
	VRWWrite.Lock()
	VWaitGroup.Add(3)
	VAtomI32.Store(-5)
	VAtomI64.Store(-6)
	VAtomU32.Store(5)
	VAtomU64.Store(6)
	VAtomBool.Store(true)
	VAtomPtr.Store(VPtr)
	VAtomVal.Store("stored")
	for i := range 2 {
		go func() { VChanWait <- i }()
	}
	time.Sleep(50 * time.Millisecond)
	VClosure(2)
}

func main() {
	prepare()
	touch()
	if len(os.Args) > 1 {
		fmt.Println("ready")
		loop()
	}
	runtime.LockOSThread()
	if len(os.Args) > 5 { // another type of the same shape
		Generic(Tiny(5), nil, nil)
	}
	fmt.Println(helper(6, 7))
}

// loop calls functions that have the values as arguments and locals, until
// standard input ends.
func loop() {
	go func() {
		var b [1]byte
		os.Stdin.Read(b[:])
		os.Exit(0)
	}()
	for {
		numbers(VInt8, VInt16, VInt32, VUint8, VFloat32, VComplex128, VBool)
		lists(VStrings, VNested, VBytes, VArray, VText)
		refs(VPtr, VAnyStruct, VShape, VWrapped, VMap, VChan, VClosure)
		known(VTimeUTC, VTimeZone, VDuration, VBigInt, VAddr4, VIP4)
		everything(&VOrder, VMapHuge, VLong, VList, VCycle)
		boxes(&VAtomPtr, Square{4}.Area, (&Wide{A: 6}).Area, VTimeZone.Location(), VPathErr)
		broad(7, VPtr)
		generic(Level(1), []Level{2}, Pair[string, Level]{"p", 3})
		generic("s", []string{"t"}, Pair[string, string]{"q", "r"})
		generic(Tiny(9), []Tiny{8}, Pair[string, Tiny]{"t", 7})
		time.Sleep(time.Millisecond)
	}
}

//go:noinline
func numbers(a int8, b int16, c int32, d uint8, e float32, f complex128, g bool) {
	x := int(a) + int(b)
	sink += x + int(c) + int(d) + int(e) + int(real(f)) // line: numbers
	if g {
		sink++
	}
}

//go:noinline
func lists(a []string, b [][]int8, c []byte, d [3]uint16, e string) {
	n := len(a) + len(b)
	sink += n + len(c) + int(d[1]) + len(e) // line: lists
	keep(a)
	keep(b)
}

//go:noinline
func refs(p *Base, a any, s Shape, err error, m map[string]int, c chan int, f func(int) int) {
	n := p.ID
	sink += n + len(m) + len(c) // line: refs
	keep(a)
	keep(s)
	keep(err)
	keep(f)
}

//go:noinline
func known(t, z time.Time, d time.Duration, n *big.Int, a netip.Addr, ip net.IP) {
	y := t.Year()
	sink += y + int(d) + len(ip) // line: known
	keep(z)
	keep(n)
	keep(a)
}

//go:noinline
func everything(o *Order, m map[string]int, l []int64, list, cycle *Node) {
	n := o.ID
	sink += n + len(m) + len(l) // line: everything
	keep(list)
	keep(cycle)
}

//go:noinline
func boxes(p *atomic.Pointer[Base], m, w func() float64, l *time.Location, err error) {
	n := len(l.String())
	sink += n // line: boxes
	keep(p)
	keep(m)
	keep(w)
	keep(l)
	keep(err)
}

// broad has a frame that is larger than the stack that is copied for a few
// frames: what it keeps behind a pointer stands above a large array.
//
//go:noinline
func broad(n int, p *Base) {
	moved := Base{n, "moved"}
	keep(&moved)
	var large [20000]byte
	fill(&large)
	sink += int(large[n]) // line: broad
	keep(&moved)
	keep(p)
}

//go:noinline
func fill(b *[20000]byte) { b[7]++ }

//go:noinline
func generic[T any](x T, list []T, p Pair[string, T]) {
	n := len(list)
	sink += n // line: generic
	keep(x)
	keep(p)
}

// touch keeps the linker from dropping the variables.
func touch() {
	for _, v := range []any{&VBool, &VInt, &VInt8, &VInt16, &VInt32, &VInt64, &VUint, &VUint8, &VUint16, &VUint32, &VUint64, &VUintptr,
		&VFloat32, &VFloat64, &VNaN, &VInf, &VComplex64, &VComplex128, &VRune, &VString, &VEmptyStr, &VNamed, &VCelsius, &VLevel,
		&VBytes, &VBinary, &VRaw, &VNilSlice, &VNoElems, &VInts, &VStrings, &VNested, &VArray, &VMatrix, &VBytes4, &VUUID, &VSum,
		&VEmpty, &VBase, &VPtr, &VNilPtr, &VPtrPtr, &VPtrInt, &VOrder, &VCycle, &VPair, &VAnyNil, &VAnyInt, &VAnyStr, &VAnyStruct,
		&VAnyPtr, &VAnySlice, &VAnyMap, &VAnyFunc, &VAnyFloat, &VAnyBool, &VAnyArr1, &VAnyEmpty, &VShape, &VShapePtr, &VShapeOne,
		&VErr, &VWrapped, &VJoined, &VPathErr, &VCodeErr, &VNilMap, &VNoEntries, &VMap, &VMapInt, &VMapStruct, &VMapArr, &VMapBig,
		&VMapHuge, &VMapDel, &VMapBigVal, &VMapAny, &VSet, &VTable, &VNilChan, &VChan, &VChanClosed, &VChanWait, &VFunc, &VNilFunc,
		&VFnType, &VTimeUTC, &VTimeZone, &VTimeZero, &VDuration, &VMonth, &VMutex, &VHeld, &VRWFree, &VRWRead, &VRWWrite, &VWaitGroup, &VAtomI32,
		&VAtomI64, &VAtomU32, &VAtomU64, &VAtomBool, &VAtomPtr, &VAtomVal, &VBigInt, &VBigZero, &VBigRat, &VIP4, &VIP6, &VIPNet,
		&VAddr4, &VAddr6, &VAddrNone, &VAddrPort, &VPrefix, &VUnsafe, &VUnsafeNil, &VStructZero, &VAnon, &VPtrSlice, &VFuncs, &VLong,
		&VText, &VCtx, &VList, &VClosure, &VMethod} {
		keep(v)
	}
}
