package cache

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

func blocks(n byte) []Block {
	return []Block{
		{"one", bytes.Repeat([]byte{n}, 1000)},
		{"none", nil},
		{"two", bytes.Repeat([]byte{n, 2}, 70000)},
	}
}

// check reads an entry and tells how many of its blocks are whole; a whole block
// that is not what was stored is an error.
func check(t *testing.T, e *Entry, n byte) (whole int) {
	t.Helper()
	return checkAll(t, e, blocks(n))
}

func checkAll(t *testing.T, e *Entry, stored []Block) (whole int) {
	t.Helper()
	for _, b := range stored {
		k := e.Block(b.Name)
		if k == nil {
			continue
		}
		if k.Len() != len(b.Data) {
			t.Fatalf("block %s has %d bytes", b.Name, k.Len())
		}
		if data, ok := k.Upto(0, k.Len()); ok {
			whole++
			if !bytes.Equal(data, b.Data) {
				t.Errorf("block %s holds something else", b.Name)
			}
		}
	}
	return whole
}

func TestStoredComesBack(t *testing.T) {
	d := New(filepath.Join(t.TempDir(), "a", "b"), DefaultMax)
	if d.Load("key") != nil {
		t.Fatal("something comes out of an empty cache")
	}
	if err := d.Store("key", blocks(1)); err != nil {
		t.Fatal(err)
	}
	e := d.Load("key")
	if e == nil || check(t, e, 1) != 3 || e.Block("three") != nil {
		t.Fatalf("%+v", e)
	}
	// Another version of it does not disturb who reads the old one.
	if err := d.Store("key", blocks(2)); err != nil {
		t.Fatal(err)
	}
	if check(t, e, 1) != 3 {
		t.Error("a file changed under its reader")
	}
	if e = d.Load("key"); check(t, e, 2) != 3 {
		t.Error("the new one did not come")
	}
	d.Remove("key")
	if d.Load("key") != nil {
		t.Error("it was removed")
	}
	var none *Dir
	if none.Load("key") != nil || none.Store("key", nil) != nil {
		t.Error("no cache is a cache that holds nothing")
	}
	for _, key := range []string{"", "../key", "a/b", ".", "K"} {
		if d.Store(key, nil) == nil || d.Load(key) != nil {
			t.Errorf("%q is no key", key)
		}
	}
}

// TestCutOff cuts a file everywhere: what comes out is what went in, or nothing.
func TestCutOff(t *testing.T) {
	d := New(t.TempDir(), DefaultMax)
	if err := d.Store("key", blocks(1)); err != nil {
		t.Fatal(err)
	}
	file := d.file("key")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(whole); at += 1 + at/40 {
		_ = os.Remove(file)
		if err := os.WriteFile(file, whole[:at], 0o600); err != nil {
			t.Fatal(err)
		}
		e := d.Load("key")
		if e != nil && check(t, e, 1) == 3 {
			t.Errorf("nothing is missing from %d of %d bytes", at, len(whole))
		}
		if e != nil {
			_ = syscall.Munmap(e.data)
		}
	}
}

