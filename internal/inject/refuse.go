package inject

import (
	"errors"
	"fmt"
)

// Errors of a target that is gone. Both are final.
var (
	ErrExited   = errors.New("the target has exited")
	ErrReplaced = errors.New("the target has replaced its program by exec; attach again")
)

// ErrBusy is returned when no thread could be borrowed just now; trying again is safe.
var ErrBusy = errors.New("no thread of the target could be borrowed just now; try again")

// Codes of a RefusedError.
const (
	CodeNoProcess  = "no-process"
	CodeZombie     = "zombie"
	CodeArch       = "architecture"
	CodePermission = "permission"
	CodeTraced     = "traced"
	CodeSeccomp    = "seccomp"
	CodeMemory     = "memory"
	CodeText       = "text-differs"
	CodeKernel     = "kernel"
	CodeSelf       = "self"
	CodeFull       = "full"
	CodeSignals    = "signals"
	CodeRuntime    = "runtime"
)

// RefusedError says why a process is left alone, and what would help.
type RefusedError struct {
	Code    string // one of the Code constants
	Message string // what is in the way
	Cure    string // what to do next
	Err     error  // the kernel's answer, if there was one
}

func (e *RefusedError) Error() string {
	s := e.Message
	if e.Err != nil {
		s = fmt.Sprintf("%s (%v)", s, e.Err)
	}
	if e.Cure != "" {
		s += "; " + e.Cure
	}
	return s
}

func (e *RefusedError) Unwrap() error { return e.Err }

// Refused says whether permission or safety is in the way (exit code 3). Where
// it is false, the process itself is: it is gone, or runs nothing to observe.
func (e *RefusedError) Refused() bool {
	switch e.Code {
	case CodeNoProcess, CodeZombie, CodeArch:
		return false
	}
	return true
}
