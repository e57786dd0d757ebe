package decode

import (
	"fmt"
	"time"

	"github.com/sidelight-dev/sidelight/internal/image"
	"github.com/sidelight-dev/sidelight/internal/moment"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Moments reads what is in an image; moment.Reader is its implementation.
type Moments interface {
	Fill(h moment.Hit, m *probe.Moment)
}

// Moment decodes one record of a snapshot. rec may be longer than it. Padding is
// ErrPadding; every other error is ErrDamaged.
func (d *Decoder) Moment(rec []byte) (*probe.Moment, error) { return d.moment(rec, nil) }

// Call decodes the record of a call's snapshot, which was taken when the call began
// and is told now that it has ended, after so long. Errors are those of Moment.
func (d *Decoder) Call(rec []byte, took time.Duration) (*probe.Moment, error) {
	return d.moment(rec, &took)
}

// moment decodes a snapshot; call is the duration of the call that began with it, nil
// of one that is told at once.
func (d *Decoder) moment(rec []byte, call *time.Duration) (*probe.Moment, error) {
	r, err := d.record(rec)
	if err != nil {
		return nil, err
	}
	img, err := image.Parse(r.rest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	m := &probe.Moment{
		Probe: r.spec.ID, Location: r.spec.At,
		PID: d.cfg.PID, Build: d.cfg.Build, Target: d.cfg.Target,
		Goroutine: r.goid,
		Function:  r.site.Function,
		File:      r.site.File,
		Line:      r.site.Line,
	}
	if call != nil {
		m.Call, m.Duration = true, *call
	}
	if d.cfg.Time != nil {
		m.Time = d.cfg.Time(r.tsc)
		m.Took = max(d.cfg.Time(img.End).Sub(m.Time), time.Duration(0))
	}
	if d.cfg.Moments != nil {
		b := builder{cfg: &d.cfg, site: r.site, slots: r.slots}
		d.cfg.Moments.Fill(moment.Hit{
			Program: r.program, Site: r.site, Bounds: r.spec.Bounds, Image: img, Past: m.Call, Slot: b.fixed,
		}, m)
	}
	m.Seq = d.next(r)
	return d.cfg.Redact.Moment(m, r.site.Watches...), nil
}

// fixed are the bytes of a slot that has no length of its own.
func (b *builder) fixed(i int) (data []byte, why string) {
	if i < 0 || i >= len(b.slots) {
		return nil, whyDamaged
	}
	return b.bytes(i, 0, int64(len(b.slots[i].data)))
}
