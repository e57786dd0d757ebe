// Package inject is the only package that touches another process.
//
// In come a pid, system calls to be made inside the target, machine code and
// edits of its text; out come the target's memory, the place of a bay there,
// and typed refusals that name the cure. Before it stands engine, which decides
// what to write where; behind it are only the kernel and the target. ring says
// how a bay is laid out, jit makes the code of the handlers.
//
// # How it stays harmless
//
// Everything is written through one /proc/PID/mem handle opened at the start:
// when the target has replaced itself by exec, or its pid is used again, that
// handle writes nothing.
//
// One sleeping thread is borrowed for a few system calls at a time. It is sent
// through a stub that restores every register and the signal mask by itself, so
// the tool may die at any instruction: before the registers are set nothing has
// happened, after it nothing more is needed (stub.go, call.go).
//
// Text is changed by an int3 first, then the tail, then the first byte, with a
// core-serialising membarrier in the target between the steps (patch.go), and a
// journal in the bay says how to undo it when the tool is dead (journal.go).
package inject
