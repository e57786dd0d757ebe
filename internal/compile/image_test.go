package compile

import (
	"errors"
	"reflect"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

func snapshotAt(t *testing.T, b *debuginfo.Build, spec probe.Spec) *program.Program {
	t.Helper()
	spec.Kind = probe.Snapshot
	sites, err := locate.Resolve(b, spec.At)
	if err != nil {
		t.Fatal(err)
	}
	p, issues, err := Compile(b, spec, 0, sites)
	if err != nil || len(p.Sites) == 0 {
		t.Fatalf("%d sites, %v, %v", len(p.Sites), issues, err)
	}
	return p
}

// checkImage holds an image to what the code in the target trusts.
func checkImage(t *testing.T, p *program.Program) {
	t.Helper()
	in := func(i int) bool { return i >= 0 && i < len(p.Image.Descs) }
	types := map[*program.Type]bool{}
	for i, d := range p.Image.Descs {
		if d.Size < 1 || d.Size >= maxSize || types[d.Type] {
			t.Fatalf("descriptor %d of %v: %d bytes, or a second one", i, d.Type, d.Size)
		}
		types[d.Type] = d.Type != nil
		for _, r := range d.Refs {
			if r.Kind == program.RefNone || !in(r.Elem) || !in(r.Elem2) || r.Off < 0 || r.Off+8 > d.Size {
				t.Fatalf("descriptor of %v: reference %+v", d.Type, r)
			}
		}
	}
	keys := map[uint64]bool{}
	for _, d := range p.Image.Dynamic {
		if keys[d.Key] || !in(d.Elem) {
			t.Fatalf("dynamic type %+v", d)
		}
		keys[d.Key] = true
	}
	for _, s := range p.Sites {
		for _, r := range s.Roots {
			if !in(r.Elem) || r.At.Base == program.BaseSlot && r.At.Slot >= len(s.Slots) {
				t.Fatalf("root %+v", r)
			}
		}
		for _, slot := range s.Slots {
			if slot.Kind == program.SlotBytes {
				t.Fatal("a slot of a snapshot has no fixed size")
			}
		}
	}
}

func TestImage(t *testing.T) {
	for _, o := range []testprog.Options{{}, {Toolchain: testprog.Toolchains[0]}} {
		t.Run(o.String(), func(t *testing.T) {
			p := snapshotAt(t, openShop(t, o), probe.Spec{At: "main.handle", Watch: []string{"o.Name", "o.Qty > 2", "o.Items"}})
			checkImage(t, p)
			s := &p.Sites[0]
			roles := map[string]probe.Role{}
			for _, v := range s.Vars {
				roles[v.Name] = probe.Role(v.Role)
			}
			if roles["o"] != probe.RoleArgument || len(s.Watches) != 3 || s.Watches[1].Type.Kind != reflect.Bool {
				t.Errorf("variables %v, watches %+v", roles, s.Watches)
			}
			if d := descOf(p.Image, "main.Order"); d == nil || len(d.Refs) < 5 {
				t.Errorf("main.Order is described by %+v", d)
			}
			if len(p.Image.Dynamic) == 0 {
				t.Error("no dynamic type of an error is known")
			}
		})
	}
}

func descOf(img *program.Image, name string) *program.Desc {
	for i := range img.Descs {
		if t := img.Descs[i].Type; t != nil && t.Name == name {
			return &img.Descs[i]
		}
	}
	return nil
}

// TestImageOfEveryFunction compiles a snapshot of each function of a program.
func TestImageOfEveryFunction(t *testing.T) {
	b := openShop(t, testprog.Options{})
	n := 0
	for i, f := range b.Funcs() {
		if testing.Short() && i%10 != 0 {
			continue
		}
		sites, err := locate.Resolve(b, f.Name)
		if err != nil {
			continue
		}
		p, _, err := Compile(b, probe.Spec{Kind: probe.Snapshot, At: f.Name}, 0, sites)
		var mistake *Error
		if errors.As(err, &mistake) {
			t.Fatalf("%s: %v", f.Name, err)
		}
		checkImage(t, p)
		n++
	}
	if n < 20 {
		t.Errorf("only %d functions", n)
	}
}

// TestTypesWithoutEnd: what stands for memory of any length has no descriptor,
// which would keep the whole snapshot from being installed.
func TestTypesWithoutEnd(t *testing.T) {
	d := newDescriber(nil, &program.Image{Depth: 3})
	byteType := &program.Type{Name: "uint8", Kind: reflect.Uint8, Size: 1}
	if _, ok := d.of(&program.Type{Name: "[281474976710655]uint8", Kind: reflect.Array, Size: 1<<48 - 1, Len: 1<<48 - 1, Elem: byteType}, true); ok {
		t.Error("it has one")
	}
}
