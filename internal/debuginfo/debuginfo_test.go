package debuginfo

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/testprog"
)

func TestMain(m *testing.M) { os.Exit(testprog.Main(m)) }

// ways are the ways of building that the tests of this package look at. The
// whole matrix runs without -short.
func ways() []testprog.Options {
	var out []testprog.Options
	if !testing.Short() {
		for _, v := range testprog.Toolchains[:len(testprog.Toolchains)-1] {
			out = append(out, testprog.Options{Toolchain: v})
		}
		out = append(out, testprog.Options{Toolchain: "go1.22.12", PIE: true},
			testprog.Options{GOAMD64: "v3"}, testprog.Options{GCFlags: "-N -l"},
			testprog.Options{LDFlags: "-compressdwarf=false"}, testprog.Options{LDFlags: "-s -w=0"})
	}
	return append(out, testprog.Options{}, testprog.Options{PIE: true, Trimpath: true})
}

// eachWay opens the sample program built in each way.
func eachWay(t *testing.T, test func(t *testing.T, b *Build, o testprog.Options)) {
	for _, o := range ways() {
		t.Run(o.String(), func(t *testing.T) {
			t.Parallel()
			test(t, open(t, testprog.Dir(t, "testdata/sample", o)), o)
		})
	}
}

func open(t testing.TB, path string) *Build {
	t.Helper()
	b, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestFacts(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		if o.Toolchain != "" && b.GoVersion != o.Toolchain {
			t.Errorf("GoVersion = %q", b.GoVersion)
		}
		if b.Main != "example.com/sample" || b.ModulePath != "example.com/sample" || b.ID == "" || b.PIE != o.PIE {
			t.Errorf("Main %q, ModulePath %q, ID %q, PIE %v", b.Main, b.ModulePath, b.ID, b.PIE)
		}
		text, err := b.TextBytes()
		if err != nil || uint64(len(text)) != b.Text.Size {
			t.Errorf("TextBytes: %d bytes, %v", len(text), err)
		}
		if _, err := b.Bytes(1, 8); err == nil {
			t.Error("bytes at address 1 can be read")
		}
		for _, name := range []string{"/main.go", "/fmt/print.go"} {
			if !slices.ContainsFunc(b.Files(), func(f string) bool { return strings.HasSuffix(f, name) || f == "fmt/print.go" }) {
				t.Errorf("no file %s", name)
			}
		}
	})
}

func TestFunctions(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		for _, name := range []string{"main.main", "main.counter", "main.counter.func1", "main.(*Order).Total",
			"main.(*Order).Total.func1", "main.Sum[go.shape.int]", "main.Sum[go.shape.float64]"} {
			f := b.FuncNamed(name)
			if f == nil {
				t.Fatalf("no function %s", name)
			}
			if f.Package != "main" || f.Assembly || f.Wrapper || b.FuncAt(f.Entry) != f || b.FuncAt(f.End-1) != f || f.StartLine == 0 {
				t.Errorf("%+v", f)
			}
			if addr, ok := b.Symbol(name); !ok || addr != f.Entry {
				t.Errorf("Symbol(%s) = %#x, %v", name, addr, ok)
			}
		}
		if f := b.FuncNamed("main.(*Order).Total"); f.DeferReturn <= f.Entry || f.DeferReturn >= f.End {
			t.Errorf("DeferReturn of %+v", f)
		}
		if f := b.FuncNamed("main.counter"); f.DeferReturn != 0 {
			t.Errorf("DeferReturn of %+v", f)
		}
		if f := b.FuncNamed("runtime.memmove"); f == nil || !f.Assembly {
			t.Errorf("memmove is assembly: %+v", f)
		}
		if f := b.FuncNamed("main.(*Square).Area"); f == nil || !f.Wrapper {
			t.Errorf("(*Square).Area is a wrapper: %+v", f)
		}
		agreeOnSizes(t, b)
	})
}

// agreeOnSizes compares the ends that the pclntab gives with the symbol table.
func agreeOnSizes(t *testing.T, b *Build) {
	b.eachSymbol(func(name string, value, size uint64) bool {
		if f := b.FuncAt(value); f != nil && f.Entry == value && size != 0 && !strings.HasPrefix(f.Name, "go:textfips") && f.End != value+size {
			t.Errorf("%s ends at %#x, the symbol table says %#x", f.Name, f.End, value+size)
		}
		return true
	})
}

