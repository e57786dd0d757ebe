package debuginfo

import "sync"

// scope is one node of a function's tree: the function itself, a call inlined
// in it, or a lexical block.
type scope struct {
	inline   *Inline // the function or inlined call; nil for a block
	own      bool    // the function itself
	ranges   [][2]uint64
	vars     []varDIE
	children []*scope
}

// varDIE is a variable or parameter as its DIEs tell.
type varDIE struct {
	name      string
	typ       uint64
	origin    uint64 // its abstract variable; 0 for none
	line      int
	param     bool
	result    bool
	expr      string
	loclist   uint64
	hasExpr   bool
	hasList   bool
	closure   int64 // offset in the closure's struct; -1: not captured
	constant  bool
	constVal  int64
	unit      *unit // whose location lists it uses
	dictIndex int64
}

// Inline is a call that the compiler inlined: which function, where it was
// called, and which addresses are its instructions (those of its own inlined
// calls included).
type Inline struct {
	Name     string // full name of the inlined function
	Package  string
	Ranges   [][2]uint64
	CallFile string
	CallLine int
	Children []*Inline
}

// Contains tells whether the instruction at pc came from this call.
func (i *Inline) Contains(pc uint64) bool { return inRanges(i.Ranges, pc) }

// treeCache keeps the trees of the functions last looked at.
type treeCache struct {
	mu    sync.Mutex
	trees map[*Func]*scope
}

// treesKept bounds the cache: a pass over all functions must not keep all.
const treesKept = 512

func (b *Build) tree(f *Func) *scope {
	b.trees.mu.Lock()
	t, ok := b.trees.trees[f]
	b.trees.mu.Unlock()
	if ok {
		return t
	}
	t = b.readTree(f)
	b.trees.mu.Lock()
	defer b.trees.mu.Unlock()
	if b.trees.trees == nil || len(b.trees.trees) >= treesKept {
		b.trees.trees = make(map[*Func]*scope)
	}
	b.trees.trees[f] = t
	return t
}

func (b *Build) readTree(f *Func) *scope {
	defer ignore()
	u, off := b.unitOf(f)
	if u == nil {
		return nil
	}
	x, _ := b.indexed()
	t := treeReader{b: b, u: u, info: x.info}
	t.lines, _ = b.linesOf(u)
	var d die
	if !b.readDIE(x.info, u, off, &d) {
		return nil
	}
	root := &scope{own: true, ranges: [][2]uint64{{f.Entry, f.End}}}
	root.inline = &Inline{Name: f.Name, Package: f.Package, Ranges: root.ranges}
	if d.children {
		t.children(d.next, root, root.inline, 0)
	}
	t.addLost(root, d.origin)
	return root
}

type treeReader struct {
	b     *Build
	u     *unit
	info  *part
	lines *lineUnit
}

// maxDepth bounds the nesting of damaged trees; real ones stay below 100.
const maxDepth = 1000

// children reads the DIEs below one, and returns where they end.
func (t *treeReader) children(off uint64, s *scope, in *Inline, depth int) (next uint64, ok bool) {
	var d die
	for depth < maxDepth {
		if !t.b.readDIE(t.info, t.u, off, &d) {
			return 0, false
		}
		if d.tag == 0 {
			return d.next, true
		}
		off = d.next
		sub, subIn := s, in
		switch d.tag {
		case tagFormalParam, tagVariable:
			s.vars = append(s.vars, t.variable(&d))
		case tagLexicalBlock:
			sub = &scope{ranges: t.b.rangesOf(t.u, &d)}
			s.children = append(s.children, sub)
		case tagInlined:
			subIn = t.inlined(&d)
			sub = &scope{inline: subIn, ranges: subIn.Ranges}
			s.children = append(s.children, sub)
			in.Children = append(in.Children, subIn)
		}
		if d.children {
			if off, ok = t.children(off, sub, subIn, depth+1); !ok {
				return 0, false
			}
		}
		if d.tag == tagInlined {
			t.addLost(sub, d.origin)
		}
	}
	return 0, false
}

// addLost adds the variables that an instance of the abstract function at
// origin does not mention, because nothing is left of them. They are in scope
// all the same, and a person who asks for one must hear that it is optimised
// out and not that it does not exist.
func (t *treeReader) addLost(s *scope, origin uint64) {
	x, _ := t.b.indexed()
	u := x.unitAt(origin)
	var d die
	if origin == 0 || u == nil || !t.b.readDIE(t.info, u, origin, &d) || !d.children {
		return
	}
	seen := map[uint64]bool{}
	var note func(s *scope)
	note = func(s *scope) {
		for i := range s.vars {
			seen[s.vars[i].origin] = true
		}
		for _, c := range s.children {
			if c.inline == nil {
				note(c)
			}
		}
	}
	note(s)
	for off := d.next; t.b.readDIE(t.info, u, off, &d) && d.tag != 0; off = d.next {
		if (d.tag == tagFormalParam || d.tag == tagVariable) && !d.children && !seen[d.off] {
			v := varDIE{unit: u, closure: -1, dictIndex: -1}
			v.merge(&d)
			s.vars = append(s.vars, v)
		}
	}
}

func (t *treeReader) inlined(d *die) *Inline {
	name := t.b.dieName(d.origin)
	i := &Inline{Name: name, Package: packageOf(name), Ranges: t.b.rangesOf(t.u, d), CallLine: int(d.callLine)}
	if t.lines != nil {
		i.CallFile = t.lines.file(d.callFile)
	}
	return i
}

// variable reads a variable; what a concrete instance does not say, its
// abstract origin does.
func (t *treeReader) variable(d *die) varDIE {
	v := varDIE{unit: t.u, origin: d.origin, closure: -1, dictIndex: -1,
		expr: d.expr, hasExpr: d.hasExpr, loclist: d.loclist, hasList: d.hasLoclist}
	x, _ := t.b.indexed()
	c := *d
	for range 4 {
		v.merge(&c)
		u := x.unitAt(c.origin)
		if c.origin == 0 || u == nil || !t.b.readDIE(t.info, u, c.origin, &c) {
			break
		}
	}
	return v
}

func (v *varDIE) merge(d *die) {
	v.param = v.param || d.tag == tagFormalParam
	v.result = v.result || d.varParam
	if v.name == "" {
		v.name = d.name
	}
	if v.typ == 0 {
		v.typ = d.typ
	}
	if v.line == 0 {
		v.line = int(d.declLine)
	}
	if d.hasClosureOff {
		v.closure = int64(d.closureOff)
	}
	if d.hasDict {
		v.dictIndex = int64(d.dict)
	}
	if d.has(atConstValue) {
		v.constant, v.constVal = true, d.constVal
	}
}

// Inline are the calls inlined directly in f, each with those inlined in it.
func (b *Build) Inline(f *Func) []*Inline {
	if !b.HasDebug() {
		return b.pclnInline(f)
	}
	t := b.tree(f)
	if t == nil {
		return nil
	}
	return t.inline.Children
}

// InlineAt are the inlined calls that the instruction at pc is part of,
// innermost first; none if it is f's own.
func (b *Build) InlineAt(f *Func, pc uint64) []*Inline {
	var out []*Inline
	for level := b.Inline(f); level != nil; {
		var next []*Inline
		for _, i := range level {
			if i.Contains(pc) {
				out = append([]*Inline{i}, out...)
				next = i.Children
				break
			}
		}
		level = next
	}
	return out
}
