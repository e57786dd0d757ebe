// Package cache keeps what was worked out of a build, so that the next command
// need not do it again.
//
// A key and blocks of bytes come in; the same blocks go out, or none. It is a
// folder of files, one for each key: written beside and renamed, so that a reader
// sees a whole file or none; with a checksum for each chunk of a block, which is
// tested when the chunk is first read, so that a question costs what it reads and
// not what is there; of a bounded total size, those used least recently going
// first. Whatever is wrong with a file, of another version, damaged, cut off, of
// another owner, is as if it were not there: the owner of the key works it out
// again.
//
// Package debuginfo stands before it and after it. What comes out of a cache is
// good for answers to people; what is done to a process is worked out of the
// build itself.
package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// DefaultMax is the most that all files of a cache may hold together, in bytes:
// some ten large servers.
const DefaultMax = 512 << 20

// Dir is a folder of cached files.
type Dir struct {
	path string
	max  int64
}

// New is the cache in a folder, which is made when something is stored.
func New(path string, max int64) *Dir { return &Dir{path, max} }

// Default is the cache of this user: $SIDELIGHT_CACHE, or sidelight in
// $XDG_CACHE_HOME or ~/.cache. nil, which caches nothing: there is none, or
// SIDELIGHT_CACHE is "off".
func Default() *Dir {
	path := os.Getenv("SIDELIGHT_CACHE")
	if path == "off" {
		return nil
	}
	if path == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil
		}
		path = filepath.Join(base, "sidelight")
	}
	return New(path, DefaultMax)
}

// Path is the folder.
func (d *Dir) Path() string { return d.path }

// Block is a named run of bytes.
type Block struct {
	Name string
	Data []byte
}

// A file is magic, the length and checksum of its table, the table, and the
// blocks, each at the beginning of a page. The table has the key, then name,
// offset and size of each block, and the checksums of its chunks.
const (
	magic    = "sidelight\x00c2\n"
	headSize = len(magic) + 8
	maxTable = 1 << 20
	page     = 4096
	suffix   = ".cache"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errBad says that a file is not to be used.
var errBad = errors.New("not a cached file, or a damaged one")

// Entry is one cached file. It is mapped, and stays so until the process ends:
// what is made of its blocks may be parts of them, as names are. Files are only
// ever replaced or removed as a whole, which a mapping does not notice; but who
// cuts one off while it is used kills the user. A process that must not die
// uses no cache.
type Entry struct {
	data   []byte
	blocks map[string]*Kept
}

func (d *Dir) file(key string) string { return filepath.Join(d.path, key+suffix) }

// Load opens what was stored under a key; nil: nothing that can be used.
func (d *Dir) Load(key string) *Entry {
	if d == nil || !plain(key) {
		return nil
	}
	f, err := os.OpenFile(d.file(key), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !mine(info) || info.Size() < int64(headSize) {
		return nil
	}
	e := &Entry{}
	e.data, err = syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	if err := e.read(key); err != nil {
		_ = syscall.Munmap(e.data) // nobody has a part of it
		return nil
	}
	if time.Since(info.ModTime()) > time.Hour {
		now := time.Now()
		_ = os.Chtimes(d.file(key), now, now) // it was used: only the order of eviction depends on it
	}
	return e
}

// plain tells whether a key is fit for a file's name.
func plain(key string) bool {
	return key != "" && len(key) <= 128 && !strings.ContainsFunc(key, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && r != '-'
	})
}

// read takes the table.
func (e *Entry) read(key string) error {
	head, body := e.data[:headSize], e.data[headSize:]
	size, sum := binary.LittleEndian.Uint32(head[len(magic):]), binary.LittleEndian.Uint32(head[len(magic)+4:])
	if string(head[:len(magic)]) != magic || size > maxTable || int(size) > len(body) {
		return errBad
	}
	table := body[:size]
	if crc32.Checksum(table, castagnoli) != sum {
		return errBad
	}
	r := reader{data: table}
	if r.text() != key {
		return errBad
	}
	e.blocks = map[string]*Kept{}
	for n := r.number(); n > 0 && !r.bad; n-- {
		name, off, size := r.text(), r.number(), r.number()
		sums := r.text()
		if all := uint64(len(e.data)); off > all || size > all-off || uint64(len(sums)) != 4*chunks(size) {
			return errBad
		}
		e.blocks[name] = newKept(e.data[off:off+size:off+size], sums)
	}
	if r.bad {
		return errBad
	}
	return nil
}

// mine tells whether a file is this user's own and nobody else may write it:
// who runs a tool as root with another user's home must not believe what that
// user wrote.
func mine(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode().IsRegular() && int(st.Uid) == os.Geteuid() && info.Mode().Perm()&0o022 == 0
}

// Block is what was kept under that name; nil: nothing.
func (e *Entry) Block(name string) *Kept {
	if e == nil {
		return nil
	}
	return e.blocks[name]
}

// Remove forgets what is stored under a key.
func (d *Dir) Remove(key string) {
	if d != nil && plain(key) {
		_ = os.Remove(d.file(key)) // it is not there: as wanted
	}
}

// Store keeps blocks under a key, in place of what was there. An error means
// that nothing was kept, which costs nobody anything but time.
func (d *Dir) Store(key string, blocks []Block) error {
	if d == nil {
		return nil
	}
	if !plain(key) {
		return fmt.Errorf("%q is no key", key)
	}
	head, offsets := table(key, blocks)
	if len(head) > maxTable {
		return fmt.Errorf("a table of %d bytes is too long", len(head))
	}
	if n := len(blocks); n > 0 && offsets[n-1]+int64(len(blocks[n-1].Data)) > d.max {
		return fmt.Errorf("more than the cache may hold (%d bytes)", d.max)
	}
	if err := d.prepare(); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(d.path, "new-*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // after the rename there is none
	err = write(tmp, head, blocks, offsets)
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), d.file(key))
	}
	if err != nil {
		return err
	}
	d.evict(key)
	return nil
}

