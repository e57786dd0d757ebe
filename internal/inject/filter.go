package inject

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/net/bpf"
)

// Actions of a seccomp filter (include/uapi/linux/seccomp.h). The lower of two,
// as signed numbers, is the stricter one.
const (
	seccompAllow      = 0x7fff0000
	seccompLog        = 0x7ffc0000
	seccompErrno      = 0x00050000
	seccompActionFull = 0xffff0000

	auditArchX8664 = 0xC000003E
	seccompLen     = 64 // struct seccomp_data
)

// filterCalls are the system calls that stubs make, with arguments as they are
// made; addresses stand for any.
func filterCalls() map[string]Syscall {
	const at = 0x40000000
	none := Num(^uint64(0))
	return map[string]Syscall{
		"rt_sigprocmask": Sys(sysRtSigprocmask, Num(sigSetmask), Num(at), Num(0), Num(sigsetSize)),
		"memfd_create":   Sys(sysMemfdCreate, Num(at), Num(mfdCloexec)),
		"ftruncate":      Sys(sysFtruncate, Num(9), Num(residentSize)),
		"mmap (code)":    Sys(sysMmap, Num(at), Num(residentSize), Num(protRead|protExec), Num(mapPrivate|mapFixedNoReplace), Num(9), Num(0)),
		"mmap (data)":    Sys(sysMmap, Num(at), Num(controlSize), Num(protRead|protWrite), Num(mapPrivate|mapFixedNoReplace), Num(9), Num(0)),
		"mmap (anon)":    Sys(sysMmap, Num(at), Num(controlSize), Num(protRead|protWrite), Num(mapPrivate|mapAnon|mapFixedNoReplace), none, Num(0)),
		"mmap (shared)":  Sys(sysMmap, Num(at), Num(controlSize), Num(protRead|protWrite), Num(mapShared|mapFixedNoReplace), Num(9), Num(0)),
		"mmap (again)":   Sys(sysMmap, Num(at), Num(controlSize), Num(protRead|protWrite), Num(mapShared|mapFixed), Num(9), Num(0)),
		"munmap":         Sys(sysMunmap, Num(at), Num(residentSize)),
		"madvise (fork)": Sys(sysMadvise, Num(at), Num(controlSize), Num(madvWipeOnFork)),
		"madvise (zero)": Sys(sysMadvise, Num(at), Num(controlSize), Num(madvDontNeed)),
		"close":          Sys(sysClose, Num(9)),
		"rt_sigaction":   Sys(sysRtSigaction, Num(5), Num(at), Num(at), Num(sigsetSize)),
		"membarrier":     Sys(sysMembarrier, Num(membarrierSyncCore)),
		"membarrier (r)": Sys(sysMembarrier, Num(membarrierRegisterSyncCore)),
		"restart":        Sys(sysRestart),
	}
}

// Commands of membarrier (include/uapi/linux/membarrier.h).
const (
	membarrierSyncCore         = 1 << 5 // PRIVATE_EXPEDITED_SYNC_CORE
	membarrierRegisterSyncCore = 1 << 6
)

// Advice of madvise (include/uapi/asm-generic/mman-common.h).
const (
	madvDontNeed   = 4
	madvWipeOnFork = 18
)

// The system call of the clock, and its clock (include/uapi/linux/time.h).
const (
	sysClockGettime = 228
	clockMonotonic  = 1
)

// clockCall is the system call that the kernel's clock makes where it must.
func clockCall() map[string]Syscall {
	return map[string]Syscall{"clock_gettime": Sys(sysClockGettime, Num(clockMonotonic), Num(0x40000000))}
}

// forbidden asks the filters of a thread about calls that would be made. It returns
// the name of one that does not pass, and "" if all do. A filter that cannot be
// evaluated is an error.
func forbidden(filters [][]bpf.RawInstruction, calls map[string]Syscall) (string, error) {
	var vms []*bpf.VM
	for _, raw := range filters {
		prog, ok := bpf.Disassemble(raw)
		if !ok {
			return "", fmt.Errorf("a seccomp filter has instructions that are not understood")
		}
		vm, err := bpf.NewVM(prog)
		if err != nil {
			return "", fmt.Errorf("a seccomp filter is not understood: %w", err)
		}
		vms = append(vms, vm)
	}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		data := seccompData(calls[name])
		for _, vm := range vms {
			v, err := vm.Run(data)
			if err != nil {
				return "", err
			}
			if a := uint32(v) & seccompActionFull; a != seccompAllow && a != seccompLog {
				return name, nil
			}
		}
	}
	return "", nil
}

// seccompData is the kernel's struct seccomp_data for a call: number,
// architecture, instruction pointer, six arguments. A filter reads it in aligned
// words of the machine's order; the VM reads words in network order, so every
// word is turned round.
func seccompData(c Syscall) []byte {
	words := []uint32{uint32(c.Nr), auditArchX8664, 0x400000, 0}
	for _, a := range c.Args {
		words = append(words, uint32(a.value), uint32(a.value>>32))
	}
	b := make([]byte, 0, seccompLen)
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}
