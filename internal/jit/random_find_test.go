//go:build linux && amd64

package jit

import (
	"math/bits"
	"math/rand"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/interp"
	"github.com/sidelight-dev/sidelight/internal/pattern"
	"github.com/sidelight-dev/sidelight/internal/program"
)

var automata = func() (all []*pattern.Table) {
	for _, e := range []string{"a", "^a*$", `\x00\x00`, "(a|b)+c", `\d`, "[^\x00]{4}", "(?s)^.*$", "é$", `^\x00`} {
		t, err := pattern.Compile(e)
		if err != nil {
			panic(err)
		}
		all = append(all, t)
	}
	return all
}()

// match is a pattern in a text, whose length sometimes lies.
func (w *author) match(depth int) *program.Node {
	t := automata[w.Intn(len(automata))]
	p, n, _, _ := w.text(depth)
	if w.Intn(8) == 0 {
		n = constant(program.I64, int64(program.MaxMatch-2+w.Intn(5)))
	}
	if w.Intn(3) == 0 {
		data := []byte(string([]rune("aabc1é\x00")[w.Intn(7)]) + string([]rune("aabc1é\x00")[w.Intn(7)]))
		p, n = &program.Node{Op: program.OpData, Type: program.U64, Data: data}, constant(program.I64, int64(len(data)))
	}
	return &program.Node{Op: program.OpMatch, Type: program.Bool, X: p, Y: n, Data: t.Data, Imm: t.Imm()}
}

// alloc is room for n bytes somewhere in the heap, perhaps on top of what others
// have put there.
func (w *author) alloc(n int64) uint64 {
	return w.r.base + rigHeap + 64 + 8*uint64(w.Intn((60<<10-int(n))/8))
}

// set writes a word into the heap; seldom another one.
func (w *author) set(addr, v uint64) {
	if w.Intn(150) == 0 {
		v = w.pointer()
	}
	w.r.put(int(addr-w.r.base), v)
}

// mapping is a map that is being written into the heap.
type mapping struct {
	w    *author
	m    *program.Map
	size int64    // of a key
	keys [][]byte // scalars and memory: the bytes; strings: the text

	seed  uint64
	runs  []run // Swiss: the table of each place in the directory; classic: the arrays
	depth int   // Swiss: the logarithm of the directory's length, if there is one
}

// run is groups in a row.
type run struct {
	at uint64
	n  int64
}

// find looks for a key in a random map, mostly for one that is there.
func (w *author) find(depth int) *program.Node {
	k := &mapping{w: w, m: &program.Map{Key: program.KeyKind(w.Intn(3)), Classic: w.Intn(2) == 0, ElemPtr: w.Intn(4) == 0}}
	switch k.m.Key {
	case program.KeyScalar:
		all := append([]program.Scalar{program.Bool}, integers...)
		k.m.KeyType = all[w.Intn(len(all))]
		k.size = k.m.KeyType.Size()
	case program.KeyString:
		k.size = 16
	default:
		k.size = int64(1 + w.Intn(30))
		if w.Intn(3) == 0 {
			k.size = int64(16 + w.Intn(150))
		}
	}
	if k.m.Key != program.KeyString {
		k.m.KeySize = k.size
	}
	if w.Intn(2) == 0 {
		k.hashes()
	}
	n := &program.Node{Op: program.OpFind, Type: program.U64, Map: k.m}
	if w.Intn(4) == 0 {
		k.list(n)
	} else {
		at := k.write()
		if w.Intn(20) == 0 {
			at = 0
		}
		n.X = constant(program.U64, int64(at))
		switch w.Intn(3) {
		case 0:
			n.Imm = int64(program.StatusKey)
		case 1:
			n.W = constant(program.U64, int64(w.heap()))
		}
	}
	key := k.random()
	if len(k.keys) > 0 && w.Intn(4) > 0 {
		key = k.keys[w.Intn(len(k.keys))]
	}
	switch k.m.Key {
	case program.KeyScalar:
		var v uint64
		for i := range key {
			v |= uint64(key[i]) << (8 * i)
		}
		n.Y = constant(k.m.KeyType, int64(v))
		if w.Intn(8) == 0 {
			n.Y = w.node(k.m.KeyType, depth)
		}
	default:
		n.Y = &program.Node{Op: program.OpData, Type: program.U64, Data: key}
		if w.Intn(3) == 0 { // about the end of a page, behind the last of which nothing can be read
			end := int64(1+w.Intn(16)) << 12
			at := rigHeap + end - int64(len(key))
			if end < rigHole-rigHeap {
				at += int64(w.Intn(len(key) + 1))
			}
			copy(w.r.mem[at:], key)
			n.Y = &program.Node{Op: program.OpAddr, Type: program.U64, Imm: at + int64(w.r.base-w.r.env.Slide)}
		}
		if n.Z = constant(program.I64, int64(len(key))); k.m.Key == program.KeyMemory {
			n.Z = nil
		} else if w.Intn(10) == 0 {
			n.Y = &program.Node{Op: program.OpAddr, Type: program.U64, Imm: int64(w.heap() - w.r.env.Slide)}
			n.Z = constant(program.I64, edges[w.Intn(len(edges))])
		}
	}
	return n
}

