package debuginfo

import "strings"

// Role is what the variable is to its function, in the words of package probe;
// first tells that it is the first parameter.
func (v *Variable) Role(function string, first bool) string {
	switch {
	case v.Param && first && isMethod(function):
		return "receiver"
	case v.Param:
		return "argument"
	case v.Result:
		return "result"
	case v.Captured:
		return "captured"
	}
	return "local"
}

// isMethod tells whether a full name is a method's: pkg.(*T).M or pkg.T.M, and
// not that of a closure in a function, pkg.F.func1.
func isMethod(function string) bool {
	name := strings.TrimPrefix(function, escapedPackage(function)+".")
	for { // T[a.B].M
		from, to := strings.IndexByte(name, '['), strings.LastIndexByte(name, ']')
		if from < 0 || to < from {
			break
		}
		name = name[:from] + name[to+1:]
	}
	typ, method, two := strings.Cut(name, ".")
	return two && typ != "" && !strings.Contains(method, ".") && !strings.Contains(method, "-") &&
		!strings.HasPrefix(method, "func") && strings.Trim(method, "0123456789") != ""
}

// escapedPackage is the path in a function's name as the linker writes it.
func escapedPackage(name string) string {
	end := len(name)
	if i := strings.IndexAny(name, "[("); i >= 0 {
		end = i
	}
	slash := strings.LastIndexByte(name[:end], '/') + 1
	if i := strings.IndexByte(name[slash:end], '.'); i >= 0 {
		return name[:slash+i]
	}
	return ""
}
