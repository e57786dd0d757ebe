package symbol

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// An export is a tar file of objects, each behind its entry. What is imported is
// judged by itself: the object says which build it is of, and nothing else is
// believed but where it came from.

// maxObject bounds one object of an import.
const maxObject = 1 << 30

// Export writes entries with their objects.
func (s *Store) Export(w io.Writer, entries []*Entry) error {
	t := tar.NewWriter(w)
	for _, e := range entries {
		path, err := s.Object(e)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		for _, part := range []struct {
			name string
			data []byte
		}{{e.key + ".json", text}, {e.key + ".debug", data}} {
			if err := t.WriteHeader(&tar.Header{Name: part.name, Mode: 0o644, Size: int64(len(part.data)), ModTime: e.Added, Format: tar.FormatPAX}); err != nil {
				return err
			}
			if _, err := t.Write(part.data); err != nil {
				return err
			}
		}
	}
	return t.Close()
}

// Import takes in what Export wrote.
func (s *Store) Import(r io.Reader) ([]*Entry, error) {
	var out []*Entry
	var told Entry
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			if len(out) == 0 {
				return nil, errors.New("it holds no debug information: give what \"sidelight symbols export\" wrote")
			}
			return out, nil
		}
		if err != nil {
			return out, fmt.Errorf("it is no export, or damaged: %w", err)
		}
		if h.Typeflag != tar.TypeReg || h.Size > maxObject {
			return out, fmt.Errorf("%s is nothing that an export holds", h.Name)
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return out, fmt.Errorf("%s: %w", h.Name, err)
		}
		if strings.HasSuffix(h.Name, ".json") {
			told = Entry{}
			_ = json.Unmarshal(data, &told)
			continue
		}
		e, err := s.importObject(path.Base(h.Name), data, told)
		if err != nil {
			return out, err
		}
		out = append(out, e)
	}
}

// importObject keeps one object that was made by pack.
func (s *Store) importObject(name string, data []byte, told Entry) (e *Entry, err error) {
	defer func() { // debug/elf was written for files that can be trusted
		if p := recover(); p != nil {
			err = fmt.Errorf("%s is damaged: %v", name, p)
		}
	}()
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", name, err)
	}
	if f.Section(debuginfo.IdentitySection) == nil {
		return nil, fmt.Errorf("%s was not made by \"sidelight symbols\": it does not say which build it is of", name)
	}
	id, err := debuginfo.Identify(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, sec := range f.Sections { // damage would be met in the middle of a session
		if sec.Type == elf.SHT_NOBITS || !strings.HasPrefix(sec.Name, ".debug_") {
			continue
		}
		if n, err := io.Copy(io.Discard, io.LimitReader(sec.Open(), maxSection)); err != nil || uint64(n) != sec.Size {
			return nil, fmt.Errorf("%s: section %s is damaged", name, sec.Name)
		}
	}
	return s.put(data, Entry{Identity: *id, Binary: told.Binary, From: told.From, Added: time.Now().UTC().Truncate(time.Second)})
}
