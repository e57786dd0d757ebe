//go:build linux && amd64

package jit

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// slowTick is the length of a tick by which no time passes while a test runs:
// time bounds an image by the credit that it gives, and nothing else.
const slowTick = 1e-12

// timedImage is the image that a site takes within a time, the record's rest left
// out.
func (r *rig) timedImage(img *program.Image, s *program.Site, time int64, tick float64) []byte {
	r.t.Helper()
	img.Time, r.env.Tick = time, tick
	r.tables(img)
	r.place(s, Live{})
	r.reset(1, 0)
	in := r.imageStart()
	unchanged(r.t, "timed", in, r.run(in), Live{})
	return bytes.Clone(plainImage(s, r.record(1, 0))[newRecord(s).tail:])
}

func cutOf(img []byte) uint16      { return binary.LittleEndian.Uint16(img[ring.ImageCut:]) }
func objectsOf(img []byte) uint32  { return binary.LittleEndian.Uint32(img[ring.ImageObjects:]) }
func contentOf(img []byte) []byte  { return img[ring.ImageHeader:] }
func rootsOnly(img []byte) bool    { return objectsOf(img) == 0 && len(contentOf(img)) > program.RegsSize }
func stopped(img, all []byte) bool { return len(img) < len(all) }

// An image whose time is over is the beginning of the one that it would be, and
// says so; one that ends before is whole.
func TestImagesWithinATime(t *testing.T) {
	r := newImageRig(t)
	img, s := r.orderTree(1000)
	all := r.timedImage(img, s, 0, 0)
	if objectsOf(all) != 1000 || cutOf(all) != 0 {
		t.Fatalf("%d objects, cut by %#x", objectsOf(all), cutOf(all))
	}
	if none := r.timedImage(img, s, 1, 1); !rootsOnly(none) || cutOf(none) != ring.CutTime || !bytes.HasPrefix(contentOf(all), contentOf(none)) {
		t.Errorf("without time: %d objects, cut by %#x", objectsOf(none), cutOf(none))
	}
	for _, time := range []int64{slowest, 7 * slowest, 1 << 20} {
		if got := r.timedImage(img, s, time, slowTick); !bytes.Equal(got, all) {
			t.Errorf("with time for %d references at a look: %d objects, cut by %#x", time/slowest, objectsOf(got), cutOf(got))
		}
	}
	for time := int64(1000); time < 40_000; time += 500 { // as it comes
		got := r.timedImage(img, s, time, 0.5)
		want := uint16(0)
		if stopped(got, all) {
			want = ring.CutTime
		}
		if !bytes.HasPrefix(contentOf(all), contentOf(got)) || cutOf(got) != want {
			t.Errorf("in %d ns: %d of %d bytes and %d objects, cut by %#x", time, len(got), len(all), objectsOf(got), cutOf(got))
		}
	}
}

// What is larger than there is time for is left out, and not what comes after it.
func TestLargeObjectsWithinATime(t *testing.T) {
	const large, small = 10 * creditBytes, 64
	for _, tc := range []struct {
		name    string
		time    int64
		first   int64 // bytes of the first object; the second is small
		objects uint32
		cut     uint16
	}{
		{"time for all", 100 * slowest, large, 2, 0},
		{"time for the small one", 5 * slowest, large, 1, ring.CutTime},
		{"time for one that is not very large", 5 * slowest, creditBytes + 8, 2, 0},
	} {
		r := newImageRig(t)
		s := &program.Site{Slots: constants(int64(r.base)+rigHeap, int64(r.base)+rigHeap+large)}
		for i := range 2 {
			s.Roots = append(s.Roots, program.Root{Ref: program.Ref{Kind: program.RefPointer, Elem: 1 + i}, At: atSlot(i)})
		}
		img := &program.Image{Depth: 9, Objects: 9, Object: 1 << 20, Bytes: 200_000, Descs: []program.Desc{{Size: 1},
			{Size: tc.first, Refs: []program.Ref{{Kind: program.RefPointer, Elem: 2}}}, {Size: small}}}
		if got := r.timedImage(img, s, tc.time, slowTick); objectsOf(got) != tc.objects || cutOf(got) != tc.cut {
			t.Errorf("%s: %d objects, cut by %#x; want %d, %#x", tc.name, objectsOf(got), cutOf(got), tc.objects, tc.cut)
		}
	}
}
