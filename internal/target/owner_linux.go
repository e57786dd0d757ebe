package target

import (
	"os"
	"syscall"
)

// fileOwner returns the uid that owns a file, or -1.
func fileOwner(path string) int {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}