func (k *mapping) random() []byte {
	n := k.size
	if k.m.Key == program.KeyString {
		if n = int64(k.w.Intn(12)); k.m.Hash != nil && k.w.Intn(2) == 0 {
			n = lengths[k.w.Intn(len(lengths))] + int64(k.w.Intn(3)) - 1
		}
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(k.w.Intn(3)) * 127
	}
	return b
}

// list lays a list out instead, whose length sometimes lies.
func (k *mapping) list(n *program.Node) {
	w := k.w
	*k.m = program.Map{List: true, Key: k.m.Key, KeyType: k.m.KeyType, KeySize: k.m.KeySize, KeyStep: k.size + int64(w.Intn(2))*8}
	length := int64(w.Intn(12))
	at := w.alloc(max(length, 1) * k.m.KeyStep)
	for i := range length {
		k.key(at + uint64(i*k.m.KeyStep))
	}
	n.X, n.W = constant(program.U64, int64(at)), constant(program.I64, length)
	if w.Intn(10) == 0 {
		n.W = constant(program.I64, edges[w.Intn(len(edges))])
	}
}

// key writes a random key to an address.
func (k *mapping) key(to uint64) {
	key := k.random()
	k.keys = append(k.keys, key)
	k.keep(to, key)
}

// keep writes a key to an address.
func (k *mapping) keep(to uint64, key []byte) {
	w := k.w
	if k.m.Key == program.KeyString {
		text := w.alloc(max(16, int64(len(key))))
		copy(w.r.mem[text-w.r.base:], key)
		w.set(to, text)
		w.set(to+8, uint64(len(key)))
	} else {
		copy(w.r.mem[to-w.r.base:], key)
	}
}

// lengths are those at which hashing changes its way.
var lengths = []int64{1, 16, 17, 32, 64, 128, 256, 400}

// hashes says how keys are hashed; seldom it is not so.
func (k *mapping) hashes() {
	w := k.w
	h := &program.Hash{Seed: 64, SeedSize: 4 << w.Intn(2), Shift: 72 + int64(w.Intn(8)), Word: k.size == 4 || k.size == 8,
		Varlen: k.m.Key == program.KeyMemory && w.Intn(2) == 0, Func: w.Uint64() >> 20}
	if k.m.Key == program.KeyString {
		h.Word = false
	}
	k.m.Hash = h
	slide := w.r.env.Slide
	schedule := w.alloc(program.ScheduleLen+16) &^ 15
	for off := range uint64(program.ScheduleLen / 8) {
		w.r.put(int(schedule+8*off-w.r.base), w.Uint64())
	}
	uses, hasher, closure := w.alloc(8), w.alloc(8), w.alloc(16)
	h.Schedule, h.Uses, h.Hasher = schedule-slide, uses-slide, hasher-slide
	w.set(uses, uint64(1+w.Intn(250)))
	w.set(hasher, closure)
	w.set(closure, h.Func+slide)
	w.set(closure+8, uint64(k.m.KeySize))
	switch w.Intn(16) {
	case 0:
		w.set(uses, 0)
	case 1:
		w.set(closure, 0)
	case 2:
		w.set(closure+8, 0)
	}
}

