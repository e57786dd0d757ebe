package debuginfo

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// TestDamage flips bits all over the debug information and the pclntab of a
// program and then asks everything: wrong answers and errors are allowed,
// panics and endless loops are not.
func TestDamage(t *testing.T) {
	rounds := 24
	if testing.Short() {
		rounds = 6
	}
	for _, o := range []testprog.Options{{LDFlags: "-compressdwarf=false"}, {Toolchain: "go1.22.12", LDFlags: "-compressdwarf=false"}} {
		t.Run(o.String(), func(t *testing.T) {
			t.Parallel()
			path := testprog.Dir(t, "testdata/sample", o)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			spots := damageable(t, path)
			rnd := rand.New(rand.NewPCG(1, 2))
			opened := 0
			for i := range rounds {
				image := slices.Clone(whole)
				for range 1 << (i % 8) {
					s := spots[rnd.IntN(len(spots))]
					image[s.Offset+rnd.Uint64N(s.Size)] ^= 1 << rnd.IntN(8)
				}
				damaged := filepath.Join(t.TempDir(), "prog")
				if err := os.WriteFile(damaged, image, 0o600); err != nil {
					t.Fatal(err)
				}
				if b, err := Open(damaged); err == nil {
					opened++
					askAll(b, 40)
					b.Close()
				}
			}
			if opened == 0 {
				t.Error("no damaged file was opened at all: nothing was tested")
			}
		})
	}
}

func damageable(t *testing.T, path string) []Section {
	b := open(t, path)
	var out []Section
	for _, s := range b.elf.Sections {
		if s.Size > 0 && (len(s.Name) > 7 && s.Name[:7] == ".debug_" || s.Name == ".gopclntab") {
			out = append(out, Section{Offset: s.Offset, Size: s.FileSize})
		}
	}
	return out
}

// askAll asks a build everything that it can be asked, of one function in step.
func askAll(b *Build, step int) {
	b.Files()
	b.Globals()
	_, _ = b.Runtime()
	b.TypeByName("main.Order")
	for _, name := range b.InlinedNames() {
		b.InlinedIn(name)
	}
	for i, f := range b.Funcs() {
		if i%step != 0 && f.Package != "main" {
			continue
		}
		b.Inline(f)
		for _, r := range b.Lines(f) {
			_, _ = b.CFA(r.PC)
			b.UnsafePoint(r.PC)
			b.InlineAt(f, r.PC)
			for _, v := range b.Scope(r.PC) {
				v.Locate(r.PC)
			}
		}
	}
	if x, err := b.indexed(); err == nil {
		for off := range x.rtypes.all() {
			b.TypeByRuntime(off)
		}
	}
	for i, name := range b.Globals() {
		if i%step == 0 {
			b.Global(name)
		}
	}
}

func FuzzLocation(f *testing.F) {
	f.Add([]byte{0x50, 0x93, 8, 0x53, 0x93, 8}, int64(16))
	f.Add([]byte{0x9c}, int64(8))
	f.Add([]byte{0x91, 0x70}, int64(8))
	f.Add([]byte{0x03, 1, 2, 3, 4, 5, 6, 7, 8}, int64(8))
	f.Add([]byte{0x9c, 0x11, 0x70, 0x22, 0x93, 8, 0x93, 8}, int64(16))
	b := &Build{debug: map[string]*part{}}
	f.Fuzz(func(t *testing.T, expr []byte, size int64) {
		l, ok := b.pieces(&unit{version: 5}, string(expr), size)
		if !ok && l.Why == "" {
			t.Error("not understood, and no reason given")
		}
		for _, p := range l.Pieces {
			if p.Kind != Missing && p.Reg > 15 {
				t.Errorf("no such register: %+v", p)
			}
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte{12, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 3, 0, 1, 0x7c, 16, 12, 7, 8}, uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, pc uint64) {
		table, err := parseFrames(string(data))
		if err != nil {
			return
		}
		b := &Build{debug: map[string]*part{}}
		_, _ = b.frames.get(func() (*frameTable, error) { return table, nil })
		_, _ = b.CFA(pc)
	})
}

func FuzzLineProgram(f *testing.F) {
	f.Add([]byte{0, 9, 2, 0, 0, 0x40, 0, 0, 0, 0, 0, 10, 3, 5, 1, 0x20, 0, 1, 1}, uint8(10))
	f.Fuzz(func(t *testing.T, program []byte, base uint8) {
		l := &lineUnit{sec: partOf(string(program)), end: uint64(len(program)), params: lineParams{minInst: 1, lineBase: -4, lineRange: 10,
			opcodeBase: max(base, 1), lengths: "\x00\x01\x01\x01\x01\x00\x00\x00\x01\x00\x00\x01"}}
		seqs, _ := l.sequences()
		for _, s := range seqs {
			if s.high <= s.low {
				t.Errorf("empty sequence %+v", s)
			}
		}
	})
}

func FuzzAbbrevs(f *testing.F) {
	f.Add([]byte{1, 0x11, 1, 3, 8, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) { _, _ = parseAbbrevs(partOf(string(data)), 0) })
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	b := open(t, testprog.Dir(t, "testdata/sample", testprog.Options{}))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { askAll(b, 50+i) })
	}
	wg.Wait()
}
