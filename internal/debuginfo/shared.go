package debuginfo

import (
	"strconv"
	"strings"
	"sync"
)

// sharedCache knows, by function, the variables that closures within it share.
type sharedCache struct {
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

func (b *Build) readShared(f *Func) map[string]bool {
	names := map[string]bool{}
	for i := 1; i <= maxClosures; i++ {
		for _, kind := range []string{".func", "-range"} {
			c := b.FuncNamed(f.Name + kind + strconv.Itoa(i))
			if c == nil {
				continue
			}
			for _, field := range b.Closure(c.Entry) {
				if n, by := strings.CutPrefix(field.Name, "&"); by {
					names[n] = true
				}
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