// settle puts keys where their hashes lead.
func (k *mapping) settle() {
	w, m := k.w, k.m
	if m.Hash == nil || len(k.runs) == 0 {
		return
	}
	schedule := w.r.mem[m.Hash.Schedule+w.r.env.Slide-w.r.base:][:program.ScheduleLen]
	for range 6 {
		key := k.random()
		h := interp.Hash(m.Hash, k.seed, key, schedule)
		r, place, control := k.runs[w.Intn(len(k.runs))], h, byte(h>>56)
		if control < program.ClassicFull {
			control += program.ClassicFull
		}
		if !m.Classic {
			i := 0
			if k.depth > 0 {
				i = int(h >> (64 - k.depth))
			}
			if i >= len(k.runs) {
				continue
			}
			r, place, control = k.runs[i], h>>7, byte(h&0x7f)
		}
		k.keys = append(k.keys, key)
		k.put(r.at+place%uint64(r.n)*uint64(m.GroupSize), int64(w.Intn(8)), control, key)
	}
}

// put writes an entry of a group.
func (k *mapping) put(g uint64, j int64, control byte, key []byte) {
	w, m := k.w, k.m
	w.r.mem[g-w.r.base+uint64(j)] = control
	k.keep(g+uint64(m.Keys+j*m.KeyStep), key)
	w.set(g+uint64(m.Elems+j*m.ElemStep), w.heap())
}

// write lays the map out and gives its address.
func (k *mapping) write() uint64 {
	w, m := k.w, k.m
	step := (k.size + 7) &^ 7
	m.Count, m.Dir, m.DirLen, m.Busy, m.BusyMask = 8*int64(w.Intn(2)), 16, 24, 32+int64(w.Intn(8)), 5
	m.Index, m.Groups, m.Mask = 8, 16, 24
	m.B, m.Buckets, m.Old, m.Moved = 40+int64(w.Intn(8)), 48, 56, 16
	if m.Keys = 8; m.Classic {
		m.BusyMask = 4
		m.KeyStep, m.ElemStep = step, 8
		m.Elems = m.Keys + 8*step
		m.Overflow = m.Elems + 64
		m.GroupSize = m.Overflow + 8
	} else {
		m.KeyStep, m.ElemStep = step+8, step+8
		m.Elems = m.Keys + step
		m.GroupSize = 8 + 8*m.KeyStep
	}
	at := w.alloc(80)
	for off := range uint64(10) {
		w.set(at+8*off, 0)
	}
	w.set(at+uint64(m.Count), uint64(w.Intn(9)*(1+w.Intn(2)*w.Intn(2)*w.Intn(600))))
	if m.Hash != nil {
		k.seed = w.Uint64() >> (64 - 8*m.Hash.SeedSize)
		w.r.put(int(at-w.r.base)+int(m.Hash.Seed), k.seed|uint64(w.Intn(2))<<63)
		k.seed = w.r.get(int(at-w.r.base)+int(m.Hash.Seed)) << (64 - 8*m.Hash.SeedSize) >> (64 - 8*m.Hash.SeedSize)
	}
	flags := uint64(0)
	if w.Intn(12) == 0 {
		flags = uint64(w.Intn(16))
	}
	w.r.mem[at-w.r.base+uint64(m.Busy)] = byte(flags)
	if m.Classic {
		k.classic(at)
	} else {
		k.swiss(at)
	}
	k.settle()
	return at
}

func (k *mapping) swiss(at uint64) {
	w, m := k.w, k.m
	tables := w.Intn(4)
	if w.Intn(100) == 0 {
		tables = 1100 // of one table each place
	}
	if tables > 0 {
		k.depth = bits.Len(uint(tables - 1))
	}
	if m.Hash != nil {
		w.r.mem[at-w.r.base+uint64(m.Hash.Shift)] = byte(64 - k.depth)
	}
	w.set(at+uint64(m.DirLen), uint64(tables))
	if tables == 0 {
		w.set(at+uint64(m.Dir), k.groups(1))
		return
	}
	dir := w.alloc(8 * int64(tables))
	w.set(at+uint64(m.Dir), dir)
	for i := 0; i < tables; {
		t := w.alloc(32)
		n := uint64(1) << w.Intn(3)
		w.set(t+uint64(m.Index), uint64(i))
		groups := k.groups(int64(n))
		w.set(t+uint64(m.Groups), groups)
		w.set(t+uint64(m.Mask), n-1)
		for range 1 + w.Intn(2) {
			if i < tables {
				w.set(dir+8*uint64(i), t)
				k.runs = append(k.runs, run{groups, int64(n)})
				i++
			}
		}
	}
}

