// Package value reads Go values out of a moment's memory.
//
// A type of the build and the place where a value of it lies come in; a
// probe.Value goes out, whole as far as the image holds it, with a reason for
// everything that it does not. Before it stands image; after it stands moment,
// which knows where variables are.
//
// One rule holds over all: what is not marked Late is what lay in memory at the
// hit, and nothing is ever a guess. How the runtime lays out its maps and
// channels is read from the build's own types, never taken for granted. What
// comes in was written by a process that may be broken in any way, so that every
// length, count and pointer is bounded before it is believed.
package value

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/image"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// Config is what a Reader knows of the target. Addresses are those of the
// running process. Any of the functions may be nil.
type Config struct {
	Image    *image.Image
	Bounds   probe.Bounds
	Object   int64                             // most bytes of one object that a snapshot copies; 0 unknown
	Type     func(rtype uint64) *program.Type  // the type whose runtime descriptor (*_type) is there
	Listed   func(rtype uint64) bool           // the snapshot knew how to follow values of that type
	Direct   func(t *program.Type) bool        // an interface holds such a value in its data word
	Function func(pc uint64) string            // name of the function; "" unknown
	Closure  func(pc uint64) []program.Field   // what a closure with that code captured: offsets in the closure, "&" before the name of what it shares
	Fixed    func(addr uint64, n int64) []byte // memory that cannot change: read-only data of the build; nil: it is none
	Late     func(addr uint64, n int64) []byte // memory as it is now; nil: it cannot be read
	Past     bool                              // the moment was long ago: what lies at an address now may be another thing, and is not read
	Global   func(name string) (uint64, bool)  // address of a package variable
	ItabType int64                             // offset of the type in runtime.itab
}

// Reader reads values of one moment. It is not for concurrent use.
type Reader struct {
	cfg   Config
	late  bool // what was not copied may be read now
	rest  rest // where that is because the hit had no more time
	outer bool // a calling frame: only its stack was copied
	other bool // in what an interface or a closure held unforeseen
	from  Place
	whole Place          // of the variable
	size  int64          // of it, in bytes
	seen  map[thing]bool // pointers that were followed in this variable
	nest  int
	hops  int // pointers followed on the way
	left  int // values that may still be made
	here  int // of this variable
	pages map[uint64][]byte
}

// thing is an address taken for something of one type.
type thing struct {
	addr uint64
	t    *program.Type
}

// Bounds of one moment that keep a broken or enormous structure from filling
// the tool: values in all and in one variable, how deep they nest, bytes of one string, and pages that are
// read late.
const (
	maxValues  = 50_000
	maxHere    = 10_000
	maxNesting = 100
	maxString  = 64 << 10
	maxPages   = 400
	pageSize   = 4096
	maxLen     = program.MaxLen
)

// New makes a reader.
func New(cfg Config) *Reader {
	cfg.Bounds = cfg.Bounds.WithDefaults()
	if cfg.ItabType == 0 {
		cfg.ItabType = 8
	}
	return &Reader{cfg: cfg, left: maxValues, pages: map[uint64][]byte{}, rest: restOf(cfg)}
}

// Policy says what is to be done about what was not copied.
type Policy uint8

// The policies.
const (
	// Exact: nothing is read after the hit, but for values of types that the
	// snapshot did not expect, and for what it had no more time for.
	Exact Policy = iota
	// Outer: the value is of a calling frame, whose pointers nobody followed at
	// the hit: they are read now, and marked.
	Outer
)

// Value reads a variable of type t.
func (r *Reader) Value(t *program.Type, p Place, policy Policy) probe.Value {
	r.seen = map[thing]bool{}
	r.outer, r.other = policy == Outer, false
	r.rest.begin(!r.outer)
	r.late = r.outer && !r.cfg.Past || r.rest.on
	r.from, r.nest, r.hops, r.here = p, 0, 0, maxHere
	if r.whole, r.size = p, 0; t != nil {
		r.size = t.Size
	}
	return r.value(t, p)
}

// Place is where a value's bytes are: in memory at Addr, or, where Bytes is not
// nil, in registers and pieces of which only those are known that Have says.
type Place struct {
	Addr  uint64
	Bytes []byte
	Have  []bool
	Why   string // what is to be said of the others

	paid bool // of a reference: to follow it costs depth
}

// plus is the place off bytes further.
func (p Place) plus(off int64) Place {
	if p.Bytes == nil {
		return Place{Addr: p.Addr + uint64(off)}
	}
	if off < 0 || off > int64(len(p.Bytes)) || off > int64(len(p.Have)) {
		return Place{Bytes: []byte{}, Why: whyDamaged}
	}
	return Place{Bytes: p.Bytes[off:], Have: p.Have[off:], Why: p.Why}
}

