package interp

import (
	"encoding/binary"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// bucket is a map of one bucket, with an entry for the key 7 in it. Whenever somebody
// has read at the address that is watched, step is made once.
type bucket struct {
	b     []byte
	watch uint64
	step  func()
}

const (
	headAt, bucketAt = 0x1000, 0x1100
	keyAt, valueAt   = bucketAt + 8, bucketAt + 72
)

func newBucket() *bucket {
	m := &bucket{b: make([]byte, 0x1000)}
	for _, x := range [][2]uint64{{headAt, 1}, {headAt + 16, bucketAt}, {bucketAt, 0x77}, {keyAt, 7}, {valueAt, 99}} {
		m.put(x[0], x[1])
	}
	return m
}

func (m *bucket) put(at, v uint64) { binary.LittleEndian.PutUint64(m.b[at-0x1000:], v) }

func (m *bucket) read(at uint64, n int) []byte {
	if at < 0x1000 || at+uint64(n) > 0x2000 {
		return nil
	}
	b := append([]byte(nil), m.b[at-0x1000:][:n]...)
	if at == m.watch && m.step != nil {
		step := m.step
		m.step = nil
		step()
	}
	return b
}

// TestEntryThatIsGone writes the map between the search and the reading of the value,
// and has done so when the value is read.
func TestEntryThatIsGone(t *testing.T) {
	layout := &program.Map{KeyType: program.I64, KeySize: 8, Count: 0, Busy: 8, BusyMask: 4, B: 9, Buckets: 16, Old: 24, Moved: 32,
		Classic: true, Keys: 8, Elems: 72, Overflow: 136, KeyStep: 8, ElemStep: 8, GroupSize: 144}
	imm := func(v int64) *program.Node { return &program.Node{Op: program.OpConst, Type: program.U64, Imm: v} }
	for _, c := range []struct {
		name   string
		key    int64
		watch  uint64
		writes [][2]uint64
		want   uint64
		st     program.Status
	}{
		{"nothing", 7, keyAt, nil, 99, program.StatusOK},
		{"another value", 7, keyAt, [][2]uint64{{valueAt, 98}}, 98, program.StatusOK},
		{"evacuated and cleared", 7, keyAt, [][2]uint64{{bucketAt, 2}, {keyAt, 0}, {valueAt, 0}}, 0, program.StatusWriting},
		{"being deleted", 7, keyAt, [][2]uint64{{headAt + 8, 4}, {valueAt, 0}}, 0, program.StatusWriting},
		{"another key there", 7, keyAt, [][2]uint64{{keyAt, 8}, {valueAt, 1}}, 0, program.StatusWriting},
		{"evacuated behind the search", 7, keyAt, [][2]uint64{{headAt + 32, 1}}, 0, program.StatusWriting},
		{"another array", 7, keyAt, [][2]uint64{{headAt + 16, bucketAt + 256}}, 0, program.StatusWriting},
		{"no such key", 6, keyAt, nil, 0, program.StatusKey},
		{"moved before it was looked for", 6, keyAt, [][2]uint64{{headAt + 32, 1}}, 0, program.StatusWriting},
		{"grown before it was looked for", 6, keyAt, [][2]uint64{{headAt + 8, 1 << 8}}, 0, program.StatusWriting},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newBucket()
			m.watch, m.step = c.watch, func() {
				for _, w := range c.writes {
					m.put(w[0], w[1])
				}
			}
			s := &State{Mem: m.read}
			find := &program.Node{Op: program.OpFind, Type: program.U64, Map: layout, X: imm(headAt), Y: imm(c.key), Imm: int64(program.StatusKey)}
			if v, st := s.Eval(&program.Node{Op: program.OpLoad, Type: program.U64, X: find}); v != c.want || st != c.st {
				t.Errorf("%d, status %d instead of %d, status %d", v, st, c.want, c.st)
			}
			if m.step != nil {
				t.Error("the key was not read")
			}
		})
	}
}
