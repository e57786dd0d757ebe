package cli

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

var update = flag.Bool("update", false, "write the pages' golden files anew")

// golden compares a page with what it was.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "pages", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s (-update writes it anew):\n%s", name, got)
	}
}

// made is an answer with everything that a page can show.
func made() *probe.Where {
	v := func(name, typ string, role probe.Role, why string, up, down int) probe.ScopeVar {
		return probe.ScopeVar{Name: name, Type: typ, Role: role, Readable: why == "", Why: why, Up: up, Down: down}
	}
	big := v("page", "[4096]uint8", probe.RoleLocal, "", 0, 0)
	big.Why = "too large for a log"
	return &probe.Where{
		Location: "orders.go:61", Build: probe.Build{Main: "example.com/shop", GoVersion: "go1.26.8"},
		Sites: []probe.WhereSite{
			{Address: 0x4b3f20, Function: "example.com/shop.(*Shop).Place", File: "/src/shop/orders.go", Line: 61, How: probe.ByJump,
				Variables: []probe.ScopeVar{v("s", "*shop.Shop", probe.RoleReceiver, "", 0, 0),
					v("name", "string", probe.RoleArgument, "", 0, 0), big,
					v("price", "int", probe.RoleLocal, "optimised out", 56, 66),
					v("receipt", "string", probe.RoleLocal, "declared on this line, and perhaps not set yet", 0, 63),
					v("err", "error", probe.RoleResult, "not set yet at this place", 0, 0)}},
			{Address: 0x4b9121, Function: "example.com/shop.(*Shop).Place", File: "/src/shop/orders.go", Line: 61, How: probe.ByTrap,
				Why:     "a branch leads into the bytes that a jump would cover",
				Inlined: []probe.Call{{Function: "example.com/shop.Sell", File: "/src/shop/sell.go", Line: 7}, {Function: "main.main", File: "/src/main.go", Line: 20}},
				Variables: []probe.ScopeVar{v("s", "*shop.Shop", probe.RoleReceiver, "", 0, 0),
					v("name", "string", probe.RoleArgument, "optimised out", 60, 0),
					v("price", "int", probe.RoleLocal, "optimised out", 0, 0)}},
			{Address: 0x4b9300, Function: "example.com/shop.(*Shop).Place", File: "/src/shop/orders.go", Line: 61, How: probe.Refused,
				Why: "a goroutine may be \x1b[31manywhere\x1b[0m in it", Variables: []probe.ScopeVar{v("s", "*shop.Shop", probe.RoleReceiver, "", 0, 0)}},
		},
		Issues: []probe.Issue{{Code: probe.IssueApproximate, Message: "orders.go:61 in shop.Sell: some passes may be counted twice"}},
	}
}

func TestWherePage(t *testing.T) {
	s := &subject{word: "shop", pid: 4711, proc: "shop"}
	for name, paint := range map[string]sink.Paint{"where": false, "where_color": true} {
		p := &page{Paint: paint}
		p.where(s, made())
		golden(t, name, p.b.String())
	}
	one := made()
	one.Sites, one.Issues = one.Sites[:1], nil
	one.Sites[0].Variables = nil
	p := &page{}
	p.where(&subject{word: "./shop", path: "./shop"}, one)
	golden(t, "where_plain", p.b.String())
}

func TestWhereManySites(t *testing.T) {
	w := made()
	for range 40 {
		w.Sites = append(w.Sites, w.Sites[0])
	}
	p := &page{}
	p.where(&subject{word: "shop", pid: 4711, proc: "shop"}, w)
	golden(t, "where_many", p.b.String())
}

func TestSurveyPage(t *testing.T) {
	found := &probe.Survey{File: "/src/shop/orders.go", Build: probe.Build{GoVersion: "go1.26.8"}, Lines: []probe.SurveyLine{
		{Line: 2, Jumps: 1, Readable: 2},
		{Line: 3, Jumps: 2, Traps: 1, Why: "the instruction is the last of its function", Lost: []string{"a", "b"}},
		{Line: 4, Refused: 1, Why: "it is written in assembly"},
		{Line: 9, Traps: 1, Why: "the instruction is the last of its function"},
	}}
	source := []string{"package shop", "func a(x int) {", "    return " + string(make([]byte, 3)) + "a line that is much too long for any terminal and even longer than that", "", "}", ""}
	s := &subject{word: "shop", pid: 4711, proc: "shop"}
	for name, paint := range map[string]sink.Paint{"survey": false, "survey_color": true} {
		p := &page{Paint: paint}
		p.survey(s, found, source, "the source was changed after the build: its lines may have moved", 80)
		golden(t, name, p.b.String())
	}
	p := &page{}
	p.survey(s, found, nil, "the source is not on this machine under the path that the build has for it", 80)
	golden(t, "survey_without", p.b.String())
}

func TestFindPages(t *testing.T) {
	var out bytes.Buffer
	err := foundFunctions.page(&App{Stdout: &out}, []probe.FoundFunction{
		{Name: "shop.(*Shop).Place", File: "/src/shop/orders.go", Line: 50, Own: 1, Inlined: true},
		{Name: "shop.New", Inlined: true},
		{Name: "shop.Map", File: "map.go", Line: 3, Own: 3},
		{Name: "runtime.mallocgc", File: "runtime/malloc.go", Line: 1, Own: 1, Refused: "it belongs to the Go runtime, whose code also runs without a goroutine"},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "functions", out.String())
}

// TestLocalSource: the path comes from a binary that anybody may have made.
func TestLocalSource(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.go")
	if err := os.WriteFile(file, []byte("one\n\ttwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if lines, note := localSource(file, builtAt("/")); len(lines) != 3 || lines[1] != "    two" || note == "" {
		t.Errorf("%q %q", lines, note)
	}
	if err := os.Mkdir(filepath.Join(dir, "b.go"), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	for _, path := range []string{"/etc/passwd", "a.go", filepath.Join(dir, "b.go"), filepath.Join(dir, "none.go"), "/dev/zero"} {
		if lines, note := localSource(path, builtAt(file)); lines != nil || note == "" {
			t.Errorf("%s: %d lines", path, len(lines))
		}
	}
}

func TestShortFunction(t *testing.T) {
	for name, want := range map[string]string{
		"main.main":                            "main.main",
		"example.com/a/b.(*T).M":               "b.(*T).M",
		"example.com/a/b.F.func1":              "b.F.func1",
		"slices.Sort[go.shape.[]string]":       "slices.Sort[[]string]",
		"a/b.Map[a/c.Key,go.shape.*d/e.Value]": "b.Map[c.Key,*e.Value]",
		"a/b.Map[a/c.VeryLongNameOfAKeyIndeed,go.shape.*d/e.AnotherLongName].Get": "b.Map[…].Get",
	} {
		if got := shortFunction(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
