package engine

import (
	"errors"

	"github.com/sidelight-dev/sidelight/internal/jit"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// images calls f for each probe of the plan that takes snapshots.
func (p *plan) images(f func(probe int, img *program.Image) error) error {
	for i, pl := range p.probes {
		if pl.program == nil || pl.program.Image == nil {
			continue
		}
		if err := f(i, pl.program.Image); err != nil {
			return err
		}
	}
	return nil
}

// extra is the memory beside each block that the plan's probes need.
func (p *plan) extra() (bytes int) {
	_ = p.images(func(int, *program.Image) error {
		bytes = ring.ImageExtra
		return nil
	})
	return bytes
}

// fit makes images smaller that would not fit into a ring of the layout: on
// machines with very many processors a ring is small. Registers and stack are
// taken however few bytes were asked for: without them there is no answer.
func (p *plan) fit(l ring.Layout) {
	_ = p.images(func(probe int, img *program.Image) error {
		for i := range p.probes[probe].program.Sites {
			room := jit.ImageBytes(l, &p.probes[probe].program.Sites[i])
			img.Object = max(img.Object, 8)
			img.Stack = min(img.Stack, room/4&^7)
			img.Bytes = min(max(img.Bytes, jit.ImageRoots(img)), room)
		}
		return nil
	})
}

// stage is the size of the largest snapshot of the beginning of a call; 0: none is
// taken.
func (pl *planned) stage() (most int) {
	if !pl.spec.Calls || pl.program.Image == nil {
		return 0
	}
	for i := range pl.program.Sites {
		if s := &pl.program.Sites[i]; s.Role == program.RoleStart {
			most = max(most, jit.StageBytes(pl.program.Image, s))
		}
	}
	return most
}

// tables makes the tables by which bodies of snapshots follow references, to be
// placed from address at on, and notes where each lies.
func (p *place) tables(at uint64) ([]byte, error) {
	var text []byte
	p.tablesAt = map[*program.Image]uint64{}
	err := p.plan.images(func(_ int, img *program.Image) error {
		if p.tablesAt[img] != 0 {
			return nil // shared
		}
		blob, err := jit.Tables(img, p.slide)
		if err != nil {
			return err
		}
		p.tablesAt[img] = at + uint64(len(text))
		for text = append(text, blob...); len(text)%align != 0; {
			text = append(text, 0)
		}
		if len(text) > ring.TextSize/2 {
			return errors.New("the tables of the snapshots are too large for one bay: ask for fewer snapshots in one command, or a smaller depth")
		}
		return nil
	})
	return text, err
}
