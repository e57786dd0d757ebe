package symbol

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

func TestMain(m *testing.M) { os.Exit(testprog.Main(m)) }

const source = `package main

import "os"

type Order struct{ ID int }

var last *Order

//go:noinline
func place(o *Order) { last = o }

func main() { place(&Order{len(os.Args)}) }
`

// build makes the sample program; trimpath lets twins have the same file names.
func build(t testing.TB, text string, strip bool) string {
	t.Helper()
	return testprog.Build(t, map[string]string{"main.go": text}, testprog.Options{Trimpath: true, Strip: strip})
}

func emptyEnv(string) string { return "" }

// openWith opens the stripped program and says whether it knows its variables.
func openWith(t *testing.T, path string, o Options) (*debuginfo.Build, bool) {
	t.Helper()
	if o.Env == nil {
		o.Env = emptyEnv
	}
	b, err := Open(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	g, ok := b.Global("main.last")
	return b, ok && g.Type.Elem.Fields[0].Name == "ID"
}

func TestStoreServesStripped(t *testing.T) {
	s := &Store{Dir: filepath.Join(t.TempDir(), "store")}
	stripped := build(t, source, true)
	b, ok := openWith(t, stripped, Options{Store: s})
	if ok || b.HasDebug() || len(b.Tried) < 3 || !strings.Contains(b.Missing(), s.Dir) {
		t.Fatalf("an empty store serves it, or nothing says what was tried: %q", b.Missing())
	}
	full := build(t, source, false)
	e, known, err := s.Add(full)
	if err != nil || known {
		t.Fatal(e, known, err)
	}
	if again, known, err := s.Add(full); err != nil || !known || again.Object != e.Object {
		t.Errorf("added again: %+v %v %v", again, known, err)
	}
	if e.Size*2 > e.Binary || e.Main != "example.com/prog" || e.GoID == "" {
		t.Errorf("%+v", e)
	}
	if _, ok := openWith(t, stripped, Options{Store: s}); !ok {
		t.Error("the store does not serve the stripped build")
	}
	// One of other code, whose id and table of functions say nothing, is passed over.
	other := strings.Replace(source, "last = o", "o.ID--; last = o", 1)
	if _, ok := openWith(t, build(t, other, true), Options{Store: s}); ok {
		t.Error("another program is served")
	}
	if _, _, err := s.Add(stripped); err == nil || !strings.Contains(err.Error(), "stripped") {
		t.Errorf("adding a stripped binary: %v", err)
	}
	if err := s.Remove(e); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(s.Dir, "*", "*")); len(files) != 0 {
		t.Errorf("left behind: %v", files)
	}
}

