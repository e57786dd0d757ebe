// Package debuginfo reads one build: an ELF file of a Go program with its DWARF
// and its pclntab. What comes in is the path of the file; what goes out are its
// functions, lines, inlining trees, variables and where they live, types, the
// layout of the runtime, and the unsafe points of the preemption tables.
//
// Before it stands nothing but the file; after it stand locate (which turns a
// location into machine addresses), compile (which checks expressions against
// variables and types) and engine. All addresses are as linked: the slide of a
// position-independent executable is the business of whoever runs the code.
//
// A file is material to be judged: damaged debug information gives errors,
// never a panic. Everything is read lazily and kept, so that a Build of a large
// server opens in well under a second; a Build is safe for concurrent use.
//
// Facts about the formats come from DWARF 4 and 5, and from the Go tree:
// cmd/internal/dwarf/dwarf.go (attributes 0x2900 and up), runtime/symtab.go and
// runtime/runtime2.go (pclntab), internal/abi/symtab.go (PCDATA), each read for
// go1.22.12, 1.23.12, 1.24.11, 1.25.5 and 1.26.8.
package debuginfo
