package dap

import (
	"fmt"
	"strings"
	"unicode/utf8"

	godap "github.com/google/go-dap"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// node is a value with a name, as an editor unfolds it.
type node struct {
	name  string
	path  string // the expression that names it; empty: none does
	value probe.Value
}

// maxText is how much of a value is shown on its line, in characters.
const maxText = 400

// text is a value on one line.
func text(v probe.Value) string {
	t := v.String()
	if v.Shape == probe.String && !v.Truncated && v.Type != "[]uint8" {
		t = `"` + strings.ReplaceAll(t, `"`, `\"`) + `"`
	}
	if utf8.RuneCountInString(t) > maxText {
		t = string([]rune(t)[:maxText]) + "…"
	}
	if v.Note != "" && !strings.Contains(t, v.Note) {
		t += " (" + probe.Escape(v.Note) + ")"
	}
	if v.Late {
		t += " (read after the hit)"
	}
	return t
}

// typeOf is a value's type; of an interface both, where they are known.
func typeOf(v probe.Value) string {
	if v.Declared != "" && v.Declared != v.Type && v.Type != "" {
		return v.Declared + " (" + v.Type + ")"
	}
	if v.Declared != "" {
		return v.Declared
	}
	return v.Type
}

// inner is the value that an interface or a pointer leads to, as Go's selectors
// go through pointers.
func inner(v probe.Value) probe.Value {
	for (v.Shape == probe.Pointer || v.Shape == probe.Interface) && len(v.Elems) == 1 {
		v = v.Elems[0]
	}
	return v
}

// children are the parts of a value: fields, elements, entries. named says how
// many of them come before those that are numbered.
func (n node) children() (list []node, named int) {
	v := n.value
	for _, f := range v.Fields {
		list = append(list, node{f.Name, n.sub("." + f.Name), f.Value})
	}
	switch v.Shape {
	case probe.Pointer, probe.Interface:
		if len(v.Elems) == 1 {
			return n.through(v)
		}
	case probe.Map:
		for _, e := range v.Entries {
			key := text(e.Key)
			list = append(list, node{"[" + key + "]", n.sub("[" + key + "]"), e.Value})
		}
	case probe.List, probe.Chan:
		named = len(list)
		for i, e := range v.Elems {
			index := fmt.Sprintf("[%d]", i)
			list = append(list, node{index, n.sub(index), e})
		}
		return list, named
	}
	return list, len(list)
}

// through are the parts of what a pointer or an interface leads to: a struct's
// own at once, anything else as one part.
func (n node) through(v probe.Value) ([]node, int) {
	e := v.Elems[0]
	below := node{n.name, n.path, e}
	if v.Shape == probe.Interface {
		below.path = n.sub(".(" + v.Type + ")")
	}
	switch e.Shape {
	case probe.Struct, probe.Interface, probe.Map, probe.List:
		return below.children()
	case probe.Pointer:
		if v.Shape == probe.Interface {
			return below.children()
		}
	}
	if v.Shape == probe.Pointer {
		below.name, below.path = "*", ""
		if n.path != "" {
			below.path = "*" + n.path
		}
	} else {
		below.name = "value"
	}
	return []node{below}, 1
}

// sub is the expression of a part.
func (n node) sub(part string) string {
	if n.path == "" {
		return ""
	}
	if strings.HasPrefix(n.path, "*") {
		return "(" + n.path + ")" + part
	}
	return n.path + part
}

// opens tells whether a value has parts.
func opens(v probe.Value) bool {
	return len(v.Fields)+len(v.Elems)+len(v.Entries) > 0
}

// handles are the numbers by which a client asks for parts of values. Those of
// messages are kept for the latest ones only, those of a snapshot as long as it
// is kept itself.
type handles struct {
	last    int
	nodes   map[int]handle
	moments map[int][]int // snapshot: its handles
	hits    []int         // of messages, oldest first
	byPart  map[part]int  // handles that were given already
	scopes  map[scopeKey]int
}

type handle struct {
	list   []node
	named  int
	moment int // 0: of a message
	parent int
}

type part struct{ parent, index int }

// maxHitHandles is how many messages can be unfolded.
const maxHitHandles = 4000

func (h *handles) init() {
	h.nodes, h.moments, h.byPart = map[int]handle{}, map[int][]int{}, map[part]int{}
}

// give makes a handle for parts.
func (h *handles) give(list []node, named, moment, parent int) int {
	h.last++
	h.nodes[h.last] = handle{list, named, moment, parent}
	if moment != 0 {
		h.moments[moment] = append(h.moments[moment], h.last)
		return h.last
	}
	h.hits = append(h.hits, h.last)
	for len(h.hits) > maxHitHandles {
		delete(h.nodes, h.hits[0])
		h.hits = h.hits[1:]
	}
	return h.last
}

// part makes a handle for the parts of part i of another, or finds it.
func (h *handles) part(parent, i int) int {
	of := h.nodes[parent]
	n := of.list[i]
	if !opens(n.value) {
		return 0
	}
	key := part{parent, i}
	if id, ok := h.byPart[key]; ok && h.nodes[id].list != nil {
		return id
	}
	list, named := n.children()
	id := h.give(list, named, of.moment, parent)
	if of.moment != 0 { // those of messages come and go
		h.byPart[key] = id
	}
	return id
}

// ofHit is a handle for a message: its one part is the message itself, since
// editors show a single part together with the text of the output.
func (h *handles) ofHit(hit *probe.Hit) int {
	values := probe.Value{Shape: probe.Struct, Fields: hit.Values}
	line := node{name: oneLine(hit.Message), value: values}
	return h.give([]node{line}, 1, 0, 0)
}

// forget drops the handles of a snapshot.
func (h *handles) forget(moment int) {
	gone := map[int]bool{}
	for _, id := range h.moments[moment] {
		delete(h.nodes, id)
		gone[id] = true
	}
	delete(h.moments, moment)
	for key := range h.byPart {
		if gone[key.parent] {
			delete(h.byPart, key)
		}
	}
}

// variable is part i of a handle in the form of the protocol.
func (h *handles) variable(parent, i int) godap.Variable {
	n := h.nodes[parent].list[i]
	v := godap.Variable{Name: probe.Escape(n.name), Value: text(n.value), Type: typeOf(n.value), EvaluateName: n.path,
		VariablesReference: h.part(parent, i)}
	if h.nodes[parent].parent == 0 && h.nodes[parent].moment == 0 {
		v.Value = n.name // a message is its own text
	}
	if id := v.VariablesReference; id != 0 {
		of := h.nodes[id]
		v.NamedVariables, v.IndexedVariables = of.named, len(of.list)-of.named
	}
	v.PresentationHint = hint(n.value)
	return v
}

// hint lets editors show what was not read in another style.
func hint(v probe.Value) *godap.VariablePresentationHint {
	h := &godap.VariablePresentationHint{Attributes: []string{"readOnly"}}
	switch v.Shape {
	case probe.Unreadable, probe.Redacted:
		h.Kind, h.Attributes = "virtual", append(h.Attributes, "failedEvaluation")
	}
	return h
}
