// Package amd64 knows the instruction set: what the bytes of a function do, and
// which bytes do a wanted thing.
//
// In comes machine code as a build has it; out go its instructions, its blocks
// with their edges (Flow) and what is free at each of them (Live). And in come
// calls on Asm; out goes machine code. debuginfo stands before it with the code;
// locate, patch and jit stand after it. It knows nothing of probes, processes or
// files, and carries no build tag.
//
// The decoder gives the length of every instruction that Go's compiler, its
// assembly and a C compiler emit, the VEX and EVEX coded ones included, which
// golang.org/x/arch/x86/x86asm does not know. What it does not know it refuses;
// it never guesses. Where effects on registers are not known, they are said to
// be the worst: everything read, nothing written.
package amd64
