package dap

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// substitution says that what the editor has below From was built below To.
type substitution struct {
	From string `json:"from"`
	To   string `json:"to"`
}

func checkSubstitutions(list []substitution) ([]substitution, error) {
	for _, s := range list {
		if s.From == "" && s.To == "" {
			return nil, errors.New("\"substitutePath\": each needs \"from\", the editor's path, and \"to\", the path of the build")
		}
	}
	return list, nil
}

// replace exchanges the beginning of a path, at an element's border.
func replace(path, from, to string) (string, bool) {
	from, to = strings.TrimSuffix(from, "/"), strings.TrimSuffix(to, "/")
	rest, ok := strings.CutPrefix(path, from)
	switch {
	case !ok || from == "" && strings.HasPrefix(path, "/") || rest != "" && rest[0] != '/' && from != "":
		return path, false
	case to == "":
		return strings.TrimPrefix(rest, "/"), true
	case from == "":
		return to + "/" + path, true
	}
	return to + rest, true
}

// toBuild is an editor's path as the build may have it.
func (c *config) toBuild(path string) string {
	for _, s := range c.subst {
		if p, ok := replace(path, s.From, s.To); ok {
			return p
		}
	}
	return path
}

// toEditor is the path on this machine of a file of the build; it may not be
// there.
func (c *config) toEditor(file string) string {
	for _, s := range c.subst {
		if p, ok := replace(file, s.To, s.From); ok {
			return p
		}
	}
	return file
}

// clientPath is the path in a request: clients may send URIs.
func clientPath(path string) string {
	if rest, ok := strings.CutPrefix(path, "file://"); ok {
		path = rest
	}
	if path == "" {
		return ""
	}
	return filepath.Clean(path)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
