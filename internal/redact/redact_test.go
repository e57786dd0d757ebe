package redact

import (
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

func str(s string) probe.Value {
	return probe.Value{Shape: probe.String, Type: "string", Data: []byte(s), Len: int64(len(s))}
}

func number(n int64) probe.Value { return probe.Value{Shape: probe.Int, Type: "int", Int: n} }

func TestNames(t *testing.T) {
	secret := []string{"password", "Password", "PASSWORD", "userPassword", "user_password", "USER_PASSWORD", "user-password",
		"passwordHash", "dbpassword", "passwordhash", "Passwd", "pwd", "db_pwd", "passphrase", "dbPass", "SMTP_PASS",
		"secret", "ClientSecret", "client_secret", "clientsecret", "secrets", "token", "Token", "accessToken", "AccessTokens",
		"OAuth2Token", "refresh-token", "authtoken", "apikey", "apiKey", "APIKey", "api_key", "API_KEY", "X-Api-Key", "XApiKey",
		"x-api-key", "apikeys", "Authorization", "Proxy-Authorization", "cookie", "Cookie", "Set-Cookie", "cookies", "ssn", "SSN",
		"user_ssn", "UserSSN", "creditCard", "credit_card", "CreditCardNumber", "creditcard", "cardNumber", "card_number", "cvv",
		"JWT", "jwtString", "privateKey", "PRIVATE_KEY", "session_id", "SessionID", "credentials", "AWS_SECRET_ACCESS_KEY",
		"user.password", "ssn2", "password1", "tokenIDs"}
	for _, n := range secret {
		if !Default().Secret(n) {
			t.Errorf("%s is not taken for a secret: words %q", n, words(n))
		}
	}
	open := []string{"tokenizer", "Tokenizer", "tokenize", "passwordless", "PasswordlessLogin", "secretary", "cookiecutter", "pass",
		"passed", "bypass", "compass", "name", "assn", "lesson", "assignment", "key", "keys", "auth", "author", "session", "card",
		"credit", "id", "", "passenger", "tokenised", "http", strings.Repeat("password", 20)}
	for _, n := range open {
		if Default().Secret(n) {
			t.Errorf("%s is taken for a secret: words %q", n, words(n))
		}
	}
}

const (
	testJWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
	testPEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\n"
)

// patternCases are a text for each pattern, under a name that tells nothing.
var patternCases = []struct{ rule, text string }{
	{"private key", testPEM},
	{"private key", "key:\n-----BEGIN PRIVATE KEY-----\nMII"},
	{"private key", "-----BEGIN OPENSSH PRIVATE KEY-----"},
	{"private key", "-----BEGIN PGP PRIVATE KEY BLOCK-----"},
	{"jwt", testJWT},
	{"jwt", "got " + testJWT + " there"},
	{"jwt", testJWT[:60]},
	{"bearer token", "Bearer abc123"},
	{"bearer token", "Bearer abcdefgh"},
	{"bearer token", "bearer mF_9.B5f-4.1JqM"},
	{"basic authorization", "Basic dXNlcjpwYXNz"},
	{"access key", "AKIAIOSFODNN7EXAMPLE"},
	{"access key", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"},
	{"url password", "postgres://admin:hunter2@db:5432/app"},
	{"url password", `dial "redis://:hunter2@cache": refused`},
	{"named value", "https://x.example/a?page=2&access_token=abc"},
	{"named value", `{"user":"a","password":"hunter2"}`},
	{"named value", `{\"password\": \"hunter2\"}`},
	{"named value", "user=a password=hunter2 host=db"},
	{"named value", "GET / HTTP/1.1\r\nHost: x\r\nCookie: id=7\r\n"},
	{"named value", "--api-key=abc"},
	{"card number", "4111 1111 1111 1111"},
	{"card number", "card 5500-0000-0000-0004 declined"},
	{"card number", "378282246310005"},
	{"card number", "6011111111111117"},
}

// TestNamesThatAreNoText: the keys of maps may be any bytes.
func TestNamesThatAreNoText(t *testing.T) {
	r := Default()
	for name, want := range map[string]bool{"\xff": false, "a\xc3": false, "\xf0\x9f": false, "Ä\xffIDs": false, "db\xffpassword": true, "password\xe2": true} {
		if got := r.Secret(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// FuzzNames: no name is too strange to be looked at.
func FuzzNames(f *testing.F) {
	f.Add("dbPassword\xff")
	f.Fuzz(func(t *testing.T, name string) { Default().Secret(name) })
}

func TestPatterns(t *testing.T) {
	for _, c := range patternCases {
		v := Default().Value("text", str(c.text))
		if v.Shape != probe.Redacted || v.Text != byPattern+c.rule {
			t.Errorf("%q: %s, want %s", c.text, v, c.rule)
		}
		bytes := str(c.text)
		bytes.Type = "[]uint8"
		if v := Default().Value("body", bytes); v.Shape != probe.Redacted {
			t.Errorf("%q as bytes: %s", c.text, v)
		}
	}
	for _, s := range []string{"", "alice", "bearer of bad news", "the token is missing", "invalid token: foo", "unexpected token: }",
		"4111 1111 1111 1112", "1234567890123456", "2026-01-02T03:04:05.123456789Z", "token=", "password: ", "https://x.example/a?page=2",
		"http://x.example:8080/@user", "eyJ", "-----BEGIN CERTIFICATE-----", "order 4111", "a=b tokens=", "Basic rules apply", "tokenizer=bpe", "max_tokens=100",
		"550e8400-e29b-41d4-a716-446655440000", "no password given"} {
		if v := Default().Value("text", str(s)); v.Shape == probe.Redacted {
			t.Errorf("%q: %s", s, v)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		name string
		v    probe.Value
		want string
	}{
		{"pan", number(4111111111111111), "[redacted: pattern: card number]"},
		{"at", number(1764111111111111), "1764111111111111"},
		{"id", number(4111111111111112), "4111111111111112"},
		{"ssn", number(123456789), "[redacted: name]"},
		{"tokenCount", number(7), "7"},
		{"maxTokens", number(7), "7"},
		{"creditCardNumber", number(7), "[redacted: name]"},
		{"hasPassword", probe.Value{Shape: probe.Bool, Bool: true}, "true"},
		{"tokenTTL", probe.Value{Shape: probe.Int, Type: "time.Duration", Int: 1e9}, "1s"},
		{"cookieExpires", probe.Value{Shape: probe.String, Type: "time.Time", Data: []byte("2026")}, "2026"},
		{"token", probe.Value{Shape: probe.Nil}, "nil"},
		{"password", probe.Why("optimised out"), "<optimised out>"},
	} {
		if got := Default().Value(c.name, c.v).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// nested is a tree that holds v, called name, in every way that there is.
func nested(name string, v probe.Value) probe.Value {
	field := probe.Value{Shape: probe.Struct, Type: "main.A", Fields: []probe.NamedValue{{Name: "ID", Value: number(7)}, {Name: name, Value: v}}}
	pointer := probe.Value{Shape: probe.Pointer, Type: "*main.A", Uint: 1, Elems: []probe.Value{field}}
	held := probe.Value{Shape: probe.Interface, Type: "*main.A", Elems: []probe.Value{pointer}}
	list := probe.Value{Shape: probe.List, Type: "[]any", Len: 1, Elems: []probe.Value{held}}
	entry := probe.Value{Shape: probe.Map, Type: "map[string]any", Len: 2, Entries: []probe.Entry{
		{Key: str(name), Value: v}, {Key: str("more"), Value: list}}}
	pair := probe.Value{Shape: probe.Struct, Type: "main.Attr", Fields: []probe.NamedValue{{Name: "Key", Value: str(name)}, {Name: "Value", Value: v}}}
	flag := probe.Value{Shape: probe.List, Type: "[]string", Len: 2, Elems: []probe.Value{str("--" + name), v}}
	return probe.Value{Shape: probe.Struct, Type: "main.B", Fields: []probe.NamedValue{
		{Name: "Plain", Value: pointer}, {Name: "Entry", Value: entry}, {Name: "Attr", Value: pair}, {Name: "Args", Value: flag}, {Name: "Waiting", Value: probe.Value{Shape: probe.Chan, Elems: []probe.Value{field}}},
		{Name: "Fn", Value: probe.Value{Shape: probe.Func, Fields: []probe.NamedValue{{Name: name, Value: v}}}}}}
}

func TestTree(t *testing.T) {
	in := nested("userPassword", str("hunter2"))
	before := string(in.AppendJSON(nil))
	out := Default().Value("x", in)
	got := out.String() + string(out.AppendJSON(nil))
	if strings.Contains(got, "hunter2") {
		t.Errorf("the secret is there: %s", got)
	}
	for _, want := range []string{"[redacted: name]", `{"redacted":"name"}`, "ID:7"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
	if after := string(in.AppendJSON(nil)); after != before {
		t.Errorf("the value that came in was changed: %s", after)
	}
	if v := Default().Value("cookie", in); v.Shape != probe.Redacted {
		t.Errorf("all that goes by a secret name is one: %s", v)
	}
}

func TestExpressions(t *testing.T) {
	r := Default()
	for _, c := range []struct {
		reads program.Reads
		v     probe.Value
		want  string
	}{
		{program.Reads{Names: []string{"u", "Password"}}, str("hunter2"), "[redacted: name]"},
		{program.Reads{Names: []string{"password"}, Made: true}, probe.Value{Shape: probe.Bool}, "[redacted: name]"},
		{program.Reads{Names: []string{"h", "Authorization"}}, str("x"), "[redacted: name]"},
		{program.Reads{Names: []string{"tokenCount"}, Made: true}, probe.Value{Shape: probe.Bool}, "false"},
		{program.Reads{Types: []string{"net/http.Cookie"}}, str("x"), "[redacted: type]"},
		{program.Reads{Names: []string{"n"}, Made: true}, number(3), "3"},
	} {
		if got := r.Read(c.reads, c.v).String(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.reads, got, c.want)
		}
	}
	for text, want := range map[string]string{"u.Password[0:3]": "[redacted: name]", `h["Authorization"]`: "[redacted: name]",
		"len(password)": "x", "len(a)+password": "[redacted: name]", "u.Name": "x", `token == "a"`: "[redacted: name]"} {
		if got := r.Expression(text, str("x")).String(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestSource(t *testing.T) {
	for in, want := range map[string]string{
		`password == "hunter2" && id == 3`:         `password == "*******" && id == 3`,
		`name == "alice"`:                          `name == "alice"`,
		`h["Authorization"] == "x y"`:              `h["Authorization"] == "***"`,
		`x == "Bearer abc123"`:                     `x == "*************"`,
		"{a} is {token == \"é\"} not {b == \"c\"}": "{a} is {token == \"**\"} not {b == \"c\"}",
		`it's {name} "quoted`:                      `it's {name} "quoted`,
		`secret == '`:                              `secret == '`,
	} {
		got := Default().Source(in)
		if got != want || len(got) != len(in) {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	src := `token == 7 || token == "hunter2"`
	if got := Default().Told(src, `"hunter2" (untyped string) cannot be used; hunter2`); strings.Contains(got, "hunter2") {
		t.Error(got)
	}
}

func TestMoment(t *testing.T) {
	r, err := Parse("r.yaml", []byte("block:\n  functions: [vault.Open]\n"))
	if err != nil {
		t.Fatal(err)
	}
	m := &probe.Moment{
		Frames: []probe.Frame{
			{Function: "main.f", Variables: []probe.Variable{{Name: "password", Value: str("hunter2")}, {Name: "n", Value: number(1)}}},
			{Function: "example.com/vault.Open.func1", Variables: []probe.Variable{{Name: "n", Value: str("hunter2")}}},
		},
		Watches: []probe.NamedValue{{Name: `u.Token == "hunter2"`, Value: probe.Value{Shape: probe.Bool}}},
	}
	out := r.Moment(m)
	if got := out.Frames[0].Variables[0].Value.String(); got != "[redacted: name]" {
		t.Error(got)
	}
	if got := out.Frames[0].Variables[1].Value.String(); got != "1" {
		t.Error(got)
	}
	if got := out.Frames[1].Variables[0].Value.String(); got != "[redacted: block]" {
		t.Error(got)
	}
	if w := out.Watches[0]; w.Name != `u.Token == "*******"` || w.Value.String() != "[redacted: name]" {
		t.Error(w)
	}
	if m.Frames[0].Variables[0].Value.String() != "hunter2" {
		t.Error("the moment that came in was changed")
	}
}

// BenchmarkText: a snapshot holds hundreds of texts, which hold no secrets.
func BenchmarkText(b *testing.B) {
	r := Default()
	text := probe.Value{Shape: probe.String, Type: "string", Data: []byte(strings.Repeat("an ordinary text of some length, with a few words ", 80))}
	for b.Loop() {
		r.Value("x", text)
	}
}
