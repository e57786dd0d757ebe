package debuginfo

// run executes the line program from off to the end of a sequence, or of the
// whole program if all is set. It tells where each sequence begins.
func (l *lineUnit) run(off int, all bool, seq func(off int), row func(rawRow) bool) error {
	r := l.sec.within(l.start+uint64(off), l.end)
	p := &l.params
	start := rawRow{file: 1, line: 1, stmt: p.defStmt}
	s := start
	fresh := true
	for r.more() {
		if fresh && seq != nil {
			seq(r.off - int(l.start))
		}
		fresh = false
		op := r.u8()
		emit := false
		switch {
		case op >= p.opcodeBase:
			adj := int64(op - p.opcodeBase)
			s.pc += uint64(adj/p.lineRange) * p.minInst
			s.line += p.lineBase + adj%p.lineRange
			emit = true
		case op == 0:
			emit = l.extended(&r, &s)
		default:
			emit = l.standard(op, &r, &s)
		}
		if r.bad {
			break
		}
		if emit {
			end := s.end
			if !row(s) || end && !all {
				return nil
			}
			s.prlog = false
			if end {
				s, fresh = start, true
			}
		}
	}
	if r.bad {
		return damaged("line program")
	}
	return nil
}

// standard runs opcodes 1 to 12 and those it does not know (section 6.2.5.2).
func (l *lineUnit) standard(op uint8, r *buf, s *rawRow) (emit bool) {
	p := &l.params
	switch op {
	case 1: // copy
		return true
	case 2: // advance_pc
		s.pc += r.uleb() * p.minInst
	case 3: // advance_line
		s.line += r.sleb()
	case 4: // set_file
		s.file = r.uleb()
	case 5: // set_column
		r.uleb()
	case 6: // negate_stmt
		s.stmt = !s.stmt
	case 8: // const_add_pc
		s.pc += uint64(int64(255-p.opcodeBase)/p.lineRange) * p.minInst
	case 9: // fixed_advance_pc
		s.pc += uint64(r.u16())
	case 10: // set_prologue_end
		s.prlog = true
	case 7, 11: // set_basic_block, set_epilogue_begin
	default:
		if int(op) <= len(p.lengths) {
			for range p.lengths[op-1] {
				r.uleb()
			}
		}
	}
	return false
}

// extended runs an extended opcode (section 6.2.5.3).
func (l *lineUnit) extended(r *buf, s *rawRow) (emit bool) {
	n := r.uleb()
	if !r.need(n) || n == 0 {
		r.bad = true
		return false
	}
	next := r.off + int(n)
	switch r.u8() {
	case 1: // end_sequence
		s.end = true
		emit = true
	case 2: // set_address
		s.pc = r.uint(int(min(n-1, 8)))
	}
	r.off = next
	return emit
}
