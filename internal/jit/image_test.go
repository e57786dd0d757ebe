//go:build linux && amd64

package jit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"unsafe"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// newImageRig is a rig with rings large enough for images.
func newImageRig(t testing.TB) *rig {
	t.Helper()
	layout, err := ring.NewLayout(4, 8, ring.ImageExtra)
	if err != nil {
		t.Fatal(err)
	}
	layout.BlockShift = 20
	r := newRigOf(t, layout)
	r.env.Log = true
	return r
}

// tables puts the tables of an image into the rig and makes its probe a snapshot.
func (r *rig) tables(img *program.Image) {
	r.t.Helper()
	blob, err := Tables(img, r.env.Slide)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(blob) == 0 {
		r.t.Fatal("empty tables")
	}
	r.env.Image, r.env.Tables = img, uint64(uintptr(unsafe.Pointer(&blob[0])))
	r.t.Cleanup(func() { _ = blob[0] })
}

// plainImage makes records of snapshots comparable: no clocks.
func plainImage(s *program.Site, rec []byte) []byte {
	if rec = plain(s, rec); len(rec) > 0 {
		clear(rec[newRecord(s).tail+ring.ImageEnd:][:8])
	}
	return rec
}

// showImage writes an image for the report of a difference.
func showImage(s *program.Site, rec []byte) string {
	if len(rec) == 0 {
		return "none"
	}
	le := binary.LittleEndian
	img := rec[newRecord(s).tail:]
	text := fmt.Sprintf("record of %d, image of %d, cut %#x, %d faults, %d objects", len(rec), le.Uint32(img),
		le.Uint16(img[ring.ImageCut:]), le.Uint16(img[ring.ImageFaults:]), le.Uint32(img[ring.ImageObjects:]))
	for at := ring.ImageHeader; at+ring.ObjectHeader <= len(img); {
		o := img[at:]
		n := int(le.Uint32(o[ring.ObjectBytes:]))
		text += fmt.Sprintf("\n%#x: %d bytes, desc %d, count %d, depth %d, flags %d", le.Uint64(o), n, int32(le.Uint32(o[ring.ObjectDesc:])),
			le.Uint32(o[ring.ObjectCount:]), le.Uint16(o[ring.ObjectDepth:]), le.Uint16(o[ring.ObjectFlags:]))
		at += ring.ObjectHeader + int(pad8(int64(n)))
	}
	return text
}

func firstDifference(x, y []byte) int {
	i := 0
	for i < min(len(x), len(y)) && x[i] == y[i] {
		i++
	}
	return i
}

// differences is where two texts are not the same.
func differences(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	text := " got " + g[0] + "\nwant " + w[0]
	for i := 1; i < min(len(g), len(w)); i++ {
		if g[i] != w[i] {
			return text + "\n got " + g[i] + "\nwant " + w[i]
		}
	}
	return text + "\nobjects alike"
}

// compareImage runs one random snapshot on one random heap, by machine and by
// oracle. It gives the bits that cut it.
func compareImage(t *testing.T, r *rig, seed int64) (cut uint16) {
	w := &graph{author: &author{Rand: rand.New(rand.NewSource(seed)), r: r}}
	r.t = t
	r.env.Slide = uint64(w.Intn(2)) << 30
	bad := 1 << w.Intn(10)
	w.fill(bad)
	img := w.image()
	s := w.site(img)
	if w.Intn(2) == 0 {
		w.tidy(img, s)
	}
	r.env.Tick = slowTick
	img.Time = []int64{0, slowest, 10 * slowest}[w.Intn(3)] // the oracle has no clock
	r.tables(img)
	live := w.live()
	r.place(s, live)
	for range 4 {
		in := w.state(bad)
		head := uint64(w.Intn(1<<20)) &^ 7
		if w.Intn(4) == 0 {
			head = 1<<20 - uint64(8+8*w.Intn(64)) // at the end of the ring
		}
		r.reset(1, head)
		if w.Intn(2) == 0 {
			r.mem[r.block(1)+ring.Counter(r.env.Probe)+ring.CounterTick] = 0xFF // sampled
		}
		if w.Intn(16) == 0 {
			binary.LittleEndian.PutUint32(r.mem[rigShared+r.env.Layout.ExtraAt(1)+ring.VisitedEpoch:], 1<<32-1)
		}
		var want []byte
		oracle := r.oracle(s, in)
		if oracle.Condition(s) == 0 {
			want = plainImage(s, oracle.Record(s, r.env.Probe, r.env.Site, 0))
		}
		out := r.run(in)
		unchanged(t, "registers", in, out, live)
		got := plainImage(s, r.record(1, head))
		if !bytes.Equal(got, want) {
			t.Errorf("records differ at %d\n%s", firstDifference(got, want), differences(showImage(s, got), showImage(s, want)))
		}
		if t.Failed() {
			t.Fatalf("seed %d: live %+v", seed, live)
		}
		if len(want) > 0 {
			cut |= binary.LittleEndian.Uint16(want[newRecord(s).tail+ring.ImageCut:])
		}
	}
	return cut
}

func TestImagesEqualTheInterpreter(t *testing.T) {
	r := newImageRig(t)
	r.catch()
	cut := map[uint16]int{}
	for seed := range int64(600) {
		got := compareImage(t, r, seed)
		for bit := uint16(1); bit < 1<<7; bit <<= 1 {
			if got&bit != 0 {
				cut[bit]++
			}
		}
	}
	for _, bit := range []uint16{ring.CutObjects, ring.CutBytes, ring.CutDepth, ring.CutFaults, ring.CutUnknown, ring.CutCorrupt} {
		if cut[bit] < 5 {
			t.Errorf("%d of the images were cut by %#x: the heaps are no test of that", cut[bit], bit)
		}
	}
}

func FuzzImage(f *testing.F) {
	f.Add(int64(1))
	r := newImageRig(f)
	r.catch()
	f.Fuzz(func(t *testing.T, seed int64) { compareImage(t, r, seed) })
}
