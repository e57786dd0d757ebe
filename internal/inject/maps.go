package inject

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Mapping is one line of /proc/PID/maps.
type Mapping struct {
	Lo, Hi            uint64
	Read, Write, Exec bool
	Shared            bool
	Offset            uint64
	Dev               string // major:minor, hexadecimal
	Inode             uint64
	Path              string // may end with " (deleted)"
}

// Size in bytes.
func (m Mapping) Size() uint64 { return m.Hi - m.Lo }

// parseMaps reads the text of /proc/PID/maps.
func parseMaps(text []byte) ([]Mapping, error) {
	var out []Mapping
	sc := bufio.NewScanner(bytes.NewReader(text))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		m, err := parseMapping(sc.Text())
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, sc.Err()
}

func parseMapping(line string) (Mapping, error) {
	var m Mapping
	bad := fmt.Errorf("maps line not understood: %q", line)
	span, rest, _ := strings.Cut(line, " ")
	perms, rest, _ := strings.Cut(rest, " ")
	off, rest, _ := strings.Cut(rest, " ")
	dev, rest, _ := strings.Cut(rest, " ")
	ino, path, _ := strings.Cut(rest, " ")
	lo, hi, ok := strings.Cut(span, "-")
	if !ok || len(perms) != 4 {
		return m, bad
	}
	var errs [4]error
	m.Lo, errs[0] = strconv.ParseUint(lo, 16, 64)
	m.Hi, errs[1] = strconv.ParseUint(hi, 16, 64)
	m.Offset, errs[2] = strconv.ParseUint(off, 16, 64)
	m.Inode, errs[3] = strconv.ParseUint(ino, 10, 64)
	for _, err := range errs {
		if err != nil {
			return m, bad
		}
	}
	if m.Hi <= m.Lo {
		return m, bad
	}
	m.Read, m.Write, m.Exec = perms[0] == 'r', perms[1] == 'w', perms[2] == 'x'
	m.Shared = perms[3] == 's'
	m.Dev = dev
	m.Path = strings.TrimLeft(path, " ")
	return m, nil
}