// prepare makes the folder, for this user alone. A folder of somebody else's is
// left alone: what root writes into it would be in its owner's way.
func (d *Dir) prepare() error {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user", d.path)
	}
	return nil
}

// table is what stands before the blocks, and where each of them goes.
func table(key string, blocks []Block) (head []byte, offsets []int64) {
	sums := make([]string, len(blocks))
	for i, b := range blocks {
		sums[i] = sumUp(b.Data)
	}
	encode := func(offsets []int64) []byte {
		var w writer
		w.text(key)
		w.number(uint64(len(blocks)))
		for i, b := range blocks {
			w.text(b.Name)
			w.number(uint64(offsets[i]))
			w.number(uint64(len(b.Data)))
			w.text(sums[i])
		}
		return w.data
	}
	offsets = make([]int64, len(blocks))
	at := int64(headSize + len(encode(offsets)))
	for i, b := range blocks {
		at = (at + page - 1) &^ (page - 1)
		offsets[i] = at
		at += int64(len(b.Data))
	}
	t := encode(offsets)
	head = append(head, magic...)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(t)))
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(t, castagnoli))
	return append(head, t...), offsets
}

func write(f io.WriterAt, head []byte, blocks []Block, offsets []int64) error {
	if _, err := f.WriteAt(head, 0); err != nil {
		return err
	}
	for i, b := range blocks {
		if _, err := f.WriteAt(b.Data, offsets[i]); err != nil {
			return err
		}
	}
	return nil
}

// abandoned is when a file that somebody began to write is nobody's any more.
const abandoned = time.Hour

// evict removes the files used least recently until the others fit, and what was
// left behind half written. The key just stored stays.
func (d *Dir) evict(key string) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return
	}
	var files []os.FileInfo
	total := int64(0)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		switch name := info.Name(); {
		case strings.HasSuffix(name, ".tmp") && time.Since(info.ModTime()) > abandoned:
			_ = os.Remove(filepath.Join(d.path, name)) // the next eviction tries again
		case strings.HasSuffix(name, suffix):
			files = append(files, info)
			total += info.Size()
		}
	}
	slices.SortFunc(files, func(a, b os.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, f := range files {
		if total <= d.max {
			return
		}
		if f.Name() == key+suffix {
			continue
		}
		if os.Remove(filepath.Join(d.path, f.Name())) == nil {
			total -= f.Size()
		}
	}
}

// writer and reader are the table's form: numbers of eight bytes, and texts
// behind their lengths.
type writer struct{ data []byte }

func (w *writer) number(n uint64) { w.data = binary.LittleEndian.AppendUint64(w.data, n) }
func (w *writer) text(s string) {
	w.number(uint64(len(s)))
	w.data = append(w.data, s...)
}

type reader struct {
	data []byte
	bad  bool
}

func (r *reader) number() uint64 {
	if len(r.data) < 8 {
		r.bad = true
		return 0
	}
	n := binary.LittleEndian.Uint64(r.data)
	r.data = r.data[8:]
	return n
}

func (r *reader) text() string {
	n := r.number()
	if n > uint64(len(r.data)) {
		r.bad = true
		return ""
	}
	s := string(r.data[:n])
	r.data = r.data[n:]
	return s
}
