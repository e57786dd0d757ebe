package symbol

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// Store keeps debug information in a directory:
//
//	objects/SUM.debug  debug information, named by the SHA-256 of the file
//	builds/KEY.json    an Entry, named by a sum of the build's identity
//	lock               held while entries and objects change together
//
// Files appear whole or not at all, by renaming; one that is damaged is seen by
// its sum and counts as missing.
type Store struct{ Dir string }

// Entry is what the store knows of one build.
type Entry struct {
	debuginfo.Identity
	Object string    `json:"object"` // sum of its file
	Size   int64     `json:"size"`   // of the file
	Binary int64     `json:"binary"` // bytes of the binary that it was made of
	From   string    `json:"from"`   // its path
	Added  time.Time `json:"added"`
	key    string
}

// Key names the entry among all of a store.
func (e *Entry) Key() string { return e.key }

// DefaultDir is the user's store.
func DefaultDir(env func(string) string) string {
	if dir := env("SIDELIGHT_SYMBOLS"); dir != "" {
		return dir
	}
	if dir := env("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "sidelight", "symbols")
	}
	return filepath.Join(env("HOME"), ".local", "share", "sidelight", "symbols")
}

// Add keeps the debug information of a binary. known: the store had it already.
func (s *Store) Add(path string) (e *Entry, known bool, err error) {
	b, err := debuginfo.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer b.Close()
	if !b.HasDebug() {
		return nil, false, fmt.Errorf("%s: %w; build the same source once more without these flags, and add that", path, errNoDebug)
	}
	id, err := b.Identity(true)
	if err != nil {
		return nil, false, err
	}
	if old := s.entry(keyOf(id)); old != nil {
		if _, err := s.Object(old); err == nil {
			return old, true, nil
		}
	}
	f, err := elf.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	var out bytes.Buffer
	if err := pack(&out, f, id); err != nil {
		return nil, false, fmt.Errorf("%s: %w", path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, false, err
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	e, err = s.put(out.Bytes(), Entry{Identity: *id, Binary: info.Size(), From: path, Added: time.Now().UTC().Truncate(time.Second)})
	return e, false, err
}

// keyOf is the name of a build's entry.
func keyOf(id *debuginfo.Identity) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q\n", id.GoID, id.GNUID, id.Pclntab, id.Text)
	return hex.EncodeToString(h.Sum(nil)[:10])
}

// put writes an object and its entry.
func (s *Store) put(object []byte, e Entry) (*Entry, error) {
	sum := sha256.Sum256(object)
	e.Object, e.Size, e.key = hex.EncodeToString(sum[:]), int64(len(object)), keyOf(&e.Identity)
	text, err := json.MarshalIndent(&e, "", "\t")
	if err != nil {
		return nil, err
	}
	err = s.locked(func() error {
		if old := s.entry(e.key); old != nil && old.Object == e.Object {
			e.Added, e.From, e.Binary = old.Added, old.From, max(old.Binary, e.Binary)
		}
		if err := writeWhole(s.objectPath(e.Object), object); err != nil {
			return err
		}
		return writeWhole(s.entryPath(e.key), text)
	})
	return &e, err
}

func (s *Store) objectPath(sum string) string {
	return filepath.Join(s.Dir, "objects", sum+".debug")
}
func (s *Store) entryPath(key string) string { return filepath.Join(s.Dir, "builds", key+".json") }

// locked runs f while no other process changes the store.
func (s *Store) locked(f func() error) error {
	for _, dir := range []string{"objects", "builds"} {
		if err := os.MkdirAll(filepath.Join(s.Dir, dir), 0o755); err != nil {
			return err
		}
	}
	l, err := os.OpenFile(filepath.Join(s.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := syscall.Flock(int(l.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("locking %s: %w", s.Dir, err)
	}
	return f()
}

// writeWhole writes a file that is there as a whole or not at all.
func writeWhole(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = closeAll(f, err); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// entry reads an entry; nil if there is none that makes sense.
func (s *Store) entry(key string) *Entry {
	text, err := os.ReadFile(s.entryPath(key))
	if err != nil {
		return nil
	}
	e := &Entry{key: key}
	if json.Unmarshal(text, e) != nil || keyOf(&e.Identity) != key || len(e.Object) != 2*sha256.Size || strings.ContainsAny(e.Object, "/.") {
		return nil
	}
	return e
}

// List is all entries, the newest first.
func (s *Store) List() ([]*Entry, error) {
	files, err := os.ReadDir(filepath.Join(s.Dir, "builds"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []*Entry
	for _, f := range files {
		key, ok := strings.CutSuffix(f.Name(), ".json")
		if e := s.entry(key); ok && e != nil {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b *Entry) int { return b.Added.Compare(a.Added) })
	return out, nil
}

// Find lists the entries that may be of a build, the likeliest first: those with
// its id, then those with the same table of functions. That one is of the build
// is for debuginfo to prove.
func (s *Store) Find(id *debuginfo.Identity) ([]*Entry, error) {
	all, err := s.List()
	var same, alike []*Entry
	for _, e := range all {
		switch {
		case e.GoID == id.GoID && debuginfo.Hashed(id.GoID):
			same = append(same, e)
		case e.Pclntab == id.Pclntab && id.Pclntab != "":
			alike = append(alike, e)
		}
	}
	return append(same, alike...), err
}

// alike tells of the last build of the same main package that was added, which
// is of other source, or was built in another way.
func (s *Store) alike(id *debuginfo.Identity) string {
	all, _ := s.List()
	all = slices.DeleteFunc(all, func(e *Entry) bool { return e.Main != id.Main || id.Main == "" })
	if len(all) == 0 {
		return ""
	}
	e := slices.MaxFunc(all, func(a, b *Entry) int { return a.Added.Compare(b.Added) })
	how := "of other source, or by another toolchain"
	switch {
	case e.GoVersion != id.GoVersion:
		how = "by " + e.GoVersion
	case e.Flags != id.Flags:
		how = fmt.Sprintf("built with the flags %s, the program with %s", orNone(e.Flags), orNone(id.Flags))
	}
	return fmt.Sprintf("; it has another build of %s (%s), %s", id.Main, e.key[:min(len(e.key), 12)], how)
}

// Object is the path of an entry's debug information, which was found whole.
func (s *Store) Object(e *Entry) (string, error) {
	path := s.objectPath(e.Object)
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the debug information of %s is gone from the store: add it again (%w)", e.Main, err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	if hex.EncodeToString(h.Sum(nil)) != e.Object {
		return "", fmt.Errorf("%s is damaged: add the binary again (sidelight symbols add %s)", path, e.From)
	}
	return path, nil
}

// Match lists the entries that a person means: by the beginning of a build id or
// of a key, or by the main package or the last element of it.
func (s *Store) Match(text string) ([]*Entry, error) {
	all, err := s.List()
	var out []*Entry
	for _, e := range all {
		if text != "" && (strings.HasPrefix(e.key, text) || strings.HasPrefix(e.GoID, text) || strings.HasPrefix(e.GNUID, text) ||
			e.Main == text || strings.HasSuffix(e.Main, "/"+text) || e.From == text) {
			out = append(out, e)
		}
	}
	return out, err
}

// Remove forgets entries, and the objects that no other entry needs.
func (s *Store) Remove(entries ...*Entry) error {
	return s.locked(func() error {
		for _, e := range entries {
			if err := os.Remove(s.entryPath(e.key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		left, err := s.List()
		if err != nil {
			return err
		}
		for _, e := range entries {
			if slices.ContainsFunc(left, func(l *Entry) bool { return l.Object == e.Object }) {
				continue
			}
			if err := os.Remove(s.objectPath(e.Object)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	})
}
