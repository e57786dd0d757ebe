package debuginfo

import (
	"strconv"
	"strings"
	"sync"
)

// sharedCache knows, by function, the variables that closures within it share.
type sharedCache struct {
	scans int // functions whose closures were looked for
	mu    sync.Mutex
	names map[string]map[string]bool
}

// maxClosures bounds the closures of one function that are looked at. Some of
// the numbers in between are missing: those of closures that were inlined.
const maxClosures = 32

// shared tells that a closure within f holds the address of f's variable of that
// name. The compiler then keeps the variable in memory, as a whole, and a single
// place in its location list is that of all of it. False where f has several
// variables of the name: it is not told which of them is meant.
func (b *Build) shared(f *Func, name string) bool {
	b.sharing.mu.Lock()
	defer b.sharing.mu.Unlock()
	names, ok := b.sharing.names[f.Name]
	if !ok {
		names = b.readShared(f)
		if b.sharing.names == nil || len(b.sharing.names) >= treesKept {
			b.sharing.names = map[string]map[string]bool{}
		}
		b.sharing.names[f.Name] = names
	}
	return names[name]
}

// scans is for how many functions a look at every name costs less than a table
// of all names, which a question about one line should not pay for. A cache has
// such a table.
const scans = 32

// closuresOf are the functions that f's closures run: F.func1, F-range2.
func (b *Build) closuresOf(f *Func) []*Func {
	var out []*Func
	if b.sharing.scans++; b.sharing.scans > scans || b.funcs.quick() {
		for i := 1; i <= maxClosures; i++ {
			for _, kind := range []string{".func", "-range"} {
				if c := b.FuncNamed(f.Name + kind + strconv.Itoa(i)); c != nil {
					out = append(out, c)
				}
			}
		}
		return out
	}
	for _, c := range b.Funcs() {
		rest, inside := strings.CutPrefix(c.Name, f.Name)
		if !inside {
			continue
		}
		for _, kind := range []string{".func", "-range"} {
			number, is := strings.CutPrefix(rest, kind)
			if i, err := strconv.Atoi(number); is && err == nil && i <= maxClosures {
				out = append(out, c)
			}
		}
	}
	return out
}

func (b *Build) readShared(f *Func) map[string]bool {
	names := map[string]bool{}
	for _, c := range b.closuresOf(f) {
		for _, field := range b.Closure(c.Entry) {
			if n, by := strings.CutPrefix(field.Name, "&"); by {
				names[n] = true
			}
		}
	}
	if len(names) == 0 {
		return names
	}
	count := map[string]int{}
	var each func(s *scope)
	each = func(s *scope) {
		for i := range s.vars {
			count[s.vars[i].name]++
		}
		for _, c := range s.children {
			if c.inline == nil {
				each(c)
			}
		}
	}
	if root := b.tree(f); root != nil {
		each(root)
	}
	for n := range names {
		// The compiler describes the results of functions with defers twice.
		if count[n] > 1 && !b.twice(f, n) {
			delete(names, n)
		}
	}
	return names
}

// twice tells that all variables of a name in f are one result, described twice.
func (b *Build) twice(f *Func, name string) bool {
	root, line := b.tree(f), -1
	var each func(s *scope) bool
	each = func(s *scope) bool {
		for i := range s.vars {
			if v := &s.vars[i]; v.name == name {
				if !v.result || line >= 0 && v.line != line {
					return false
				}
				line = v.line
			}
		}
		for _, c := range s.children {
			if c.inline == nil && !each(c) {
				return false
			}
		}
		return true
	}
	return root != nil && each(root)
}
