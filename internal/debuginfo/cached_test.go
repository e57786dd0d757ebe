package debuginfo

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/cache"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// digest is everything that a build says, of one function in step, as one number.
func digest(b *Build, step int) string {
	h := sha256.New()
	fmt.Fprintln(h, b.Files(), b.InlinedNames(), b.Globals(), b.TypesBase(), b.typesSymbol())
	for i, file := range b.Files() {
		if i%step != 0 {
			continue
		}
		for _, f := range b.FileFuncs(file) {
			fmt.Fprintln(h, file, f.Name)
		}
		fmt.Fprintln(h, b.CountFileFuncs(file))
	}
	for i, name := range b.InlinedNames() {
		if i%step == 0 {
			for _, f := range b.InlinedIn(name) {
				fmt.Fprintln(h, name, f.Name)
			}
		}
	}
	seen := map[int]bool{}
	for i, name := range b.FuncNames() {
		if f := b.Func(i); f != b.Funcs()[i] || f.Name != name || seen[i] {
			fmt.Fprintln(h, "function", i, "is not", name)
		}
		seen[i] = true
	}
	fmt.Fprintln(h, len(seen), len(b.Funcs()))
	for i, f := range b.Funcs() {
		fmt.Fprintf(h, "%+v\n", *f)
		if b.FuncNamed(f.Name) == nil {
			fmt.Fprintln(h, "not found by its name")
		}
		if i%step != 0 && f.Package != "main" {
			continue
		}
		for _, r := range b.Lines(f) {
			depth, ok := b.StackDepth(r.PC)
			cfa, _ := b.CFA(r.PC)
			fmt.Fprintln(h, r, b.UnsafePoint(r.PC), depth, ok, cfa)
			for _, in := range b.InlineAt(f, r.PC) {
				fmt.Fprintln(h, in.Name, in.CallFile, in.CallLine)
			}
			for _, v := range b.Scope(r.PC) {
				fmt.Fprintln(h, v.Name, v.Type.Name, v.Locate(r.PC))
			}
		}
	}
	for _, name := range b.Globals() {
		if g, ok := b.Global(name); ok {
			fmt.Fprintln(h, name, g.Addr, g.Type.Name)
		}
	}
	if t := b.TypeByName("main.Order"); t != nil {
		fmt.Fprintln(h, t.Name, t.Size, b.TypeByRuntime(t.RType) == t)
	}
	_, _, ok := b.Constant("main.answer")
	fmt.Fprintln(h, ok)
	return fmt.Sprintf("%x", h.Sum(nil))
}

