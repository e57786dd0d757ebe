package value

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// scalar reads a number, a boolean or an address.
func (r *Reader) scalar(t *program.Type, p Place) probe.Value {
	if t.Size < 0 || t.Size > 16 {
		return probe.Why(whyDamaged)
	}
	b, late, why := r.load(p, t.Size)
	if why != "" {
		return probe.Why(why)
	}
	v := Scalar(t, b)
	v.Late = late
	return v
}

// Scalar makes a value of the bytes of a number, a boolean or an address.
func Scalar(t *program.Type, data []byte) probe.Value {
	if t == nil || t.Size < 0 || t.Size > 16 || int64(len(data)) < t.Size {
		return probe.Why(whyDamaged)
	}
	if t.Kind == reflect.Complex64 || t.Kind == reflect.Complex128 {
		return complexOf(t, data)
	}
	if t.Size > 8 {
		return probe.Why(whyDamaged)
	}
	var word [8]byte
	copy(word[:], data[:t.Size])
	u := binary.LittleEndian.Uint64(word[:])
	shift := 64 - 8*uint(t.Size)
	var v probe.Value
	switch k := t.Kind; {
	case k == reflect.Bool:
		v.Shape, v.Bool = probe.Bool, u&0xff != 0
		if u > 1 {
			v.Note = fmt.Sprintf("its byte is %#x", u)
		}
	case k >= reflect.Int && k <= reflect.Int64:
		v.Shape, v.Int = probe.Int, int64(u<<shift)>>shift
	case k == reflect.Uintptr && !t.Typed: // others, such as syscall.Errno, are numbers
		v.Shape, v.Uint = probe.Pointer, u
	case k >= reflect.Uint && k <= reflect.Uintptr:
		v.Shape, v.Uint = probe.Uint, u
	case k == reflect.Float32:
		v = probe.Real(float64(math.Float32frombits(uint32(u))), 32)
	case k == reflect.Float64:
		v = probe.Real(math.Float64frombits(u), 64)
	case k == reflect.UnsafePointer, k == reflect.Pointer, k == reflect.Map, k == reflect.Chan, k == reflect.Func:
		v.Shape, v.Uint = probe.Pointer, u
		if u == 0 {
			v.Shape = probe.Nil
		}
	default:
		return probe.Why(fmt.Sprintf("of a type that this version does not read (%s)", t.Name))
	}
	v.Type = t.Name
	return v
}

func complexOf(t *program.Type, data []byte) probe.Value {
	half := t.Size / 2
	part := &program.Type{Name: "float64", Kind: reflect.Float64, Size: 8}
	if half == 4 {
		part = &program.Type{Name: "float32", Kind: reflect.Float32, Size: 4}
	}
	if half != part.Size {
		return probe.Why(whyDamaged)
	}
	return probe.Value{Shape: probe.Complex, Type: t.Name, Fields: []probe.NamedValue{
		{Name: "real", Value: Scalar(part, data[:half])},
		{Name: "imag", Value: Scalar(part, data[half:])},
	}}
}

// header reads a string's or a slice's address and length. The length of what
// is not there at all is believed up to an absurd one.
func (r *Reader) header(p Place) (at uint64, n int64, late bool, why string) {
	at, late, why = r.word(p)
	if why != "" {
		return 0, 0, late, why
	}
	u, l, why := r.word(p.plus(8))
	n = int64(u)
	if why == "" && (n < 0 || n >= maxLen || n > 0 && at+u < at) {
		why = fmt.Sprintf("%s: %d", whyLength, n)
	}
	return at, n, late || l, why
}

// text reads a string.
func (r *Reader) text(p Place) probe.Value {
	at, n, late, why := r.header(p)
	if why != "" {
		return probe.Why(why)
	}
	return r.run(p, at, n, late)
}

// run reads n bytes as a string, as many as there are.
func (r *Reader) run(from Place, at uint64, n int64, late bool) probe.Value {
	v := probe.Value{Shape: probe.String, Address: at, Len: n, Late: late}
	if n == 0 {
		return v
	}
	want := min(n, maxString)
	v.Data = r.cfg.Image.Read(at, want)
	if len(v.Data) == 0 {
		v.Data = r.fixed(at, min(want, pageSize))
	}
	saved := r.from
	r.from = from
	defer func() { r.from = saved }()
	if len(v.Data) == 0 && r.late {
		v.Data = r.now(at, min(want, pageSize))
		v.Late = v.Late || len(v.Data) > 0
	}
	v.Data = slices.Clone(v.Data)
	if v.Truncated = int64(len(v.Data)) < n; v.Truncated {
		switch v.Cut = r.why(at + uint64(len(v.Data))); {
		case int64(len(v.Data)) >= min(want, pageSize):
			v.Cut = fmt.Sprintf("more than %d bytes", len(v.Data))
		}
		v.Data = WholeRunes(v.Data)
	}
	return v
}

