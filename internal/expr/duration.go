package expr

import (
	"strings"
	"time"
)

// Duration is a literal such as 50ms or 1h30m.
type Duration struct {
	span
	Value time.Duration
}

// hideDurations makes of each duration outside literals a name of the same
// length, which Go's parser accepts, and says where they stood.
func hideDurations(text string, base int) (string, map[int]time.Duration) {
	var found map[int]time.Duration
	out := []byte(text)
	for i := 0; i < len(out); {
		if n := literalLen(text[i:]); n > 0 {
			i += n
			continue
		}
		if out[i] < '0' || out[i] > '9' || i > 0 && (isNameByte(out[i-1]) || out[i-1] == '.') {
			i++
			continue
		}
		end := i
		for end < len(out) && (isNameByte(out[end]) || out[end] == '.') {
			end++
		}
		word := text[i:end]
		if d, err := time.ParseDuration(word); err == nil && strings.Trim(word, "0123456789.") != "" {
			if found == nil {
				found = map[int]time.Duration{}
			}
			found[base+i] = d
			copy(out[i:], strings.ReplaceAll("_"+word[1:], ".", "_"))
		}
		i = end
	}
	return string(out), found
}
