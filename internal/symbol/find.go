package symbol

import (
	"debug/elf"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// given looks into a path that the user named: a file, a store, or a directory of
// files.
func (f *finder) given(path string) (*debuginfo.Build, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return f.try(path, path)
	}
	if _, err := os.Stat(filepath.Join(path, "builds")); err == nil {
		b, _ := f.from(&Store{Dir: path})
		return b, nil
	}
	if b := f.byID(path); b != nil {
		return b, nil
	}
	files, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	const most = 1000
	looked := 0
	for _, e := range files {
		file := filepath.Join(path, e.Name())
		if !e.Type().IsRegular() || !isELF(file) {
			continue
		}
		if looked++; looked > most {
			f.note(path, "more than %d binaries: name one", most)
			break
		}
		if b, _ := f.try(file, file); b != nil {
			return b, nil
		}
	}
	if looked == 0 {
		f.note(path, "no binary and no .debug file")
	}
	return nil, nil
}

func isELF(path string) bool {
	r, err := os.Open(path)
	if err != nil {
		return false
	}
	defer r.Close()
	var magic [4]byte
	_, err = io.ReadFull(r, magic[:])
	return err == nil && string(magic[:]) == elf.ELFMAG
}

// byID looks below a directory where debuggers look: .build-id/xx/yyyy.debug.
func (f *finder) byID(dir string) *debuginfo.Build {
	id := f.id.GNUID
	if len(id) < 6 {
		return nil
	}
	path := filepath.Join(dir, ".build-id", id[:2], id[2:]+".debug")
	b, _ := f.try(path, path)
	return b
}

// systemDebug is where distributions put debug information.
const systemDebug = "/usr/lib/debug"

// conventions looks where debuggers look for separate debug information:
// by build id, and by the name that .gnu_debuglink gives, beside the program, in
// .debug below it and in the system's directory.
func (f *finder) conventions() *debuginfo.Build {
	root := f.Env("SIDELIGHT_SYSTEM_DEBUG")
	if root == "" {
		root = systemDebug
	}
	if b := f.byID(root); b != nil {
		return b
	}
	exe, dir := f.program()
	if dir == "" {
		return nil
	}
	name, sum, linked := debugLink(f.path)
	if !linked {
		beside := filepath.Join(dir, filepath.Base(exe)+".debug")
		b, _ := f.try(beside, beside)
		return b
	}
	for _, d := range []string{dir, filepath.Join(dir, ".debug"), filepath.Join(root, filepath.Dir(exe))} {
		path := filepath.Join(d, name)
		got, err := crcOf(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			f.note(path, "nothing")
			continue
		case err != nil:
			f.note(path, "%v", err)
			continue
		case got != sum:
			f.note(path, "not the file that .gnu_debuglink means (CRC %08x, it says %08x)", got, sum)
			continue
		}
		if b, _ := f.try(path, path); b != nil {
			return b
		}
	}
	return nil
}

// program is the program's own path, and its directory as it can be opened from
// here: a process may see other files than we do.
func (f *finder) program() (exe, dir string) {
	exe, err := filepath.EvalSymlinks(f.path)
	process := ""
	if strings.HasPrefix(f.path, "/proc/") && strings.HasSuffix(f.path, "/exe") {
		process = strings.TrimSuffix(f.path, "/exe")
		exe, err = os.Readlink(f.path)
		exe = strings.TrimSuffix(exe, " (deleted)")
	}
	if err != nil {
		return "", ""
	}
	if abs, err := filepath.Abs(exe); err == nil {
		exe = abs
	}
	dir = filepath.Dir(exe)
	if process != "" {
		if there := filepath.Join(process, "root", dir); isDir(there) {
			dir = there
		}
	}
	return exe, dir
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// debugLink reads .gnu_debuglink: a file name, padding to four bytes, a CRC-32.
func debugLink(path string) (name string, sum uint32, ok bool) {
	f, err := elf.Open(path)
	if err != nil {
		return "", 0, false
	}
	defer f.Close()
	s := f.Section(".gnu_debuglink")
	if s == nil || s.Size > 4096 {
		return "", 0, false
	}
	data, err := s.Data()
	if err != nil || len(data) < 8 {
		return "", 0, false
	}
	name, _, _ = strings.Cut(string(data), "\x00")
	if name == "" || strings.Contains(name, "/") {
		return "", 0, false
	}
	return name, f.ByteOrder.Uint32(data[len(data)-4:]), true
}

func crcOf(path string) (uint32, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	h := crc32.NewIEEE()
	_, err = io.Copy(h, f)
	return h.Sum32(), err
}
