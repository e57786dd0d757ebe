package redact

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// pattern is what a secret looks like.
type pattern struct {
	name  string
	found func(r *Rules, text []byte) bool
}

const patternCard = "card number"

// defaultPatterns find what is a secret whatever it is called. A text that
// begins one and was cut is found too, as far as it tells itself.
func defaultPatterns() []pattern {
	return []pattern{
		{"private key", finds(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY`, "PRIVATE KEY")},
		{"jwt", finds(`(?:^|[^A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{2,}`, "eyJ")},
		{"bearer token", bearer},
		{"basic authorization", basicAuthorization},
		{"access key", finds(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|`+
			`\bglpat-[A-Za-z0-9_-]{16,}|\bxox[abeoprs]-[A-Za-z0-9-]{8,}|\b[srp]k_live_[A-Za-z0-9]{8,}|\bAIza[0-9A-Za-z_-]{30,}|\bsk-[A-Za-z0-9_-]{20,}`,
			"AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "k_live_", "AIza", "sk-")},
		{"url password", finds(`\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@:]*:[^\s/?#@]+@`, "://")},
		{"named value", namedValue},
		{patternCard, func(_ *Rules, text []byte) bool { return cardIn(text) }},
	}
}

// finds looks for an expression in texts that have one of the parts which all
// that matches it has: most texts of a process have none, and the expression
// takes milliseconds to say so of a long one.
func finds(expr string, parts ...string) func(*Rules, []byte) bool {
	re := regexp.MustCompile(expr)
	return func(_ *Rules, text []byte) bool { return hasPart(text, parts) && re.Match(text) }
}

func hasPart(text []byte, parts []string) bool {
	for _, p := range parts {
		if bytes.Contains(text, []byte(p)) {
			return true
		}
	}
	return len(parts) == 0
}

// containsFold looks for a word in small letters, however it is written.
func containsFold(text []byte, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if text[i]|0x20 == word[0] && strings.EqualFold(string(text[i:i+len(word)]), word) {
			return true
		}
	}
	return false
}

// match is the name of the first pattern that is found in a text.
func (r *Rules) match(text []byte) (name string, ok bool) {
	if len(text) < 4 {
		return "", false
	}
	for _, p := range r.patterns {
		if p.found(r, text) {
			return p.name, true
		}
	}
	return "", false
}

// expression compiles a regular expression when it is first used: most commands
// never do.
func expression(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

var bearerForm = expression(`\b(?:Bearer|BEARER)\s+[A-Za-z0-9._~+/-]{4,}|(?i:\bbearer)\s+[A-Za-z._~+/-]*[0-9_~+/.-][A-Za-z0-9._~+/-]{3,}`)

func bearer(_ *Rules, text []byte) bool {
	return containsFold(text, "bearer") && bearerForm().Match(text)
}

var basicForm = expression(`(?i:\bbasic)\s+([A-Za-z0-9+/]{4,}={0,2})`)

// basicAuthorization finds "Basic" with a user and a password behind it.
func basicAuthorization(_ *Rules, text []byte) bool {
	if !containsFold(text, "basic") {
		return false
	}
	for _, m := range basicForm().FindAllSubmatch(text, 8) {
		code := bytes.TrimRight(m[1], "=")
		code = code[:len(code)&^3] // a text that was cut
		plain, err := base64.RawStdEncoding.DecodeString(string(code))
		if err == nil && bytes.IndexByte(plain, ':') > 0 {
			return true
		}
	}
	return false
}

// namedForms are the ways in which a text gives a value a name: in JSON, in a
// header's line, in a query, a form, a connection's parameters or a flag.
var namedForms = []struct {
	separator byte // which each of them has
	form      func() *regexp.Regexp
}{
	{':', expression(`\\?["']([A-Za-z0-9_.$ -]{2,64})\\?["']\s*:\s*(?:\\?["'][^"'\\]|[0-9[{])`)},
	{':', expression(`(?m)^\s*([A-Za-z][A-Za-z0-9-]{2,64}):[ \t]*[^\s]`)},
	{'=', expression(`(?:^|[^A-Za-z0-9_.-])-{0,2}([A-Za-z][A-Za-z0-9_.-]{1,64})=["']?[^\s&;,"'=]`)},
}

// headers are names that a text has before a colon when what follows is a
// secret; before others stands a sentence, as in "invalid token: x".
var headers = expression(`(?i)^(?:(?:proxy-)?authorization|(?:set-)?cookie|(?:x-)?[a-z0-9-]*(?:api-?key|-token|-secret|password|passwd))$`)

func namedValue(r *Rules, text []byte) bool {
	for i, n := range namedForms {
		if bytes.IndexByte(text, n.separator) < 0 {
			continue
		}
		for _, m := range n.form().FindAllSubmatch(text, 64) {
			name := string(m[1])
			if r.secret(name) && (i != 1 || headers().MatchString(name)) && !quantity(words(name)) {
				return true
			}
		}
	}
	return false
}

// cardIn finds a card number: 13 to 19 digits, with single spaces or dashes
// among them, that begin as card numbers do and pass Luhn's test.
func cardIn(text []byte) bool {
	for i := 0; i < len(text); {
		if !digit(text[i]) {
			i++
			continue
		}
		var number []byte
		from := i
		for ; i < len(text); i++ {
			if digit(text[i]) {
				number = append(number, text[i])
				continue
			}
			if (text[i] != ' ' && text[i] != '-') || i+1 == len(text) || !digit(text[i+1]) {
				break
			}
		}
		inWord := from > 0 && (letter(text[from-1]) || text[from-1] == '.') || i < len(text) && letter(text[i])
		if !inWord && card(number) {
			return true
		}
	}
	return false
}

func digit(c byte) bool  { return c >= '0' && c <= '9' }
func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

func card(number []byte) bool {
	return len(number) >= 13 && len(number) <= 19 && number[0] >= '2' && number[0] <= '6' && luhn(number)
}

// luhn is the test by which card numbers tell a wrong digit.
func luhn(number []byte) bool {
	sum := 0
	for i := range number {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// cardNumber tells whether an integer is a card number. Longer ones are left:
// among them are too many that count something.
func cardNumber(v probe.Value) bool {
	n := v.Uint
	if v.Shape == probe.Int {
		if v.Int < 0 {
			return false
		}
		n = uint64(v.Int)
	}
	number := strconv.AppendUint(nil, n, 10)
	return v.Type != "time.Duration" && v.Type != "uintptr" && len(number) >= 14 && len(number) <= 16 && card(number)
}
