package compile

import (
	"path"
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// Bounds of what a snapshot copies besides those that a person may set.
const (
	maxDepth   = 1000
	maxObject  = 4 << 10 // bytes of one object, or the share below of all
	objects    = 8       // what may be taken in all is this many times one object
	frameBytes = 1 << 10 // bytes of stack for each frame that is wanted
	minStack   = 4 << 10
	maxStack   = 32 << 10
	rootBytes  = 512 // more than the registers and the headers of an image take
	maxRoots   = 256 // references that one site starts from: each is a piece of code
	wordRoots  = 16  // of one variable; one with more is copied as a whole first
)

// newImage is an image within the bounds that a person set.
func newImage(b probe.Bounds, g int64) *program.Image {
	stack := min(max(int64(b.Frames)*frameBytes, minStack), maxStack)
	return &program.Image{
		Stack: stack, G: g,
		Depth: b.Depth, Objects: b.MaxItems, Object: max(min(maxObject, b.MaxBytes), b.MaxBytes/objects),
		Bytes: rootBytes + stack + g + b.MaxBytes, Time: max(int64(b.MaxTime), 0),
	}
}

// imager compiles the snapshot of one site.
type imager struct {
	c     *compiler
	s     *site
	out   *program.Site
	r     *recorder
	d     *describer
	frame program.CFA

	params int // parameters met so far
}

// image compiles what a snapshot takes at a site: the watched expressions, the
// variables in scope, and the references that both begin with.
func (c *compiler) image(s *site, at locate.Site, out *program.Site, d *describer) {
	r := &recorder{b: c.b, limit: maxSlots}
	im := &imager{c: c, s: s, out: out, r: r, d: d}
	im.frame, _ = c.b.CFA(at.PC) // without it the stack's variables start from nothing
	im.holdFrame()
	for _, x := range c.src.watches {
		im.watch(x)
	}
	seen := map[string]bool{}
	for _, v := range c.b.ScopeOf(at.PC, at.Function, at.Line) {
		if v.Type == nil || seen[v.Name] {
			continue // shadowed
		}
		seen[v.Name] = !v.Fresh
		im.variable(v, at.PC)
	}
	out.Slots = r.slots
}

// holdFrame makes room for the whole of the function's own frame, which may be
// larger than what is taken for each.
func (im *imager) holdFrame() {
	img := im.d.img
	if im.frame.Reg != regRSP || im.frame.Offset <= img.Stack {
		return
	}
	stack := min(im.frame.Offset+minStack, maxStack)
	img.Bytes += stack - img.Stack
	img.Stack = stack
}

// variable lists a variable and the references in it.
func (im *imager) variable(v *debuginfo.Variable, pc uint64) {
	if v.Name[0] == '~' && !v.Result || v.Name[0] == '.' {
		return
	}
	out := program.Var{Name: v.Name, Role: string(role(v, im.out.Function, im.params == 0)), Type: v.Type, Line: v.DeclLine, Dict: v.Dict}
	if v.Param {
		im.params++
	}
	loc := v.Locate(pc)
	switch {
	case v.Fresh:
		out.Why = whyFresh
	case len(loc.Pieces) == 0 && v.Type.Size > 0:
		out.Why = loc.Why
	default:
		out.Pieces, out.Indirect, out.DerefOff = loc.Pieces, loc.Indirect, loc.DerefOff
	}
	if out.Why != "" && out.Name[0] == '~' {
		return // a result without a name that is not there yet is nobody's question
	}
	out.Why = im.why(v, out.Why)
	im.out.Vars = append(im.out.Vars, out)
	im.start(&im.out.Vars[len(im.out.Vars)-1], v)
}

// why adds to a reason where the variable can be read.
func (im *imager) why(v *debuginfo.Variable, why string) string {
	if why == "" {
		return ""
	}
	l := lost{name: v.Name}
	l.up, l.down = im.s.near.lines(im.s, v)
	return why + "; " + l.nearest(path.Base(im.s.file))
}

// start adds the roots of a variable.
func (im *imager) start(v *program.Var, dv *debuginfo.Variable) {
	if v.Why != "" || v.Type.Size == 0 {
		return
	}
	if v.Indirect {
		im.behind(v, im.s.locate(dv))
		return
	}
	refs := im.d.insideOf(v.Type)
	if len(refs) > wordRoots {
		if at := im.s.locate(dv).address(); at != nil {
			im.whole(v.Type, at)
			return
		}
	}
	im.words(v.Pieces, refs)
}

// behind starts from a variable that lies behind a pointer.
func (im *imager) behind(v *program.Var, p place) {
	if v.DerefOff == 0 && len(v.Pieces) == 1 {
		if at, ok := im.source(v.Pieces, 0); ok {
			im.pointTo(v.Type, at)
			return
		}
	}
	if at := p.address(); at != nil {
		im.whole(v.Type, at)
	}
}

// whole copies a value of type t whose address is computed into a slot.
func (im *imager) whole(t *program.Type, at *program.Node) {
	if slot, ok := im.r.address(at); ok {
		im.pointTo(t, program.Source{Base: program.BaseSlot, Slot: slot})
	}
}

// pointTo adds the root of a value whose address lies at a source. To reach it
// costs no depth: it is what was asked for.
func (im *imager) pointTo(t *program.Type, at program.Source) {
	if desc, ok := im.d.of(t, true); ok {
		im.root(program.Root{Ref: program.Ref{Kind: program.RefPointer, Free: true, Elem: desc}, At: at})
	}
}

// words adds the roots of the references in a value that lies in pieces.
func (im *imager) words(list []program.Piece, refs []program.Ref) {
	for _, ref := range refs {
		root := program.Root{Ref: ref}
		ok := true
		part := func(off int64) (at program.Source) {
			if ok {
				at, ok = im.source(list, off)
			}
			return at
		}
		root.At = part(ref.Off)
		switch ref.Kind {
		case program.RefIface, program.RefEface:
			root.Data = part(ref.Off + 8)
		case program.RefSlice:
			root.N = part(ref.Len)
		}
		if ok {
			im.root(root)
		}
	}
}

func (im *imager) root(r program.Root) {
	if len(im.out.Roots) < maxRoots {
		im.out.Roots = append(im.out.Roots, r)
	}
}

// source is where the word off bytes into a value in pieces is copied.
func (im *imager) source(list []program.Piece, off int64) (program.Source, bool) {
	start := int64(0)
	for _, p := range list {
		if off < start || off+8 > start+p.Size {
			start += p.Size
			continue
		}
		in := off - start
		switch {
		case p.Kind == program.PieceReg && in == 0:
			return program.Source{Base: program.BaseRegs, Off: 8 * int64(p.Reg)}, true
		case p.Kind == program.PieceCFA && im.frame.Reg == regRSP:
			if at := im.frame.Offset + p.Off + in; at >= 0 {
				return program.Source{Base: program.BaseStack, Off: at}, true
			}
		case p.Kind == program.PieceSlot:
			return program.Source{Base: program.BaseSlot, Slot: int(p.Off), Off: in}, true
		}
		return program.Source{}, false
	}
	return program.Source{}, false
}

const (
	regRBX = 3
	regRSP = 4
)

// watch compiles a watched expression: a value in memory by its address, any
// other by its scalars.
func (im *imager) watch(x *expr.Expr) {
	im.s.lost = nil
	v := program.Var{Name: x.Text}
	ch := &checker{x: x, s: im.s, message: true}
	o, err := ch.value(x.Root)
	if err != nil {
		im.c.wrong(im.s, x, err, "the watch is unreadable there")
		v.Why = firstLine(err)
		im.out.Watches = append(im.out.Watches, v)
		return
	}
	if v.Type = o.typ; v.Type == nil {
		v.Type = o.defaultType()
	}
	im.c.works(x, v.Type, ch.reads)
	v.Reads = ch.reads
	if v.Why = im.value(&v, o); v.Why != "" || len(im.s.lost) > 0 {
		im.c.lost(im.s, x, v.Why, "the watch is unreadable there")
	}
	im.out.Watches = append(im.out.Watches, v)
}

// value records a watched value; why is not empty if that cannot be done.
func (im *imager) value(v *program.Var, o *operand) (why string) {
	if o.constant() {
		v.Static = constBytes(o.val, v.Type)
		return ""
	}
	if u, ok := o.place.(unreadable); ok {
		return u.why
	}
	if at := o.place.address(); at != nil {
		slot, ok := im.r.address(at)
		if !ok {
			return whyTooLarge
		}
		v.Pieces, v.Indirect = []program.Piece{{Kind: program.PieceSlot, Off: int64(slot), Size: 8}}, true
		im.pointTo(v.Type, program.Source{Base: program.BaseSlot, Slot: slot})
		return ""
	}
	l := &leaves{im: im, place: o.place}
	l.value(v.Type, 0, 0)
	if l.why != "" {
		return l.why
	}
	v.Pieces = l.pieces
	im.words(v.Pieces, im.d.insideOf(v.Type))
	return ""
}

// leaves records the scalars of a value that is in no memory.
type leaves struct {
	im     *imager
	place  place
	pieces []program.Piece
	end    int64 // bytes that the pieces cover
	why    string
}

func (l *leaves) value(t *program.Type, off int64, nesting int) {
	if t == nil || nesting > maxNesting || l.why != "" {
		l.why = max(l.why, whyType)
		return
	}
	switch t.Kind {
	case reflect.String:
		l.scalar(program.U64, off)
		l.scalar(program.I64, off+8)
	case reflect.Slice:
		l.scalar(program.U64, off)
		l.scalar(program.I64, off+8)
		l.scalar(program.I64, off+16)
	case reflect.Interface:
		l.scalar(program.U64, off)
		l.scalar(program.U64, off+8)
	case reflect.Complex64:
		l.scalar(program.F32, off)
		l.scalar(program.F32, off+4)
	case reflect.Complex128:
		l.scalar(program.F64, off)
		l.scalar(program.F64, off+8)
	case reflect.Struct:
		for _, f := range t.Fields {
			if f.Name != "_" {
				l.value(f.Type, off+f.Offset, nesting+1)
			}
		}
	case reflect.Array:
		for i := range t.Len {
			l.value(t.Elem, off+i*t.Elem.Size, nesting+1)
		}
	default:
		if s, ok := scalarOf(t.Kind); ok {
			l.scalar(s, off)
		}
	}
}

func (l *leaves) scalar(s program.Scalar, off int64) {
	if l.why != "" {
		return
	}
	n, why := l.place.scalar(off, s)
	if why != "" {
		l.why = why
		return
	}
	slot, ok := l.im.r.add(program.Slot{Kind: program.SlotScalar, Node: n, Size: s.Size()})
	if !ok {
		l.why = whyTooLarge
		return
	}
	if off > l.end {
		l.pieces = append(l.pieces, program.Piece{Kind: program.PieceMissing, Size: off - l.end})
	}
	l.pieces = append(l.pieces, program.Piece{Kind: program.PieceSlot, Off: int64(slot), Size: s.Size()})
	l.end = off + s.Size()
}
