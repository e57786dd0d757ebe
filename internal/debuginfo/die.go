package debuginfo

// die is one decoded debugging information entry: the attributes that this
// package uses, references made absolute offsets in .debug_info.
type die struct {
	off, next uint64 // next: behind its attributes, where its children begin
	tag       uint16
	children  bool
	set       [2]uint64 // attributes below 128 that are present

	name, goPackage, compDir, expr       string
	producer                             string
	low, high                            uint64 // high made absolute by highPC
	highIsSize                           bool
	typ, origin, key, elem               uint64
	ranges                               uint64
	loclist                              uint64
	hasExpr, hasLoclist                  bool
	stmtList, addrBase, strOffsets       uint64
	rnglistsBase, loclistsBase           uint64
	lang, declFile, declLine             uint64
	callFile, callLine                   uint64
	byteSize, count, memberLoc, encoding uint64
	constVal                             int64
	kind, rtype, closureOff, dict        uint64
	hasClosureOff, hasDict               bool
	inline, varParam, trampoline         bool
	embedded                             bool
}

func (d *die) has(at uint16) bool { return at < 128 && d.set[at/64]&(1<<(at%64)) != 0 }

// end is DW_AT_high_pc as an address.
func (d *die) end() uint64 {
	if d.highIsSize {
		return d.low + d.high
	}
	return d.high
}

// value is one attribute's value as its form gives it.
type value struct {
	form  uint16
	u     uint64
	s     string
	block bool
}

// readDIE decodes the DIE at off; false if it is damaged. A null entry gives
// tag 0.
func (b *Build) readDIE(info *part, u *unit, off uint64, d *die) bool {
	*d = die{off: off}
	if off < u.first || off >= u.end {
		return false
	}
	r := info.within(off, u.end)
	code := r.uleb()
	if code == 0 {
		d.next = uint64(r.off)
		return !r.bad
	}
	a := u.abbrevs.get(code)
	if a == nil {
		return false
	}
	d.tag, d.children = a.tag, a.children
	for _, s := range a.attrs {
		v := b.readValue(&r, u, s)
		if r.bad {
			return false
		}
		if s.at < 128 {
			d.set[s.at/64] |= 1 << (s.at % 64)
		}
		d.take(s.at, v)
	}
	d.next = uint64(r.off)
	return !r.bad
}

// skipDIE passes over the attributes of a DIE without decoding them.
func skipDIE(r *buf, u *unit, a *abbrev) {
	if a.fixed >= 0 {
		r.skip(uint64(a.fixed))
		return
	}
	for i := range a.attrs {
		skipValue(r, u, a.attrs[i].form)
	}
}

func skipValue(r *buf, u *unit, form uint16) {
	if n := formSize(form); n >= 0 {
		r.skip(uint64(n))
		return
	}
	switch form {
	case formString:
		r.cstr()
	case formUdata, formSdata, formRefUdata, formStrx, formAddrx, formLoclistx, formRnglistx:
		r.skipLEB()
	case formBlock1:
		r.skip(uint64(r.u8()))
	case formBlock2:
		r.skip(uint64(r.u16()))
	case formBlock4:
		r.skip(uint64(r.u32()))
	case formBlock, formExprloc:
		r.skip(r.uleb())
	case formStrp, formLineStrp, formSecOffset, formStrpSup:
		r.offset(u.wide)
	case formRefAddr:
		refAddr(r, u)
	case formIndirect:
		form := uint16(r.uleb())
		if form == formIndirect {
			r.bad = true
			return
		}
		skipValue(r, u, form)
	default:
		r.bad = true
	}
}

// refAddr reads a DW_FORM_ref_addr: an address in DWARF 2, an offset since.
func refAddr(r *buf, u *unit) uint64 {
	if u.version <= 2 {
		return r.u64()
	}
	return r.offset(u.wide)
}

func (b *Build) readValue(r *buf, u *unit, s attrSpec) value {
	v := value{form: s.form}
	switch s.form {
	case formAddr, formData8, formRefSig8, formRefSup8:
		v.u = r.u64()
	case formData1, formFlag:
		v.u = uint64(r.u8())
	case formData2:
		v.u = uint64(r.u16())
	case formData4, formRefSup4:
		v.u = uint64(r.u32())
	case formData16:
		r.skip(16)
	case formUdata:
		v.u = r.uleb()
	case formSdata:
		v.u = uint64(r.sleb())
	case formRef1, formRef2, formRef4, formRef8:
		v.u = u.off + r.uint(1<<(s.form-formRef1))
	case formRefUdata:
		v.u = u.off + r.uleb()
	case formRefAddr:
		v.u = refAddr(r, u)
	case formSecOffset, formStrpSup:
		v.u = r.offset(u.wide)
	case formFlagPresent:
		v.u = 1
	case formImplicitConst:
		v.u = uint64(s.implicit)
	case formIndirect:
		form := uint16(r.uleb())
		if form == formIndirect || form == formImplicitConst {
			r.bad = true
			return v
		}
		return b.readValue(r, u, attrSpec{at: s.at, form: form})
	default:
		b.readWideValue(r, u, &v)
	}
	return v
}

