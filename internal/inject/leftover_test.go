//go:build linux && amd64

package inject

import (
	"errors"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/ring"
)

// TestForeignSiteKeepsNoOther restores three sites while something else has changed
// one of them: the other two must come out, for the owner as for whoever clears
// after it; the third when its bytes are ours again.
func TestForeignSiteKeepsNoOther(t *testing.T) {
	exe := programBuild(t, "odd")
	tg := start(t, exe)
	p := open(t, tg)
	defer lock(t, p)()
	at, _ := symbol(t, exe, "main.divide") // does not run in this mode
	layout, _ := ring.NewLayout(2, 1, 0)
	b, err := p.NewBay(layout)
	if err != nil {
		t.Fatal(err)
	}
	put, back := b.jumpsAt(t, at, at+8, at+16)
	if err := b.Patch(put); err != nil {
		t.Fatal(err)
	}
	poke := func(v byte) {
		if err := p.WriteAt([]byte{v}, at+8); err != nil {
			t.Fatal(err)
		}
	}
	poke(0x90)
	var foreign *ForeignError
	if err := b.Patch(back); !errors.As(err, &foreign) || len(foreign.Sites) != 1 || !foreign.Foreign(at+8) {
		t.Fatalf("restored: %v", err)
	}
	onlyDiffersAt(t, p, at+8)
	if err := b.Patch(put[:1]); err != nil { // the bay is still of use
		t.Fatal(err)
	}

	b.unshare() // as if its owner had died
	info, err := p.readBay(b.Base)
	if err != nil || !info.Leftover() {
		t.Fatalf("%+v %v", info, err)
	}
	done, err := p.Clear(info)
	if err != nil || done.Sites != 1 || len(done.Foreign) != 1 || done.Foreign[0] != at+8 {
		t.Fatalf("cleared %+v %v", done, err)
	}
	onlyDiffersAt(t, p, at+8)
	poke(put[1].New[0]) // as a debugger does that takes its breakpoint out
	if info, err = p.readBay(b.Base); err != nil || !info.Leftover() {
		t.Fatalf("the bay may be used again while a jump leads there: %+v %v", info, err)
	}
	if done, err = p.Clear(info); err != nil || done.Sites != 1 || len(done.Foreign) != 0 {
		t.Fatalf("cleared %+v %v", done, err)
	}
	if info, err = p.readBay(b.Base); err != nil || !info.Free {
		t.Fatalf("%+v %v", info, err)
	}
	sameText(t, p)
	tg.end()
}

// jumpsAt makes edits that let sites jump into the bay, and those that undo it.
func (b *Bay) jumpsAt(t *testing.T, sites ...uint64) (put, back []Edit) {
	t.Helper()
	for _, at := range sites {
		orig := make([]byte, 5)
		if err := b.p.ReadAt(orig, at); err != nil {
			t.Fatal(err)
		}
		put = append(put, Edit{at, orig, jumpBytes(at, b.Text())})
		back = append(back, Edit{at, orig, orig})
	}
	return put, back
}

func onlyDiffersAt(t *testing.T, p *Proc, at uint64) {
	t.Helper()
	diffs, err := p.CompareText()
	if err != nil || len(diffs) == 0 {
		t.Fatalf("%+v %v", diffs, err)
	}
	for _, d := range diffs {
		if d.Addr < at || d.Addr >= at+5 {
			t.Errorf("%#x still differs", d.Addr)
		}
	}
}