// TestDamagedStore flips bits in every file of a store: it may lose what it had,
// and must never serve anything wrong.
func TestDamagedStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := &Store{Dir: dir}
	if _, _, err := s.Add(build(t, source, false)); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	if len(files) != 2 {
		t.Fatalf("%v", files)
	}
	stripped := build(t, source, true)
	rnd := rand.New(rand.NewPCG(3, 4))
	lost := 0
	for _, file := range files {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 12 {
			data := bytes.Clone(whole)
			if i%3 == 2 {
				data = data[:rnd.IntN(len(data))]
			} else {
				data[rnd.IntN(len(data))] ^= 1 << rnd.IntN(8)
			}
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
			b, ok := openWith(t, stripped, Options{Store: s})
			if b.HasDebug() && !ok {
				t.Fatalf("%s, damaged, was used", file)
			}
			if !ok {
				lost++
			}
			if _, err := s.List(); err != nil {
				t.Errorf("list: %v", err)
			}
		}
		if strings.HasSuffix(file, ".debug") { // adding heals
			if _, known, err := s.Add(build(t, source, false)); err != nil || known {
				t.Errorf("adding over a damaged object: %v %v", known, err)
			}
			if _, ok := openWith(t, stripped, Options{Store: s}); !ok {
				t.Error("it did not heal")
			}
		}
		if err := os.WriteFile(file, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if lost < 12 {
		t.Errorf("only %d of 24 damages were noticed", lost)
	}
}

// TestStoreAtOnce adds, removes, reads and lists from many sides at once.
func TestStoreAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	full, stripped := build(t, source, false), build(t, source, true)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s := &Store{Dir: dir}
			for range 5 {
				e, _, err := s.Add(full)
				if err != nil {
					t.Errorf("add: %v", err)
					return
				}
				if i%4 == 0 {
					if err := s.Remove(e); err != nil {
						t.Errorf("remove: %v", err)
					}
				}
				b, err := Open(context.Background(), stripped, Options{Store: s, Env: emptyEnv})
				if err != nil {
					t.Errorf("open: %v", err)
					return
				}
				b.Close()
			}
		}()
	}
	wg.Wait()
	s := &Store{Dir: dir}
	if _, _, err := s.Add(full); err != nil {
		t.Fatal(err)
	}
	if _, ok := openWith(t, stripped, Options{Store: s}); !ok {
		t.Error("the store does not serve afterwards")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", ".new-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTransfer(t *testing.T) {
	from, to := &Store{Dir: filepath.Join(t.TempDir(), "a")}, &Store{Dir: filepath.Join(t.TempDir(), "b")}
	e, _, err := from.Add(build(t, source, false))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := from.Export(&out, []*Entry{e}); err != nil {
		t.Fatal(err)
	}
	whole := out.Bytes()
	got, err := to.Import(bytes.NewReader(whole))
	if err != nil || len(got) != 1 || got[0].Object != e.Object || got[0].From != e.From {
		t.Fatalf("%+v %v", got, err)
	}
	stripped := build(t, source, true)
	if _, ok := openWith(t, stripped, Options{Store: to}); !ok {
		t.Error("what was imported does not serve")
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	refused := 0
	for range 40 {
		data := bytes.Clone(whole)
		data[rnd.IntN(len(data))] ^= 1 << rnd.IntN(8)
		s := &Store{Dir: filepath.Join(t.TempDir(), "c")}
		if _, err := s.Import(bytes.NewReader(data)); err != nil {
			refused++
		}
		if b, ok := openWith(t, stripped, Options{Store: s}); b.HasDebug() && !ok {
			t.Error("a damaged import is used")
		}
	}
	if refused < 20 {
		t.Errorf("only %d of 40 damaged exports were refused", refused)
	}
}

func TestGiven(t *testing.T) {
	stripped, full := build(t, source, true), build(t, source, false)
	other := build(t, strings.Replace(source, "last = o", "o.ID--; last = o", 1), false)
	store := &Store{Dir: filepath.Join(t.TempDir(), "given")}
	if _, _, err := store.Add(full); err != nil {
		t.Fatal(err)
	}
	for _, given := range []string{full, filepath.Dir(full), store.Dir} {
		if _, ok := openWith(t, stripped, Options{Given: []string{given}, Store: &Store{Dir: t.TempDir()}}); !ok {
			t.Errorf("--symbols %s does not serve", given)
		}
	}
	_, err := Open(context.Background(), stripped, Options{Given: []string{other}, Env: emptyEnv})
	if err == nil || strings.Count(err.Error(), "Go build ID") != 2 {
		t.Errorf("another build's: %v", err)
	}
	_, err = Open(context.Background(), stripped, Options{Given: []string{t.TempDir()}, Env: emptyEnv})
	if err == nil || !strings.Contains(err.Error(), "no binary and no .debug file") {
		t.Errorf("an empty directory: %v", err)
	}
}

// keep makes a .debug file and a stripped program with binutils.
func keep(t *testing.T, dir string) (bare, debug string) {
	t.Helper()
	objcopy, err := exec.LookPath("objcopy")
	if err != nil {
		t.Skip("objcopy is not installed")
	}
	full := build(t, source, false)
	bare, debug = filepath.Join(dir, "prog"), filepath.Join(dir, "prog.dbg")
	for _, args := range [][]string{{"--only-keep-debug", full, debug}, {"--strip-all", full, bare}, {"--add-gnu-debuglink=" + debug, bare}} {
		if out, err := exec.Command(objcopy, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return bare, debug
}

func TestConventions(t *testing.T) {
	dir, system := t.TempDir(), t.TempDir()
	bare, debug := keep(t, dir)
	o := Options{Store: &Store{Dir: t.TempDir()}, Env: func(name string) string {
		if name == "SIDELIGHT_SYSTEM_DEBUG" {
			return system
		}
		return ""
	}}
	if _, ok := openWith(t, bare, o); !ok {
		t.Error("not found by .gnu_debuglink beside the program")
	}
	move := func(to string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(debug, to); err != nil {
			t.Fatal(err)
		}
		debug = to
	}
	move(filepath.Join(dir, ".debug", "prog.dbg"))
	if _, ok := openWith(t, bare, o); !ok {
		t.Error("not found in .debug")
	}
	move(filepath.Join(system, dir, "prog.dbg"))
	if _, ok := openWith(t, bare, o); !ok {
		t.Error("not found in the system's directory")
	}
	b, err := debuginfo.Open(bare)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	move(filepath.Join(system, ".build-id", b.GNUID[:2], b.GNUID[2:]+".debug"))
	if _, ok := openWith(t, bare, o); !ok {
		t.Error("not found by build ID")
	}
	move(filepath.Join(dir, "prog.dbg"))
	f, err := os.OpenFile(debug, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "x")
	f.Close()
	if b, _ := openWith(t, bare, o); b.HasDebug() || !strings.Contains(b.Missing(), "CRC") {
		t.Errorf("a file of another CRC: %s", b.Missing())
	}
}

func TestServers(t *testing.T) {
	bare, debug := keep(t, t.TempDir())
	b, err := debuginfo.Open(bare)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	if err := os.Rename(debug, debug+".away"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(debug + ".away")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	asked := map[string]int{}
	serve := func(name string, answer func(w http.ResponseWriter)) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			asked[name]++
			if r.URL.Path != "/x/buildid/"+b.GNUID+"/debuginfo" {
				t.Errorf("asked for %s", r.URL.Path)
			}
			answer(w)
		}))
		t.Cleanup(s.Close)
		return s.URL + "/x"
	}
	none := serve("none", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) })
	broken := serve("broken", func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data[:len(data)/2])
	})
	wrong := serve("wrong", func(w http.ResponseWriter) { _, _ = w.Write([]byte("no ELF file")) })
	good := serve("good", func(w http.ResponseWriter) { _, _ = w.Write(data) })
	cacheHome := t.TempDir()
	with := func(urls ...string) Options {
		return Options{Store: &Store{Dir: t.TempDir()}, Env: func(name string) string {
			return map[string]string{"DEBUGINFOD_URLS": strings.Join(urls, " "), "XDG_CACHE_HOME": cacheHome, "SIDELIGHT_SYSTEM_DEBUG": cacheHome}[name]
		}}
	}
	for range 2 {
		if b, _ := openWith(t, bare, with(none, broken, wrong, "ftp://localhost")); b.HasDebug() || !strings.Contains(b.Missing(), "does not know this build") {
			t.Errorf("nobody has it: %s", b.Missing())
		}
	}
	for range 2 {
		if _, ok := openWith(t, bare, with(none, broken, wrong, good)); !ok {
			t.Error("the server does not serve")
		}
	}
	if asked["none"] != 1 || asked["good"] != 1 {
		t.Errorf("asked %v: absence is remembered, and what came is kept", asked)
	}
	kept, _ := filepath.Glob(filepath.Join(cacheHome, "sidelight", "debuginfod", "*"))
	for _, file := range kept {
		if strings.HasSuffix(file, ".debug") {
			if err := os.WriteFile(file, []byte("damaged"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, ok := openWith(t, bare, with(good)); !ok || asked["good"] != 2 {
		t.Errorf("damage in the cache: asked %v", asked)
	}
}
