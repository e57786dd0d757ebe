package value

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// known are the types that people write in a way of their own. A reader that
// cannot read a value wholly says false, and it is shown as what it is made of.
var known map[string]func(r *Reader, t *program.Type, p Place) (probe.Value, bool)

func init() { // its functions read values, which looks here
	known = map[string]func(r *Reader, t *program.Type, p Place) (probe.Value, bool){
		"time.Time":           (*Reader).time,
		"time.Location":       (*Reader).location,
		"sync.Mutex":          (*Reader).mutex,
		"internal/sync.Mutex": (*Reader).mutex,
		"sync.RWMutex":        (*Reader).rwMutex,
		"sync.WaitGroup":      (*Reader).waitGroup,
		"math/big.Int":        (*Reader).bigInt,
		"math/big.Rat":        (*Reader).bigRat,
		"net.IP":              (*Reader).ip,
		"net.IPMask":          (*Reader).mask,
		"net.HardwareAddr":    (*Reader).mask,
		"net/netip.Addr":      (*Reader).addr,
		"net/netip.AddrPort":  (*Reader).addrPort,
		"net/netip.Prefix":    (*Reader).prefix,
	}
	for _, name := range []string{"Int32", "Int64", "Uint32", "Uint64", "Uintptr", "Bool", "Value", "UnsafePointer"} {
		known["sync/atomic."+name] = (*Reader).atomic
		known["internal/runtime/atomic."+name] = (*Reader).atomic
		known["runtime/internal/atomic."+name] = (*Reader).atomic
	}
}

// part is the place of a field, through nested structs.
func part(t *program.Type, p Place, path ...string) (*program.Type, Place, bool) {
	for _, name := range path {
		f := field(t, name)
		if f == nil {
			return nil, p, false
		}
		t, p = f.Type, p.plus(f.Offset)
	}
	return t, p, true
}

// number reads a number of a struct.
func (r *Reader) number(t *program.Type, p Place, path ...string) (u uint64, late, ok bool) {
	ft, at, ok := part(t, p, path...)
	if !ok {
		return 0, false, false
	}
	u, late, why := r.uint(at, ft.Size)
	return u, late, why == ""
}

func literal(text string, late bool) (probe.Value, bool) {
	return probe.Value{Shape: probe.Literal, Text: text, Late: late}, true
}

// The states of a sync.Mutex (sync/mutex.go, since Go 1.9): the lowest bit says
// that it is locked, those above the third count who waits.
const (
	mutexLocked  = 1
	mutexWaiters = 3
)

func (r *Reader) mutex(t *program.Type, p Place) (probe.Value, bool) {
	state, late, ok := r.number(t, p, "state")
	if !ok {
		if state, late, ok = r.number(t, p, "mu", "state"); !ok {
			return probe.Value{}, false
		}
	}
	return literal(mutexText(uint32(state)), late)
}

func mutexText(state uint32) string {
	text := "free"
	if state&mutexLocked != 0 {
		text = "held"
	}
	if n := state >> mutexWaiters; n > 0 {
		text += fmt.Sprintf(", %d waiting", n)
	}
	return text
}

// maxReaders is what a writer takes off the count of readers (sync/rwmutex.go).
const maxReaders = 1 << 30

func (r *Reader) rwMutex(t *program.Type, p Place) (probe.Value, bool) {
	count, late, ok1 := r.number(t, p, "readerCount", "v")
	wt, wp, ok2 := part(t, p, "w")
	wait, _, ok3 := r.number(t, p, "readerWait", "v")
	if !ok1 || !ok2 || !ok3 {
		return probe.Value{}, false
	}
	w, ok := r.mutex(wt, wp)
	if !ok {
		return probe.Value{}, false
	}
	return literal(rwMutexText(w.Text, int32(count), int32(wait)), late)
}

// rwMutexText says what a sync.RWMutex does: w is the text of its mutex for
// writers, count and wait are its readers and those that a writer waits for.
func rwMutexText(w string, count, wait int32) string {
	readers := func(n int32) string {
		if n == 1 {
			return "held by 1 reader"
		}
		return fmt.Sprintf("held by %d readers", n)
	}
	switch {
	case count < 0 && wait > 0:
		return readers(wait) + ", a writer waiting"
	case count < 0:
		text := "held by a writer"
		if n := count + maxReaders; n > 0 {
			text += fmt.Sprintf(", %d readers waiting", n)
		}
		return text
	case count > 0:
		return readers(count)
	}
	return w
}

