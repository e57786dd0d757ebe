//go:build linux && amd64

package jit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// imageStart is a state at a site of orderTree.
func (r *rig) imageStart() cpu {
	in := r.start()
	in.Regs[amd64.RDI] = r.base + rigHeap
	return in
}

// What becomes of a snapshot that may not be taken: it is counted, and nothing
// is written.
func TestImagesThatAreNotTaken(t *testing.T) {
	for name, c := range map[string]struct {
		setup func(r *rig, in *cpu)
		want  tally
	}{
		"preemption pending": {func(r *rig, _ *cpu) {
			preempt := int64(stackPreempt)
			r.put(rigG+int(rigOffsets.GStackguard0), uint64(preempt))
		}, tally{dropped: 1}},
		"preemption pending, but few are taken": {func(r *rig, _ *cpu) {
			preempt := int64(stackPreempt)
			r.put(rigG+int(rigOffsets.GStackguard0), uint64(preempt))
			r.put(rigControl+ring.Control(1)+ring.ControlRemaining, 5)
		}, tally{emitted: 1}},
		"taken":     {func(*rig, *cpu) {}, tally{emitted: 1}},
		"without P": {func(r *rig, _ *cpu) { r.onP(9) }, tally{dropped: 1}},
		"off":       {func(r *rig, _ *cpu) { r.put(rigControl+ring.Control(1), 0) }, tally{}},
		"throttled": {func(r *rig, _ *cpu) { r.mem[rigControl+ring.Control(1)+ring.ControlThrottle] = 1 }, tally{suppressed: 1, budget: 1}},
		"ring full": {func(r *rig, _ *cpu) {
			// One byte less than the largest image needs, though this one is smaller.
			r.put(r.block(1)+ring.BlockHead, uint64(r.env.Layout.RingSize())-uint64(r.env.Image.Bytes))
		}, tally{dropped: 1, full: 1}},
	} {
		r := newImageRig(t)
		img, s := r.orderTree(20)
		r.tables(img)
		r.env.Limited = strings.Contains(name, "few are taken")
		r.place(s, Live{})
		in := r.imageStart()
		c.setup(r, &in)
		extra := bytes.Clone(r.mem[rigShared+r.env.Layout.ExtraAt(0):])
		unchanged(t, name, in, r.run(in), Live{})
		if got := r.tally(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		after := r.mem[rigShared+r.env.Layout.ExtraAt(0):]
		if taken := c.want.emitted > 0; bytes.Equal(extra, after) == taken {
			t.Errorf("%s: the memory beside the blocks changed: %v", name, !taken)
		}
		own := r.env.Layout.Extra
		if !bytes.Equal(extra[:own], after[:own]) || !bytes.Equal(extra[2*own:], after[2*own:]) {
			t.Errorf("%s: the memory beside another block changed", name)
		}
	}
}

// With however little stack, nothing is written below its end; from some room on
// all snapshots are taken.
func TestImagesStayOnTheStack(t *testing.T) {
	r := newImageRig(t)
	r.catch()
	img, s := r.orderTree(20)
	img.Descs[1].Refs = append(img.Descs[1].Refs, program.Ref{Kind: program.RefEface, Off: 24}) // looks a type up
	img.Time, r.env.Tick = slowest, slowTick                                                    // and at the clock
	r.tables(img)
	for _, live := range lives() {
		live.StackProven = false
		r.place(s, live)
		least := 0
		for room := 8; room <= 800; room += 8 {
			in := r.imageStart()
			in.Regs[amd64.RSP] = r.base + stackLo + uint64(room)
			clear(r.mem[rigStack : stackLo+room])
			r.reset(1, 0)
			unchanged(t, "little stack", in, r.run(in), live)
			if !bytes.Equal(r.mem[rigStack:stackLo], make([]byte, stackLo-rigStack)) {
				t.Fatalf("wrote below the stack with room for %d bytes", room)
			}
			switch emitted := r.counter(1, ring.CounterEmitted) == 1; {
			case emitted && least == 0:
				least = room
			case !emitted && least > 0:
				t.Fatalf("taken with room for %d bytes, not for %d", least, room)
			}
		}
		if least < 200 || least > 800 {
			t.Errorf("taken from %d bytes of room on", least)
		}
	}
}

// A ring that the tool empties takes images for ever, each of them whole.
func TestImagesGoRound(t *testing.T) {
	r := newImageRig(t)
	img, s := r.orderTree(300)
	r.tables(img)
	r.place(s, Live{})
	in := r.imageStart()
	head := uint64(0)
	for i := range 200 {
		r.put(rigHeap+32, uint64(i)) // a price
		in.Regs[amd64.RDI] = r.base + rigHeap + uint64(i%3*56)
		want := plainImage(s, r.oracle(s, in).Record(s, r.env.Probe, r.env.Site, 0))
		r.run(in)
		if got := plainImage(s, r.record(1, head)); !bytes.Equal(got, want) {
			t.Fatalf("image %d\n%s", i, differences(showImage(s, got), showImage(s, want)))
		}
		head = r.get(r.block(1) + ring.BlockHead)
		r.put(r.block(1)+ring.BlockTail, head)
	}
	if size := uint64(r.env.Layout.RingSize()); head < 4*size {
		t.Errorf("head %d: a ring of %d did not go round", head, size)
	}
	if r.counter(1, ring.CounterDropped) != 0 {
		t.Errorf("%+v", r.tally())
	}
}

// A tree that has room is copied whole, breadth first.
func TestImageOfATree(t *testing.T) {
	r := newImageRig(t)
	img, s := r.orderTree(400)
	r.tables(img)
	r.place(s, Live{})
	r.reset(1, 0)
	r.run(r.imageStart())
	rec := r.record(1, 0)
	le := binary.LittleEndian
	at := int(newRecord(s).tail)
	if cut, n := le.Uint16(rec[at+ring.ImageCut:]), le.Uint32(rec[at+ring.ImageObjects:]); cut != 0 || n != 400 {
		t.Fatalf("cut %#x, %d objects; want none, 400", cut, n)
	}
	if size := int(le.Uint32(rec[at:])); at+size != len(rec) {
		t.Errorf("an image of %d bytes at %d in a record of %d", size, at, len(rec))
	}
	if from, to := le.Uint64(rec[ring.RecordTSC:]), le.Uint64(rec[at+ring.ImageEnd:]); to <= from {
		t.Errorf("begun at %d, finished at %d", from, to)
	}
	depth := uint16(0)
	for at += ring.ImageHeader; at < len(rec); {
		o := rec[at:]
		if d := le.Uint16(o[ring.ObjectDepth:]); le.Uint32(o[ring.ObjectDesc:]) == 1 { // an order
			if d < depth {
				t.Fatalf("depth %d behind %d", d, depth)
			}
			depth = d
		}
		at += ring.ObjectHeader + int(pad8(int64(le.Uint32(o[ring.ObjectBytes:]))))
	}
	if depth != 8 { // the root of the tree has depth 1
		t.Errorf("the deepest object has depth %d, want 8", depth)
	}
}

// What machine code could not trust is refused.
func TestImagesRefused(t *testing.T) {
	for want, change := range map[string]func(r *rig, img *program.Image, s *program.Site){
		"records nothing": func(r *rig, _ *program.Image, _ *program.Site) { r.env.Log = false },
		"beside each":     func(r *rig, _ *program.Image, _ *program.Site) { r.env.Layout.Extra = 4096 },
		"out of range":    func(_ *rig, img *program.Image, _ *program.Site) { img.Depth = 1 << 16 },
		"alone need":      func(_ *rig, img *program.Image, _ *program.Site) { img.Bytes = 8 << 10 },
		"no fixed size":   func(_ *rig, _ *program.Image, s *program.Site) { s.Slots = orders(nil).Slots },
		"slot 0 of 0": func(_ *rig, _ *program.Image, s *program.Site) {
			s.Roots[0].At = program.Source{Base: program.BaseSlot}
		},
		"a word at 256":    func(_ *rig, _ *program.Image, s *program.Site) { s.Roots[0].At.Off = 256 },
		"descriptor 2 of":  func(_ *rig, _ *program.Image, s *program.Site) { s.Roots[0].Elem = 2 },
		"kind 10":          func(_ *rig, _ *program.Image, s *program.Site) { s.Roots[0].Kind = 10 },
		"buffer of this":   func(r *rig, img *program.Image, s *program.Site) { img.Bytes = ImageBytes(r.env.Layout, s) + 8 },
		"of 16777217 desc": func(_ *rig, img *program.Image, _ *program.Site) { img.Descs = make([]program.Desc, 1<<24+1) },
	} {
		r := newImageRig(t)
		img, s := r.orderTree(10)
		change(r, img, s)
		r.env.Image = img
		_, err := Body(r.env, s, Live{}, r.base)
		if err == nil {
			_, err = Tables(img, 0)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	r := newImageRig(t)
	img, s := r.orderTree(10)
	img.Bytes = ImageBytes(r.env.Layout, s)
	r.env.Image = img
	if _, err := Body(r.env, s, Live{}, r.base); err != nil || errors.Is(err, ErrTooLarge) {
		t.Errorf("the largest image: %v", err)
	}
}
