//go:build linux && amd64

package engine

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// comparison compares values that Delve read at a stop with those of a snapshot
// at the same hit of another run. Addresses differ between the runs.
type comparison struct {
	equal     int                // leaves that both have, and alike
	onlyDelve int                // leaves that the snapshot does not have
	onlyOurs  int                // leaves that Delve does not have
	late      int                // read after the hit: not compared
	special   int                // shown as people write them, and not by their fields
	ours      []string           // some of what only the snapshot has
	differ    []string           // what differs, with its path
	missing   map[string]*[2]int // what only Delve has, by the reason: at the line itself, and in callers
}

// lack adds what another comparison misses.
func (c *comparison) lack(other *comparison) {
	for why, n := range other.missing {
		at := c.lacks(why)
		at[0] += n[0]
		at[1] += n[1]
	}
}

func (c *comparison) lacks(why string) *[2]int {
	if c.missing == nil {
		c.missing = map[string]*[2]int{}
	}
	why, _, _ = strings.Cut(why, "; the nearest")
	if c.missing[why] == nil {
		c.missing[why] = new([2]int)
	}
	return c.missing[why]
}

func (c *comparison) diff(path, format string, args ...any) {
	c.differ = append(c.differ, path+": "+fmt.Sprintf(format, args...))
}

func (c *comparison) lost(path, why string) {
	c.onlyDelve++
	caller := 0
	if strings.Contains(path, "frame ") {
		caller = 1
	}
	c.lacks(why)[caller]++
}

// constant is how Delve writes a number that has a name: "token.IDENT (4)".
var constant = regexp.MustCompile(`\((-?\d+)\)$`)

func number(s string) string {
	if m := constant.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return s
}

// random are fields of the runtime that differ in every run.
var random = map[string]bool{"seed": true, "hash0": true, "entryOffset": true, "dirOffset": true, "entryIdx": true, "dirIdx": true}

// shown are types that a snapshot shows in a form of their own.
var shown = regexp.MustCompile(`^(time\.(Time|Duration)|sync\.\w+|(internal/)?sync/atomic\.\w+(\[.*\])?|math/big\.Int|net\.IP|net/netip\.\w+|reflect\.\w+|\*?internal/abi\.\w+)$`)

// value compares one value and all in it that both have.
func (c *comparison) value(path string, d *delveVar, v *probe.Value) {
	switch {
	case d.Unreadable != "":
		c.onlyOurs++
		if v.Shape != probe.Unreadable && !v.Late && len(c.ours) < 20 {
			c.ours = append(c.ours, fmt.Sprintf("%s is %.60s; the debugger: %s", path, v.String(), d.Unreadable))
		}
		return
	case v.Shape == probe.Unreadable:
		c.lost(path, v.Text)
		return
	case v.Late:
		c.late++
		return
	case shown.MatchString(d.Type) || v.Shape == probe.Literal || v.Note != "":
		c.special++
		return
	}
	switch d.Kind {
	case reflect.Bool:
		c.leaf(path, d.Value, strconv.FormatBool(v.Bool))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		c.leaf(path, number(d.Value), strconv.FormatInt(v.Int, 10))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		c.leaf(path, number(d.Value), strconv.FormatUint(v.Uint, 10))
	case reflect.Uintptr, reflect.UnsafePointer:
		c.special++ // addresses
	case reflect.Float32, reflect.Float64:
		bits := 64
		if d.Kind == reflect.Float32 {
			bits = 32
		}
		if want, err := strconv.ParseFloat(d.Value, bits); err == nil && want == v.Float {
			c.equal++
		} else {
			c.leaf(path, d.Value, fmt.Sprint(v.Float))
		}
	case reflect.String:
		c.text(path, d, v)
	case reflect.Struct:
		c.structure(path, d, v)
	case reflect.Slice, reflect.Array:
		c.list(path, d, v)
	case reflect.Pointer:
		c.pointer(path, d, v)
	case reflect.Interface:
		c.iface(path, d, v)
	case reflect.Map:
		c.entries(path, d, v)
	case reflect.Chan:
		c.channel(path, d, v)
	case reflect.Func:
		if name := strings.TrimSuffix(v.Text, "-fm"); v.Shape != probe.Nil && name != "" {
			c.leaf(path, strings.TrimSuffix(d.Value, "-fm"), name)
		}
	default:
		c.special++
	}
}

