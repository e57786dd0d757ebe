package debuginfo

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/cache"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// external is the sample program as the system's linker makes it position
// independent: with Go before 1.26 it has no section of the functions' table.
func external(t *testing.T, toolchain string, strip bool) string {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no C compiler, which external linking needs")
	}
	return testprog.Dir(t, "testdata/sample", testprog.Options{Toolchain: toolchain, PIE: true, External: true, Trimpath: true, Strip: strip})
}

// TestExternalPIE holds what is read of such builds, whole and stripped, to the
// same program linked by Go's linker.
func TestExternalPIE(t *testing.T) {
	for _, tc := range testprog.Toolchains {
		if testing.Short() && tc != "go1.24.11" {
			continue
		}
		t.Run(testprog.Options{Toolchain: tc}.String(), func(t *testing.T) {
			t.Parallel()
			whole, stripped := external(t, tc, false), external(t, tc, true)
			internal := testprog.Dir(t, "testdata/sample", testprog.Options{Toolchain: tc, PIE: true, Trimpath: true})
			full, b := open(t, whole), open(t, stripped)
			if merged := pclntabSection(full.elf) == nil; merged != (tc != "") {
				t.Fatalf("the table is merged with other data: %v", merged)
			}
			if b.HasDebug() || !full.HasDebug() {
				t.Fatal("which of them has debug information?")
			}
			sameCode(t, open(t, internal), full)
			sameCode(t, bare(t, internal), b)
			checkEntries(t, full)
			samePlace(t, full, bare(t, whole))
			sameRuntime(t, full, bare(t, whole))
			if _, err := b.Runtime(); err != nil {
				t.Error(err)
			}
			x, y := identify(t, whole), identify(t, stripped)
			if x.Pclntab == "" || x.Pclntab != y.Pclntab {
				t.Errorf("the sums of the tables are %q and %q", x.Pclntab, y.Pclntab)
			}
		})
	}
}

