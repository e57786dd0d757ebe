package jit

import (
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// rootsMax bounds the code of a site.
const rootsMax = 1024

// ImageBytes is the largest Image.Bytes with which the records of a site fit
// into the rings of a layout; 0 or less: none does.
func ImageBytes(l ring.Layout, s *program.Site) int64 {
	return (int64(l.RingSize())/2 - int64(newRecord(s).tail)) &^ 7
}

// ImageRoots is the size of an image's header and roots at most: the least
// Image.Bytes that is accepted.
func ImageRoots(img *program.Image) int64 {
	return ring.ImageHeader + ring.ImageRoots*ring.ObjectHeader + program.RegsSize + pad8(img.G) + pad8(img.Stack)
}

// checkImage refuses what the code of an image could not trust.
func checkImage(env Env, s *program.Site) error {
	img := env.Image
	switch {
	case !env.Log && !(env.stages() && s.Role == program.RoleStart):
		return fmt.Errorf("a snapshot that records nothing")
	case env.Layout.Extra < ring.ImageExtra:
		return fmt.Errorf("a snapshot needs %d bytes beside each block; there are %d", ring.ImageExtra, env.Layout.Extra)
	case img.Depth < 0 || img.Depth > 1<<16-1 || img.Objects < 0 || img.Objects >= 1<<31,
		img.Object < 8 || img.Object > 1<<30, img.G < 0 || img.G > 1<<20, img.Stack < 0, len(img.Descs) == 0:
		return fmt.Errorf("a snapshot of depth %d, %d objects of %d bytes, %d of stack: out of range", img.Depth, img.Objects, img.Object, img.Stack)
	case img.Bytes < ImageRoots(img):
		return fmt.Errorf("a snapshot of %d bytes: registers and stack alone need %d", img.Bytes, ImageRoots(img))
	case len(s.Roots) > rootsMax:
		return fmt.Errorf("a snapshot from %d roots; at most %d", len(s.Roots), rootsMax)
	}
	for i := range s.Slots {
		if s.Slots[i].Kind == program.SlotBytes {
			return fmt.Errorf("slot %d of a snapshot has no fixed size", i)
		}
	}
	for i := range s.Roots {
		if err := checkRoot(&s.Roots[i], s, len(img.Descs)); err != nil {
			return fmt.Errorf("root %d: %w", i, err)
		}
	}
	return nil
}

func checkRoot(r *program.Root, s *program.Site, descs int) error {
	ref := encodedRoot(r)
	if err := checkRef(&ref, elementSize, descs); err != nil {
		return err
	}
	for _, src := range r.Sources() {
		most := int64(1 << 30)
		switch src.Base {
		case program.BaseRegs:
			most = program.RegsSize
		case program.BaseSlot:
			if src.Slot < 0 || src.Slot >= len(s.Slots) {
				return fmt.Errorf("slot %d of %d", src.Slot, len(s.Slots))
			}
			if most = 8; s.Slots[src.Slot].Kind == program.SlotBlock {
				most = pad8(s.Slots[src.Slot].Size)
			}
		}
		if src.Off < 0 || src.Off > most-8 {
			return fmt.Errorf("a word at %d of base %d", src.Off, src.Base)
		}
	}
	return nil
}