func (k *mapping) classic(at uint64) {
	w, m := k.w, k.m
	b := w.Intn(3)
	if w.Intn(50) == 0 {
		b = 9 + w.Intn(4)
	}
	w.r.mem[at-w.r.base+uint64(m.B)] = byte(b)
	n := min(int64(1)<<b, 4)
	k.runs = []run{{k.groups(n), int64(1) << b}}
	w.set(at+uint64(m.Buckets), k.runs[0].at)
	if w.Intn(3) == 0 {
		k.runs = append(k.runs, run{k.groups(max(n/2, 1)), max(int64(1)<<b/2, 1)})
		w.set(at+uint64(m.Old), k.runs[1].at)
	}
	if b > 2 {
		k.runs = nil // not all of them are there
	}
}

// groups writes n groups in a row.
func (k *mapping) groups(n int64) uint64 {
	w, m := k.w, k.m
	at := w.alloc(n * m.GroupSize)
	for i := range n {
		g := at + uint64(i*m.GroupSize)
		for j := range int64(8) {
			control := byte(w.Intn(256))
			if w.Intn(3) == 0 {
				control = 0x80
			}
			key := k.random()
			k.keys = append(k.keys, key)
			k.put(g, j, control, key)
		}
		if m.Classic {
			next := uint64(0)
			if w.Intn(4) == 0 {
				next = k.groups(1)
			}
			w.set(g+uint64(m.Overflow), next)
		}
	}
	return at
}

// reads are slots that read what is found: at once, or by its place.
func (w *author) reads(n *program.Node) []program.Slot {
	found := program.Slot{Kind: program.SlotScalar, Node: n, Size: 8}
	if n.Op != program.OpFind || n.Map.List || w.Intn(2) == 0 {
		return []program.Slot{found}
	}
	if w.Intn(2) == 0 {
		found.Kind = program.SlotPlace
		n = &program.Node{Op: program.OpSlot, Type: program.U64}
	}
	at := &program.Node{Op: program.OpAdd, Type: program.U64, X: n, Y: constant(program.U64, 4)}
	return []program.Slot{found, scalarSlot(&program.Node{Op: program.OpLoad, Type: w.scalar(), X: n}),
		{Kind: program.SlotBlock, Node: at, Size: int64(1 + w.Intn(200))}}
}

// TestFindsEqualTheInterpreter looks for keys in many maps, and asks that most
// of them are found: a look-up that never comes to its end proves nothing.
func TestFindsEqualTheInterpreter(t *testing.T) {
	r := newRig(t, 4)
	r.catch()
	outcomes := map[program.Status]int{}
	found, hashed, strays := 0, 0, 0
	for seed := range int64(2000) {
		w := &author{Rand: rand.New(rand.NewSource(seed)), r: r}
		r.t, r.env.Log, r.env.Slide = t, true, 0
		w.scribble()
		n := w.find(2)
		if seed%3 == 0 {
			n = w.match(2)
		}
		s := &program.Site{CFA: program.CFA{Reg: 4, Offset: 16}, Slots: w.reads(n)}
		live := w.live()
		r.place(s, live)
		in := w.state()
		r.reset(1, 0)
		oracle := r.oracle(s, in)
		v, st := oracle.Eval(n)
		if r.stray {
			strays++
			continue
		}
		outcomes[st]++
		if v != 0 {
			found++
			if n.Op == program.OpFind && n.Map.Hash != nil {
				hashed++
			}
		}
		want := plain(s, oracle.Record(s, r.env.Probe, r.env.Site, 0))
		unchanged(t, "registers", in, r.run(in), live)
		if got := plain(s, r.record(1, 0)); string(got) != string(want) {
			t.Fatalf("seed %d: record\n got %x\nwant %x\n%+v %s", seed, got, want, n.Map, describe(s))
		}
	}
	t.Logf("found %d, %d of them where there is a hash; statuses %v", found, hashed, outcomes)
	for _, st := range []program.Status{program.StatusFault, program.StatusCorrupt, program.StatusWriting, program.StatusLarge, program.StatusKey} {
		if outcomes[st] == 0 {
			t.Errorf("no look-up ended in status %d", st)
		}
	}
	if found < 400 || hashed < 150 || strays > 100 {
		t.Errorf("only %d look-ups found something, %d where there is a hash; %d went astray", found, hashed, strays)
	}
}
