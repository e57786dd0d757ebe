package debuginfo

import (
	"fmt"
	"slices"
	"sort"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Call frame instructions (DWARF 5, section 7.24).
const (
	cfaNop            = 0x00
	cfaSetLoc         = 0x01
	cfaAdvance1       = 0x02
	cfaAdvance2       = 0x03
	cfaAdvance4       = 0x04
	cfaOffsetExt      = 0x05
	cfaRestoreExt     = 0x06
	cfaUndefined      = 0x07
	cfaSameValue      = 0x08
	cfaRegister       = 0x09
	cfaRemember       = 0x0a
	cfaRestoreState   = 0x0b
	cfaDefCFA         = 0x0c
	cfaDefCFARegister = 0x0d
	cfaDefCFAOffset   = 0x0e
	cfaDefCFAExpr     = 0x0f
	cfaExpr           = 0x10
	cfaOffsetExtSf    = 0x11
	cfaDefCFASf       = 0x12
	cfaDefCFAOffsetSf = 0x13
	cfaValOffset      = 0x14
	cfaValOffsetSf    = 0x15
	cfaValExpr        = 0x16
)

type cie struct {
	codeAlign uint64
	dataAlign int64
	initial   string
}

type fde struct {
	low, high uint64
	cie       *cie
	code      string
}

// frameTable is .debug_frame, sorted by address.
type frameTable struct{ fdes []fde }

func (b *Build) frameTable() (*frameTable, error) {
	return b.frames.get(func() (*frameTable, error) {
		sec, err := b.section("frame")
		if err != nil {
			return nil, err
		}
		data, err := sec.all()
		if err != nil {
			return nil, err
		}
		return parseFrames(data)
	})
}

func parseFrames(data string) (*frameTable, error) {
	t := &frameTable{}
	cies := map[uint64]*cie{}
	for r := (buf{data: data}); r.more(); {
		start := uint64(r.off)
		n, wide := r.initial()
		if r.bad || n > uint64(len(data)-r.off) {
			return nil, damaged(".debug_frame at %#x", start)
		}
		end := r.off + int(n)
		e := buf{data: data[:end], off: r.off}
		id := e.offset(wide)
		if id == 0xffffffff && !wide || id == ^uint64(0) {
			c, err := parseCIE(&e)
			if err != nil {
				return nil, err
			}
			cies[start] = c
		} else if c := cies[id]; c != nil {
			f := fde{low: e.u64(), cie: c}
			f.high = f.low + e.u64()
			f.code = e.bytes(uint64(end - e.off))
			if !e.bad && f.high > f.low {
				t.fdes = append(t.fdes, f)
			}
		}
		r.off = end
	}
	slices.SortFunc(t.fdes, func(a, b fde) int { return cmpU64(a.low, b.low) })
	return t, nil
}

func parseCIE(e *buf) (*cie, error) {
	version := e.u8()
	augmentation := e.cstr()
	if version >= 4 {
		e.skip(2)
	}
	c := &cie{codeAlign: e.uleb(), dataAlign: e.sleb()}
	if version == 1 {
		e.u8()
	} else {
		e.uleb()
	}
	if augmentation != "" {
		return nil, damaged(".debug_frame has augmentation %q", augmentation)
	}
	if !e.bad {
		c.initial = e.data[e.off:]
	}
	return c, nil
}

// CFA is the rule for the canonical frame address at pc, before the
// instruction there runs.
func (b *Build) CFA(pc uint64) (c program.CFA, err error) {
	defer guard(&err)
	if !b.HasDebug() {
		// Behind the return address lies the caller's part of the stack.
		depth, ok := b.StackDepth(pc)
		if !ok {
			return program.CFA{}, fmt.Errorf("%s: no frame information for %#x", b.Path, pc)
		}
		return program.CFA{Reg: hardware[7], Offset: depth + 8}, nil
	}
	t, err := b.frameTable()
	if err != nil {
		return program.CFA{}, err
	}
	i := sort.Search(len(t.fdes), func(i int) bool { return t.fdes[i].low > pc })
	if i == 0 || pc >= t.fdes[i-1].high {
		return program.CFA{}, fmt.Errorf("%s: no frame information for %#x", b.Path, pc)
	}
	f := &t.fdes[i-1]
	s := frameState{loc: f.low, cie: f.cie}
	if err := s.run(f.cie.initial, ^uint64(0)); err != nil {
		return program.CFA{}, err
	}
	if err := s.run(f.code, pc); err != nil {
		return program.CFA{}, err
	}
	if s.reg >= 16 {
		return program.CFA{}, damaged("frame at %#x is relative to register %d", pc, s.reg)
	}
	return program.CFA{Reg: hardware[s.reg], Offset: s.off}, nil
}

// frameState runs call frame instructions and keeps the CFA rule only.
type frameState struct {
	loc   uint64
	reg   uint64
	off   int64
	cie   *cie
	saved []frameState
}

// run stops before the first row that begins behind pc.
func (s *frameState) run(code string, pc uint64) error {
	r := buf{data: code}
	for r.more() {
		op := r.u8()
		switch delta, ok := s.advance(op, &r); {
		case ok && s.loc+delta > pc:
			return nil
		case ok:
			s.loc += delta
		case op>>6 == 2: // DW_CFA_offset
			r.uleb()
		case op>>6 == 3: // DW_CFA_restore
		default:
			if err := s.rule(op, &r); err != nil {
				return err
			}
		}
	}
	if r.bad {
		return damaged("frame instructions at %#x", s.loc)
	}
	return nil
}

// advance reads the instructions that move to the next row.
func (s *frameState) advance(op uint8, r *buf) (delta uint64, ok bool) {
	switch {
	case op>>6 == 1:
		delta = uint64(op & 0x3f)
	case op == cfaAdvance1:
		delta = uint64(r.u8())
	case op == cfaAdvance2:
		delta = uint64(r.u16())
	case op == cfaAdvance4:
		delta = uint64(r.u32())
	case op == cfaSetLoc:
		return r.u64() - s.loc, true
	default:
		return 0, false
	}
	return delta * s.cie.codeAlign, true
}

func (s *frameState) rule(op uint8, r *buf) error {
	switch op {
	case cfaNop:
	case cfaDefCFA:
		s.reg, s.off = r.uleb(), int64(r.uleb())
	case cfaDefCFASf:
		s.reg, s.off = r.uleb(), r.sleb()*s.cie.dataAlign
	case cfaDefCFARegister:
		s.reg = r.uleb()
	case cfaDefCFAOffset:
		s.off = int64(r.uleb())
	case cfaDefCFAOffsetSf:
		s.off = r.sleb() * s.cie.dataAlign
	case cfaRemember:
		if len(s.saved) > 64 {
			return damaged("frame states nest too deep")
		}
		s.saved = append(s.saved, frameState{reg: s.reg, off: s.off})
	case cfaRestoreState:
		if n := len(s.saved); n > 0 {
			s.reg, s.off = s.saved[n-1].reg, s.saved[n-1].off
			s.saved = s.saved[:n-1]
		}
	case cfaOffsetExt, cfaOffsetExtSf, cfaRegister, cfaValOffset, cfaValOffsetSf:
		r.uleb()
		r.uleb()
	case cfaRestoreExt, cfaUndefined, cfaSameValue:
		r.uleb()
	case cfaExpr, cfaValExpr:
		r.uleb()
		r.skip(r.uleb())
	default: // DW_CFA_def_cfa_expression, and what is not known
		return damaged("frame instruction %#x", op)
	}
	return nil
}
