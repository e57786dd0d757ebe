package tree

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Style puts a look on a text.
type Style func(Look, string) string

// Unstyled leaves text as it is.
func Unstyled(_ Look, s string) string { return s }

// Columns are the widths of what comes first in the rows of siblings.
type Columns struct{ Name, Type int }

// A name or a type that is wider than this moves what follows it, in its own
// row only.
const (
	maxName = 32
	maxType = 30
)

// Align finds the columns of siblings.
func Align(nodes []Node) Columns {
	var c Columns
	for _, n := range nodes {
		if w := Width(n.Name); w <= maxName {
			c.Name = max(c.Name, w)
		}
		if w := Width(n.Type); w <= maxType {
			c.Type = max(c.Type, w)
		}
	}
	return c
}

// lateMark follows what was read after the hit.
const lateMark = "~"

// Legend explains the mark of what was read late.
const Legend = lateMark + " read from memory after the hit: it may be newer than this moment"

// gap is between columns.
const gap = "  "

// Row is the row of a node, in at most so many columns; 0 is no limit.
func (n Node) Row(c Columns, room int, style Style) string {
	var b strings.Builder
	used := 0
	column := func(look Look, s string, width, most int) {
		if room > 0 {
			s = Clip(s, most)
		}
		b.WriteString(style(look, s))
		fill := max(0, width-Width(s))
		b.WriteString(strings.Repeat(" ", fill))
		used += Width(s) + fill
	}
	column(Name, n.Name, c.Name, nameRoom)
	if c.Type > 0 || n.Type != "" {
		b.WriteString(gap)
		used += len(gap)
		column(Faint, n.Type, c.Type, nameRoom)
	}
	if value := n.value(room-used-len(gap), room > 0, style); value != "" {
		b.WriteString(gap + value)
	}
	line := strings.TrimRight(b.String(), " ")
	if room > 0 {
		line = Clip(line, room)
	}
	return line
}

// leastRoom is what a value gets even where there is no room left.
const leastRoom = 8

// value is what comes after name and type.
func (n Node) value(room int, limited bool, style Style) string {
	if !limited {
		n = n.brief()
	}
	tail := n.Marks
	if n.Size != "" {
		tail = append([]string{n.Size}, tail...)
	}
	var parts []string
	end := ""
	if len(tail) > 0 {
		end = "(" + strings.Join(tail, "; ") + ")"
	}
	if !limited {
		room = 0
	} else {
		room = max(leastRoom, room-Width(end)-len(gap)-len(lateMark))
	}
	if s := n.text(room); s != "" {
		parts = append(parts, style(n.Look, s))
	}
	if end != "" {
		parts = append(parts, style(Faint, end))
	}
	if n.Late {
		parts = append(parts, style(Faint, lateMark))
	}
	return strings.Join(parts, " ")
}

// maxHex is how many bytes that are no text are shown where no terminal cuts
// the row: a reader wants to see what they begin with, not pages of digits.
const maxHex = 64

// brief is the node with no more than the first of such bytes.
func (n Node) brief() Node {
	v, and := n.whole, ""
	if strings.HasPrefix(n.Text, "&") {
		and = "&"
	}
	for len(v.Elems) == 1 && (v.Shape == probe.Pointer || v.Shape == probe.Interface) {
		v = v.Elems[0]
	}
	if !hexadecimal(v) || len(v.Data) <= maxHex || len(n.Children) > 0 {
		return n
	}
	if n.Size == "" {
		n.Size = size(len(v.Data), int64(len(v.Data)), "bytes")
	}
	n.Text = and + hex.EncodeToString(v.Data[:maxHex]) + "…"
	return n
}

func (n Node) text(room int) string {
	if len(n.Items) > 0 {
		return n.items(room)
	}
	if room == 0 || Width(n.Text) <= room {
		return n.Text
	}
	if n.Look == Text && strings.HasSuffix(n.Text, `"`) {
		return Clip(strings.TrimSuffix(n.Text, `"`), max(2, room-1)) + `"`
	}
	return Clip(n.Text, room)
}

// items puts as many elements on the row as it has room for, and says how many
// it has none for.
func (n Node) items(room int) string {
	all := 1 + len(n.Items) // brackets and spaces
	for _, item := range n.Items {
		all += Width(item)
	}
	if room == 0 || all <= room {
		return "[" + strings.Join(n.Items, " ") + "]"
	}
	shown, used := 1, 1+Width(n.Items[0])
	for ; shown < len(n.Items); shown++ {
		used += 1 + Width(n.Items[shown])
		if used+Width(more(len(n.Items)-shown-1)) > room {
			break
		}
	}
	if shown == len(n.Items) { // one that is alone, and wider than the room
		return "[" + n.Items[0] + "]"
	}
	return "[" + strings.Join(n.Items[:shown], " ") + more(len(n.Items)-shown)
}

func more(n int) string { return fmt.Sprintf(" … %s more]", number(int64(n))) }
