package saved

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// File is a file of moments that is being written. It appears under its name
// with the first moment, at once and whole; until then, what was there stays.
type File struct {
	f     *os.File // nil before the first moment
	path  string
	size  int64
	count int
}

// Create begins a file, which only its owner may read: it holds what a program
// in production had in its memory. It replaces nothing but another file of
// moments, and leaves no trace where no moment comes, however the wait for it ends.
func Create(path string) (*File, error) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if err := replaceable(path); err != nil {
		return nil, err
	}
	f := &File{path: path}
	if err := f.begin(); err != nil { // better now than when a moment is at hand
		return nil, err
	}
	return f, f.drop()
}

// begin makes the file, under a name of its own beside the one it will have.
func (f *File) begin() (err error) {
	if f.f, err = os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+".*"); err != nil {
		return fmt.Errorf("the snapshots cannot be saved in %s: %w", f.path, err)
	}
	return nil
}

// drop removes the file that begin made.
func (f *File) drop() error {
	f.f.Close()
	err := os.Remove(f.f.Name())
	f.f = nil
	return err
}

// replaceable says whether a file may be replaced.
func replaceable(path string) error {
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a directory; give the name of a file", path)
	case info.Mode()&fs.ModeType != 0:
		return fmt.Errorf("%s is no regular file", path)
	case info.Size() == 0:
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := newReader(f); err != nil {
		return fmt.Errorf("%s is there and holds something else; give another name, or remove it first", path)
	}
	return nil
}

// Write adds a moment. One that could not be written as a whole is taken out
// again.
func (f *File) Write(m *probe.Moment) error {
	b, err := encode(m)
	if err != nil {
		return err
	}
	if f.count == 0 {
		first, err := pack(header{format, version})
		if err != nil {
			return err
		}
		b = append(first, b...)
		if f.f == nil {
			if err := f.begin(); err != nil {
				return err
			}
		}
	}
	n, err := f.f.Write(b)
	if err != nil {
		if n > 0 { // the next one then begins where this one did
			_ = f.f.Truncate(f.size)
			_, _ = f.f.Seek(f.size, 0)
		}
		return err
	}
	f.size += int64(n)
	if f.count == 0 {
		if err := f.appear(); err != nil {
			return err
		}
	}
	f.count++
	return nil
}

// appear gives the file its name.
func (f *File) appear() error {
	if err := f.f.Sync(); err != nil {
		return err
	}
	return os.Rename(f.f.Name(), f.path)
}

// Count is how many moments the file holds.
func (f *File) Count() int { return f.count }

// Close ends the file.
func (f *File) Close() error {
	switch {
	case f.f == nil:
		return nil
	case f.count == 0:
		return f.drop()
	}
	err := f.f.Sync()
	if e := f.f.Close(); err == nil {
		err = e
	}
	return err
}

// Open reads the moments of a file as Read does.
func Open(path string) ([]*probe.Moment, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; sidelight snapshot TARGET LOCATION --save FILE writes one", err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := Read(f)
	if err != nil {
		return all, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}
