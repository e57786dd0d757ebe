package debuginfo

import (
	"debug/elf"
	"fmt"
	"slices"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// Where a program has no symbol table, the addresses of the runtime's variables
// are read off the code of functions that the table of functions names and that
// use them in a way that nothing else in them does. The rules are the same from
// Go 1.22 to 1.26 (runtime/proc.go); a test finds the addresses of the symbol
// table by them in every way of building. Whatever is not unique is not taken.

// use is how a function touches the data at one address.
type use struct {
	loads, stores, takes, compares int // takes: its address
	size                           int // bytes of the last load or store; 0: unknown
}

// findRuntimeVars fills in the addresses of r.
func (b *Build) findRuntimeVars(r *Runtime) error {
	funcs := map[string]map[uint64]use{}
	for _, name := range []string{"runtime.allgadd", "runtime.forEachGRace", "runtime.mcommoninit", "runtime.procresize"} {
		uses, err := b.usesIn(name)
		if err != nil {
			return err
		}
		funcs[name] = uses
	}
	add, race := funcs["runtime.allgadd"], funcs["runtime.forEachGRace"]
	initM, resize := funcs["runtime.mcommoninit"], funcs["runtime.procresize"]
	for _, v := range []struct {
		name string
		to   *uint64
		in   map[uint64]use
		is   func(addr uint64, u use) bool
	}{
		// allgs = append(allgs, gp): three words that are read and written.
		{"runtime.allgs", &r.Allgs, add, func(a uint64, u use) bool {
			n, c := add[a+8], add[a+16]
			return wide(u) && wide(n) && wide(c) && u.loads > 0 && u.stores > 0 && n.loads > 0 && n.stores > 0 && c.loads > 0 && c.stores > 0
		}},
		// atomic.Storeuintptr(&allglen, …) there, and read by atomicAllG.
		{"runtime.allglen", &r.Allglen, add, func(a uint64, u use) bool {
			l := race[a]
			return u.takes == 1 && u.loads+u.stores+u.compares == 0 && l.loads == 1 && l.size == 8 && l.takes == 0
		}},
		// mp.alllink = allm; atomicstorep(&allm, mp)
		{"runtime.allm", &r.Allm, initM, func(_ uint64, u use) bool { return u.loads == 1 && u.size == 8 && u.takes > 0 }},
		// old := gomaxprocs; atomic.Store(&gomaxprocs, nprocs)
		{"runtime.gomaxprocs", &r.Gomaxprocs, resize, func(_ uint64, u use) bool { return u.loads > 0 && u.size == 4 && u.takes == 1 }},
	} {
		var found []uint64
		for a, u := range v.in {
			if v.is(a, u) && b.writable(a) {
				found = append(found, a)
			}
		}
		if len(found) != 1 {
			return fmt.Errorf("%d addresses may be %s", len(found), v.name)
		}
		*v.to = found[0]
	}
	if r.Allgs%8 != 0 || r.Allglen%8 != 0 || r.Allm%8 != 0 || r.Gomaxprocs%4 != 0 {
		return fmt.Errorf("what may be the runtime's variables is not aligned")
	}
	return nil
}

func wide(u use) bool { return u.size == 8 }

// writable tells whether an address lies in data that the program may change.
func (b *Build) writable(addr uint64) bool {
	return slices.ContainsFunc(b.elf.Progs, func(p *elf.Prog) bool {
		return p.Type == elf.PT_LOAD && p.Flags&elf.PF_W != 0 && addr >= p.Vaddr && addr-p.Vaddr < p.Memsz
	})
}

// checkOffsets holds two offsets that have moved between releases, and that a
// look at the process would not miss, to the code that writes these fields.
func (b *Build) checkOffsets(r *Runtime) error {
	link, flag := false, false
	err := b.eachInst("runtime.mcommoninit", func(in *amd64.Inst) { // mp.alllink = allm
		link = link || in.Map == amd64.MapOne && in.Opcode == 0x89 && rexOf(in)&8 != 0 && in.Mem.HasBase && in.Mem.Disp == r.MAlllink
	})
	if err == nil {
		err = b.eachInst("runtime.asyncPreempt2", func(in *amd64.Inst) { // gp.asyncSafePoint = false
			flag = flag || in.Map == amd64.MapOne && in.Opcode == 0xc6 && in.Bytes[in.Len-1] == 0 && in.Mem.HasBase && in.Mem.Disp == r.GAsyncSafePoint
		})
	}
	switch {
	case err != nil:
		return err
	case !link:
		return fmt.Errorf("m.alllink is not at offset %d", r.MAlllink)
	case !flag:
		return fmt.Errorf("g.asyncSafePoint is not at offset %d", r.GAsyncSafePoint)
	}
	return nil
}

// usesIn tells how a function touches data by addresses relative to itself.
func (b *Build) usesIn(name string) (map[uint64]use, error) {
	uses := map[uint64]use{}
	err := b.eachInst(name, func(in *amd64.Inst) {
		if in.Mem.Present && in.Mem.RIPRel {
			u := uses[in.RIPTarget()]
			u.note(in)
			uses[in.RIPTarget()] = u
		}
	})
	return uses, err
}

// eachInst visits the instructions of a function in the order of their addresses.
func (b *Build) eachInst(name string, visit func(*amd64.Inst)) error {
	f := b.FuncNamed(name)
	if f == nil {
		return fmt.Errorf("there is no function %s", name)
	}
	return b.eachInstOf(f, visit)
}

func (b *Build) eachInstOf(f *Func, visit func(*amd64.Inst)) error {
	code, err := b.Bytes(f.Entry, int(f.End-f.Entry))
	if err != nil {
		return err
	}
	for pc := f.Entry; pc < f.End; {
		in, err := amd64.Decode(code[pc-f.Entry:], pc)
		if err != nil {
			return err
		}
		visit(&in)
		pc = in.End()
	}
	return nil
}

// note adds what one instruction does. Only plain moves count as loads and
// stores.
func (u *use) note(in *amd64.Inst) {
	size := 4
	if rexOf(in)&8 != 0 {
		size = 8
	}
	switch {
	case in.Map == amd64.MapOne && in.Opcode == 0x8d:
		u.takes++
	case in.Map == amd64.MapOne && in.Opcode == 0x8b:
		u.loads++
		u.size = size
	case in.Map == amd64.MapOne && in.Opcode == 0x89:
		u.stores++
		u.size = size
	default:
		u.compares++
	}
}

// rexOf is the REX prefix of an instruction; 0 without.
func rexOf(in *amd64.Inst) byte {
	for _, c := range in.Bytes {
		switch {
		case c&0xf0 == 0x40:
			return c
		case c != 0x66 && c != 0xf2 && c != 0xf3 && c != 0xf0:
			return 0
		}
	}
	return 0
}
