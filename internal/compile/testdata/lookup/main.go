// Command lookup has maps of every kind and interfaces that hold many types, for
// the questions of lookup_live_test.go.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type point struct{ X, Y int32 }

type person struct {
	Name     string
	Age      int
	Tags     map[string]string
	Password string
}

type large struct {
	Pad [40]int
	N   int
}

type wrapper struct{ p *person }

type level int8

var (
	wrapped  wrapper
	auth     = "Bearer abcdef0123456789"
	password = "hunter2"
)

var (
	small                                                                                      = map[string]int{"a": 1, "b": 2, "": 3}
	many                                                                                       = map[string]int{}
	growing                                                                                    = map[int]int{}
	thousands                                                                                  = map[int]int{}
	byInt                                                                                      = map[int]string{-5: "minus five", 0: "zero", 1 << 40: "large"}
	byByte                                                                                     = map[uint8]bool{7: true, 255: false}
	byBool                                                                                     = map[bool]int{true: 1}
	byLevel                                                                                    = map[level]string{-3: "low"}
	byArray                                                                                    = map[[3]uint8]int{{1, 2, 3}: 6}
	byPoint                                                                                    = map[point]string{{1, 2}: "here"}
	byPointer                                                                                  = map[*person]int{}
	people                                                                                     = map[string]*person{"alice": {Name: "Alice", Age: 42, Tags: map[string]string{"role": "admin"}, Password: "hunter2"}}
	structs                                                                                    = map[string]person{"bob": {Name: "Bob", Age: 7}}
	larges                                                                                     = map[string]large{"x": {N: 99}}
	sets                                                                                       = map[string]struct{}{"in": {}}
	nested                                                                                     = map[string]map[string]int{"a": {"b": 5}}
	header                                                                                     = map[string][]string{"Accept": {"text/html", "*/*"}, "Authorization": {"Bearer abcdef123"}}
	deleted                                                                                    = map[int]int{}
	empty                                                                                      = map[string]int{}
	none                                                                                       map[string]int
	fractions                                                                                  = map[float64]int{1.5: 1}
	key, missing                                                                               = "b", "nowhere"
	seven                                                                                      = 7
	triple                                                                                     = [3]uint8{1, 2, 3}
	spot                                                                                       = point{1, 2}
	who                                                                                        *person
	errPath, errOther, errNil                                                                  error
	anyInt, anyString, anyPerson, anyPointer, anyWrapped, anyLevel, anySlice, anyMap, anyLarge any
	text, raw, long                                                                            = "GET /api/v1/users/42 HTTP/1.1", []byte("body: ok"), strings.Repeat("x", 5000) + "y"
)

type failure struct{ Code int }

func (f *failure) Error() string { return fmt.Sprint("failure ", f.Code) }

var (
	errDeadline, errCanceled, errErrno       error = context.DeadlineExceeded, context.Canceled, syscall.ENOENT
	errDial, errURL, errJSON, errOwn, errGet error
	errDNS                                   error = &net.DNSError{Err: "no such host", Name: "x.example", Server: "127.0.0.1:53"}
	errAddr                                  error = &net.AddrError{Err: "missing port in address", Addr: "a"}
	errLink, errWrapped, errConn, errLong    error
)

func errorsToo() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	fmt.Println(fixed, inUTC, noTime, *timeP) // a location remembers what it was asked last
	_, errDial = net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
	_, errURL = url.Parse("http://[::1")
	errJSON = json.Unmarshal([]byte("{"), &small)
	errOwn = &failure{7}
	_, errGet = http.Get(fmt.Sprint("http://127.0.0.1:", port, "/x"))
	errLink = os.Rename("/does/not/exist", "/tmp/x")
	errWrapped = fmt.Errorf("while opening: %w", errPath)
	errConn = errors.New("cannot connect to postgres://app:hunter2@db/app")
	errLong = fmt.Errorf("%s: %w", strings.Repeat("x", 300), errPath)
}

var (
	port   int
	inUTC  = time.Date(2026, 7, 2, 3, 4, 5, 6000, time.UTC)
	fixed  = time.Date(2026, 7, 2, 3, 4, 5, 0, time.FixedZone("X", -2*3600-1800))
	timeP  = &fixed
	noTime time.Time
)

var (
	ip   = net.ParseIP("192.0.2.1")
	noIP = net.IP{1, 2, 3}
	card = net.HardwareAddr{0, 0x1a, 0x2b, 3, 4, 5}
)

var locks struct {
	Free, Held sync.Mutex
	Read       sync.RWMutex
	Group      sync.WaitGroup
	Number     atomic.Int64
	Flag       atomic.Bool
	Any        atomic.Value
}

func lock() {
	locks.Held.Lock()
	locks.Read.RLock()
	locks.Group.Add(2)
	locks.Number.Store(-7)
	locks.Flag.Store(true)
	locks.Any.Store("stored")
}

func fill() {
	defer errorsToo()
	lock()
	for i := range 1000 {
		many[fmt.Sprint("key", i)] = i
	}
	for i := range 14 { // 13 is where two buckets become four
		growing[i] = i * i
	}
	for i := range 100000 {
		thousands[i] = i
	}
	for i := range 200 {
		deleted[i] = i
	}
	for i := range 190 {
		delete(deleted, i)
	}
	who = people["alice"]
	byPointer[who] = 1
	_, errPath = os.Open("/does/not/exist")
	_, errOther = strconv.Atoi("x1")
	anyInt, anyString, anyPerson, anyPointer, anyWrapped = 12, "dyn", person{Name: "Carol"}, who, wrapper{who}
	anyLevel, anySlice, anyMap, anyLarge = level(-3), []int{4, 5}, small, large{N: 3}
}

//go:noinline
func tick() { time.Sleep(time.Millisecond) }

func main() {
	fill()
	var p *fs.PathError
	fmt.Println(ip, noIP, card, len(small), len(byInt), len(byByte), len(byBool), len(byLevel), len(byArray), len(byPoint), len(byPointer), len(structs), len(larges),
		len(sets), len(nested), len(header), len(empty), len(none), len(fractions), key, missing, seven, triple, spot, errors.As(errPath, &p), errNil,
		anyInt, anyString, anyPerson, anyPointer, anyWrapped, anyLevel, anySlice, anyMap, anyLarge, wrapped, auth, password, text, raw, long[:1], errOther, errDeadline, errCanceled, errErrno, errDial, errURL, errJSON, errOwn, errDNS, errAddr, errLink, errWrapped, errConn, errLong, errGet)
	for {
		tick()
	}
}
