package redact

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// defaultNames are the words of names that stand for secrets. Each is found
// among the words of a name however that is spelled: userPassword, API_KEY,
// X-Api-Key.
var defaultNames = []string{
	"password", "passwd", "pwd", "passphrase", "passcode", "secret", "token", "jwt", "bearer",
	"api key", "access key", "private key", "signing key", "encryption key", "secret key",
	"authorization", "credential", "cookie", "session id",
	"ssn", "social security", "credit card", "card number", "cc number", "cvv", "cvc",
}

// nameRule is the words of a secret's name.
type nameRule struct {
	words  []string
	joined string
}

func newNameRule(name string) nameRule {
	w := words(name)
	return nameRule{w, strings.Join(w, "")}
}

// Secret tells whether a name stands for a secret. Of a package's variable the
// last part counts.
func (r *Rules) Secret(name string) bool { return r.rules().secret(name) }

func (r *Rules) secret(name string) bool {
	if len(name) > 128 {
		return false // no name, but a text
	}
	w := words(name)
	if r.allowed[strings.Join(w, "")] {
		return false
	}
	// The words "pass" and "auth" mean a password in dbPass or SMTP_PASS only.
	if n := len(w); n > 1 && w[n-1] == "pass" && !slices.Contains(w, "by") {
		return true
	}
	return slices.ContainsFunc(r.names, func(rule nameRule) bool { return rule.in(w) })
}

// in tells whether the rule's words stand among those of a name: one after the
// other, or as one word, which may be written together with others: dbpassword,
// passwordhash; but not tokenizer or passwordless.
func (n nameRule) in(w []string) bool {
	for i := range w {
		if n.at(w[i:]) || n.within(w[i]) {
			return true
		}
	}
	return false
}

func (n nameRule) at(w []string) bool {
	if len(w) < len(n.words) {
		return false
	}
	for i, word := range n.words {
		if w[i] != word && !(i == len(n.words)-1 && w[i] == word+"s") {
			return false
		}
	}
	return true
}

// shortest is the length from which a rule is looked for within a longer word:
// shorter ones, such as ssn, are part of too many.
const shortest = 5

// followers are what is written behind a secret's name without a capital.
var followers = []string{"hash", "key", "value", "val", "text", "string", "header", "id", "salt", "digest", "data",
	"raw", "plain", "new", "old", "confirm", "confirmation", "enc", "encrypted", "file", "auth"}

func (n nameRule) within(word string) bool {
	word = strings.TrimSuffix(word, "s")
	if word == n.joined {
		return true
	}
	if len(n.joined) < shortest {
		return false
	}
	if strings.HasSuffix(word, n.joined) {
		return true
	}
	rest, ok := strings.CutPrefix(word, n.joined)
	return ok && slices.Contains(followers, rest)
}

// words are the words of a name in small letters: those between capitals,
// digits, and whatever else is no letter.
func words(name string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = nil
		}
	}
	prev := rune(0)
	for i, c := range name {
		_, size := utf8.DecodeRuneInString(name[i:]) // 1 where it is no UTF-8, as keys of maps may be
		next, _ := utf8.DecodeRuneInString(name[i+size:])
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			flush()
			prev = 0
			continue
		case unicode.IsDigit(c) != unicode.IsDigit(prev) && prev != 0:
			flush()
		case unicode.IsUpper(c) && (unicode.IsLower(prev) || unicode.IsUpper(prev) && unicode.IsLower(next)):
			if !plural(next, name[i:]) {
				flush()
			}
		}
		word = append(word, c)
		prev = c
	}
	flush()
	return out
}

// plural tells whether a capital is the last of an abbreviation's plural, as the
// D of IDs.
func plural(next rune, rest string) bool {
	return next == 's' && (len(rest) == 2 || !unicode.IsLower(rune(rest[2])))
}

// quantities are words that make a number one of something, beside a secret's
// name: tokenCount, maxTokens, cookieAge.
var quantities = []string{"count", "counter", "len", "length", "size", "limit", "max", "min", "num", "number", "total",
	"n", "index", "idx", "pos", "position", "offset", "type", "kind", "ttl", "age", "expiry", "expires", "expiration",
	"at", "version", "attempts", "retries", "rate", "bucket", "remaining", "used", "cost", "bytes"}

func quantity(w []string) bool {
	if len(w) < 2 || slices.Contains(w, "card") || slices.Contains(w, "cc") {
		return false
	}
	return slices.Contains(quantities, w[0]) || slices.Contains(quantities, w[len(w)-1])
}

// declared is a type's name without what is put before it for pointers and lists,
// and without type arguments.
func declared(name string) string {
	for {
		cut := strings.TrimLeft(name, "*")
		if i := strings.IndexByte(cut, ']'); strings.HasPrefix(cut, "[") && i > 0 {
			cut = cut[i+1:]
		}
		if cut == name {
			break
		}
		name = cut
	}
	if i := strings.IndexByte(name, '['); i > 0 {
		name = name[:i]
	}
	return name
}

// typeIs tells whether a full name is that which a rule gives, which may leave
// out all of a package's path but its last element.
func typeIs(full, rule string) bool {
	return full == rule || !strings.Contains(rule, "/") && strings.HasSuffix(full, "/"+rule)
}
