//go:build linux && amd64

package inject

import (
	"os"
	"strconv"
)

func itoa(n int) string { return strconv.Itoa(n) }

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func readFile(name string) string {
	b, _ := os.ReadFile(name)
	return string(b)
}