func (c *comparison) leaf(path, want, got string) {
	if want == got {
		c.equal++
		return
	}
	c.diff(path, "%s, and in the debugger %s", got, want)
}

func (c *comparison) text(path string, d *delveVar, v *probe.Value) {
	want, got := d.Value, string(v.Data)
	if len(d.StringValueBytes) > 0 {
		want = string(d.StringValueBytes)
	}
	n := min(len(want), len(got))
	if v.Len != d.Len || v.Shape != probe.String {
		c.diff(path, "a string of %d bytes, and in the debugger %d", v.Len, d.Len)
		return
	}
	c.leaf(path, want[:n], got[:n])
}

func (c *comparison) structure(path string, d *delveVar, v *probe.Value) {
	if len(d.Children) == 0 {
		return // deeper than the debugger was asked
	}
	if v.Shape != probe.Struct {
		c.special++
		return
	}
	for i := range d.Children {
		f := &d.Children[i]
		if f.Name == "_" || random[f.Name] {
			continue
		}
		found := false
		for k := range v.Fields {
			if v.Fields[k].Name == f.Name {
				c.value(path+"."+f.Name, f, &v.Fields[k].Value)
				found = true
				break
			}
		}
		if !found {
			c.lost(path+"."+f.Name, "no such field")
		}
	}
}

func (c *comparison) list(path string, d *delveVar, v *probe.Value) {
	if v.Shape == probe.Nil {
		c.leaf(path, fmt.Sprint(d.Base != 0), "false")
		return
	}
	if v.Shape == probe.String { // bytes that are text
		c.leaf(path+".len", fmt.Sprint(d.Len), fmt.Sprint(v.Len))
		for i := range min(len(d.Children), len(v.Data)) {
			c.leaf(fmt.Sprintf("%s[%d]", path, i), number(d.Children[i].Value), fmt.Sprint(v.Data[i]))
		}
		return
	}
	if v.Shape != probe.List {
		c.special++
		return
	}
	c.leaf(path+".len", fmt.Sprint(d.Len), fmt.Sprint(v.Len))
	for i := range min(len(d.Children), len(v.Elems)) {
		c.value(fmt.Sprintf("%s[%d]", path, i), &d.Children[i], &v.Elems[i])
	}
}

func (c *comparison) pointer(path string, d *delveVar, v *probe.Value) {
	if len(d.Children) == 0 {
		return
	}
	to := &d.Children[0]
	if (to.Addr == 0) != (v.Shape == probe.Nil) {
		c.diff(path, "nil is %v, and in the debugger %v", v.Shape == probe.Nil, to.Addr == 0)
		return
	}
	switch {
	case to.Addr == 0:
		c.equal++
	case len(v.Elems) == 1 && !to.OnlyAddr:
		c.value("(*"+path+")", to, &v.Elems[0])
	}
}

func (c *comparison) iface(path string, d *delveVar, v *probe.Value) {
	if len(d.Children) == 0 {
		return
	}
	in := &d.Children[0]
	if isNil := in.Kind == reflect.Invalid && in.Addr == 0; isNil || v.Shape == probe.Nil {
		c.leaf(path+" is nil", fmt.Sprint(isNil), fmt.Sprint(v.Shape == probe.Nil))
		return
	}
	if v.Shape != probe.Interface {
		c.special++
		return
	}
	if in.Type != "" && !strings.Contains(in.Type, "struct {") && !strings.Contains(in.Type, "[") {
		c.leaf(path+".(type)", in.Type, v.Type)
	}
	if len(v.Elems) == 1 && !in.OnlyAddr {
		c.value(path+".("+in.Type+")", in, &v.Elems[0])
	}
}

