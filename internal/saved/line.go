package saved

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// text is a string that need not be UTF-8.
type text string

func (t text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(map[string][]byte{"base64": []byte(t)})
}

func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '{' {
		return json.Unmarshal(b, (*string)(t))
	}
	var raw struct {
		Base64 []byte `json:"base64"`
	}
	err := json.Unmarshal(b, &raw)
	*t = text(raw.Base64)
	return err
}

type momentLine struct {
	Probe     text          `json:"probe,omitempty"`
	Location  text          `json:"location,omitempty"`
	Seq       uint64        `json:"seq,omitempty"`
	Time      time.Time     `json:"time"`
	PID       int           `json:"pid,omitempty"`
	Build     text          `json:"build,omitempty"`
	Target    text          `json:"target,omitempty"`
	Goroutine uint64        `json:"goroutine,omitempty"`
	Function  text          `json:"function,omitempty"`
	File      text          `json:"file,omitempty"`
	Line      int           `json:"line,omitempty"`
	Frames    []frameLine   `json:"frames,omitzero"`
	Watches   []namedLine   `json:"watches,omitzero"`
	Created   *creationLine `json:"created,omitempty"`
	Trace     *traceLine    `json:"trace,omitempty"`
	Cuts      []text        `json:"cuts,omitzero"`
	Took      int64         `json:"took,omitempty"`
	Call      bool          `json:"call,omitempty"`
	Duration  int64         `json:"duration,omitempty"`
}

type frameLine struct {
	Function  text           `json:"function,omitempty"`
	File      text           `json:"file,omitempty"`
	Line      int            `json:"line,omitempty"`
	PC        uint64         `json:"pc,omitempty"`
	Inlined   bool           `json:"inlined,omitempty"`
	Variables []variableLine `json:"variables,omitzero"`
	Issue     text           `json:"issue,omitempty"`
}

type variableLine struct {
	Name  text      `json:"name,omitempty"`
	Role  text      `json:"role,omitempty"`
	Value valueLine `json:"value"`
}

type namedLine struct {
	Name  text      `json:"name,omitempty"`
	Value valueLine `json:"value"`
}