func identify(t *testing.T, path string) *Identity {
	t.Helper()
	id, err := Identify(open(t, path).elf)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// sameCode compares the functions of one build with those that another has by
// their names, and their lines; the other has more of them, for C.
func sameCode(t *testing.T, want, got *Build) {
	t.Helper()
	named := map[string][]*Func{}
	for _, f := range got.Funcs() {
		named[f.Name] = append(named[f.Name], f)
	}
	lines, wrong := 0, 0
	for _, f := range want.Funcs() {
		list := named[f.Name]
		if len(list) == 0 && strings.HasPrefix(f.Name, "_rt0_amd64") {
			continue // where it begins: the other begins in C
		}
		if len(list) == 0 {
			t.Errorf("no function %s", f.Name)
			continue
		}
		g := list[0]
		named[f.Name] = list[1:]
		x, y := want.Lines(f), got.Lines(g)
		lines += len(x)
		same := slices.EqualFunc(x, y, func(a, b Row) bool {
			return a.PC-f.Entry == b.PC-g.Entry && a.File == b.File && a.Line == b.Line && a.Stmt == b.Stmt
		})
		if (!same || g.End-g.Entry != f.End-f.Entry || g.StartLine != f.StartLine) && wrong < 10 {
			wrong++
			t.Errorf("%s: %+v with %d rows, want %+v with %d", f.Name, g, len(y), f, len(x))
		}
	}
	if lines < 10000 {
		t.Errorf("only %d lines were compared", lines)
	}
}

// samePlace holds the place of the table to its symbols, and to what is found
// without them.
func samePlace(t *testing.T, full, b *Build) {
	t.Helper()
	want, err := full.tablePlace()
	if err != nil {
		t.Fatal(err)
	}
	full.eachSymbol(func(name string, value, _ uint64) bool {
		if name == "runtime.pclntab" && value != want.addr || name == "runtime.epclntab" && value != want.addr+want.size {
			t.Errorf("%s is %#x, the table is %d bytes at %#x", name, value, want.size, want.addr)
		}
		return true
	})
	got, err := b.tablePlace()
	if err != nil || got.addr != want.addr || got.size != want.size || got.text != want.text {
		t.Errorf("without symbols the table is %+v, %v, want %+v", got, err, want)
	}
}

func sameRuntime(t *testing.T, full, b *Build) {
	t.Helper()
	want, err := full.Runtime()
	if err != nil {
		t.Fatal(err)
	}
	w := *want
	w.Inferred = true
	if got, err := b.Runtime(); err != nil || *got != w {
		t.Errorf("the runtime: %+v, %v, want %+v", got, err, w)
	}
	if b.TypesBase() != full.TypesBase() || full.TypesBase() == 0 {
		t.Errorf("TypesBase %#x, want %#x", b.TypesBase(), full.TypesBase())
	}
}

// changed is a copy of a file with other bytes in it.
func changed(t *testing.T, path string, change func(image []byte)) string {
	t.Helper()
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change(image)
	out := filepath.Join(t.TempDir(), "prog")
	if err := os.WriteFile(out, image, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

// offsetOf is where in its file an address is.
func offsetOf(t *testing.T, b *Build, addr uint64) uint64 {
	t.Helper()
	for _, p := range b.elf.Progs {
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr-p.Vaddr < p.Filesz {
			return addr - p.Vaddr + p.Off
		}
	}
	t.Fatalf("%#x is not in the file", addr)
	return 0
}

// TestRelocatedWordsZero reads a build in which the words that the loader writes
// are zero, as some linkers leave them: whole, and as if it were stripped.
func TestRelocatedWordsZero(t *testing.T) {
	path := external(t, "go1.24.11", false)
	full := open(t, path)
	zeroed := testprog.ZeroRelocated(t, path)
	n, z := 0, open(t, zeroed)
	for _, r := range full.relocations() {
		n++
		if got, err := z.Loaded(r.at, 8); err != nil || binary.LittleEndian.Uint64(got) != r.value {
			t.Errorf("%#x has %x, %v, want %#x", r.at, got, err, r.value)
		}
	}
	if n < 1000 {
		t.Errorf("only %d relocations", n)
	}
	sameCode(t, full, z)
	sameCode(t, bare(t, path), bare(t, zeroed))
	samePlace(t, full, bare(t, zeroed))
	sameRuntime(t, full, bare(t, zeroed))
	for i, f := range full.Funcs() {
		if known := full.slotCode(f) != nil; (z.slotCode(z.Func(i)) != nil) != known {
			t.Errorf("%s: its code is known: %v", f.Name, !known)
		}
	}
}

// TestTableNotProven changes one thing after the other that the proof of a
// table's place stands on: the build is refused as one without the table.
func TestTableNotProven(t *testing.T) {
	path := external(t, "go1.24.11", true)
	b := open(t, path)
	at, err := b.tablePlace()
	if err != nil {
		t.Fatal(err)
	}
	m, err := b.module()
	if err != nil {
		t.Fatal(err)
	}
	rela := b.elf.Section(".rela.dyn")
	functab := at.addr + binary.LittleEndian.Uint64([]byte(b.pcln.header[64:]))
	for name, addr := range map[string]uint64{
		"magic number": at.addr, "least size of an instruction": at.addr + 6, "size of a pointer": at.addr + 7,
		"number of functions": at.addr + 8, "place of the names": at.addr + 32, "place of the functions": at.addr + 64,
		"order of functions": functab + 8*9 + 1, "end of the last function": functab + 8*uint64(b.pcln.n) + 1, "function": functab + 8*11 + 5,
		"module: header": m.addr, "module: length of the names": m.addr + 17, "module: files": m.addr + 56, "module: functions": m.addr + 104,
		"module: size": m.addr + 114, "module: function table": m.addr + 128, "module: number of functions": m.addr + 136,
		"module: first address": m.addr + 160, "module: last address": m.addr + 168, "module: text": m.addr + 176,
	} {
		t.Run(name, func(t *testing.T) {
			wrong := changed(t, path, func(image []byte) {
				image[offsetOf(t, b, addr)] ^= 0x15
				for at := rela.Offset; at < rela.Offset+rela.Size; at += 24 {
					if binary.LittleEndian.Uint64(image[at:]) == addr { // the loader goes by its addend
						image[at+16] ^= 0x15
					}
				}
			})
			_, err := Open(wrong)
			if !errors.Is(err, ErrNotGo) || !strings.Contains(err.Error(), "nothing in its data is proven") {
				t.Errorf("opened with %v", err)
			}
		})
	}
}

// TestTableAmongOthers puts what looks like a table, and a whole copy of the true
// one, before it.
func TestTableAmongOthers(t *testing.T) {
	path := external(t, "go1.24.11", true)
	b := open(t, path)
	want, err := b.tablePlace()
	if err != nil {
		t.Fatal(err)
	}
	rodata := b.elf.Section(".rodata")
	heads := func(n int) string {
		return changed(t, path, func(image []byte) {
			for i := range n {
				copy(image[rodata.Offset+64+uint64(i)*16:], pclnHead)
			}
		})
	}
	if got, err := open(t, heads(mostHeads-1)).tablePlace(); err != nil || got.addr != want.addr {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Open(heads(mostHeads)); !errors.Is(err, ErrNotGo) || !strings.Contains(err.Error(), "places in its data") {
		t.Errorf("with too many heads: %v", err)
	}
	if _, err := Open(path); err != nil {
		t.Error(err)
	}
	data, err := want.read()
	if err != nil {
		t.Fatal(err)
	}
	carrier := &elf.Section{SectionHeader: elf.SectionHeader{Name: ".rodata", Addr: 1 << 32, Size: want.size}}
	if p := b.proveTable(carrier, data, 0); p != nil {
		t.Errorf("a copy that no module data point at is taken for the table: %+v", p)
	}
}

// TestExternalCached reads such a build from a cache.
func TestExternalCached(t *testing.T) {
	path, dir := external(t, "go1.24.11", false), cache.New(t.TempDir(), cache.DefaultMax)
	openCached(t, path, dir)
	kept := openCached(t, path, dir)
	if kept.cached == nil {
		t.Fatal("nothing is in the cache")
	}
	if digest(kept, 20) != digest(open(t, path), 20) {
		t.Error("the cache has another build")
	}
}

// TestTableInCacheKey changes the table of a build whose build id says nothing.
func TestTableInCacheKey(t *testing.T) {
	path := external(t, "go1.24.11", false)
	key := func(path string) string {
		b := open(t, path)
		b.ID = "redacted"
		k, err := b.cacheKey()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	b := open(t, path)
	at, err := b.tablePlace()
	if err != nil {
		t.Fatal(err)
	}
	if other := changed(t, path, func(image []byte) { image[offsetOf(t, b, at.addr+at.size-9)] ^= 1 }); key(other) == key(path) {
		t.Error("another table has the same key")
	}
}

// TestExternalDamage flips bits in what the place of a stripped build's table is
// found by, and asks everything.
func TestExternalDamage(t *testing.T) {
	path := external(t, "go1.22.12", true)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, path)
	at, err := b.tablePlace()
	if err != nil {
		t.Fatal(err)
	}
	m, err := b.module()
	if err != nil {
		t.Fatal(err)
	}
	rela, relro := b.elf.Section(".rela.dyn"), b.elf.Section(".data.rel.ro")
	spots := []Section{{Offset: offsetOf(t, b, at.addr), Size: pclnHeaderSize}, {Offset: offsetOf(t, b, m.addr), Size: 512},
		{Offset: offsetOf(t, b, at.addr), Size: at.size}, {Offset: relro.Offset, Size: relro.Size}, {Offset: rela.Offset, Size: rela.Size}}
	rnd := rand.New(rand.NewPCG(3, 4))
	opened, refused := 0, 0
	for i := range 60 {
		image := bytes.Clone(whole)
		for range 1 << (i % 7) {
			s := spots[(i+rnd.IntN(3))%len(spots)]
			image[s.Offset+rnd.Uint64N(s.Size)] ^= 1 << rnd.IntN(8)
		}
		damaged := changed(t, path, func(to []byte) { copy(to, image) })
		b, err := Open(damaged)
		if err != nil {
			if refused++; strings.Contains(err.Error(), "runtime error") {
				t.Error(err) // a panic that guard caught
			}
			continue
		}
		opened++
		askAll(b, 100)
		_, _ = b.Identity(false)
		b.Close()
	}
	if opened == 0 || refused == 0 {
		t.Errorf("%d were opened, %d refused", opened, refused)
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte(pclnHead + strings.Repeat("\x01\x00\x00\x00\x00\x00\x00\x00", 20)))
	f.Add([]byte(pclnHead + strings.Repeat("\xff", 80)))
	f.Add([]byte(pclnHead + strings.Repeat("\x00", 32) + strings.Repeat("0", 32))) // a part ends beyond the data
	f.Fuzz(func(t *testing.T, data []byte) {
		b := &Build{elf: &elf.File{}}
		s := &elf.Section{SectionHeader: elf.SectionHeader{Type: elf.SHT_PROGBITS, Size: uint64(len(data))}}
		if p := b.proveTable(s, string(data), 0); p != nil {
			t.Errorf("a table without module data: %+v", p)
		}
	})
}