func (c *comparison) entries(path string, d *delveVar, v *probe.Value) {
	if v.Shape == probe.Nil {
		c.leaf(path+".len", fmt.Sprint(d.Len), "0")
		return
	}
	if v.Shape != probe.Map {
		c.special++
		return
	}
	if v.Len >= 0 {
		c.leaf(path+".len", fmt.Sprint(d.Len), fmt.Sprint(v.Len))
	}
	ours := map[string]*probe.Value{}
	whole := !v.Truncated && v.Cut == ""
	for i := range v.Entries {
		key := &v.Entries[i].Key
		ours[simple(key)] = &v.Entries[i].Value
		whole = whole && key.Shape != probe.Unreadable && !key.Truncated
	}
	for i := 0; i+1 < len(d.Children); i += 2 {
		key := &d.Children[i]
		if key.Kind != reflect.String && (key.Kind < reflect.Bool || key.Kind > reflect.Uint64) {
			continue
		}
		if got := ours[number(key.Value)]; got != nil {
			c.value(path+"["+key.Value+"]", &d.Children[i+1], got)
		} else if whole {
			c.diff(path, "no entry %s", key.Value)
		}
	}
}

// simple is a key as Delve writes it.
func simple(v *probe.Value) string {
	switch v.Shape {
	case probe.String:
		return string(v.Data)
	case probe.Int:
		return strconv.FormatInt(v.Int, 10)
	case probe.Uint:
		return strconv.FormatUint(v.Uint, 10)
	case probe.Bool:
		return strconv.FormatBool(v.Bool)
	}
	return v.String()
}

func (c *comparison) channel(path string, d *delveVar, v *probe.Value) {
	switch v.Shape {
	case probe.Nil:
		c.leaf(path+" is nil", fmt.Sprint(d.Base == 0), "true")
	case probe.Chan:
		for i := range d.Children { // the runtime's hchan
			if f := &d.Children[i]; f.Name == "qcount" && v.Len >= 0 {
				c.leaf(path+".len", f.Value, fmt.Sprint(v.Len))
			}
		}
	default:
		c.special++
	}
}

// stack compares the frames: functions and lines, inlined ones included.
func (c *comparison) stack(d []delveFrame, frames []probe.Frame) {
	for i := range min(len(d), len(frames)) {
		want := "?"
		if d[i].Function != nil {
			want = d[i].Function.Name
		}
		if frames[i].Function == "" || want == "runtime.goexit" {
			return
		}
		if i == 0 { // its line is the one asked for, where the line table may begin a neighbour's
			c.leaf("frame 0", want, frames[0].Function)
		} else {
			c.leaf(fmt.Sprintf("frame %d", i), fmt.Sprintf("%s:%d", want, d[i].Line), fmt.Sprintf("%s:%d", frames[i].Function, frames[i].Line))
			c.variables(fmt.Sprintf("frame %d %s ", i, want), &d[i], &frames[i])
		}
	}
}

// variables compares the variables of a frame that both have.
func (c *comparison) variables(at string, d *delveFrame, f *probe.Frame) {
	for _, list := range [][]delveVar{d.Arguments, d.Locals} {
		for i := range list {
			v := &list[i]
			if v.Flags&delveShadowed != 0 || strings.HasPrefix(v.Name, ".") {
				continue
			}
			found := false
			for k := range f.Variables {
				if f.Variables[k].Name == v.Name {
					c.value(at+v.Name, v, &f.Variables[k].Value)
					found = true
					break
				}
			}
			if !found && v.Unreadable == "" {
				c.lost(at+v.Name, "no such variable")
			}
		}
	}
}