func TestPackageOf(t *testing.T) {
	for name, want := range map[string]string{
		"main.main":                        "main",
		"net/http.(*Server).Serve":         "net/http",
		"gopkg.in/yaml%2ev3.Marshal":       "gopkg.in/yaml.v3",
		"example.com/a.v2/b.F[go.shape.x]": "example.com/a.v2/b",
		"a/b.G[c/d.T].func1":               "a/b",
		"main.(*T[a/b.c]).M":               "main",
		"nothing":                          "",
	} {
		if got := packageOf(name); got != want {
			t.Errorf("packageOf(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestTypes(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		order := b.TypeByName("main.Order")
		if order == nil || order.Kind != reflect.Struct || order.Size != 64 || !order.Typed || len(order.Fields) != 5 {
			t.Fatalf("main.Order: %+v", order)
		}
		if next := order.Fields[4]; next.Type.Kind != reflect.Pointer || next.Type.Elem != order && next.Type.Elem.Name != "main.Order" {
			t.Errorf("Order.Next: %+v", next)
		}
		for name, want := range map[string]string{
			"main.Table": "map map[string]*main.Order 8", "main.Ratio": "float64 main.Celsius 8",
			"main.Errs": "chan chan error 8", "main.Hook": "func func(int) error 8", "main.Any": "interface interface {} 16",
			"main.Figure": "interface main.Shape 16", "main.Grid": "array [3][2]int16 12", "main.Timeout": "int64 time.Duration 8",
		} {
			g, ok := b.Global(name)
			if !ok {
				t.Errorf("no global %s", name)
				continue
			}
			got := g.Type.Kind.String() + " " + g.Type.Name + " " + itoa(g.Type.Size)
			if got != want || g.Addr == 0 {
				t.Errorf("%s: %s, want %s (at %#x)", name, got, want, g.Addr)
			}
		}
		checkParts(t, b)
	})
}

func itoa(n int64) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

func checkParts(t *testing.T, b *Build) {
	get := func(name string) *Global {
		g, ok := b.Global(name)
		if !ok {
			t.Fatalf("no global %s", name)
		}
		return g
	}
	if m := get("main.Table").Type; m.Key.Name != "string" || m.Elem.Name != "*main.Order" {
		t.Errorf("Table: key %v, elem %v", m.Key, m.Elem)
	}
	if g := get("main.Grid").Type; g.Len != 3 || g.Elem.Len != 2 || g.Elem.Elem.Name != "int16" {
		t.Errorf("Grid: %+v of %+v", g, g.Elem)
	}
	if get("main.Any").Type.Iface || !get("main.Figure").Type.Iface {
		t.Error("interfaces with and without methods are confused")
	}
	if s := b.TypeByName("main.Square"); s == nil || !s.Fields[0].Embedded || s.Fields[1].Embedded {
		t.Errorf("Square: %+v", s)
	}
}

// TestInner: what a map and a channel point to is the runtime's own struct, with
// the keys and elements of this very type.
func TestInner(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		table, ok := b.Global("main.Table")
		if !ok || table.Type.Inner == nil {
			t.Fatal("the map has no inside")
		}
		name, field := "map<string,*main.Order>", "dirPtr"
		if versionBefore(b.GoVersion, 24) {
			name, field = "hash<string,*main.Order>", "buckets"
		}
		in := table.Type.Inner
		if f := fieldNamed(in, field); in.Name != name || f == nil || f.Type.Kind != reflect.Pointer {
			t.Errorf("inside of the map: %s %+v", in.Name, in.Fields)
		}
		errs, ok := b.Global("main.Errs")
		if !ok || errs.Type.Inner == nil || errs.Type.Inner.Name != "hchan<error>" || fieldNamed(errs.Type.Inner, "qcount") == nil {
			t.Errorf("inside of the channel: %+v", errs.Type.Inner)
		}
	})
}

// TestRuntimeTypes holds every type that claims a runtime descriptor against the
// descriptor itself: abi.Type begins with the size, and its kind is at byte 23.
func TestRuntimeTypes(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		base := b.TypesBase()
		x, err := b.indexed()
		if err != nil || base == 0 {
			t.Fatal(base, err)
		}
		checked := 0
		for off := range x.rtypes.all() {
			ty := b.TypeByRuntime(off)
			if ty.RType != off {
				t.Errorf("%s is found at %#x, and says %#x", ty.Name, off, ty.RType)
			}
			raw, err := b.Bytes(base+off, 24)
			if err != nil {
				t.Errorf("%s (%#x): %v", ty.Name, off, err)
				continue
			}
			size, kind := int64(le64(string(raw))), reflect.Kind(raw[23]&31)
			if size != ty.Size || kind != ty.Kind {
				t.Errorf("%s: size %d, kind %v; the runtime has %d, %v", ty.Name, ty.Size, ty.Kind, size, kind)
			}
			checked++
		}
		if checked < 200 {
			t.Errorf("only %d types", checked)
		}
	})
}

func TestRuntimeLayout(t *testing.T) {
	goid := map[string]int64{"go1.22.12": 152, "go1.23.12": 160, "go1.24.11": 160, "go1.25.5": 152, "": 152}
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		r, err := b.Runtime()
		if err != nil {
			t.Fatal(err)
		}
		if r.GM != 48 || r.GStackLo != 0 || r.GStackHi != 8 || r.GStackguard0 != 16 || r.GSchedSP != 56 || r.GGoid != goid[o.Toolchain] {
			t.Errorf("%+v", r)
		}
		if r.Allgs == 0 || r.Allglen == 0 || r.Gomaxprocs == 0 || r.GAsyncSafePoint == 0 || r.MProcid == 0 {
			t.Errorf("%+v", r)
		}
	})
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	whole := testprog.Dir(t, "testdata/sample", testprog.Options{})
	image, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	arm := slices.Clone(image)
	arm[18] = 183 // e_machine
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"script":    {[]byte("#!/bin/sh\necho hello\n"), ErrNotELF},
		"empty":     {nil, ErrNotELF},
		"truncated": {image[:4096], ErrNotELF},
		"arm64":     {arm, ErrArch},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		var e *Error
		if !errors.Is(err, c.want) || !errors.As(err, &e) || e.Next == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b := open(t, testprog.Dir(t, "testdata/sample", testprog.Options{Strip: true})); b.HasDebug() {
		t.Error("a stripped build has debug information")
	}
	if _, err := Open(filepath.Join(dir, "nothing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}
