package inject

// Results of an interrupted system call that the kernel keeps to itself
// (include/linux/errno.h).
const (
	restartSys     = 512 // ERESTARTSYS
	restartNoIntr  = 513 // ERESTARTNOINTR
	restartNoHand  = 514 // ERESTARTNOHAND
	restartBlock   = 516 // ERESTART_RESTARTBLOCK
	syscallInsnLen = 2   // 0F 05
)

// resume says where and with what in rax a stopped thread has to go on, if it is
// sent elsewhere first: it does what the kernel would have done on the way back
// to user mode (arch_do_signal_or_restart, arch/x86/kernel/signal.c). origRAX is
// the number of the system call, negative if the thread was in none. ok is false
// for a thread that must not be diverted.
func resume(rip, rax, origRAX uint64) (newRIP, newRAX uint64, ok bool) {
	if int64(origRAX) < 0 {
		return rip, rax, true
	}
	switch -int64(rax) {
	case restartSys, restartNoIntr:
		return rip - syscallInsnLen, origRAX, true
	case restartNoHand:
		// Whether it restarts depends on the signals that are pending; a signal
		// that comes while the stub runs would no longer end the call.
		return 0, 0, false
	case restartBlock:
		return rip - syscallInsnLen, sysRestart, true
	}
	return rip, rax, true
}
