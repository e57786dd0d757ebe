package debuginfo

import (
	"errors"
	"fmt"
)

// What Open may refuse a file for. Test with errors.Is.
var (
	ErrNotELF    = errors.New("not an ELF executable")
	ErrNotGo     = errors.New("not a Go program")
	ErrArch      = errors.New("not built for linux/amd64")
	ErrNoDWARF   = errors.New("no debug information")
	ErrGoVersion = errors.New("built by an unsupported Go version")
	ErrDamaged   = errors.New("damaged debug information")
)

// Error is what this package returns: which file, what is wrong with it (one
// of the Err values, wrapped), and what to do next.
type Error struct {
	Path string
	Err  error
	Next string // what to do about it; may be empty
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %v", e.Path, e.Err)
	if e.Next != "" {
		s += "; " + e.Next
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// damaged says what could not be understood.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// ignore ends a reader over damaged input with what it has so far.
func ignore() { _ = recover() }

// guard turns a panic over damaged input into an error. Readers here check
// their bounds; this is the belt to those braces.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = damaged("%v", r)
	}
}
