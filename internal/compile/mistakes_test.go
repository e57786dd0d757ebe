package compile

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// mistakes are expressions that do not check; testdata/errors.golden shows what
// a person reads. Those that begin with "if " are conditions.
var mistakes = []string{
	"idd", "nothing.at", "io.EOFF", "io.Eof", "twice.V", "i.ID", "o.id", "o.Nmae", "p.Qyt", "pp.ID", "err.Error", "err.Error()", "handler()", "strings.ToUpper(s)",
	"lenn(s)", "len(i)", "cap(s)", "len()", "len", "int", "float63(i)", "string(i)", "int(s)", "int8(300)", "uint(-1)", "int(2.5)", "celsius(s)", "int(nil)", "int(i, f)",
	"*i", "i[0]", "m[\"a\"]", "arr[4]", "arr[-1]", "arr[1.5]", "arr[s]", "s[f:]", "i[1:]", "arr[1:]", "\"abc\"[5]",
	"i + f", "i + s", "s + s", "s - 1", "i + \"1\"", "f % 2", "u8 + 256", "i8 == 200", "i == 1.5", "i == nil", "s == nil", "nil", "nil == nil", "p == o", "p == i",
	"o == o", "ints == ints", "m == m", "p < p", "b < b", "err == i", "s == 'x'", "i && b", "i || i > 3", "!i", "-s", "^f", "-nil", "i << f", "f << 1", "s << 1", "1 << 1000", "i / 0", "1 / 0", "b == 1",
	"function", "goroutine", "true + 1", "\"a\" < 1", "i == big", "temp == f", "c128 + c128", "c128 == c128",
	"if i", "if p", "if s", "if nil", "if i + 1", "if oo.Qty > 10", "if err",
}

func TestMistakes(t *testing.T) {
	w := newWorld()
	var out strings.Builder
	for _, src := range mistakes {
		spec := probe.Spec{Kind: probe.Log, Message: "v {" + src + "}"}
		if cond, ok := strings.CutPrefix(src, "if "); ok {
			spec = probe.Spec{Kind: probe.Count, If: cond}
		}
		_, _, err := Compile(w, spec, 0, oneSite())
		var e *expr.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: error %v, want an *expr.Error", src, err)
			continue
		}
		fmt.Fprintf(&out, "%v\n\n", err)
	}
	golden(t, "testdata/errors.golden", out.String())
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and read the change. Got:\n%s", path, got)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		spec probe.Spec
		ok   bool
	}{
		{probe.Spec{Kind: probe.Log, Message: "x {y}", If: "z"}, true},
		{probe.Spec{Kind: probe.Log, Message: "x {y"}, false},
		{probe.Spec{Kind: probe.Count, If: "z ="}, false},
		{probe.Spec{Kind: probe.Count, Message: "{"}, true},
	} {
		if err := Check(c.spec); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.spec, err)
		}
	}
}

// TestWrongAtOneSite is an expression that is right at one site and wrong at
// another: an issue, no error.
func TestWrongAtOneSite(t *testing.T) {
	other := locate.Site{PC: 0x402000, Function: "other.(*T).F[go.shape.int]", File: "/src/other.go", Line: 7}
	sites := &locate.Result{Sites: []locate.Site{here, other}}
	p, issues, err := Compile(newWorld(), probe.Spec{Kind: probe.Log, Message: "{i} {$line}"}, 0, sites)
	if err != nil || len(p.Sites) != 2 || p.Sites[1].Captures[0].Unreadable == "" || p.Sites[1].Captures[1].Unreadable != "" {
		t.Errorf("%+v, %v", p, err)
	}
	if len(issues) != 1 || issues[0].Code != probe.IssueExpression || !strings.Contains(issues[0].Message, "other.go:7") {
		t.Errorf("issues %v", issues)
	}
	p, issues, err = Compile(newWorld(), probe.Spec{Kind: probe.Log, Message: "{i}", If: "i > 3"}, 0, sites)
	if err != nil || len(p.Sites) != 1 || p.Sites[0].PC != here.PC || len(issues) == 0 {
		t.Errorf("%+v, %v, %v", p, issues, err)
	}
}

func TestPackageOf(t *testing.T) {
	for name, want := range map[string]string{
		"main.main": "main", "main.(*T).M": "main", "example.com/a/b.F.func1": "example.com/a/b",
		"example.com/a/b.G[example.com/c.T]": "example.com/a/b", "gopkg.in/yaml%2ev3.Marshal": "gopkg.in/yaml%2ev3", "main.(*S[go.shape.int]).M": "main",
	} {
		if got := packageOf(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// FuzzCompile: every text gives a program or an *expr.Error, and what was
// compiled can be run.
func FuzzCompile(f *testing.F) {
	for _, m := range mistakes {
		f.Add(m, "i == 42")
	}
	f.Add("o.Tags[idx:]", "len(s[1:]) > 2 && p.Prev != nil")
	w := newWorld()
	f.Fuzz(func(t *testing.T, message, cond string) {
		p, _, err := Compile(w, probe.Spec{Kind: probe.Log, Message: "{" + message + "}", If: cond}, 0, oneSite())
		var e *expr.Error
		if err != nil {
			if !errors.As(err, &e) {
				t.Fatalf("error of type %T: %v", err, err)
			}
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' && r != '\n' }) {
				t.Fatalf("a control character in the message: %q", err)
			}
			return
		}
		for i := range p.Sites {
			self(t).Record(&p.Sites[i], 0, i, 0)
		}
	})
}
