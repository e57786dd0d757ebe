package debuginfo

import (
	"debug/buildinfo"
	"fmt"
	"path"
	"slices"
	"strings"
)

// HasDebug tells whether the build's debug information is at hand: without it
// functions, lines, inlined calls and stacks are known, and variables and types
// are not.
func (b *Build) HasDebug() bool { return b.debug["info"] != nil }

// HasOwnDebug tells whether the debug information is the file's own.
func (b *Build) HasOwnDebug() bool { return b.HasDebug() && b.sep == nil }

// Missing says what a build without debug information lacks, how to give it, and
// where was looked for it; "" if it lacks nothing.
func (b *Build) Missing() string {
	if b.HasDebug() {
		return ""
	}
	text := "the program was linked without debug information, so that its variables,\narguments and types are not known; "
	if b.mayBeRun() {
		text += fmt.Sprintf(`go run and go test leave it out, unless asked:
    go run -gcflags=-dwarf=true -ldflags=-w=0 …
    go test -gcflags=-dwarf=true -ldflags=-w=0 …
If it was stripped after it was built, give the binary that it was before:
    sidelight symbols add %s`, b.fullName())
	} else {
		text += fmt.Sprintf(`build the same source once more, by %s
and with the same flags but -s and -w, and let Sidelight keep what it says:
    %s
    sidelight symbols add %s`, b.GoVersion, b.rebuild(), b.fullName())
	}
	if len(b.Tried) > 0 {
		text += "\nlooked in\n    " + strings.Join(b.Tried, "\n    ")
	}
	return text
}

// MissingAt says what the package that has the code at pc lacks, though the
// build has debug information: see MissingOf.
func (b *Build) MissingAt(pc uint64) string {
	f := b.FuncAt(pc)
	if f == nil || !b.HasDebug() {
		return ""
	}
	u, _ := b.unitOf(f)
	return missingOf(u)
}

// MissingOf says that a package, by its path, was compiled without debug
// information, and how to give it; "" if it was not. go run and go test leave it
// out of the packages that they build, whatever the linker is told.
func (b *Build) MissingOf(pkg string) string {
	if !b.HasDebug() {
		return ""
	}
	x, err := b.indexed()
	if err != nil {
		return ""
	}
	for _, u := range x.units {
		if u.goLang && u.bare && u.name == pkg {
			return missingOf(u)
		}
	}
	return ""
}

func missingOf(u *unit) string {
	if u == nil || !u.bare {
		return ""
	}
	return fmt.Sprintf("package %s was compiled without debug information (-dwarf=false), so that its variables, types and inlined functions are not known; "+
		"go run and go test do that, unless asked by -gcflags=-dwarf=true -ldflags=-w=0", u.name)
}

// Optimised tells whether the code at pc may lack variables of its source.
func (b *Build) Optimised(pc uint64) bool {
	f := b.FuncAt(pc)
	if f == nil || !b.HasDebug() {
		return true
	}
	u, _ := b.unitOf(f)
	return u == nil || !u.plain
}

// mayBeRun tells that nothing in the build's settings left the debug information
// out: go run or go test did, or strip later on. Under -trimpath the linker's
// flags are not recorded.
func (b *Build) mayBeRun() bool {
	return !slices.ContainsFunc(b.settings, func(s string) bool {
		return s == "-trimpath" || strings.HasPrefix(s, "-ldflags=")
	})
}

// fullName is a name for the binary with debug information.
func (b *Build) fullName() string {
	if b.Main == "" || b.Main == commandLine {
		return "program.full"
	}
	return path.Base(b.Main) + ".full"
}

// commandLine is the package of files that were named to go build.
const commandLine = "command-line-arguments"

// rebuild is the command that builds the same program with debug information, as
// far as the build records it.
func (b *Build) rebuild() string {
	var words []string
	for _, s := range b.settings {
		if !strings.HasPrefix(s, "-") {
			words = append(words, s)
		}
	}
	words = append(words, "go build")
	for _, s := range b.settings {
		if !strings.HasPrefix(s, "-") {
			continue
		}
		if name, value, _ := strings.Cut(s, "="); name == "-ldflags" {
			if value = withDebug(value); value == "" {
				continue
			}
			s = name + "=" + value
		}
		words = append(words, quoteWord(s))
	}
	pkg := b.Main
	if pkg == "" || pkg == commandLine {
		pkg = "FILES"
	}
	return strings.Join(append(words, "-o", b.fullName(), pkg), " ")
}

// withDebug is what is left of -ldflags without -s and -w.
func withDebug(flags string) string {
	words := slices.DeleteFunc(strings.Fields(flags), func(w string) bool {
		name, _, _ := strings.Cut(strings.TrimPrefix(w, "-"), "=")
		return name == "-s" || name == "-w" || name == "s" || name == "w"
	})
	return strings.Join(words, " ")
}

// quoteWord writes a word for a shell.
func quoteWord(s string) string {
	if !strings.ContainsAny(s, " '\"$\\*?[]{}()<>|&;~#!`") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// settingsOf are the settings of a build that somebody chose: flags as on the
// command line, and variables of the environment.
func settingsOf(info *buildinfo.BuildInfo) (out []string) {
	for _, s := range info.Settings {
		switch {
		case s.Value == "" || s.Key == "-compiler":
		case s.Key == "-buildmode" && s.Value == "exe":
		case s.Value == "true" && strings.HasPrefix(s.Key, "-"):
			out = append(out, s.Key)
		case strings.HasPrefix(s.Key, "-"),
			s.Key == "CGO_ENABLED" && s.Value == "0", s.Key == "GOAMD64" && s.Value != "v1", s.Key == "GOEXPERIMENT":
			out = append(out, s.Key+"="+s.Value)
		}
	}
	return out
}

// flags are the settings that two builds of the same code have in common.
func (b *Build) flags() string {
	var words []string
	for _, s := range b.settings {
		if !strings.HasPrefix(s, "-ldflags=") {
			words = append(words, quoteWord(s))
		}
	}
	return strings.Join(words, " ")
}
