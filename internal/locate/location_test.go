package locate

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		at, file string
		line     int
		fn, args string
		err      string
	}{
		{at: "orders.go:42", file: "orders.go", line: 42},
		{at: " shop/orders.go:7 ", file: "shop/orders.go", line: 7},
		{at: "./orders.go:7", file: "orders.go", line: 7},
		{at: "/abs/a.go:1", file: "/abs/a.go", line: 1},
		{at: "example.com/m@v1.2.3/a.go:10", file: "example.com/m@v1.2.3/a.go", line: 10},
		{at: "parser.y:12", file: "parser.y", line: 12},
		{at: "main.handle", fn: "main.handle"},
		{at: "main.handle()", fn: "main.handle"},
		{at: "net/http.(*Server).Serve", fn: "net/http.(*Server).Serve"},
		{at: "main.Map[int,string]", fn: "main.Map", args: "[int,string]"},
		{at: "main.Map[...]", fn: "main.Map"},
		{at: "main.(*List[...]).Push", fn: "main.(*List).Push"},
		{at: "main.Set[struct { X int }].Add", fn: "main.Set.Add", args: "[struct { X int }]"},
		{at: "main.f.func1.2", fn: "main.f.func1.2"},
		{at: "", err: "empty"},
		{at: "a.go", err: "line is missing"},
		{at: "a.go:", err: "line number"},
		{at: "a.go:x", err: "line number"},
		{at: "a.go:0", err: "begin at 1"},
		{at: "a.go:-3", err: "begin at 1"},
		{at: ":3", err: "file is missing"},
		{at: "a b", err: "no spaces"},
		{at: "a.go:99999999999999999999", err: "line number"},
	} {
		loc, err := parse(c.at)
		if c.err != "" {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || !strings.Contains(err.Error(), c.err) {
				t.Errorf("parse(%q): %v, want an error with %q", c.at, err, c.err)
			}
			continue
		}
		if err != nil || loc.file != c.file || loc.line != c.line || loc.fn.text != c.fn || loc.fn.args != c.args {
			t.Errorf("parse(%q) = %+v, %v", c.at, loc, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a.go:1", "main.f", "m.(*T[int]).F", "[", "]]", ":", "x[[", "a/b%2e.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, at string) {
		loc, err := parse(at)
		if err != nil {
			return
		}
		if loc.file == "" && loc.fn.text == "" {
			t.Errorf("parse(%q) means nothing", at)
		}
		if loc.file != "" && matchFile("some/dir/file.go", loc.file) && !strings.HasSuffix("some/dir/file.go", loc.file) {
			t.Errorf("parse(%q) means another file", at)
		}
		if m := loc.fn.match(splitName(at)); loc.file == "" && loc.fn.args == "" && m == matchAlias {
			t.Errorf("%q is an alias of itself", at)
		}
	})
}

func TestQueryMatch(t *testing.T) {
	const generic = "example.com/shop/list.Map[go.shape.int,go.shape.string]"
	for _, c := range []struct {
		full, asked string
		want        match
	}{
		{"main.handle", "main.handle", matchFull},
		{"net/http.(*Server).Serve", "net/http.(*Server).Serve", matchFull},
		{"net/http.(*Server).Serve", "http.(*Server).Serve", matchSuffix},
		{"net/http.(*Server).Serve", "ttp.(*Server).Serve", matchNone},
		{"net/http.(*Server).Serve", "Server.Serve", matchNone},
		{"gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml.v3.Unmarshal", matchFull},
		{"gopkg.in/yaml%2ev3.Unmarshal", "yaml.v3.Unmarshal", matchSuffix},
		{"gopkg.in/yaml%2ev3.Unmarshal", "yaml.Unmarshal", matchAlias},
		{"example.com/cache/v2.(*C).Get", "cache.(*C).Get", matchAlias},
		{"example.com/cache/v2.(*C).Get", "example.com/cache.(*C).Get", matchAlias},
		{generic, "list.Map", matchSuffix},
		{generic, "list.Map[...]", matchSuffix},
		{generic, "list.Map[int,string]", matchSuffix},
		{generic, "list.Map[go.shape.int,go.shape.string]", matchSuffix},
		{generic, "list.Map[int,int]", matchNone},
		{"main.(*List[go.shape.struct { X int }]).Push", "main.(*List[...]).Push", matchFull},
		{"main.(*List[go.shape.int]).Push", "main.(*List).Push", matchFull},
		{"main.Map[go.shape.int].func1", "main.Map.func1", matchFull},
		{"main.Map[go.shape.map[string]int]", "main.Map[map[string]int]", matchFull},
	} {
		if got := newQuery(c.asked).match(splitName(c.full)); got != c.want {
			t.Errorf("%s for %s: %d, want %d", c.full, c.asked, got, c.want)
		}
	}
}

func TestSimilar(t *testing.T) {
	names := map[string]bool{}
	for _, n := range []string{"main.(*Cart).Add", "main.(*Cart).Remove", "main.handle", "net/http.(*Server).Serve", "shop/cart.Add"} {
		names[n] = true
	}
	for asked, want := range map[string]string{
		"main.Cart.Add":      "main.(*Cart).Add",
		"main.(Cart).Add":    "main.(*Cart).Add",
		"main.(*Cart).Ad":    "main.(*Cart).Add",
		"main.Handle":        "main.handle",
		"main.hanlde":        "main.handle",
		"http.Server.Serve":  "net/http.(*Server).Serve",
		"main.Nothing":       "",
		"main.(*Cart).Remov": "main.(*Cart).Remove",
	} {
		got := similar(asked, names)
		if want == "" && len(got) != 0 || want != "" && (len(got) == 0 || got[0] != want) {
			t.Errorf("similar(%q) = %q, want %q first", asked, got, want)
		}
	}
}

func TestShortest(t *testing.T) {
	got := shortest([]string{"/src/a/main.go", "/src/b/main.go", "/src/b/c/main.go"})
	if want := "a/main.go b/main.go c/main.go"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRefusedFile(t *testing.T) {
	for file, want := range map[string]bool{
		"/usr/local/go/src/runtime/proc.go":              true,
		"runtime/proc.go":                                true,
		"/usr/local/go/src/internal/runtime/maps/map.go": true,
		"/usr/local/go/src/runtime/debug/stack.go":       false,
		"/usr/local/go/src/net/http/server.go":           false,
		"/home/u/src/shop/runtime/x.go":                  false,
		"main.go":                                        false,
	} {
		if got := refusedFile(file); got != want {
			t.Errorf("refusedFile(%q) = %v", file, got)
		}
	}
}
