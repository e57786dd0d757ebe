package redact

import (
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

const rulesFile = `
names: [iban, date of birth]
allow: [page_token]
patterns:
  - name: staff number
    match: 'S-\d{6}'
block:
  packages: [example.com/keys/..., vault]
  types: [app.Safe]
  functions: [main.login, 'app.(*Store).Open']
`

func TestFile(t *testing.T) {
	r, err := Parse("r.yaml", []byte(rulesFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"customerIBAN": true, "dateOfBirth": true, "date_of_birth": true, "pageToken": false,
		"next_page_token": true, "password": true} {
		if r.Secret(name) != want {
			t.Errorf("%s: secret is %v", name, !want)
		}
	}
	if got := r.Value("x", str("see S-123456")).String(); got != "[redacted: pattern: staff number]" {
		t.Error(got)
	}
	if Default().Secret("iban") {
		t.Error("a file's rules became the default ones")
	}
	for fn, want := range map[string]string{
		"example.com/keys.Load":                        "package example.com/keys/...",
		"example.com/keys/inner.(*K).Load":             "package example.com/keys/...",
		"example.com/keysmith.Load":                    "",
		"vault.Open":                                   "package vault",
		"example.com/x/app.(*Safe).Get":                "type app.Safe",
		"example.com/x/app.Safe.Get":                   "type app.Safe",
		"example.com/x/app.(*Safe[...]).Get":           "type app.Safe",
		"example.com/x/app.(*Safer).Get":               "",
		"main.login":                                   "function main.login",
		"main.login.func1":                             "function main.login",
		"main.loginAll":                                "",
		"main.serve.login.func1":                       "function main.login",
		"main.serve.(*Store[go.shape.int]).Open.func1": "function app.(*Store).Open",
		"main.serve.(*Safe).All.func1":                 "type app.Safe",
		"main.serve.loginAll.func1":                    "",
		"main.login-range1":                            "function main.login",
		"main.login[go.shape.struct { A int }]":        "function main.login",
		"example.com/x/app.(*Store[...]).Open":         "function app.(*Store).Open",
		"example.com/x/app.(*Store[go.shape.[]int,go.shape.string]).Open.func1": "function app.(*Store).Open",
		"example.com/x/app.(*Store).Open":                                       "function app.(*Store).Open",
		"example.com/x/app.(*Store).Open.func1":                                 "function app.(*Store).Open",
		"example.com/x/app.(*Store).Close":                                      "",
	} {
		if rule, _ := r.RefusesFunction(fn); rule != want {
			t.Errorf("%s: %q, want %q", fn, rule, want)
		}
	}
	v := probe.Value{Shape: probe.Pointer, Type: "*example.com/x/app.Safe", Elems: []probe.Value{{Shape: probe.Struct, Type: "example.com/x/app.Safe"}}}
	if got := r.Value("s", v).String(); got != "[redacted: type]" {
		t.Error(got)
	}
	if rule, refused := r.Refuses([]string{"x", "example.com/keys.Master"}, nil); !refused {
		t.Error("a condition may ask for a variable of a blocked package", rule)
	}
	if _, refused := r.Refuses(nil, []string{"example.com/x/app.Safe"}); !refused {
		t.Error("a condition may look into a blocked type")
	}
}

func TestMistakesNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                           `r.yaml: the file is empty; it has "names:", "allow:", "patterns:" or "block:" and a list below`,
		"- a\n":                      `r.yaml:1: the file is written as keys and values; it may have: allow, block, names, patterns`,
		"\nnmaes: [a]\n":             `r.yaml:2: unknown key "nmaes"; the file may have: allow, block, names, patterns`,
		"names: a\n":                 `r.yaml:1: a list is needed here, such as [iban, "date of birth"]`,
		"names: ['-']\n":             `r.yaml:1: the name "-" has no letters`,
		"names: [a]\nnames: [b]\n":   `r.yaml:2: "names" is given twice (first in line 1)`,
		"patterns:\n  - {name: x}\n": `r.yaml:2: a pattern has a name, which stands in the place of what it finds, and a match: - {name: staff number, match: 'S-\d{6}'}`,
		"patterns:\n  - name: x\n    match: '('\n": "r.yaml:3: match of \"x\" is no regular expression: missing closing ): `(`",
		"patterns: [{name: x, match: 'a*'}]":       `r.yaml:1: match of "x" is found in an empty text, so it would redact everything`,
		"block: {functions: [login]}":              `r.yaml:1: "login" has no package before it; write it such as one of [main.login, vault.(*Store).Open]`,
		"block:\n  type: [a.B]\n":                  `r.yaml:2: unknown key "type"; "block" may have: functions, packages, types`,
	} {
		_, err := Parse("r.yaml", []byte(text))
		if err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

func FuzzRules(f *testing.F) {
	f.Add(rulesFile, "password", testJWT)
	f.Add("names: [a]", "X-Api-Key", `{"a":"b"}`)
	f.Fuzz(func(t *testing.T, file, name, text string) {
		r, err := Parse("f", []byte(file))
		if err != nil {
			r = nil
		}
		_ = r.Value(name, nested(text, str(text))).String()
		if got := r.Source(text); len(got) != len(text) {
			t.Errorf("%q became %q", text, got)
		}
		_ = r.Told(text, name)
		_ = r.Expression(text, str(name))
		_, _ = r.RefusesFunction(name)
	})
}
