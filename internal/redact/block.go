package redact

import (
	"path"
	"slices"
	"strings"
)

// block is where no probe goes, and of what no value is shown.
type block struct {
	packages  []string // paths; one that ends in /... has all below it
	types     []string
	functions []string
}

// RefusesFunction tells whether probes are refused in a function, and which
// rule says so.
func (r *Rules) RefusesFunction(name string) (rule string, refused bool) {
	b := &r.rules().block
	pkg, rest := packageOf(name)
	if i := slices.IndexFunc(b.packages, func(p string) bool { return inPackage(pkg, p) }); i >= 0 {
		return "package " + b.packages[i], true
	}
	for _, t := range b.types {
		dir, typ := packageOf(t)
		if samePackage(pkg, dir) && receiver(rest) == typ || copied(rest, "(*"+typ+").") || copied(rest, typ+".") {
			return "type " + t, true
		}
	}
	for _, f := range b.functions {
		dir, fn := packageOf(f)
		if samePackage(pkg, dir) && within(uninstantiated(rest), uninstantiated(fn)) || copied(rest, uninstantiated(fn)+".") {
			return "function " + f, true
		}
	}
	return "", false
}

// Refuses tells whether a condition may not ask for something, and which rule
// says so: an answer of yes or no tells of a value, too.
func (r *Rules) Refuses(names, types []string) (rule string, refused bool) {
	b := &r.rules().block
	for _, n := range names {
		if b.variable(n) {
			return "package of " + n, true
		}
	}
	for _, t := range types {
		if b.typ(declared(t)) {
			return "type " + declared(t), true
		}
	}
	return "", false
}

// typ tells whether values of a type are blocked, by its full name without
// pointers.
func (b *block) typ(name string) bool {
	pkg, _ := packageOf(name)
	return slices.ContainsFunc(b.types, func(t string) bool { return typeIs(name, t) }) ||
		slices.ContainsFunc(b.packages, func(p string) bool { return inPackage(pkg, p) })
}

// variable tells whether name is a variable of a blocked package, with its path.
func (b *block) variable(name string) bool {
	if len(b.packages) == 0 || !strings.Contains(name, ".") {
		return false
	}
	pkg, _ := packageOf(name)
	return slices.ContainsFunc(b.packages, func(p string) bool { return inPackage(pkg, p) })
}

// packageOf cuts a full name into the path of the package and the rest.
func packageOf(name string) (pkg, rest string) {
	head := name
	if i := strings.IndexAny(head, "[("); i >= 0 {
		head = head[:i]
	}
	slash := strings.LastIndexByte(head, '/') + 1
	dot := strings.IndexByte(head[slash:], '.')
	if dot < 0 {
		return "", name
	}
	return name[:slash+dot], name[slash+dot+1:]
}

// within tells whether a function is fn or declared in it.
func within(name, fn string) bool {
	after, ok := strings.CutPrefix(name, fn)
	return ok && (after == "" || after[0] == '.' || strings.HasPrefix(after, "-range"))
}

// copied tells whether a closure is a copy of one that is declared in a function
// whose name begins so, made where that was inlined: other.(*T).M.func1. Such a
// name does not tell the package of T, so it may be refused for another's.
func copied(rest, begin string) bool {
	rest = uninstantiated(rest)
	return strings.Contains(rest, ".func") && strings.Contains(rest, "."+begin)
}

// uninstantiated is a name without what type parameters stand for: (*T[int]).M is
// (*T).M.
func uninstantiated(name string) string {
	depth := 0
	return strings.Map(func(c rune) rune {
		switch c {
		case '[':
			depth++
		case ']':
			depth--
			return -1
		}
		if depth > 0 {
			return -1
		}
		return c
	}, name)
}

// receiver is the type of a method by what follows the package in its name:
// "(*T).M", "T.M"; "" of a function.
func receiver(rest string) string {
	if after, ok := strings.CutPrefix(rest, "(*"); ok {
		rest = after
	}
	end := strings.IndexAny(rest, ")[.")
	if end < 0 {
		return ""
	}
	return rest[:end]
}

func inPackage(pkg, rule string) bool {
	if below, ok := strings.CutSuffix(rule, "/..."); ok {
		return pkg == below || strings.HasPrefix(pkg, below+"/")
	}
	match, _ := path.Match(rule, pkg)
	return match
}

// samePackage tells whether a rule's package, which may be its last element
// alone, is this one.
func samePackage(pkg, rule string) bool {
	return pkg == rule || !strings.Contains(rule, "/") && strings.HasSuffix(pkg, "/"+rule)
}
