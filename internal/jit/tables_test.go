package jit

import (
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/program"
)

func TestTablesRefuse(t *testing.T) {
	point := func(r program.Ref) []program.Desc {
		return []program.Desc{{Size: 1}, {Size: 16, Refs: []program.Ref{r}}}
	}
	for want, img := range map[string]program.Image{
		"0 descriptors":        {},
		"that of bytes":        {Descs: []program.Desc{{Size: 8}}},
		"0 bytes":              {Descs: []program.Desc{{Size: 1}, {}}},
		"at 9":                 {Descs: point(program.Ref{Kind: program.RefPointer, Off: 9})},
		"at -8":                {Descs: point(program.Ref{Kind: program.RefPointer, Off: -8})},
		"and 16: not in":       {Descs: point(program.Ref{Kind: program.RefSlice, Len: 16})},
		"at 8 and 8: not in":   {Descs: point(program.Ref{Kind: program.RefEface, Off: 8, Len: 8})},
		"at 0 and 0: not in":   {Descs: point(program.Ref{Kind: program.RefOld})},
		"and 16: not":          {Descs: point(program.Ref{Kind: program.RefBuckets, Len: 16})},
		"a look at 9":          {Descs: []program.Desc{{Size: 1}, {Size: 16, Looks: []program.Look{{Off: 9}}}}},
		"kind 0":               {Descs: point(program.Ref{})},
		"to descriptor 2 of 2": {Descs: point(program.Ref{Kind: program.RefPointer, Elem: 2})},
		"to descriptor -1":     {Descs: point(program.Ref{Kind: program.RefDirectory, Len: 8, Elem2: -1})},
		"listed twice":         {Descs: point(program.Ref{Kind: program.RefPointer}), Dynamic: []program.Dynamic{{Key: 8}, {Key: 8}}},
		"no address":           {Descs: point(program.Ref{Kind: program.RefPointer}), Dynamic: []program.Dynamic{{}}},
		"0x8: kind 2":          {Descs: point(program.Ref{Kind: program.RefPointer}), Dynamic: []program.Dynamic{{Key: 8, Kind: program.RefSlice}}},
		"0x8: to descriptor 2": {Descs: point(program.Ref{Kind: program.RefPointer}), Dynamic: []program.Dynamic{{Key: 8, Elem: 2}}},
	} {
		if _, err := Tables(&img, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// The tables of a large program fit beside its code.
func TestTablesAreCompact(t *testing.T) {
	img := program.Image{Object: 4096}
	for i := range 10000 {
		d := program.Desc{Size: 48}
		for off := int64(0); i > 0 && off < 40; off += 8 {
			d.Refs = append(d.Refs, program.Ref{Kind: program.RefPointer, Off: off, Elem: i})
		}
		img.Descs = append(img.Descs, d)
		img.Dynamic = append(img.Dynamic, program.Dynamic{Key: uint64(0x500000 + 64*i)})
	}
	img.Descs[0].Size = 1
	img.Descs = append(img.Descs, program.Desc{Size: 1 << 39, Refs: []program.Ref{{Kind: program.RefPointer, Off: 1 << 38}}})
	blob, err := Tables(&img, 1<<40)
	if err != nil || len(blob) > 5<<18 {
		t.Errorf("%d bytes, %v", len(blob), err)
	}
}