// Reasons why something cannot be read.
const (
	whyDamaged = "damaged"
	whyLength  = "impossible length"
	whyFault   = "memory could not be read"
)

// load reads n bytes. late tells that they are not of the hit.
func (r *Reader) load(p Place, n int64) (b []byte, late bool, why string) {
	if p.Bytes != nil {
		return p.known(n)
	}
	if n < 0 || n > maxLen {
		return nil, false, whyDamaged
	}
	if n == 0 {
		return []byte{}, false, ""
	}
	if b = r.cfg.Image.Read(p.Addr, n); int64(len(b)) == n {
		return b, false, ""
	}
	if b = r.fixed(p.Addr, n); b != nil {
		return b, false, ""
	}
	if r.late {
		if b = r.now(p.Addr, n); b != nil {
			return b, true, ""
		}
	}
	return nil, false, r.why(p.Addr)
}

func (p Place) known(n int64) ([]byte, bool, string) {
	if n < 0 || n > int64(len(p.Bytes)) || n > int64(len(p.Have)) {
		return nil, false, whyDamaged
	}
	for _, have := range p.Have[:n] {
		if !have {
			return nil, false, p.Why
		}
	}
	return p.Bytes[:n], false, ""
}

// lately tells whether what was not copied may be read after the hit.
func (r *Reader) lately() bool { return r.cfg.Late != nil && !r.cfg.Past }

func (r *Reader) fixed(addr uint64, n int64) []byte {
	if r.cfg.Fixed == nil || n > maxString {
		return nil
	}
	if b := r.cfg.Fixed(addr, n); int64(len(b)) == n {
		return b
	}
	return nil
}

// now reads memory as it is after the hit, by pages that are read once for the
// whole moment.
func (r *Reader) now(addr uint64, n int64) []byte {
	if r.cfg.Late == nil || n > maxString || addr < pageSize || addr+uint64(n) < addr || r.barred(addr) || !r.takes(n) {
		return nil
	}
	out := make([]byte, 0, n)
	for int64(len(out)) < n {
		at := addr + uint64(len(out))
		page, ok := r.pages[at&^(pageSize-1)]
		if !ok {
			if len(r.pages) >= maxPages {
				return nil // whyLate tells it from a fault
			}
			if page = r.cfg.Late(at&^(pageSize-1), pageSize); len(page) != pageSize {
				page = nil
			}
			r.pages[at&^(pageSize-1)] = page
		}
		if page == nil {
			return nil
		}
		rest := page[at&(pageSize-1):]
		out = append(out, rest[:min(int64(len(rest)), n-int64(len(out)))]...)
	}
	return out
}

// why says why there is nothing at addr, to which a reference at r.from led.
func (r *Reader) why(addr uint64) string {
	m := r.cfg.Image
	if addr < pageSize {
		return "nil pointer"
	}
	if r.late && !r.barred(addr) {
		return r.whyLate(addr)
	}
	if r.outer || m == nil {
		return "of a calling frame only the stack is copied at the hit"
	}
	return r.cut(addr)
}

// whyLate says why what lies at addr could not be read after the hit.
func (r *Reader) whyLate(addr uint64) string {
	if r.rest.on && r.rest.why != "" {
		return r.rest.why
	}
	if _, asked := r.pages[addr&^(pageSize-1)]; !asked && len(r.pages) >= maxPages {
		return fmt.Sprintf("more than %d pages of memory to be read after the hit", maxPages)
	}
	return whyFault
}

// cut names the bound that kept what lies at addr from being copied.
func (r *Reader) cut(addr uint64) string {
	m, b := r.cfg.Image, r.cfg.Bounds
	if r.whole.Bytes == nil && addr-r.whole.Addr < uint64(r.size) && m.Above(addr) {
		return WhyStack(b)
	}
	if r.other {
		return whyUnforeseen
	}
	depth := 0
	if r.from.Bytes == nil {
		depth, _ = m.Depth(r.from.Addr)
	}
	switch {
	case r.cfg.Object > 0 && (m.Short(addr) || r.within(addr)):
		return fmt.Sprintf("more than %d bytes of one object for --max-bytes %d", r.cfg.Object, b.MaxBytes)
	case r.from.paid && depth >= b.Depth && m.Cut&ring.CutDepth != 0:
		return fmt.Sprintf("deeper than --depth %d", b.Depth)
	}
	for _, c := range cuts(m, b) {
		if c.is {
			return c.text
		}
	}
	return WhyNot
}