// TestEveryByte damages each byte of a file in turn: it is seen wherever a byte
// means something.
func TestEveryByte(t *testing.T) {
	d := New(t.TempDir(), DefaultMax)
	stored := []Block{{"one", bytes.Repeat([]byte("abcdefg"), 3000)}, {"none", nil}, {"two", []byte("xyz")}}
	if err := d.Store("key", stored); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(d.file("key"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	whole, err := os.ReadFile(d.file("key"))
	if err != nil {
		t.Fatal(err)
	}
	head, _ := table("key", stored)
	idle := len(whole) - len(head)
	for _, b := range stored {
		idle -= len(b.Data)
	}
	unseen := 0
	for at, old := range whole {
		if _, err := f.WriteAt([]byte{old ^ 1<<(at%8)}, int64(at)); err != nil {
			t.Fatal(err)
		}
		e := d.Load("key")
		if checkAll(t, e, stored) == len(stored) {
			unseen++
		}
		if e != nil {
			_ = syscall.Munmap(e.data)
		}
		if _, err := f.WriteAt([]byte{old}, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	if unseen != idle {
		t.Errorf("%d damages were not seen; %d bytes mean nothing", unseen, idle)
	}
}

// TestPieces reads a damaged block in pieces: each is what was stored, or is not
// to be had, and what lies in other chunks is not lost.
func TestPieces(t *testing.T) {
	data := make([]byte, 5*chunk+100)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		image, bad := bytes.Clone(data), rnd.IntN(len(data))
		image[bad] ^= 1 << rnd.IntN(8)
		k := newKept(image, sumUp(data))
		for range 40 {
			off := rnd.IntN(len(data) + 1)
			n := rnd.IntN(min(len(data)-off, 3*chunk) + 1)
			got, ok := k.Upto(off, n)
			touched := n > 0 && off/chunk <= bad/chunk && bad/chunk <= (off+n-1)/chunk
			if ok == touched {
				t.Fatalf("%d bytes at %d, damage at %d: %v", n, off, bad, ok)
			}
			if ok && (len(got) < off+n || !bytes.Equal(got[off:], data[off:len(got)])) {
				t.Fatalf("%d bytes at %d, damage at %d: something else", n, off, bad)
			}
		}
	}
}

// TestForeignFilesAreIgnored: what somebody else may have written is not read.
func TestForeignFilesAreIgnored(t *testing.T) {
	d := New(t.TempDir(), DefaultMax)
	if err := d.Store("key", blocks(1)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d.file("key"), 0o666); err != nil {
		t.Fatal(err)
	}
	if d.Load("key") != nil {
		t.Error("a file that anybody may write")
	}
	if err := os.Chmod(d.file("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(d.file("key"), d.file("other")); err != nil {
		t.Fatal(err)
	}
	if d.Load("other") != nil {
		t.Error("a file of another key")
	}
	if err := os.Symlink(d.file("other"), d.file("key")); err != nil {
		t.Fatal(err)
	}
	if d.Load("key") != nil {
		t.Error("a link")
	}
	if os.Geteuid() != 0 {
		return
	}
	_ = os.Remove(d.file("key"))
	if err := os.Rename(d.file("other"), d.file("key")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(d.file("key"), 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if d.Load("key") != nil {
		t.Error("another user's file")
	}
	if err := os.Chown(d.path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if d.Store("key", blocks(2)) == nil {
		t.Error("stored in another user's folder")
	}
}

func TestSizeIsBounded(t *testing.T) {
	d := New(t.TempDir(), 500_000)
	for i := range 10 {
		key := fmt.Sprint(i)
		if err := d.Store(key, blocks(byte(i))); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(i-100) * time.Minute)
		if err := os.Chtimes(d.file(key), at, at); err != nil {
			t.Fatal(err)
		}
		if i == 8 {
			d.Load("7") // used, which makes it the newest
		}
	}
	var left []string
	for i := range 10 {
		if e := d.Load(fmt.Sprint(i)); e != nil {
			left = append(left, fmt.Sprint(i))
		}
	}
	if got := fmt.Sprint(left); got != "[7 8 9]" {
		t.Errorf("left: %s", got)
	}
	if d.Store("big", []Block{{"x", make([]byte, 600_000)}}) == nil {
		t.Error("stored more than the cache may hold")
	}
	old := filepath.Join(d.path, "new-1.tmp")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-2 * abandoned)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	if err := d.Store("9", blocks(9)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("what was left half written is still there")
	}
}

// TestConcurrentUse stores, loads and evicts all at once.
func TestConcurrentUse(t *testing.T) {
	path := t.TempDir()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			d := New(path, 450_000)
			for k := range 40 {
				key := byte((i + k) % 4)
				if err := d.Store(fmt.Sprint(key), blocks(key)); err != nil {
					t.Error(err)
				}
				if e := d.Load(fmt.Sprint((key + 1) % 4)); e != nil {
					if check(t, e, (key+1)%4) != 3 {
						t.Error("half a file")
					}
				}
			}
		})
	}
	wg.Wait()
}
