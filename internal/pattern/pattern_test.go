package pattern

import (
	"math/rand"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var exprs = []string{"", "a", "abc", "a|b", "a*", "a+b", "^a", "a$", "^a$", "^$", "^", "$", "a.c", "(?s)a.c", ".", "^.*$", "[a-c]+", "[^a]", "[^a]+$",
	"(ab)+c", "a{3}", "a{2,4}b", "(?i)abc", "(?i)é", "(?i)k", `\bab\b`, `\b`, `\d+`, `\w+\s\w+`, "é", "[é-ü]", "^é+$", "世界", "[世-界]", `\x00`,
	"(?m)^a$", "(?m)^$", "(?m)a$", `(?m)^b`, `^a\b.*c$`, "^(a|b)*abb$", "(a?){5}a{5}", `[\x{10000}-\x{10ffff}]`, "a??b", `\Aab\z`,
	`^/api/v[12]/users/\d+$`, `(?:a|ab)(?:c|bcd)(?:d*)`, "[[:alpha:]]1", `\Qa.c\E`, "x*", "a\\nb", "[^\\n]b", "^\x00", "a^", "$a", `(?s)^.{3}$`, `^..$`}

var letters = []rune("aaabbbcdkKABC01 \n_.é世界üK\x00/\U0001F600")

func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range r.Intn(12) {
		b.WriteRune(letters[r.Intn(len(letters))])
	}
	return b.String()
}

func TestPatternsEqualGo(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for _, e := range exprs {
		table, err := Compile(e)
		if err != nil {
			t.Errorf("%q: %v", e, err)
			continue
		}
		re := regexp.MustCompile(e)
		for range 3000 {
			s := randomText(r)
			if got, want := table.Match([]byte(s)), re.MatchString(s); got != want {
				t.Errorf("%q in %q: %v, want %v", e, s, got, want)
				break
			}
		}
	}
}

// TestRandomPatterns puts patterns together of pieces.
func TestRandomPatterns(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	pieces := []string{"a", "b", "c", ".", "^", "$", `\b`, "[ab]", "[^a]", "é", `\n`, "(?:ab|c)", `\w`, "k"}
	after := []string{"", "", "", "*", "+", "?", "{2}", "|"}
	compared := 0
	for range 400 {
		e := []string{"", "(?i)", "(?m)", "(?s)", "(?mi)"}[r.Intn(5)]
		for range 1 + r.Intn(6) {
			e += pieces[r.Intn(len(pieces))] + after[r.Intn(len(after))]
		}
		re, err := regexp.Compile(e)
		if err != nil {
			continue
		}
		table, err := Compile(e)
		if err != nil {
			t.Errorf("%q: %v", e, err)
			continue
		}
		for range 200 {
			compared++
			s := randomText(r)
			if got, want := table.Match([]byte(s)), re.MatchString(s); got != want {
				t.Errorf("%q in %q: %v, want %v", e, s, got, want)
				break
			}
		}
	}
	if compared < 10000 {
		t.Errorf("only %d comparisons", compared)
	}
}

func TestLiteral(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	for range 2000 {
		text, sub := "", ""
		for range r.Intn(30) {
			text += string("ab\xff"[r.Intn(3)])
		}
		for range r.Intn(6) {
			sub += string("ab\xff"[r.Intn(3)])
		}
		table, err := Literal(sub)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := table.Match([]byte(text)), strings.Contains(text, sub); got != want {
			t.Fatalf("%q in %q: %v", sub, text, got)
		}
	}
	if _, err := Literal(strings.Repeat("a", 254)); err == nil {
		t.Error("a text too long to search for is taken")
	}
	if table, err := Literal(strings.Repeat("ab", 126)); err != nil || !table.Match([]byte(strings.Repeat("ab", 130))) {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	for e, want := range map[string]string{
		"(":                "missing closing ): `(`",
		`\Ba`:              `\B is not part of it`,
		"(a|b)*a(a|b){12}": errTooLarge.Error(),
		`^\pL+$`:           errTooLarge.Error(), // letters of all scripts
		"(\\pL{300}){3}":   errTooLarge.Error(),
		"(?:a.{400}b)":     errTooLarge.Error(),
		`a\1`:              "invalid escape sequence: `\\1`",
		"(?=a)":            "invalid or unsupported Perl syntax: `(?=`",
	} {
		_, err := Compile(e)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", e, err, want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, e := range exprs {
		f.Add(e, "aab\ncé")
	}
	f.Fuzz(func(t *testing.T, e, s string) {
		if len(e) > 60 || len(s) > 200 {
			return
		}
		table, err := Compile(e)
		if err != nil {
			return
		}
		got := table.Match([]byte(s))
		if utf8.ValidString(s) && got != regexp.MustCompile(e).MatchString(s) {
			t.Errorf("%q in %q: %v", e, s, got)
		}
	})
}
