package value

import (
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/image"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

type cut struct {
	is   bool
	text string
}

// whyUnforeseen is of a dynamic type that the target was not told how to follow:
// package debuginfo lists those that the build leads one to expect. In a watch
// that asserts it, the type is foreseen.
const whyUnforeseen = "an interface held a type that was not foreseen for it, so what it points to was not taken at the hit; --watch 'x.(T)' takes it"

// cuts are the reasons of an image that is not whole, the one that most likely
// explains a hole first.
func cuts(m *image.Image, b probe.Bounds) []cut {
	has := func(bit uint16) bool { return m != nil && m.Cut&bit != 0 }
	return []cut{
		{has(ring.CutFaults), "too many addresses could not be read"},
		{has(ring.CutTime), fmt.Sprintf("more than --max-time %s", b.MaxTime)},
		{has(ring.CutObjects), fmt.Sprintf("more than --max-items %d objects", b.MaxItems)},
		{has(ring.CutBytes), fmt.Sprintf("more than --max-bytes %d", b.MaxBytes)},
		{has(ring.CutCorrupt), whyLength},
		{m != nil && m.Faults > 0, whyFault},
	}
}

// WhyNot is of what no bound kept from being copied: no descriptor leads there.
const WhyNot = "not copied at the hit"

// WhyStack is of what lies farther up the stack than was copied.
func WhyStack(b probe.Bounds) string {
	return fmt.Sprintf("farther up the stack than is copied for --frames %d", b.WithDefaults().Frames)
}

// Whole says what was cut from an image, the depth included; nothing where
// nothing was.
func Whole(m *image.Image, b probe.Bounds) []string {
	b = b.WithDefaults()
	var out []string
	if m.Cut&ring.CutDepth != 0 {
		out = append(out, fmt.Sprintf("deeper than --depth %d", b.Depth))
	}
	for _, c := range cuts(m, b) {
		if c.is {
			out = append(out, c.text)
		}
	}
	if m.Cut&ring.CutUnknown != 0 {
		out = append(out, whyUnforeseen)
	}
	return out
}
