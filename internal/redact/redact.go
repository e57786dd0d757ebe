// Package redact keeps secrets out of what Sidelight shows, saves and sends.
//
// Values that decode has just made come in, with the names that they go by;
// the same values go out, where a rule applies with a word in the place of the
// content: {"redacted":"name"}. decode calls it on the target's own machine,
// before anything else sees a value; engine asks it where no probe may go. It
// knows nothing of builds and processes, and nothing in it touches either.
//
// Rules go by name (of variables, fields, map keys), by what a text looks like
// (tokens, keys, card numbers) and by type. Nil *Rules are the default ones: who
// forgets to say which rules to use does not show secrets.
package redact

import (
	"strings"
	"sync"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// Rules say what is not shown, and where no probe goes. They are not changed
// once made, and may be used concurrently.
type Rules struct {
	names    []nameRule
	allowed  map[string]bool // normalised names that no name rule applies to
	patterns []pattern
	types    []string // values of these show as redacted
	block    block

	file string // where they were written, and how; nil: the default rules
	text []byte
}

// Written is the file that the rules come from, and its text, so that Parse
// makes the same rules elsewhere; nil for the default rules.
func (r *Rules) Written() (file string, text []byte) {
	if r == nil {
		return "", nil
	}
	return r.file, r.text
}

// The words that stand in the place of what was redacted. Patterns follow
// byPattern with their name.
const (
	byName    = "name"
	byType    = "type"
	byBlock   = "block"
	byPattern = "pattern: "
)

// Default are the rules that hold where nobody says more.
var Default = sync.OnceValue(func() *Rules {
	r := &Rules{allowed: map[string]bool{}, types: defaultTypes, patterns: defaultPatterns()}
	for _, n := range defaultNames {
		r.names = append(r.names, newNameRule(n))
	}
	return r
})

// defaultTypes hold secrets under names that do not tell so.
var defaultTypes = []string{
	"net/http.Cookie", "crypto/rsa.PrivateKey", "crypto/ecdsa.PrivateKey", "crypto/ecdh.PrivateKey",
	"crypto/ed25519.PrivateKey", "crypto/dsa.PrivateKey",
}

func (r *Rules) rules() *Rules {
	if r == nil {
		return Default()
	}
	return r
}

// Value is v as it may be shown, where v is called name: an expression's last
// name, a variable's, a key's; empty if it has none.
func (r *Rules) Value(name string, v probe.Value) probe.Value {
	return r.Read(program.Reads{Names: []string{name}}, v)
}

// Read is v as it may be shown, where v is what an expression made of all that
// it reads. No slicing, conversion or comparison makes a secret another's.
func (r *Rules) Read(from program.Reads, v probe.Value) probe.Value {
	r = r.rules()
	for _, t := range from.Types {
		if r.secretType(t) {
			return redacted(v, byType)
		}
	}
	for _, n := range from.Names {
		if r.block.variable(n) {
			return redacted(v, byType)
		}
		if r.Secret(n) && (from.Made && !quantity(words(n)) || holds(n, v)) {
			return redacted(v, byName)
		}
	}
	return r.walk(v)
}

// redacted is what is shown in the place of v.
func redacted(v probe.Value, rule string) probe.Value {
	if v.Shape == probe.Unreadable {
		return v
	}
	return probe.Value{Shape: probe.Redacted, Type: v.Type, Text: rule, Declared: v.Declared, Late: v.Late}
}

// holds tells whether a value that goes by a secret name can be one. That there
// is none, an answer of yes or no, a moment and a number of something are not.
func holds(name string, v probe.Value) bool {
	switch v.Shape {
	case probe.Unreadable, probe.Redacted, probe.Nil, probe.Bool:
		return false
	case probe.Func, probe.Chan:
		return len(v.Elems)+len(v.Fields) > 0
	case probe.Int, probe.Uint, probe.Float:
		return v.Type != "time.Duration" && !quantity(words(name))
	case probe.String:
		return v.Type != "time.Time"
	case probe.Interface, probe.Pointer:
		return len(v.Elems) > 0 && holds(name, v.Elems[0]) // a bare address, or a type, tells nothing
	}
	return true
}

// walk applies the rules to all that v is made of. It changes nothing in place.
func (r *Rules) walk(v probe.Value) probe.Value {
	if v.Shape != probe.Nil && r.secretType(v.Type) {
		return redacted(v, byType)
	}
	switch v.Shape {
	case probe.String:
		if rule, ok := r.match(v.Data); ok {
			return redacted(v, byPattern+rule)
		}
	case probe.Int, probe.Uint:
		if cardNumber(v) {
			return redacted(v, byPattern+patternCard)
		}
	case probe.Struct:
		v.Fields = r.fields(v.Fields)
	case probe.List:
		if rule, ok := r.match(bytesOf(v.Elems)); ok {
			return redacted(v, byPattern+rule)
		}
		v.Elems = r.list(v.Elems)
	case probe.Literal:
		if rule, ok := r.match([]byte(v.Text)); ok {
			return redacted(v, byPattern+rule)
		}
	case probe.Map:
		v.Entries = r.entries(v.Entries)
	case probe.Interface, probe.Pointer, probe.Chan, probe.Func:
		if rule, ok := r.match([]byte(v.Text)); ok && v.Shape == probe.Interface {
			return redacted(v, byPattern+rule)
		}
		v.Elems, v.Fields = r.each(v.Elems), r.fields(v.Fields)
	}
	return v
}

// entries are those of a map: each value goes by its key.
func (r *Rules) entries(entries []probe.Entry) []probe.Entry {
	if entries == nil { // not read, which is not the same as none
		return nil
	}
	out := make([]probe.Entry, len(entries))
	for i, e := range entries {
		out[i] = probe.Entry{Key: r.walk(e.Key), Value: r.Value(text(e.Key), e.Value)}
	}
	return out
}

func (r *Rules) each(elems []probe.Value) []probe.Value {
	if len(elems) == 0 {
		return elems
	}
	out := make([]probe.Value, len(elems))
	for i, e := range elems {
		out[i] = r.walk(e)
	}
	return out
}

// list is each, where the text behind one such as --password is its value.
func (r *Rules) list(elems []probe.Value) []probe.Value {
	out := r.each(elems)
	for i := 1; i < len(elems); i++ {
		name, ok := strings.CutPrefix(text(elems[i-1]), "-")
		if ok && !strings.ContainsAny(name, "= ") && r.Secret(name) && holds(name, elems[i]) {
			out[i] = redacted(elems[i], byName)
		}
	}
	return out
}

// fields are those of a struct, each by its own name; one that is called Value
// beside a Key or Name goes by what that says, as in headers and attributes.
func (r *Rules) fields(fields []probe.NamedValue) []probe.NamedValue {
	key := ""
	for _, f := range fields {
		switch strings.ToLower(f.Name) {
		case "key", "name", "k":
			key = text(f.Value)
		}
	}
	if len(fields) == 0 {
		return fields
	}
	out := make([]probe.NamedValue, len(fields))
	for i, f := range fields {
		names := []string{f.Name}
		switch strings.ToLower(f.Name) {
		case "value", "val", "v", "values":
			names = append(names, key)
		}
		out[i] = probe.NamedValue{Name: f.Name, Value: r.Read(program.Reads{Names: names}, f.Value)}
	}
	return out
}

// text is a string's text, also where an interface holds it; "" of all else.
func text(v probe.Value) string {
	if v.Shape == probe.Interface && len(v.Elems) == 1 {
		v = v.Elems[0]
	}
	if v.Shape != probe.String {
		return ""
	}
	return string(v.Data)
}

// bytesOf is what an array of bytes or characters says.
func bytesOf(elems []probe.Value) []byte {
	var out []byte
	for _, e := range elems {
		switch {
		case e.Shape == probe.Uint && e.Type == "uint8":
			out = append(out, byte(e.Uint))
		case e.Shape == probe.Int && e.Type == "int32":
			out = append(out, string(rune(e.Int))...)
		default:
			return nil
		}
	}
	return out
}

func (r *Rules) secretType(name string) bool {
	if name == "" {
		return false
	}
	name = declared(name)
	for _, t := range r.types {
		if typeIs(name, t) {
			return true
		}
	}
	return r.block.typ(name)
}
