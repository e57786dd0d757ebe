package cli

import "os"

// fresh is a file for what a session tells. What it had before stays until there is
// something new.
type fresh struct {
	*os.File
	made, written bool
}

// createFresh opens a file, and makes it with a mode where there is none.
func createFresh(path string, mode os.FileMode) (*fresh, error) {
	_, err := os.Lstat(path)
	f, err2 := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, mode)
	if err2 != nil {
		return nil, err2
	}
	return &fresh{File: f, made: os.IsNotExist(err)}, nil
}

// Write puts the first bytes in the place of what the file had.
func (f *fresh) Write(b []byte) (int, error) {
	if !f.written {
		if err := f.Truncate(0); err != nil && regular(f.File) {
			return 0, err
		}
		f.written = true
	}
	return f.File.Write(b)
}

// Close closes the file; one that was made for nothing goes.
func (f *fresh) Close() error {
	if f.made && !f.written {
		_ = os.Remove(f.Name())
	}
	return f.File.Close()
}

// private lets the owner alone read the file.
func (f *fresh) private() error {
	if !regular(f.File) {
		return nil // a terminal, a pipe, /dev/null
	}
	return f.Chmod(0o600)
}

func regular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}
