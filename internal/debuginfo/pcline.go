package debuginfo

// SourceAt is the file and line of the instruction at pc: by the line table of
// the debug information, or, where that is silent as about assembly, by the
// runtime's own.
func (b *Build) SourceAt(pc uint64) (file string, line int, ok bool) {
	if row, ok := b.LineAt(pc); ok && row.Line > 0 {
		return row.File, row.Line, true
	}
	f := b.FuncAt(pc)
	if f == nil {
		return "", 0, false
	}
	b.needPclntab()
	p := &b.pcln
	n, ok1 := p.at(p.u32(f.pcln, funcPCFile), pc-f.Entry)
	l, ok2 := p.at(p.u32(f.pcln, funcPCLn), pc-f.Entry)
	if !ok1 || !ok2 || n.value < 0 {
		return "", 0, false
	}
	at := bufAt(p.cutab, 4*(uint64(p.u32(f.pcln, funcCU))+uint64(n.value)))
	off := at.u32()
	if at.bad || off == ^uint32(0) {
		return "", 0, false
	}
	name := bufAt(p.files, uint64(off))
	file = name.cstr()
	return file, int(l.value), !name.bad && file != ""
}
