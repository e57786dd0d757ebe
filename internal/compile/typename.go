package compile

import (
	"strconv"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// typeNamed is the type that a person wrote, with packages by the last element
// of their paths; nil if the build has none.
func (s *site) typeNamed(name string) *program.Type {
	full := s.fullName(strings.TrimSpace(name), 0)
	if full == "" {
		return nil
	}
	if t := basic[full]; t != nil {
		if in := s.b.TypeByName(full); in != nil {
			return in // with its description in this build
		}
	}
	return s.b.TypeByName(full)
}

// fullName is the name by which the debug information knows a type; "" if a part
// of it is not known.
func (s *site) fullName(name string, depth int) string {
	if depth > 8 {
		return ""
	}
	prefixed := func(prefix, rest string) string {
		if rest = s.fullName(strings.TrimSpace(rest), depth+1); rest == "" {
			return ""
		}
		return prefix + rest
	}
	switch {
	case strings.HasPrefix(name, "*"):
		return prefixed("*", name[1:])
	case strings.HasPrefix(name, "chan "):
		return prefixed("chan ", name[5:])
	case strings.HasPrefix(name, "map["):
		end := closing(name[3:])
		if end < 0 {
			return ""
		}
		key := s.fullName(strings.TrimSpace(name[4:3+end]), depth+1)
		if key == "" {
			return ""
		}
		return prefixed("map["+key+"]", name[3+end+1:])
	case strings.HasPrefix(name, "["):
		end := strings.IndexByte(name, ']')
		if end < 0 {
			return ""
		}
		if _, err := strconv.Atoi(name[1:end]); end > 1 && err != nil {
			return ""
		}
		return prefixed(name[:end+1], name[end+1:])
	case name == "any" || name == "interface{}":
		return "interface {}"
	}
	if t := s.namedType(name); t != nil {
		return t.Name
	}
	return ""
}

// closing is where the bracket that text begins with is closed; -1: nowhere.
func closing(text string) int {
	open := 0
	for i := range len(text) {
		switch text[i] {
		case '[':
			open++
		case ']':
			if open--; open == 0 {
				return i
			}
		}
	}
	return -1
}
