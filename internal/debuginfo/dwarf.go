package debuginfo

// DWARF's numbers that this package needs (DWARF 5, section 7), and Go's own
// (cmd/internal/dwarf/dwarf.go).
const (
	tagArray        = 0x01
	tagFormalParam  = 0x05
	tagLexicalBlock = 0x0b
	tagMember       = 0x0d
	tagPointer      = 0x0f
	tagCompileUnit  = 0x11
	tagStruct       = 0x13
	tagSubroutine   = 0x15
	tagTypedef      = 0x16
	tagInlined      = 0x1d
	tagSubrange     = 0x21
	tagBase         = 0x24
	tagConstant     = 0x27
	tagSubprogram   = 0x2e
	tagVariable     = 0x34
	tagUnspecified  = 0x3b

	atLocation      = 0x02
	atName          = 0x03
	atByteSize      = 0x0b
	atStmtList      = 0x10
	atLowPC         = 0x11
	atHighPC        = 0x12
	atLanguage      = 0x13
	atCompDir       = 0x1b
	atConstValue    = 0x1c
	atInline        = 0x20
	atProducer      = 0x25
	atAbstract      = 0x31
	atCount         = 0x37
	atMemberLoc     = 0x38
	atDeclFile      = 0x3a
	atDeclLine      = 0x3b
	atEncoding      = 0x3e
	atFrameBase     = 0x40
	atSpecification = 0x47
	atType          = 0x49
	atVarParam      = 0x4b
	atRanges        = 0x55
	atTrampoline    = 0x56
	atCallFile      = 0x58
	atCallLine      = 0x59
	atStrOffsets    = 0x72
	atAddrBase      = 0x73
	atRnglistsBase  = 0x74
	atLoclistsBase  = 0x8c
	atGoKind        = 0x2900
	atGoKey         = 0x2901
	atGoElem        = 0x2902
	atGoEmbedded    = 0x2903
	atGoRuntimeType = 0x2904
	atGoPackage     = 0x2905
	atGoDictIndex   = 0x2906
	atGoClosureOff  = 0x2907

	formAddr          = 0x01
	formBlock2        = 0x03
	formBlock4        = 0x04
	formData2         = 0x05
	formData4         = 0x06
	formData8         = 0x07
	formString        = 0x08
	formBlock         = 0x09
	formBlock1        = 0x0a
	formData1         = 0x0b
	formFlag          = 0x0c
	formSdata         = 0x0d
	formStrp          = 0x0e
	formUdata         = 0x0f
	formRefAddr       = 0x10
	formRef1          = 0x11
	formRef2          = 0x12
	formRef4          = 0x13
	formRef8          = 0x14
	formRefUdata      = 0x15
	formIndirect      = 0x16
	formSecOffset     = 0x17
	formExprloc       = 0x18
	formFlagPresent   = 0x19
	formStrx          = 0x1a
	formAddrx         = 0x1b
	formRefSup4       = 0x1c
	formStrpSup       = 0x1d
	formData16        = 0x1e
	formLineStrp      = 0x1f
	formRefSig8       = 0x20
	formImplicitConst = 0x21
	formLoclistx      = 0x22
	formRnglistx      = 0x23
	formRefSup8       = 0x24
	formStrx1         = 0x25
	formStrx4         = 0x28
	formAddrx1        = 0x29
	formAddrx4        = 0x2c

	langGo = 0x16
)

// attrSpec is one attribute of an abbreviation.
type attrSpec struct {
	at, form uint16
	implicit int64
}

// abbrev is the shape of a DIE. fixed is the size of its attributes where every
// one has a fixed size in 32-bit DWARF, else -1.
type abbrev struct {
	tag      uint16
	children bool
	known    bool
	fixed    int
	attrs    []attrSpec
}

// abbrevTable holds abbreviations by code; codes are small and dense in
// practice, and the rest goes to the map.
type abbrevTable struct {
	dense  [256]abbrev
	sparse map[uint64]*abbrev
}

func (t *abbrevTable) get(code uint64) *abbrev {
	if code < uint64(len(t.dense)) {
		if a := &t.dense[code]; a.known {
			return a
		}
		return nil
	}
	return t.sparse[code]
}

func parseAbbrevs(sec *part, off uint64) (*abbrevTable, error) {
	t := &abbrevTable{sparse: map[uint64]*abbrev{}}
	r := sec.at(off)
	for {
		code := r.uleb()
		if code == 0 {
			break
		}
		a := abbrev{tag: uint16(r.uleb()), children: r.u8() != 0, known: true}
		for {
			s := attrSpec{at: uint16(r.uleb()), form: uint16(r.uleb())}
			if s.form == formImplicitConst {
				s.implicit = r.sleb()
			}
			if s.at == 0 && s.form == 0 || r.bad {
				break
			}
			a.attrs = append(a.attrs, s)
		}
		if r.bad {
			break
		}
		a.fixed = fixedSize(a.attrs)
		if code < uint64(len(t.dense)) {
			t.dense[code] = a
		} else {
			t.sparse[code] = &a
		}
	}
	if r.bad {
		return nil, damaged("abbreviations at %#x", off)
	}
	return t, nil
}

func fixedSize(attrs []attrSpec) int {
	n := 0
	for _, a := range attrs {
		s := formSize(a.form)
		if s < 0 {
			return -1
		}
		n += s
	}
	return n
}

// formSize is the size of a value of a form, -1 if it varies.
func formSize(form uint16) int {
	switch form {
	case formFlagPresent, formImplicitConst:
		return 0
	case formData1, formFlag, formRef1, formStrx1, formAddrx1:
		return 1
	case formData2, formRef2, formStrx1 + 1, formAddrx1 + 1:
		return 2
	case formStrx1 + 2, formAddrx1 + 2:
		return 3
	case formData4, formRef4, formStrx4, formAddrx4, formRefSup4:
		return 4
	case formAddr, formData8, formRef8, formRefSig8, formRefSup8:
		return 8
	case formData16:
		return 16
	}
	return -1
}
