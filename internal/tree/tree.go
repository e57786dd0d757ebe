// Package tree lays out the values of a snapshot for people: what stands on one
// line, what hangs below, in which columns, and what is cut where the room ends.
//
// Values come in (package probe); rows of text go out, with what looks how left
// to whoever shows them: package sink, which prints them all, and package view,
// where they can be folded.
package tree

import (
	"fmt"
	"strconv"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Look says how a piece of a row looks.
type Look uint8

// The looks.
const (
	Plain Look = iota
	Name       // of a variable, field, index or key
	Text       // strings
	Faint      // what a reader may skip: types, addresses, guides, what was not read
	Warn       // what a reader should see: redacted
)

// Node is a value with a name: one row, and the rows below it.
type Node struct {
	Name     string
	Type     string
	Text     string   // the value, where it fits a row
	Look     Look     // of Text
	Items    []string // instead of Text: the elements of a list that fits a row
	Size     string   // how long, and how much of that is here
	Marks    []string // what is to be known besides
	Late     bool     // read after the hit
	At       uint64   // of a pointer that was followed: where to
	Children []Node

	whole probe.Value
}

// Of makes the node of a named value.
func Of(name string, v probe.Value) Node {
	n := Node{Name: probe.Escape(name), Type: Short(v.Type), whole: v}
	if v.Shape == probe.Interface && v.Declared != "" {
		n.Type = Short(v.Declared) + "(" + Short(v.Type) + ")"
	}
	n.fill(v)
	return n
}

// Folded is the node with a hint of what hangs below it, instead of that.
func (n Node) Folded() Node {
	if len(n.Children) > 0 {
		n.Text, n.Look, n.Children = inline(n.whole, foldedRoom), Faint, nil
	}
	return n
}

// Again is the node of a pointer to what another row shows already.
func (n Node) Again() Node {
	n.Children = nil
	n.Marks = append(n.Marks[:len(n.Marks):len(n.Marks)], "as above")
	return n
}

// Rows is how many rows hang below the node.
func (n Node) Rows() int {
	rows := len(n.Children)
	for _, c := range n.Children {
		rows += c.Rows()
	}
	return rows
}

// part makes the node of an element, whose type the whole has told already. An
// interface's dynamic type is news.
func part(name string, v probe.Value) Node {
	n := Of(name, v)
	n.Type = ""
	if v.Shape == probe.Interface {
		n.Type = Short(v.Type)
	}
	return n
}

func (n *Node) fill(v probe.Value) {
	n.mark(v)
	switch v.Shape {
	case probe.Struct:
		n.structure(v)
	case probe.List:
		n.list(v)
	case probe.Map:
		n.Size = size(len(v.Entries), v.Len, "len")
		n.entries(v.Entries)
	case probe.Chan:
		n.channel(v)
	case probe.Func:
		n.Text = inline(v, 0)
		n.fields(v.Fields)
	case probe.Pointer, probe.Interface:
		n.holder(v)
	case probe.String:
		n.Text, n.Look = quoted(v, 0), Text
		if v.Truncated {
			n.Size = size(len(v.Data), v.Len, "bytes")
		}
	case probe.Unreadable: // an everyday thing in optimised code
		n.Text, n.Look = inline(v, 0), Faint
	case probe.Redacted:
		n.Text, n.Look = inline(v, 0), Warn
	case probe.Nil:
		n.Text, n.Look = "nil", Faint
	default:
		n.Text = inline(v, 0)
	}
}

// entries makes the nodes of a map's entries. Those of which neither key nor value
// was taken, behind the first few, have one row together: they say nothing else.
func (n *Node) entries(entries []probe.Entry) {
	bare := 0
	for _, e := range entries {
		if notTaken(e.Key) && e.Value.Shape == probe.Pointer && len(e.Value.Elems) == 0 {
			if bare++; bare > fewBare {
				continue
			}
		}
		n.Children = append(n.Children, part(inline(e.Key, nameRoom), e.Value))
	}
	if more := bare - fewBare; more > 0 {
		n.Children = append(n.Children, Node{Name: fmt.Sprintf("… %s more like these", number(int64(more))), Look: Faint})
	}
}

// fewBare is how many entries are shown of which nothing was taken.
const fewBare = 3

// notTaken tells of a text that there was no room for, such as the keys of a map
// beyond a bound.
func notTaken(v probe.Value) bool {
	return v.Shape == probe.String && len(v.Data) == 0 && v.Truncated
}

// mark takes over what is to be known of a value besides itself.
func (n *Node) mark(v probe.Value) {
	n.Late = n.Late || v.Late
	if v.Note != "" {
		n.Marks = append(n.Marks, probe.Escape(v.Note))
	}
	if v.Cut != "" {
		n.Marks = append(n.Marks, "cut: "+probe.Escape(v.Cut))
	}
}

// Room of what stands within others, in columns.
const (
	nameRoom   = 40
	structRoom = 56
	itemRoom   = 40
	foldedRoom = 200
)

// structure puts a small struct on its row, another below it.
func (n *Node) structure(v probe.Value) {
	if len(v.Fields) <= 4 && allSimple(v.Fields) {
		if s := inline(v, 0); Width(s) <= structRoom {
			n.Text = s
			for _, f := range v.Fields {
				n.Late = n.Late || f.Value.Late
			}
			return
		}
	}
	n.fields(v.Fields)
}

func (n *Node) fields(fields []probe.NamedValue) {
	for _, f := range fields {
		n.Children = append(n.Children, Of(f.Name, f.Value))
	}
}

// list puts elements that are simple on one row, others below it.
func (n *Node) list(v probe.Value) {
	n.Size = size(len(v.Elems), v.Len, "len")
	for _, e := range v.Elems {
		if !simple(e) || e.Late != v.Elems[0].Late {
			n.Items = nil
			n.elements(v.Elems)
			return
		}
		n.Items = append(n.Items, inline(e, 0))
	}
	if len(v.Elems) > 0 {
		n.Late = n.Late || v.Elems[0].Late
		if len(v.Elems) == int(v.Len) {
			n.Size = "" // they can be counted
		}
	}
}

func (n *Node) elements(elems []probe.Value) {
	for i, e := range elems {
		n.Children = append(n.Children, part(strconv.Itoa(i), e))
	}
}

// channel says length and capacity in words, and shows what waits.
func (n *Node) channel(v probe.Value) {
	if v.Len >= 0 {
		n.Size = fmt.Sprintf("len %d", v.Len)
	}
	for _, f := range v.Fields {
		if simple(f.Value) {
			if s := inline(f.Value, itemRoom); s != "0" && s != "false" { // nobody waits; it is open
				n.Size = join(n.Size, probe.Escape(f.Name)+" "+s)
			}
			n.Late = n.Late || f.Value.Late
			continue
		}
		n.Children = append(n.Children, Of(f.Name, f.Value))
	}
	n.elements(v.Elems)
	if len(v.Elems) == 0 && n.Size == "" {
		n.Text, n.Look = inline(v, 0), Faint
	}
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// holder is a pointer or an interface. What it holds stands in its place,
// unless it is a holder of the same kind.
func (n *Node) holder(v probe.Value) {
	if len(v.Elems) != 1 {
		if v.Shape == probe.Pointer {
			n.Text, n.Look = address(v.Points()), Faint
		}
		return
	}
	inner := v.Elems[0]
	if inner.Shape == probe.Interface || v.Shape == probe.Pointer && inner.Shape == probe.Pointer {
		if v.Shape == probe.Pointer {
			n.Text, n.Look = address(v.Points()), Faint
		}
		n.Children = []Node{Of("*", inner)}
		return
	}
	n.fill(inner)
	if v.Text != "" { // what an error says; its type stands before it, what it wraps below
		n.Text, n.Look = probe.Escape(v.Text), Plain
	}
	if v.Shape != probe.Pointer || inner.Shape == probe.Unreadable || inner.Shape == probe.Redacted {
		return
	}
	switch {
	case inner.Shape == probe.Literal: // as people write it
	case n.Text != "":
		n.Text = "&" + n.Text
	case len(n.Items) == 0:
		n.Text, n.Look, n.At = address(v.Points()), Faint, v.Points()
	}
}

func address(a uint64) string {
	return fmt.Sprintf("0x%x", a)
}

// size says how long something is and, where less of it is here, how much.
func size(here int, whole int64, unit string) string {
	switch {
	case whole < 0:
		return ""
	case int64(here) == whole && unit == "len":
		return fmt.Sprintf("len %d", whole)
	case int64(here) == whole:
		return fmt.Sprintf("%s %s", number(whole), unit)
	case unit == "len":
		return fmt.Sprintf("%s of %s", number(int64(here)), number(whole))
	}
	return fmt.Sprintf("%s of %s %s", number(int64(here)), number(whole), unit)
}

func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Group is the variables of a frame that have one role.
type Group struct {
	Title string
	Nodes []Node
}

// Arguments is the title of the arguments' group.
const Arguments = "arguments"

// titles has the roles in the order in which a reader wants them.
var titles = []struct {
	role  probe.Role
	title string
}{
	{probe.RoleReceiver, "receiver"},
	{probe.RoleArgument, Arguments},
	{probe.RoleLocal, "locals"},
	{probe.RoleResult, "results"},
	{probe.RoleCaptured, "captured"},
}

// Groups puts the variables of a frame into groups by their role.
func Groups(variables []probe.Variable) []Group {
	var groups []Group
	left := len(variables)
	for _, t := range titles {
		g := Group{Title: t.title}
		for _, v := range variables {
			if v.Role == t.role {
				g.Nodes = append(g.Nodes, Of(v.Name, v.Value))
			}
		}
		if left -= len(g.Nodes); len(g.Nodes) > 0 {
			groups = append(groups, g)
		}
	}
	if left == 0 {
		return groups
	}
	g := Group{Title: "variables"}
	for _, v := range variables {
		if !known(v.Role) {
			g.Nodes = append(g.Nodes, Of(v.Name, v.Value))
		}
	}
	return append(groups, g)
}

func known(r probe.Role) bool {
	for _, t := range titles {
		if t.role == r {
			return true
		}
	}
	return false
}

// All makes the nodes of all variables of a frame, in the order of the groups.
func All(variables []probe.Variable) []Node {
	var all []Node
	for _, g := range Groups(variables) {
		all = append(all, g.Nodes...)
	}
	return all
}

// Named makes the nodes of watches.
func Named(values []probe.NamedValue) []Node {
	var nodes []Node
	for _, v := range values {
		nodes = append(nodes, Of(v.Name, v.Value))
	}
	return nodes
}