// waitGroup reads the state of a sync.WaitGroup, one word since Go 1.20.
func (r *Reader) waitGroup(t *program.Type, p Place) (probe.Value, bool) {
	for _, word := range []string{"v", "value"} {
		if state, late, ok := r.number(t, p, "state", word); ok {
			return literal(waitGroupText(state), late)
		}
	}
	return probe.Value{}, false
}

// waitGroupText tells a WaitGroup's counter, the upper half of its state, and who
// waits, the lower one less a flag of testing/synctest (sync/waitgroup.go).
func waitGroupText(state uint64) string {
	text := fmt.Sprintf("counter %d", int32(state>>32))
	if n := state & (1<<31 - 1); n > 0 {
		text += fmt.Sprintf(", %d waiting", n)
	}
	return text
}

// atomic reads the value inside an atomic type.
func (r *Reader) atomic(t *program.Type, p Place) (probe.Value, bool) {
	f := field(t, "v")
	if f == nil {
		f = field(t, "value")
	}
	if f == nil {
		return probe.Value{}, false
	}
	v := r.value(f.Type, p.plus(f.Offset))
	if strings.HasSuffix(t.Name, ".Bool") && v.Shape == probe.Uint {
		v = probe.Value{Shape: probe.Bool, Bool: v.Uint != 0, Late: v.Late}
	}
	if v.Shape == probe.Interface {
		v.Declared = t.Name
		return v, true
	}
	v.Type, v.Address = t.Name, 0
	return v, v.Shape != probe.Unreadable
}

// maxWords bounds the numbers that are written out.
const maxWords = 1 << 10

// magnitude reads a big.nat, the words of a number, the lowest first.
func (r *Reader) magnitude(p Place) (n *big.Int, late, ok bool) {
	at, words, late, why := r.header(p)
	if why != "" || words > maxWords {
		return nil, false, false
	}
	saved := r.from
	r.from = p
	b, l, why := r.load(Place{Addr: at}, 8*words)
	r.from = saved
	if why != "" {
		return nil, false, false
	}
	n = new(big.Int)
	for i := words - 1; i >= 0; i-- {
		n.Lsh(n, 64)
		n.Or(n, new(big.Int).SetUint64(binary.LittleEndian.Uint64(b[8*i:])))
	}
	return n, late || l, true
}

func (r *Reader) bigNumber(t *program.Type, p Place) (n *big.Int, late, ok bool) {
	neg, l1, ok := r.number(t, p, "neg")
	_, at, ok2 := part(t, p, "abs")
	if !ok || !ok2 {
		return nil, false, false
	}
	if n, late, ok = r.magnitude(at); ok && neg != 0 {
		n.Neg(n)
	}
	return n, late || l1, ok
}

func (r *Reader) bigInt(t *program.Type, p Place) (probe.Value, bool) {
	n, late, ok := r.bigNumber(t, p)
	if !ok {
		return probe.Value{}, false
	}
	return literal(n.String(), late)
}

func (r *Reader) bigRat(t *program.Type, p Place) (probe.Value, bool) {
	at, ap, ok1 := part(t, p, "a")
	bt, bp, ok2 := part(t, p, "b")
	if !ok1 || !ok2 {
		return probe.Value{}, false
	}
	a, l1, ok1 := r.bigNumber(at, ap)
	b, l2, ok2 := r.bigNumber(bt, bp)
	if !ok1 || !ok2 {
		return probe.Value{}, false
	}
	if b.Sign() == 0 { // the zero value stands for 1
		b.SetInt64(1)
	}
	return literal(a.String()+"/"+b.Abs(b).String(), l1 || l2)
}

// octets reads a short list of bytes whole.
func (r *Reader) octets(p Place) (b []byte, late, ok bool) {
	at, n, late, why := r.header(p)
	if why != "" || at == 0 || n > 64 {
		return nil, false, false
	}
	saved := r.from
	r.from = p
	b, l, why := r.load(Place{Addr: at}, n)
	r.from = saved
	return b, late || l, why == ""
}

