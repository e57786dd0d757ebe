package expr

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// show writes a tree with every grouping made visible.
func show(n Node) string {
	switch n := n.(type) {
	case *Ident:
		return n.Name
	case *Special:
		return "$" + n.Name
	case *Lit:
		return n.Value.ExactString()
	case *Selector:
		return show(n.X) + "." + n.Name
	case *Index:
		return show(n.X) + "[" + show(n.I) + "]"
	case *Slice:
		lo, hi := "", ""
		if n.Lo != nil {
			lo = show(n.Lo)
		}
		if n.Hi != nil {
			hi = show(n.Hi)
		}
		return show(n.X) + "[" + lo + ":" + hi + "]"
	case *Deref:
		return "(*" + show(n.X) + ")"
	case *Unary:
		return "(" + n.Op.String() + show(n.X) + ")"
	case *Binary:
		return "(" + show(n.X) + " " + n.Op.String() + " " + show(n.Y) + ")"
	case *Assert:
		return show(n.X) + ".(" + n.Type.Name + ")"
	case *TypeName:
		return n.Name
	case *Call:
		var args []string
		for _, a := range n.Args {
			args = append(args, show(a))
		}
		return show(n.Fun) + "(" + strings.Join(args, ", ") + ")"
	}
	return fmt.Sprintf("?%T", n)
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"o.ID", "o.ID"},
		{" o.Qty > 10 && !done ", "((o.Qty > 10) && (!done))"},
		{"a + b*c - d", "((a + (b * c)) - d)"},
		{"len(items) == 0 || *p >= -3", "((len(items) == 0) || ((*p) >= (-3)))"},
		{"a[i+1].b[0]", "a[(i + 1)].b[0]"},
		{"s[1:]", "s[1:]"},
		{"s[:len(s)-1]", "s[:(len(s) - 1)]"},
		{"float64(x) / 2.5", "(float64(x) / 5/2)"},
		{"$goroutine == 7 && $function != \"$line\"", "(($goroutine == 7) && ($function != \"$line\"))"},
		{"'x' + '$'", "(120 + 36)"},
		{"(*p).x", "(*p).x"},
		{"x &^ 1 << 3 | ^y", "(((x &^ 1) << 3) | (^y))"},
		{"0x1F_FF", "8191"},
		{"err.(*fs.PathError).Path == m[\"k\"]", "(err.(*fs.PathError).Path == m[\"k\"])"},
		{"is(err, *fs.PathError) || contains(s, \"x\")", "(is(err, *fs.PathError) || contains(s, \"x\"))"},
		{"x.(map[string][]int)[\"a\"]", "x.(map[string][]int)[\"a\"]"},
		{"naïve.Größe", "naïve.Größe"},
	} {
		x, err := Parse(c.src)
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
			continue
		}
		if got := show(x.Root); got != c.want {
			t.Errorf("%s: got %s, want %s", c.src, got, c.want)
		}
	}
}

func TestParseTemplate(t *testing.T) {
	tpl, err := ParseTemplate("order {o.ID} x{ o.Qty } for {{{name}}} {o.ID}{\"}\"[0]}")
	if err != nil {
		t.Fatal(err)
	}
	var exprs []string
	for _, x := range tpl.Exprs {
		exprs = append(exprs, x.Text)
	}
	if want := []string{"o.ID", "o.Qty", "name", `"}"[0]`}; !reflect.DeepEqual(exprs, want) {
		t.Errorf("expressions %q, want %q", exprs, want)
	}
	if want := []string{"order ", " x", " for {", "} ", "", ""}; !reflect.DeepEqual(tpl.Text, want) {
		t.Errorf("texts %q, want %q", tpl.Text, want)
	}
	if want := []int{0, 1, 2, 0, 3}; !reflect.DeepEqual(tpl.Holes, want) {
		t.Errorf("holes %v, want %v", tpl.Holes, want)
	}
}

// mistakes are shown in testdata/errors.golden; templates start with T.
var mistakes = []string{
	"", "  ", "a +", "a b", "a and b", "x = 1", "x := 1", "x++", "f(", "(a", "a.", "a..b",
	"#x", "$", "a$b", "$x", "$gorutine", "o.$line", "func() {}", "T2{1}", "x.(type)", "m[1:2:3]",
	"&x", "<-ch", "1i", "'ab'", "\"abc", "_", "[]byte(s)", "f(a...)", "a[", "a ? b : c", "x.y == 3 extra words",
	"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.a.b.c.d.e.f.g.h.i.j.k.l +",
	strings.Repeat("(", 100) + "x" + strings.Repeat(")", 100),
	"T:order {o.ID", "T:order o.ID}", "T:{}", "T:{ }", "T:a {b {c}}", "T:{\"}", "T:für {Größe +} x", "T:{a}}",
	"T:\x1b[31m{x\x00", "T:{x.y = 3} ok",
}

func TestMistakes(t *testing.T) {
	var out strings.Builder
	for _, src := range mistakes {
		var err error
		if tpl, ok := strings.CutPrefix(src, "T:"); ok {
			_, err = ParseTemplate(tpl)
		} else {
			_, err = Parse(src)
		}
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: error %v (%T), want an *Error", src, err, err)
			continue
		}
		if e.Pos < 0 || e.End < e.Pos || e.End > len(e.Src)+1 {
			t.Errorf("%q: place %d:%d is outside the text", src, e.Pos, e.End)
		}
		fmt.Fprintf(&out, "%s\n\n", e)
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

func TestNearest(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"nmae", "name"}, {"Name", "name"}, {"oder", "order"}, {"zzz", ""}, {"o", ""},
	} {
		if got := Nearest(c.name, []string{"order", "name", "items"}); got != c.want {
			t.Errorf("Nearest(%s) = %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range mistakes {
		f.Add(s)
	}
	f.Add("a.b[3].c + len(x) > 'c' && $line == 3")
	f.Fuzz(func(t *testing.T, src string) {
		x, err := Parse(src)
		check(t, src, err)
		if err == nil {
			checkSpans(t, x.Root, len(src))
		}
	})
}

func FuzzParseTemplate(f *testing.F) {
	for _, s := range mistakes {
		f.Add(strings.TrimPrefix(s, "T:"))
	}
	f.Add("order {o.ID} x{o.Qty} {{for}} {name}")
	f.Fuzz(func(t *testing.T, src string) {
		tpl, err := ParseTemplate(src)
		check(t, src, err)
		if err == nil && len(tpl.Text) != len(tpl.Holes)+1 {
			t.Fatalf("%d texts around %d holes", len(tpl.Text), len(tpl.Holes))
		}
	})
}

func check(t *testing.T, src string, err error) {
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("error of type %T", err)
	}
	if e != nil && strings.ContainsFunc(e.Error(), func(r rune) bool { return r < ' ' && r != '\n' }) {
		t.Fatalf("a control character in the message: %q", e.Error())
	}
}

func checkSpans(t *testing.T, n Node, limit int) {
	if n.Pos() < 0 || n.End() <= n.Pos() || n.End() > limit {
		t.Fatalf("%s lies at %d:%d of %d", show(n), n.Pos(), n.End(), limit)
	}
	switch n := n.(type) {
	case *Selector:
		checkSpans(t, n.X, limit)
	case *Binary:
		checkSpans(t, n.X, limit)
		checkSpans(t, n.Y, limit)
	case *Unary:
		checkSpans(t, n.X, limit)
	}
}