func openCached(t *testing.T, path string, dir *cache.Dir) *Build {
	t.Helper()
	b, err := OpenCached(path, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// TestCachedSaysTheSame asks builds everything, with and without a cache.
func TestCachedSaysTheSame(t *testing.T) {
	eachWay(t, func(t *testing.T, plain *Build, o testprog.Options) {
		dir := cache.New(t.TempDir(), cache.DefaultMax)
		want := digest(plain, 50)
		if first := openCached(t, plain.Path, dir); first.cached != nil || digest(first, 50) != want {
			t.Error("the build that filled the cache says something else")
		}
		again := openCached(t, plain.Path, dir)
		if again.cached == nil {
			t.Fatal("nothing came from the cache")
		}
		if digest(again, 50) != want {
			t.Error("what came from the cache says something else")
		}
	})
}

// TestDamagedCache flips bits in a cached file: the answers stay what they are,
// and the file is made anew.
func TestDamagedCache(t *testing.T) {
	path := testprog.Dir(t, "testdata/sample", testprog.Options{})
	dir := cache.New(t.TempDir(), cache.DefaultMax)
	want := digest(openCached(t, path, dir), 400)
	file := cachedFile(t, dir)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	rounds, remade := 16, 0
	for i := range rounds {
		image := slices.Clone(whole)
		switch {
		case i == 0:
			image = nil
		case i == 1:
			image = image[:len(image)/2]
		default:
			for range 1 << (i % 6) {
				image[rnd.IntN(len(image))] ^= 1 << rnd.IntN(8)
			}
		}
		replace(t, file, image)
		if digest(openCached(t, path, dir), 400) != want {
			t.Errorf("round %d: a damaged cache changed the answers", i)
		}
		openCached(t, path, dir) // makes anew what the one before has found damaged
		got, err := os.ReadFile(file)
		switch {
		case err != nil:
			t.Error(err)
		case bytes.Equal(got, whole):
			remade++
		case !bytes.Equal(got, image): // damage where nobody looked stays
			t.Errorf("round %d: something else was made", i)
		}
	}
	if remade < rounds/2 {
		t.Errorf("%d of %d damaged files were made anew", remade, rounds)
	}
}

// TestEveryPartDamaged damages each part of a cached file in each of its chunks:
// what reads it has it made anew, and the answers stay what they are.
func TestEveryPartDamaged(t *testing.T) {
	path := testprog.Dir(t, "testdata/sample", testprog.Options{})
	dir := cache.New(t.TempDir(), cache.DefaultMax)
	b := openCached(t, path, dir)
	want := digest(b, 400)
	key, err := b.cacheKey()
	if err != nil {
		t.Fatal(err)
	}
	entry, file := dir.Load(key), cachedFile(t, dir)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := slices.Clone(tables)
	for name := range b.debug {
		if entry.Block(sectionBlock+name) != nil {
			parts = append(parts, sectionBlock+name)
		}
	}
	if len(parts) < len(tables)+5 {
		t.Errorf("only %q are kept", parts)
	}
	for _, name := range parts {
		kept := entry.Block(name)
		data, _ := kept.Upto(0, kept.Len())
		at := bytes.Index(whole, data)
		if len(data) == 0 || at < 0 {
			t.Fatalf("%s is not in the file", name)
		}
		image := slices.Clone(whole)
		for off := len(data) / 2 % 4096; off < len(data); off += 4096 {
			image[at+off] ^= 0x55
		}
		replace(t, file, image)
		if got := openCached(t, path, dir); got.cached == nil || digest(got, 400) != want {
			t.Errorf("with a damaged %s other answers come", name)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("a file with a damaged %s was left", name)
		}
	}
}

// TestForgedCache stores blocks that are damaged before their checksums are
// made: answers may be wrong then, but nothing panics or goes on for ever.
func TestForgedCache(t *testing.T) {
	path := testprog.Dir(t, "testdata/sample", testprog.Options{})
	dir := cache.New(t.TempDir(), cache.DefaultMax)
	b := openCached(t, path, dir)
	key, err := b.cacheKey()
	if err != nil {
		t.Fatal(err)
	}
	entry := dir.Load(key)
	rnd := rand.New(rand.NewPCG(5, 6))
	used := 0
	for i := range 24 {
		var blocks []cache.Block
		for _, name := range tables {
			kept := entry.Block(name)
			data, ok := kept.Upto(0, kept.Len())
			if !ok {
				t.Fatalf("no block %s", name)
			}
			data = slices.Clone(data)
			for range 1 << (i % 7) {
				if len(data) > 0 {
					data[rnd.IntN(len(data))] ^= 1 << rnd.IntN(8)
				}
			}
			blocks = append(blocks, cache.Block{Name: name, Data: data})
		}
		if err := dir.Store(key, blocks); err != nil {
			t.Fatal(err)
		}
		forged := openCached(t, path, dir)
		if forged.cached != nil {
			used++
		}
		askAll(forged, 200)
	}
	if used == 0 {
		t.Error("no forged file was read at all")
	}
}

// TestCacheKey: the same file is found again, and another file
// of the same ids is not.
func TestCacheKey(t *testing.T) {
	path := testprog.Dir(t, "testdata/sample", testprog.Options{})
	key := func(path string) string {
		t.Helper()
		b := open(t, path)
		k, err := b.cacheKey()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	same := filepath.Join(t.TempDir(), "same")
	replace(t, same, image)
	if key(same) != key(path) {
		t.Error("a copy is another build")
	}
	replace(t, same, append(image, 0))
	if key(same) == key(path) {
		t.Error("a longer file is the same build")
	}
	if key(testprog.Dir(t, "testdata/sample", testprog.Options{LDFlags: "-compressdwarf=false"})) == key(path) {
		t.Error("other sections are the same build")
	}
	// Where the build id says nothing of the content, the content counts.
	redacted := testprog.Dir(t, "testdata/sample", testprog.Options{LDFlags: "-buildid=redacted"})
	image, err = os.ReadFile(redacted)
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, redacted)
	line := b.elf.Section(".debug_line")
	image[line.Offset+line.FileSize-1] ^= 1
	replace(t, same, image)
	if key(same) == key(redacted) {
		t.Error("other debug information under a redacted build id is the same build")
	}
}

// TestConcurrentCache opens one build from many sides while its cache is made,
// used, damaged and removed.
func TestConcurrentCache(t *testing.T) {
	path := testprog.Dir(t, "testdata/sample", testprog.Options{})
	folder := t.TempDir()
	dir := cache.New(folder, cache.DefaultMax)
	want := digest(openCached(t, path, dir), 400)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for k := range 3 {
				b, err := OpenCached(path, cache.New(folder, cache.DefaultMax))
				if err != nil {
					t.Error(err)
					return
				}
				if (i+k)%4 == 0 {
					key, _ := b.cacheKey()
					dir.Remove(key)
				}
				if digest(b, 400) != want {
					t.Error("other answers")
				}
				b.Close()
			}
		})
	}
	wg.Wait()
}

func cachedFile(t *testing.T, dir *cache.Dir) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir.Path(), "*.cache"))
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list[0]
}

// replace writes a file beside and renames it: the old one may be mapped.
func replace(t *testing.T, file string, image []byte) {
	t.Helper()
	if err := os.WriteFile(file+"~", image, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+"~", file); err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(file, ".cache") {
		return
	}
	if err := os.Chmod(file, 0o700); err != nil {
		t.Fatal(err)
	}
}