type creationLine struct {
	Goroutine uint64 `json:"goroutine,omitempty"`
	Function  text   `json:"function,omitempty"`
	File      text   `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
}

type traceLine struct {
	Trace text `json:"trace,omitempty"`
	Span  text `json:"span,omitempty"`
}

type entryLine struct {
	Key   valueLine `json:"key"`
	Value valueLine `json:"value"`
}

type valueLine struct {
	Shape     string      `json:"shape"`
	Type      text        `json:"type,omitempty"`
	Bool      bool        `json:"bool,omitempty"`
	Int       int64       `json:"int,omitempty"`
	Uint      uint64      `json:"uint,omitempty"`
	Float     uint64      `json:"float,omitempty"` // its bits
	Bits      int         `json:"bits,omitempty"`
	Data      []byte      `json:"data,omitzero"`
	Text      text        `json:"text,omitempty"`
	Fields    []namedLine `json:"fields,omitzero"`
	Elems     []valueLine `json:"elems,omitzero"`
	Len       int64       `json:"len,omitempty"`
	Truncated bool        `json:"truncated,omitempty"`
	Entries   []entryLine `json:"entries,omitzero"`
	Address   uint64      `json:"address,omitempty"`
	Declared  text        `json:"declared,omitempty"`
	Late      bool        `json:"late,omitempty"`
	Note      text        `json:"note,omitempty"`
	Cut       text        `json:"cut,omitempty"`
}

// shapes are the names of the shapes of values.
var shapes = map[probe.Shape]string{
	probe.Unreadable: "unreadable", probe.Nil: "nil", probe.Bool: "bool", probe.Int: "int", probe.Uint: "uint",
	probe.Float: "float", probe.Complex: "complex", probe.String: "string", probe.Struct: "struct",
	probe.List: "list", probe.Interface: "interface", probe.Pointer: "pointer", probe.Map: "map",
	probe.Chan: "chan", probe.Func: "func", probe.Literal: "literal", probe.Redacted: "redacted",
}

var shapesByName = func() map[string]probe.Shape {
	m := map[string]probe.Shape{}
	for s, name := range shapes {
		m[name] = s
	}
	return m
}()

// each turns every element of a list into another. None and an empty list are
// not the same: entries that were not read, and a map that has none.
func each[A, B any](in []A, turn func(A) B) []B {
	if in == nil {
		return nil
	}
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = turn(a)
	}
	return out
}

func fromMoment(m *probe.Moment) momentLine {
	l := momentLine{Probe: text(m.Probe), Location: text(m.Location), Seq: m.Seq, Time: m.Time.Round(0).UTC(),
		PID: m.PID, Build: text(m.Build), Target: text(m.Target), Goroutine: m.Goroutine,
		Function: text(m.Function), File: text(m.File), Line: m.Line, Took: int64(m.Took), Call: m.Call, Duration: int64(m.Duration),
		Watches: each(m.Watches, fromNamed),
		Cuts:    each(m.Cuts, func(s string) text { return text(s) }),
		Frames: each(m.Frames, func(f probe.Frame) frameLine {
			return frameLine{text(f.Function), text(f.File), f.Line, f.PC, f.Inlined, each(f.Variables, fromVariable), text(f.Issue)}
		})}
	if c := m.Created; c != nil {
		l.Created = &creationLine{c.Goroutine, text(c.Function), text(c.File), c.Line}
	}
	if t := m.Trace; t != nil {
		l.Trace = &traceLine{text(t.Trace), text(t.Span)}
	}
	return l
}

func fromVariable(v probe.Variable) variableLine {
	return variableLine{text(v.Name), text(v.Role), fromValue(v.Value)}
}

func fromNamed(v probe.NamedValue) namedLine { return namedLine{text(v.Name), fromValue(v.Value)} }

func fromValue(v probe.Value) valueLine {
	name, ok := shapes[v.Shape]
	if !ok {
		name = fmt.Sprintf("shape %d", v.Shape)
	}
	return valueLine{Shape: name, Type: text(v.Type), Bool: v.Bool, Int: v.Int, Uint: v.Uint,
		Float: math.Float64bits(v.Float), Bits: v.Bits, Data: v.Data, Text: text(v.Text),
		Fields: each(v.Fields, fromNamed), Elems: each(v.Elems, fromValue), Len: v.Len, Truncated: v.Truncated,
		Entries: each(v.Entries, func(e probe.Entry) entryLine { return entryLine{fromValue(e.Key), fromValue(e.Value)} }),
		Address: v.Address, Declared: text(v.Declared), Late: v.Late, Note: text(v.Note), Cut: text(v.Cut)}
}

// moment is the way back. Its time is in the local zone.
func (l *momentLine) moment() (*probe.Moment, error) {
	var d decoder
	m := &probe.Moment{Probe: string(l.Probe), Location: string(l.Location), Seq: l.Seq, Time: l.Time.Local(),
		PID: l.PID, Build: string(l.Build), Target: string(l.Target), Goroutine: l.Goroutine,
		Function: string(l.Function), File: string(l.File), Line: l.Line, Took: time.Duration(l.Took), Call: l.Call, Duration: time.Duration(l.Duration),
		Watches: each(l.Watches, d.named),
		Cuts:    each(l.Cuts, func(t text) string { return string(t) }),
		Frames: each(l.Frames, func(f frameLine) probe.Frame {
			return probe.Frame{Function: string(f.Function), File: string(f.File), Line: f.Line, PC: f.PC,
				Inlined: f.Inlined, Variables: each(f.Variables, d.variable), Issue: string(f.Issue)}
		})}
	if c := l.Created; c != nil {
		m.Created = &probe.Creation{Goroutine: c.Goroutine, Function: string(c.Function), File: string(c.File), Line: c.Line}
	}
	if t := l.Trace; t != nil {
		m.Trace = &probe.TraceID{Trace: string(t.Trace), Span: string(t.Span)}
	}
	return m, d.err
}

// decoder keeps the first thing that it does not understand.
type decoder struct{ err error }

func (d *decoder) variable(v variableLine) probe.Variable {
	return probe.Variable{Name: string(v.Name), Role: probe.Role(v.Role), Value: d.value(v.Value)}
}

func (d *decoder) named(v namedLine) probe.NamedValue {
	return probe.NamedValue{Name: string(v.Name), Value: d.value(v.Value)}
}

func (d *decoder) value(v valueLine) probe.Value {
	shape, ok := shapesByName[v.Shape]
	if !ok && d.err == nil {
		d.err = fmt.Errorf("it holds a value of the unknown shape %q", v.Shape)
	}
	return probe.Value{Shape: shape, Type: string(v.Type), Bool: v.Bool, Int: v.Int, Uint: v.Uint,
		Float: math.Float64frombits(v.Float), Bits: v.Bits, Data: v.Data, Text: string(v.Text),
		Fields: each(v.Fields, d.named), Elems: each(v.Elems, d.value), Len: v.Len, Truncated: v.Truncated,
		Entries: each(v.Entries, func(e entryLine) probe.Entry { return probe.Entry{Key: d.value(e.Key), Value: d.value(e.Value)} }),
		Address: v.Address, Declared: string(v.Declared), Late: v.Late, Note: string(v.Note), Cut: string(v.Cut)}
}