// WholeRunes cuts off a character of which only the beginning is there.
func WholeRunes(data []byte) []byte {
	for cut := 1; cut < utf8.UTFMax && cut <= len(data); cut++ {
		tail := data[len(data)-cut:]
		if utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return data[:len(data)-cut]
			}
			break
		}
	}
	return data
}

func isByte(t *program.Type) bool { return t != nil && t.Kind == reflect.Uint8 && t.Size == 1 }

func (r *Reader) slice(t *program.Type, p Place) probe.Value {
	at, n, late, why := r.header(p)
	if why != "" {
		return probe.Why(why)
	}
	if at == 0 && n == 0 {
		return probe.Value{Shape: probe.Nil, Late: late}
	}
	if isByte(t.Elem) {
		v := r.run(p, at, n, late)
		v.Bits = 8
		return v
	}
	if t.Elem == nil || t.Elem.Size < 0 {
		return probe.Why(whyDamaged)
	}
	saved := r.from
	r.from = p
	v := r.list(t.Elem, Place{Addr: at}, n)
	r.from = saved
	v.Address, v.Late = at, late
	return v
}

// list reads elements that lie one behind the other, until one is missing.
func (r *Reader) list(elem *program.Type, p Place, n int64) probe.Value {
	v := probe.Value{Shape: probe.List, Len: n}
	most := min(n, int64(r.cfg.Bounds.MaxItems))
	for i := range most {
		if elem.Size > 0 && i > (math.MaxInt64-elem.Size)/elem.Size {
			return probe.Why(whyDamaged)
		}
		e := r.value(elem, p.plus(i*elem.Size))
		if e.Shape == probe.Unreadable && p.Bytes == nil {
			v.Cut = e.Text
			break
		}
		v.Elems = append(v.Elems, e)
	}
	if v.Truncated = int64(len(v.Elems)) < n; v.Truncated && v.Cut == "" {
		v.Cut = fmt.Sprintf("more than --max-items %d elements", r.cfg.Bounds.MaxItems)
	}
	return v
}

func (r *Reader) array(t *program.Type, p Place) probe.Value {
	if t.Elem == nil || t.Len < 0 || t.Elem.Size < 0 {
		return probe.Why(whyDamaged)
	}
	if isByte(t.Elem) {
		if v, ok := r.digits(t, p); ok {
			return v
		}
	}
	v := r.list(t.Elem, p, t.Len)
	if len(v.Elems) == 0 && v.Cut != "" {
		return probe.Why(v.Cut)
	}
	if why, all := sameReason(v.Elems); all {
		return probe.Why(why)
	}
	for i := range v.Elems {
		v.Late = v.Late || v.Elems[i].Late
	}
	return v
}

// digits shows arrays of bytes that are identifiers and sums by their size as
// people write them.
func (r *Reader) digits(t *program.Type, p Place) (probe.Value, bool) {
	if !(t.Len == 8 && t.Typed) && t.Len != 16 && t.Len != 20 && t.Len != 32 && t.Len != 64 {
		return probe.Value{}, false
	}
	b, late, why := r.load(p, t.Len)
	if why != "" {
		return probe.Value{}, false
	}
	v := probe.Value{Shape: probe.Literal, Len: t.Len, Late: late, Text: hex.EncodeToString(b)}
	text := strings.TrimRight(string(b), "\x00")
	switch {
	case t.Len == 16 && strings.HasSuffix(t.Name, "UUID"):
		s := v.Text
		v.Text = s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
	case text != "" && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl):
		return probe.Value{}, false
	}
	return v, true
}

func (r *Reader) structure(t *program.Type, p Place) probe.Value {
	v := probe.Value{Shape: probe.Struct}
	var parts []probe.Value // that take any memory: others can be read anywhere
	for i := range t.Fields {
		f := &t.Fields[i]
		if f.Name == "_" || f.Name == "" {
			continue
		}
		e := r.value(f.Type, p.plus(f.Offset))
		v.Late = v.Late || e.Late
		v.Fields = append(v.Fields, probe.NamedValue{Name: f.Name, Value: e})
		if f.Type != nil && f.Type.Size > 0 {
			parts = append(parts, e)
		}
	}
	if why, all := sameReason(parts); all {
		return probe.Why(why)
	}
	return v
}

// sameReason tells whether all parts are unreadable for one reason.
func sameReason(parts []probe.Value) (why string, all bool) {
	for i, v := range parts {
		if v.Shape != probe.Unreadable || i > 0 && v.Text != why {
			return "", false
		}
		why = v.Text
	}
	return why, len(parts) > 0
}
