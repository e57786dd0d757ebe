package debuginfo

import (
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Runtime is where the runtime of this build keeps what Sidelight reads of it.
// Offsets are from the start of the named struct, addresses as linked. They
// change between Go versions (1.24 and 1.25 moved fields of g and m), and so are
// read from the debug information of the build itself.
type Runtime struct {
	// struct runtime.g
	GM, GGoid, GStackLo, GStackHi, GStackguard0, GSchedSP, GStatus, GAsyncSafePoint int64
	// struct runtime.m
	MP, MCurg, MG0, MGsignal, MProcid, MAlllink int64
	// struct runtime.p
	PID int64
	// Variables of the runtime: a slice of *g, its length as an atomic word, an
	// int32, and the first *m of a list.
	Allgs, Allglen, Gomaxprocs, Allm uint64

	// Inferred: not read from debug information, and to be proven on the process.
	Inferred bool
}

// runtimeFields are the fields that Runtime tells of.
func (r *Runtime) fields() []runtimeField {
	return []runtimeField{
		{&r.GM, "runtime.g", []string{"m"}},
		{&r.GGoid, "runtime.g", []string{"goid"}},
		{&r.GStackLo, "runtime.g", []string{"stack", "lo"}},
		{&r.GStackHi, "runtime.g", []string{"stack", "hi"}},
		{&r.GStackguard0, "runtime.g", []string{"stackguard0"}},
		{&r.GSchedSP, "runtime.g", []string{"sched", "sp"}},
		{&r.GStatus, "runtime.g", []string{"atomicstatus"}},
		{&r.GAsyncSafePoint, "runtime.g", []string{"asyncSafePoint"}},
		{&r.MP, "runtime.m", []string{"p"}},
		{&r.MCurg, "runtime.m", []string{"curg"}},
		{&r.MG0, "runtime.m", []string{"g0"}},
		{&r.MGsignal, "runtime.m", []string{"gsignal"}},
		{&r.MProcid, "runtime.m", []string{"procid"}},
		{&r.MAlllink, "runtime.m", []string{"alllink"}},
		{&r.PID, "runtime.p", []string{"id"}},
	}
}

type runtimeField struct {
	to   *int64
	typ  string
	path []string
}

// runtimeVars are the variables of the runtime that Runtime tells of.
func (r *Runtime) vars() []runtimeVar {
	return []runtimeVar{{&r.Allgs, "runtime.allgs"}, {&r.Allglen, "runtime.allglen"},
		{&r.Gomaxprocs, "runtime.gomaxprocs"}, {&r.Allm, "runtime.allm"}}
}

type runtimeVar struct {
	to   *uint64
	name string
}

// Runtime reads the layout of the runtime. An error names what is missing.
//
// Without debug information the offsets are those of the Go version (layouts),
// and the addresses come from the symbol table or from the code of the runtime
// (runtimevars.go). Such a Runtime says so by Inferred: who uses it on a process
// has to see first that the process agrees.
func (b *Build) Runtime() (*Runtime, error) {
	return b.rt.get(func() (*Runtime, error) {
		if !b.HasDebug() {
			return b.inferRuntime()
		}
		r := &Runtime{Inferred: b.sep != nil && !b.sep.proven}
		for _, f := range r.fields() {
			off, err := b.fieldOffset(f.typ, f.path...)
			if err != nil {
				return nil, err
			}
			*f.to = off
		}
		for _, v := range r.vars() {
			g, ok := b.global(v.name)
			if !ok {
				return nil, fmt.Errorf("%s: the debug information lacks %s: this Go version (%s) is not supported", b.Path, v.name, b.GoVersion)
			}
			*v.to = g.Addr
		}
		return r, nil
	})
}

// FieldOffset is the offset of a field of a struct type, through nested structs;
// false where the build does not tell.
func (b *Build) FieldOffset(typ string, path ...string) (int64, bool) {
	off, err := b.fieldOffset(typ, path...)
	return off, err == nil
}

// fieldOffset is the offset of a field of a struct type, through nested structs.
func (b *Build) fieldOffset(typ string, path ...string) (int64, error) {
	t := b.TypeByName(typ)
	var off int64
	for _, name := range path {
		f := fieldNamed(t, name)
		if f == nil {
			return 0, fmt.Errorf("%s: the debug information lacks %s.%s: this Go version (%s) is not supported", b.Path, typ, name, b.GoVersion)
		}
		off += f.Offset
		t = f.Type
	}
	return off, nil
}

func fieldNamed(t *program.Type, name string) *program.Field {
	if t == nil {
		return nil
	}
	for i := range t.Fields {
		if t.Fields[i].Name == name {
			return &t.Fields[i]
		}
	}
	return nil
}

// TypesBase is the linked address of the runtime's type descriptors
// (moduledata.types), from which TypeByRuntime counts; 0 if it is not known.
func (b *Build) TypesBase() uint64 {
	if base := b.typesSymbol(); base != 0 {
		return base
	}
	if !b.HasDebug() {
		m, err := b.module()
		if err != nil {
			return 0
		}
		return m.types
	}
	off, err := b.fieldOffset("runtime.moduledata", "types")
	if err != nil {
		return 0
	}
	g, ok := b.global("runtime.firstmoduledata")
	if !ok {
		return 0
	}
	return b.word(g.Addr + uint64(off))
}

// typesSymbol is TypesBase as the symbol table has it; 0 without one.
func (b *Build) typesSymbol() uint64 {
	base, _ := b.base.get(func() (base uint64, err error) {
		b.eachSymbol(func(name string, value, _ uint64) bool {
			if name == "runtime.types" {
				base = value
			}
			return base == 0
		})
		return base, nil
	})
	return base
}

// rtypeOffset is a type's DW_AT_go_runtime_type as an offset from TypesBase. Go
// 1.22 writes addresses instead for the two types that its linker makes before
// all others.
func (b *Build) rtypeOffset(d *die) uint64 {
	if d.name == "uintptr" || d.name == "unsafe.Pointer" {
		if base := b.typesSymbol(); base != 0 && d.rtype >= base {
			return d.rtype - base
		}
	}
	return d.rtype
}