func (r *Reader) ip(_ *program.Type, p Place) (probe.Value, bool) {
	b, late, ok := r.octets(p)
	if !ok || len(b) != net.IPv4len && len(b) != net.IPv6len {
		return probe.Value{}, false
	}
	return literal(net.IP(b).String(), late)
}

func (r *Reader) mask(t *program.Type, p Place) (probe.Value, bool) {
	b, late, ok := r.octets(p)
	if !ok {
		return probe.Value{}, false
	}
	if t.Name == "net.HardwareAddr" {
		return literal(net.HardwareAddr(b).String(), late)
	}
	return literal(hex.EncodeToString(b), late)
}

// netipAddr reads a netip.Addr. Which family it is of, its z tells: a handle of
// a detail since Go 1.23, before it one of two well-known addresses.
func (r *Reader) netipAddr(t *program.Type, p Place) (a netip.Addr, late, ok bool) {
	hi, late, ok1 := r.number(t, p, "addr", "hi")
	lo, _, ok2 := r.number(t, p, "addr", "lo")
	zt, zp, ok3 := part(t, p, "z")
	if !ok1 || !ok2 || !ok3 {
		return a, false, false
	}
	z, _, why := r.word(zp)
	if why != "" || z == 0 {
		return a, late, why == ""
	}
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:], hi)
	binary.BigEndian.PutUint64(raw[8:], lo)
	v4, zone, l, ok := r.family(zt, zp, z)
	if !ok {
		return a, false, false
	}
	if a = netip.AddrFrom16(raw); v4 {
		return a.Unmap(), late || l, true
	}
	return a.WithZone(zone), late || l, true
}

// family tells what the z of an address stands for.
func (r *Reader) family(zt *program.Type, zp Place, z uint64) (v4 bool, zone string, late, ok bool) {
	for name, is4 := range map[string]bool{"net/netip.z4": true, "net/netip.z6noz": false} {
		if r.wellKnown(name) == z {
			return is4, "", false, true
		}
	}
	_, _, ok = part(zt, zp, "value")
	f := field(zt, "value")
	if !ok || f.Type.Elem == nil {
		return false, "", false, false
	}
	saved := r.from
	r.from = zp
	defer func() { r.from = saved }()
	is6, late, ok := r.number(f.Type.Elem, Place{Addr: z}, "isV6")
	_, sp, ok2 := part(f.Type.Elem, Place{Addr: z}, "zoneV6")
	if !ok || !ok2 {
		return false, "", false, false
	}
	s := r.text(sp)
	if s.Shape != probe.String || s.Truncated {
		return false, "", false, false
	}
	return is6 == 0, string(s.Data), late || s.Late, true
}

// wellKnown is the word in a variable that a package sets when the program
// starts and never again; 0 unknown.
func (r *Reader) wellKnown(name string) uint64 {
	if r.cfg.Global == nil {
		return 0
	}
	at, ok := r.cfg.Global(name)
	if !ok {
		return 0
	}
	u, why := r.lasting(at)
	if why != "" {
		return 0
	}
	return u
}

func (r *Reader) addr(t *program.Type, p Place) (probe.Value, bool) {
	a, late, ok := r.netipAddr(t, p)
	if !ok {
		return probe.Value{}, false
	}
	return literal(a.String(), late)
}

func (r *Reader) addrPort(t *program.Type, p Place) (probe.Value, bool) {
	at, ap, ok1 := part(t, p, "ip")
	port, late, ok2 := r.number(t, p, "port")
	if !ok1 || !ok2 {
		return probe.Value{}, false
	}
	a, l, ok := r.netipAddr(at, ap)
	if !ok {
		return probe.Value{}, false
	}
	return literal(netip.AddrPortFrom(a, uint16(port)).String(), late || l)
}

func (r *Reader) prefix(t *program.Type, p Place) (probe.Value, bool) {
	at, ap, ok1 := part(t, p, "ip")
	bits, late, ok2 := r.number(t, p, "bitsPlusOne")
	if !ok1 || !ok2 {
		return probe.Value{}, false
	}
	a, l, ok := r.netipAddr(at, ap)
	if !ok {
		return probe.Value{}, false
	}
	return literal(netip.PrefixFrom(a, int(bits)-1).String(), late || l)
}
