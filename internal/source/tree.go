package source

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// The program's own files: those of the module that has the main package.

// rel is a file's path within the main module, with slashes; false where it is
// none of its files.
func (f *Finder) rel(file string) (string, bool) {
	mod := f.build.ModulePath
	if !filepath.IsAbs(file) {
		if rest, ok := strings.CutPrefix(file, mod+"/"); ok && mod != "" {
			return rest, true
		}
		return strings.TrimPrefix(file, "./"), mod == "" || !strings.Contains(file, "/")
	}
	pkg, ok := f.pkg(file)
	if !ok {
		return "", false
	}
	if pkg == "main" {
		pkg = f.build.Main
	}
	if pkg == mod || pkg == "command-line-arguments" {
		return path.Base(file), true
	}
	if rest, ok := strings.CutPrefix(pkg, mod+"/"); ok && mod != "" {
		return rest + "/" + path.Base(file), true
	}
	return "", false
}

// pkg is the package that a file belongs to, by the functions that begin in it.
func (f *Finder) pkg(file string) (string, bool) {
	for _, fn := range f.build.FileFuncs(file) {
		if rows := f.build.Lines(fn); len(rows) > 0 && rows[0].File == file && !fn.Wrapper {
			return strings.TrimSuffix(fn.Package, "_test"), true
		}
	}
	return "", false
}

// root is the directory of the main module: the working directory or one above
// it, whose go.mod names it.
func (f *Finder) root() string {
	for dir := f.dir; ; dir = filepath.Dir(dir) {
		if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil {
			for _, line := range strings.Split(string(text), "\n") {
				if name, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
					name, _, _ = strings.Cut(name, "//")
					if strings.Trim(strings.TrimSpace(name), `"`) == f.build.ModulePath {
						return dir
					}
				}
			}
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

// tree finds the program's own files in the tree.
func (f *Finder) tree(file string) []candidate {
	doubt := "the build does not record the revision that it was made of"
	if rev := f.build.Revision; rev != "" {
		doubt = fmt.Sprintf("the build was made of revision %s%s, which is not to be had here", short(rev), plus(f.build.Modified))
	}
	var out []candidate
	if filepath.IsAbs(file) {
		out = append(out, candidate{path: file, origin: "the path in the build", doubt: doubt})
	}
	if rel, ok := f.rel(file); ok {
		if root := f.root(); root != "" {
			p := filepath.Join(root, filepath.FromSlash(rel))
			if len(out) == 0 || out[0].path != p {
				out = append(out, candidate{path: p, origin: "the tree of " + f.build.ModulePath, doubt: doubt})
			}
		}
	}
	return out
}

func short(rev string) string { return rev[:min(len(rev), 12)] }

func plus(modified bool) string {
	if modified {
		return " with changes that were not committed"
	}
	return ""
}

// fromRevision reads a file of the program as it was at the build's revision.
// Where the tree has the same text, that is the place to name.
func (f *Finder) fromRevision(file string) *Source {
	rev := f.build.Revision
	if rev == "" || strings.IndexFunc(rev, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) }) >= 0 {
		return nil
	}
	rel, ok := f.rel(file)
	if !ok || strings.HasPrefix(rel, "../") {
		return nil
	}
	root := f.root()
	if root == "" {
		if !filepath.IsAbs(file) || !strings.HasSuffix(file, "/"+rel) {
			return nil
		}
		root = strings.TrimSuffix(file, "/"+rel)
	}
	cmd := exec.Command("git", "-C", root, "show", rev+":./"+rel)
	text, err := cmd.Output()
	if err != nil {
		return nil
	}
	s := &Source{File: file, Path: "git " + short(rev) + ":" + rel, Origin: "revision " + short(rev), Verdict: Same, Text: text, Why: []string{}}
	local := filepath.Join(root, filepath.FromSlash(rel))
	now, err := os.ReadFile(local)
	switch {
	case err == nil && bytes.Equal(now, text):
		s.Path, s.Origin = local, "the tree, unchanged since revision "+short(rev)
		if f.build.Modified {
			s.Why = append(s.Why, "other files of the tree had changes that were not committed when the build was made, or this one had")
			s.Verdict = Likely
		}
	case f.build.Modified && err == nil && len(f.lines(file, now)) == 0:
		s.Path, s.Text, s.Origin, s.Verdict = local, now, "the tree, changed since revision "+short(rev), Likely
		s.Why = append(s.Why, "the build was made of a tree with changes that were not committed")
	case f.build.Modified:
		s.Verdict = Likely
		s.Why = append(s.Why, "the build was made of a tree with changes that were not committed")
	case err == nil:
		s.Why = append(s.Why, "the tree has another text by now: "+local)
	}
	return s
}
