package locate

import (
	"strings"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// refusedPackages are runtime and the packages that it imports in any Go from
// 1.22 to 1.26 (go list -deps runtime): their code also runs where a probe would
// find no goroutine, no stack or no P. Packages below runtime/internal and
// internal/runtime are refused by prefix.
var refusedPackages = map[string]bool{
	"runtime": true, "runtime/cgo": true, "unsafe": true,
	"internal/abi": true, "internal/asan": true, "internal/bytealg": true,
	"internal/byteorder": true, "internal/chacha8rand": true,
	"internal/coverage/rtcov": true, "internal/cpu": true, "internal/goarch": true,
	"internal/godebugs": true, "internal/goexperiment": true, "internal/goos": true,
	"internal/msan": true, "internal/profilerecord": true, "internal/race": true,
	"internal/strconv": true, "internal/stringslite": true,
	"internal/trace/tracev2": true, "math/bits": true,
}

// refusedFuncs are single functions: those that run in the child between fork
// and exec or while the goroutine's P is given away for a system call
// (syscall/exec_linux.go, syscall/syscall_linux.go), what reflect's assembly
// stubs call (reflect/makefunc.go, reflect/value.go), and what the scheduler
// itself calls when a timer has come (time/sleep.go): no goroutine is parked
// there, so nobody would see a thread inside a window.
var refusedFuncs = map[string]string{
	"syscall.forkAndExecInChild":       whyFork,
	"syscall.forkAndExecInChild1":      whyFork,
	"syscall.rawVforkSyscall":          whyFork,
	"syscall.rawSyscallNoError":        whyFork,
	"syscall.RawSyscall":               whyFork,
	"syscall.RawSyscall6":              whyFork,
	"syscall.prlimit1":                 whyFork,
	"syscall.setgroups":                whyFork,
	"syscall.capToIndex":               whyFork,
	"syscall.capToMask":                whyFork,
	"syscall.Syscall":                  whySyscall,
	"syscall.Syscall6":                 whySyscall,
	"syscall.runtime_entersyscall":     whySyscall,
	"syscall.runtime_exitsyscall":      whySyscall,
	"syscall.runtime_BeforeFork":       whyFork,
	"syscall.runtime_AfterFork":        whyFork,
	"reflect.makeFuncStub":             whyReflect,
	"reflect.methodValueCall":          whyReflect,
	"reflect.callReflect":              whyReflect,
	"reflect.callMethod":               whyReflect,
	"reflect.moveMakeFuncArgPtrs":      whyReflect,
	"syscall.runtime_AfterForkInChild": whyFork,
	"syscall.doCheckClonePidfd":        whyFork,
	"time.sendTime":                    whyRuntime,
	"time.goFunc":                      whyRuntime,
}

const (
	whyRuntime  = "it belongs to the Go runtime, whose code also runs without a goroutine"
	whyFork     = "it runs between fork and exec, where the child shares the memory of its parent"
	whySyscall  = "it runs while the goroutine has given its processor away for a system call"
	whyReflect  = "it is called by reflect's assembly stubs, with arguments in no regular frame"
	whyAssembly = "it is written in assembly, which keeps no goroutine register"
	whyCgo      = "it is glue between Go and C, which runs on the system's stack"
	whyWrapper  = "the compiler made it, and it has no source of its own"
)

// Refused tells why no probe may be put into f's own code, or "".
func Refused(f *debuginfo.Func) (why string) {
	if why := forbidden(f); why != "" {
		return why
	}
	if f.Wrapper {
		return whyWrapper
	}
	return ""
}

// lent tells of a function of the runtime under another package's name.
func lent(b *debuginfo.Build, f *debuginfo.Func) string {
	if rows := b.Lines(f); len(rows) > 0 && refusedFile(rows[0].File) {
		return whyRuntime
	}
	if refusedFile(b.RuntimeFile(f)) { // the line table may be damaged
		return whyRuntime
	}
	if f.Wrapper { // it begins nowhere, and what it wraps is inlined in it
		why := ""
		b.RuntimeFiles(f, func(file string) bool {
			if refusedFile(file) {
				why = whyRuntime
			}
			return why == ""
		})
		return why
	}
	return ""
}

// forbidden is Refused without the wrappers: a function that was inlined into a
// wrapper is probed there.
func forbidden(f *debuginfo.Func) string {
	name := splitName(f.Name)
	switch {
	case refusedPackage(f.Package):
		return whyRuntime
	case f.Assembly:
		return whyAssembly
	case strings.HasPrefix(f.Name, "type:") || strings.HasPrefix(f.Name, "go:"):
		return whyWrapper
	case strings.HasPrefix(name.rest, "_Cfunc_") || strings.HasPrefix(name.rest, "_cgo") || f.Package == "":
		return whyCgo
	}
	return refusedFuncs[f.Package+"."+name.rest]
}

func refusedPackage(path string) bool {
	return refusedPackages[path] || strings.HasPrefix(path, "internal/runtime/") ||
		strings.HasPrefix(path, "runtime/internal/")
}

// refusedFile tells whether a source file is one of a refused package.
func refusedFile(file string) bool {
	slash := strings.LastIndexByte(file, '/')
	if slash < 0 {
		return false
	}
	dir := file[:slash]
	if i := strings.LastIndex(dir, "/src/"); i >= 0 {
		dir = dir[i+len("/src/"):]
	}
	return refusedPackage(dir)
}
