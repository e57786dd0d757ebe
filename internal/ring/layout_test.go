package ring

import "testing"

func TestNewLayoutFitsEveryTarget(t *testing.T) {
	for _, ps := range []int{1, 2, 4, 8, 16, 64, 128, 512, 1024} {
		for _, probes := range []int{1, 10, 100, 300} {
			l, err := NewLayout(ps, probes, 0)
			if err != nil {
				if ps*probes < 100_000 {
					t.Errorf("%d Ps, %d probes: %v", ps, probes, err)
				}
				continue
			}
			if l.SharedSize() > SharedMax {
				t.Errorf("%d Ps, %d probes: %d bytes", ps, probes, l.SharedSize())
			}
			if Counter(probes) > l.RingOff() {
				t.Errorf("%d Ps, %d probes: the counters run into the ring", ps, probes)
			}
			if r := l.RingSize(); r&(r-1) != 0 || l.RingOff()+r != l.BlockSize() {
				t.Errorf("%d Ps, %d probes: ring of %d bytes", ps, probes, r)
			}
			if l.Block(l.Ps)+l.BlockSize() != l.SharedSize() {
				t.Errorf("%d Ps, %d probes: the blocks do not fill the region", ps, probes)
			}
		}
	}
	if _, err := NewLayout(2, ProbesMax+1, 0); err == nil {
		t.Error("more probes than there are controls")
	}
}

func TestRegionsDoNotOverlap(t *testing.T) {
	for _, r := range []struct {
		name      string
		from, end int
	}{
		{"header", CodeOff, JournalOff}, {"journal", JournalOff, TableOff}, {"table", TableOff, TextOff},
		{"text", TextOff, ControlOff}, {"control", ControlOff, SharedOff},
	} {
		if r.from >= r.end || r.end%4096 != 0 {
			t.Errorf("%s: %d to %d", r.name, r.from, r.end)
		}
	}
	if TrapCountOff < ProbesMax*ControlSize || TrapCountOff+8*TrapsMax > ControlArea {
		t.Error("the counters of traps lie outside their half of the controls")
	}
	// What a session takes of the target's address space, the promise of the
	// documents.
	if total := SharedOff + SharedMax; total > 16<<20 {
		t.Errorf("a bay takes %d bytes", total)
	}
}

func TestHashIsAnIndex(t *testing.T) {
	for key := uint64(1); key != 0; key <<= 1 {
		if h := Hash(key * 3); h >= TableLen {
			t.Errorf("Hash(%#x) = %d of %d", key*3, h, TableLen)
		}
	}
	if Hash(^uint64(0)) >= TableLen {
		t.Error("the largest key falls outside")
	}
}