// within tells that addr is behind the copied bytes of the object to which the
// reference at r.from led.
func (r *Reader) within(addr uint64) bool {
	b := r.from.Bytes
	if b == nil {
		b = r.cfg.Image.Read(r.from.Addr, 8)
	}
	if len(b) < 8 {
		return false
	}
	begin := binary.LittleEndian.Uint64(b)
	return begin != 0 && begin <= addr && r.cfg.Image.Short(begin)
}

// value reads a value of type t.
func (r *Reader) value(t *program.Type, p Place) probe.Value {
	if t == nil {
		return probe.Why(whyDamaged)
	}
	r.left--
	r.here--
	switch {
	case r.left < 0:
		return probe.Why(fmt.Sprintf("more than %d values in one snapshot", maxValues))
	case r.here < 0:
		return probe.Why(fmt.Sprintf("more than %d values in one variable", maxHere))
	}
	if r.nest++; r.nest > maxNesting {
		r.nest--
		return probe.Why(fmt.Sprintf("nested deeper than %d", maxNesting))
	}
	v := r.kind(t, p)
	r.nest--
	if v.Type == "" && v.Shape != probe.Unreadable || v.Shape == probe.Nil {
		v.Type = t.Name
	}
	v.Type = Name(v.Type)
	if v.Address == 0 && p.Bytes == nil && v.Shape != probe.Unreadable {
		v.Address = p.Addr
	}
	return v
}

// Name is a type's name for people: one that the compiler made for several
// instantiations of a generic function goes by its underlying type.
func Name(name string) string { return strings.ReplaceAll(name, "go.shape.", "") }

func (r *Reader) kind(t *program.Type, p Place) probe.Value {
	if read := known[t.Name]; read != nil {
		if v, ok := read(r, t, p); ok {
			return v
		}
	}
	if pointer, off := program.AtomicPointer(t); pointer != nil {
		if v := r.pointer(pointer, p.plus(off)); v.Shape != probe.Unreadable {
			v.Type = t.Name
			return v
		}
	}
	switch t.Kind {
	case reflect.String:
		return r.text(p)
	case reflect.Slice:
		return r.slice(t, p)
	case reflect.Array:
		return r.array(t, p)
	case reflect.Struct:
		return r.structure(t, p)
	case reflect.Pointer:
		return r.pointer(t, p)
	case reflect.Interface:
		return r.iface(t, p)
	case reflect.Map:
		return r.mapping(t, p)
	case reflect.Chan:
		return r.channel(t, p)
	case reflect.Func:
		return r.function(t, p)
	}
	return r.scalar(t, p)
}

// word reads eight bytes.
func (r *Reader) word(p Place) (u uint64, late bool, why string) {
	b, late, why := r.load(p, 8)
	if why != "" {
		return 0, late, why
	}
	return binary.LittleEndian.Uint64(b), late, ""
}

// uint reads a number of up to eight bytes.
func (r *Reader) uint(p Place, size int64) (u uint64, late bool, why string) {
	if size < 0 || size > 8 {
		return 0, false, whyDamaged
	}
	b, late, why := r.load(p, size)
	if why != "" {
		return 0, late, why
	}
	var w [8]byte
	copy(w[:], b)
	return binary.LittleEndian.Uint64(w[:]), late, ""
}

// follow reads what a pointer at from leads to.
func (r *Reader) follow(t *program.Type, from Place, addr uint64) probe.Value {
	from.paid = true
	return r.unbox(t, from, addr)
}

// unbox is follow where the way costs no depth.
func (r *Reader) unbox(t *program.Type, from Place, addr uint64) probe.Value {
	saved := r.from
	r.from = from
	v := r.value(t, Place{Addr: addr})
	r.from = saved
	return v
}

// lasting reads a word that never changes: it is of the hit whenever it is read.
func (r *Reader) lasting(addr uint64) (u uint64, why string) {
	late, rest := r.late, r.rest.on
	r.late, r.rest.on = true, false
	u, _, why = r.word(Place{Addr: addr})
	r.late, r.rest.on = late, rest
	return u, why
}

// field is the field of a struct type with this name; nil if there is none.
func field(t *program.Type, name string) *program.Field {
	if t == nil || t.Kind != reflect.Struct {
		return nil
	}
	for i := range t.Fields {
		if f := &t.Fields[i]; f.Name == name && f.Type != nil {
			return f
		}
	}
	return nil
}
