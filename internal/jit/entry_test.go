//go:build linux && amd64

package jit

import (
	"encoding/binary"
	"runtime"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Where things lie in the heap of a rig with a classic map of one bucket: its head,
// and the two arrays between which its only entry moves.
const (
	movingHead   = rigHeap + 1024
	movingArrays = rigHeap + 2048
	movingArray  = 512

	headCount, headFlags, headBuckets, headOld, headMoved = 0, 8, 16, 24, 32
	bucketKeys, bucketElems, bucketOverflow               = 8, 72, 200
)

var moving = &program.Map{KeyType: program.I64, KeySize: 8, Count: headCount, Busy: headFlags, BusyMask: 4, B: headFlags + 1,
	Buckets: headBuckets, Old: headOld, Moved: headMoved, Classic: true, Keys: bucketKeys, Elems: bucketElems, Overflow: bucketOverflow,
	KeyStep: 8, ElemStep: 16, GroupSize: 208}

const (
	movingKey = 7
	movingOne = 0x1122334455667788 // the two words of its value
	movingTwo = 0x99AABBCCDDEEFF00
	evacuated = 2
)

// mover writes the map as the runtime does (runtime/map.go: hashGrow, evacuate). No
// array is used again while somebody may look at it; here, where they are, Moved never
// is what it was.
type mover struct {
	r     *rig
	moved uint64
	now   int // which array is that of the buckets
}

func (m *mover) store(off int, v uint64) {
	atomic.StoreUint64((*uint64)(unsafe.Pointer(&m.r.mem[off])), v)
}

func (m *mover) array(i int) int { return movingArrays + movingArray*(i&1) }

// fill writes the entry into entry j of an array.
func (m *mover) fill(at, j int) {
	m.store(at, 0x77<<(8*j))
	m.store(at+bucketKeys+8*j, movingKey)
	m.store(at+bucketElems+16*j, movingOne)
	m.store(at+bucketElems+16*j+8, movingTwo)
}

func (m *mover) start() {
	m.store(movingHead+headCount, 1)
	m.store(movingHead+headBuckets, m.r.base+uint64(m.array(0)))
	m.fill(m.array(0), 3)
}

// grow makes the other array that of the buckets, and the one at hand the old one.
func (m *mover) grow() {
	old := m.array(m.now)
	m.now++
	for off := 0; off < movingArray; off += 8 {
		m.store(m.array(m.now)+off, 0)
	}
	m.moved++
	m.store(movingHead+headFlags, 4|program.ClassicSameSize)
	m.store(movingHead+headOld, m.r.base+uint64(old))
	m.store(movingHead+headBuckets, m.r.base+uint64(m.array(m.now)))
	m.store(movingHead+headMoved, m.moved)
	m.store(movingHead+headFlags, program.ClassicSameSize)
}

// evacuate moves the entry and clears its old place, but for the control bytes.
func (m *mover) evacuate() {
	from, to := m.array(m.now-1), m.array(m.now)
	m.store(movingHead+headFlags, 4|program.ClassicSameSize)
	m.store(from, 0x0101010101010101*evacuated)
	m.fill(to, 3)
	for off := bucketKeys; off < movingArray; off += 8 {
		m.store(from+off, 0)
	}
	m.moved++
	m.store(movingHead+headMoved, m.moved)
	m.store(movingHead+headOld, 0)
	m.store(movingHead+headFlags, 0)
}

func (r *rig) movingFind() *program.Node {
	return &program.Node{Op: program.OpFind, Type: program.U64, Map: moving, Imm: int64(program.StatusKey),
		X: constant(program.U64, int64(r.base+movingHead)), Y: constant(program.I64, movingKey)}
}

func wordOf(rec []byte, off int) uint64 { return binary.LittleEndian.Uint64(rec[off:]) }

func loadAt(at *program.Node, off int64) *program.Node {
	return &program.Node{Op: program.OpLoad, Type: program.U64, X: at, Imm: off}
}

// TestEntriesThatMove asks in every way for the value of a key that is there always,
// while its entry moves from one array to the other as fast as it can.
func TestEntriesThatMove(t *testing.T) {
	r := newRig(t, 4)
	r.catch()
	r.env.Log = true
	m := &mover{r: r}
	m.start()
	place := &program.Node{Op: program.OpSlot, Type: program.U64, Imm: 3}
	there := *r.movingFind()
	there.Imm = 0
	s := &program.Site{Slots: []program.Slot{
		scalarSlot(loadAt(r.movingFind(), 0)),
		{Kind: program.SlotBlock, Node: r.movingFind(), Size: 16},
		scalarSlot(&program.Node{Op: program.OpConv, Type: program.U64, X: &program.Node{Op: program.OpNe, Type: program.Bool, X: &there, Y: constant(program.U64, 0)}}),
		{Kind: program.SlotPlace, Node: r.movingFind(), Size: 8},
		scalarSlot(loadAt(place, 0)),
		{Kind: program.SlotBlock, Node: place, Size: 16},
	}}
	want := [][]uint64{{movingOne}, {movingOne, movingTwo}, {1}, nil, {movingOne}, {movingOne, movingTwo}}
	r.place(s, Live{})
	var ends atomic.Bool
	done := make(chan bool)
	go func() {
		runtime.LockOSThread()
		for !ends.Load() {
			m.grow()
			m.evacuate()
		}
		close(done)
	}()
	defer func() {
		ends.Store(true)
		<-done
	}()
	layout := newRecord(s)
	in, right, writing := r.start(), make([]int, len(want)), 0
	for range 200_000 {
		r.reset(1, 0)
		r.run(in)
		rec := r.record(1, 0)
		for i, words := range want {
			switch st := program.Status(rec[int(layout.status)+i]); st {
			case program.StatusOK:
				right[i]++
			case program.StatusWriting:
				writing++
				continue
			default:
				t.Fatalf("slot %d: status %d", i, st)
			}
			for k, w := range words {
				if got := wordOf(rec, int(layout.fixed[i])+8*k); got != w {
					t.Fatalf("slot %d, word %d: %#x instead of %#x", i, k, got, w)
				}
			}
		}
	}
	t.Logf("right %v, being written %d", right, writing)
	for i, n := range right {
		if n == 0 || writing == 0 {
			t.Errorf("slot %d was never right, or nothing was ever being written: %d, %d", i, n, writing)
		}
	}
}

// TestEntryThatIsGone lets the entry be moved between its search and the reading of
// its value, by the record itself: it is written where the map's bucket lies.
func TestEntryThatIsGone(t *testing.T) {
	for _, c := range []struct {
		name    string
		control uint64
		want    program.Status
	}{{"evacuated", 0x0101010101010101 * evacuated, program.StatusWriting}, {"there", 0x77 << 24, program.StatusOK}} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 4)
			r.catch()
			r.env.Log = true
			m := &mover{r: r}
			m.start()
			inRecord := *moving
			n := r.movingFind()
			n.Map = &inRecord
			place := &program.Node{Op: program.OpSlot, Type: program.U64}
			s := &program.Site{Slots: []program.Slot{
				{Kind: program.SlotPlace, Node: n, Size: 8},
				scalarSlot(constant(program.U64, int64(c.control))), // the control bytes
				scalarSlot(constant(program.U64, 0)),                // the value
				scalarSlot(loadAt(place, 0)),
				{Kind: program.SlotBlock, Node: place, Size: 8},
			}}
			layout := newRecord(s)
			ring := rigShared + r.env.Layout.Block(1) + r.env.Layout.RingOff()
			bucket := ring + int(layout.fixed[1])
			inRecord.Keys = bucketOverflow + 64 // behind the record
			inRecord.Elems = int64(layout.fixed[2]-layout.fixed[1]) - 3*inRecord.ElemStep
			r.place(s, Live{})
			r.reset(1, 0)
			r.put(movingHead+headBuckets, r.base+uint64(bucket))
			r.put(bucket, 0x77<<24)
			r.put(bucket+int(inRecord.Keys)+3*8, movingKey)
			r.put(ring+int(layout.fixed[2]), movingOne)
			r.run(r.start())
			rec := r.record(1, 0)
			if st := program.Status(rec[layout.status]); st != program.StatusOK {
				t.Fatalf("the key was not found: status %d", st)
			}
			for _, i := range []int{3, 4} {
				if st := program.Status(rec[int(layout.status)+i]); st != c.want {
					t.Errorf("slot %d: status %d instead of %d, value %#x", i, st, c.want, wordOf(rec, int(layout.fixed[i])))
				}
			}
		})
	}
}