// readWideValue reads the forms that hold blocks, strings or indexes.
func (b *Build) readWideValue(r *buf, u *unit, v *value) {
	switch f := v.form; {
	case f == formString:
		v.s = r.cstr()
	case f == formStrp:
		v.s = b.stringAt("str", r.offset(u.wide))
	case f == formLineStrp:
		v.s = b.stringAt("line_str", r.offset(u.wide))
	case f == formStrx:
		v.s = b.stringIndex(u, r.uleb())
	case f >= formStrx1 && f <= formStrx4:
		v.s = b.stringIndex(u, r.uint(int(f-formStrx1)+1))
	case f == formAddrx:
		v.u = b.addrIndex(u, r.uleb())
	case f >= formAddrx1 && f <= formAddrx4:
		v.u = b.addrIndex(u, r.uint(int(f-formAddrx1)+1))
	case f == formLoclistx:
		v.u = b.listIndex("loclists", u, u.loclistsBase, r.uleb())
	case f == formRnglistx:
		v.u = b.listIndex("rnglists", u, u.rnglistsBase, r.uleb())
	case f == formBlock1:
		v.s, v.block = r.bytes(uint64(r.u8())), true
	case f == formBlock2:
		v.s, v.block = r.bytes(uint64(r.u16())), true
	case f == formBlock4:
		v.s, v.block = r.bytes(uint64(r.u32())), true
	case f == formBlock || f == formExprloc:
		v.s, v.block = r.bytes(r.uleb()), true
	default:
		r.bad = true
	}
}

func (b *Build) stringAt(section string, off uint64) string {
	data, _ := b.section(section)
	r := data.at(off)
	return r.cstr()
}

func (b *Build) stringIndex(u *unit, i uint64) string {
	data, _ := b.section("str_offsets")
	n := uint64(4)
	if u.wide {
		n = 8
	}
	r := data.at(u.strOffsets)
	r.skip(i * n)
	off := r.offset(u.wide)
	if r.bad {
		return ""
	}
	return b.stringAt("str", off)
}

// addrIndex is entry i of the unit's part of .debug_addr.
func (b *Build) addrIndex(u *unit, i uint64) uint64 {
	data, _ := b.section("addr")
	if i > uint64(data.size()) {
		return 0
	}
	r := data.at(u.addrBase)
	r.skip(i * 8)
	return r.u64()
}

// listIndex is where list i of the unit begins in .debug_loclists or
// .debug_rnglists.
func (b *Build) listIndex(section string, u *unit, base, i uint64) uint64 {
	data, _ := b.section(section)
	n := uint64(4)
	if u.wide {
		n = 8
	}
	if i > uint64(data.size()) {
		return ^uint64(0)
	}
	r := data.at(base)
	r.skip(i * n)
	off := r.offset(u.wide)
	if r.bad {
		return ^uint64(0)
	}
	return base + off
}

// take puts a value where the attribute belongs.
func (d *die) take(at uint16, v value) {
	switch at {
	case atName:
		d.name = v.s
	case atLowPC:
		d.low = v.u
	case atHighPC:
		d.high = v.u
		d.highIsSize = v.form != formAddr && v.form != formAddrx && (v.form < formAddrx1 || v.form > formAddrx4)
	case atType:
		d.typ = v.u
	case atAbstract, atSpecification:
		d.origin = v.u
	case atRanges:
		d.ranges = v.u
	case atLocation:
		if v.block {
			d.expr, d.hasExpr = v.s, true
		} else {
			d.loclist, d.hasLoclist = v.u, true
		}
	case atDeclFile:
		d.declFile = v.u
	case atDeclLine:
		d.declLine = v.u
	case atCallFile:
		d.callFile = v.u
	case atCallLine:
		d.callLine = v.u
	case atByteSize:
		d.byteSize = v.u
	case atCount:
		d.count = v.u
	case atMemberLoc:
		d.memberLoc = memberOffset(v)
	case atEncoding:
		d.encoding = v.u
	case atConstValue:
		d.constVal = int64(v.u)
	case atInline:
		d.inline = v.u != 0
	case atVarParam:
		d.varParam = v.u != 0
	case atTrampoline:
		d.trampoline = v.u != 0
	default:
		d.takeRare(at, v)
	}
}

func (d *die) takeRare(at uint16, v value) {
	switch at {
	case atGoKind:
		d.kind = v.u
	case atGoKey:
		d.key = v.u
	case atGoElem:
		d.elem = v.u
	case atGoEmbedded:
		d.embedded = v.u != 0
	case atGoRuntimeType:
		d.rtype = v.u
	case atGoPackage:
		d.goPackage = v.s
	case atGoDictIndex:
		d.dict, d.hasDict = v.u, true
	case atGoClosureOff:
		d.closureOff, d.hasClosureOff = v.u, true
	case atLanguage:
		d.lang = v.u
	case atCompDir:
		d.compDir = v.s
	case atProducer:
		d.producer = v.s
	case atStmtList:
		d.stmtList = v.u
	case atAddrBase:
		d.addrBase = v.u
	case atRnglistsBase:
		d.rnglistsBase = v.u
	case atLoclistsBase:
		d.loclistsBase = v.u
	case atStrOffsets:
		d.strOffsets = v.u
	}
}

// memberOffset reads DW_AT_data_member_location: a number, or the expression
// DW_OP_plus_uconst N (0x23).
func memberOffset(v value) uint64 {
	if !v.block {
		return v.u
	}
	r := buf{data: v.s}
	if r.u8() != 0x23 {
		return 0
	}
	return r.uleb()
}
