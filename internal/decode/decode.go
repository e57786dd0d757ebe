// Package decode turns the records that probes left in the ring into hits.
//
// Bytes, laid out as package ring says, and the programs that package compile
// made come in; probe.Hit values go out to engine and from there to the sinks.
// A record was written by a process that may be broken in any way, so nothing
// in it is believed: a damaged record is an error, never a panic.
package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/redact"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// Config is what a decoder knows of the target. Any of the functions may be nil.
type Config struct {
	PID       int
	Probes    []probe.Spec                   // by the index of their programs
	Slide     uint64                         // what the target's addresses are above the linked ones
	TypesBase uint64                         // linked address of runtime.types
	Type      func(off uint64) *program.Type // the type whose *_type lies off bytes from TypesBase
	Function  func(pc uint64) string         // name of the function at a linked address, "" unknown
	Time      func(tsc uint64) time.Time     // when the time-stamp counter had that value
	Redact    *redact.Rules                  // what is not shown; nil: the default rules
	Target    string                         // name of the process
	Build     string                         // its Go build ID
	Moments   Moments                        // of a session with snapshots
}

// Decoder turns the records of one session into hits. It is not for concurrent
// use: the numbers of the hits follow the order of the calls.
type Decoder struct {
	cfg      Config
	programs map[int]*program.Program
	seq      map[int]uint64
}

// New makes a decoder for the programs of a session.
func New(cfg Config, programs []*program.Program) *Decoder {
	d := &Decoder{cfg: cfg, programs: map[int]*program.Program{}, seq: map[int]uint64{}}
	for _, p := range programs {
		if p != nil {
			d.programs[p.Index] = p
		}
	}
	return d
}

// ErrDamaged is the reason of every error of Record.
var ErrDamaged = errors.New("damaged record")

// ErrPadding says that a record is filler at the end of the ring, no hit.
var ErrPadding = errors.New("padding")

// Header tells a record's size in bytes, probe index and time-stamp counter,
// so that records of several rings can be put in order before they are decoded.
func Header(rec []byte) (size, probe int, tsc uint64, err error) {
	if len(rec) < 8 {
		return 0, 0, 0, fmt.Errorf("%w: %d bytes", ErrDamaged, len(rec))
	}
	size = int(binary.LittleEndian.Uint32(rec))
	probe = int(binary.LittleEndian.Uint16(rec[ring.RecordProbe:]))
	if size < 8 || size%8 != 0 || size > len(rec) || probe != ring.Pad && size < ring.RecordHeader {
		return 0, 0, 0, fmt.Errorf("%w: size %d of %d", ErrDamaged, size, len(rec))
	}
	if probe == ring.Pad {
		return size, probe, 0, ErrPadding
	}
	return size, probe, binary.LittleEndian.Uint64(rec[ring.RecordTSC:]), nil
}

// Event decodes one record of whatever kind of probe wrote it: a *probe.Hit of a
// log, a *probe.Moment of a snapshot. Errors are those of Record.
func (d *Decoder) Event(rec []byte) (probe.Event, error) {
	_, index, _, err := Header(rec)
	if err != nil {
		return nil, err
	}
	if p := d.programs[index]; p != nil && p.Image != nil {
		m, err := d.Moment(rec)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
	h, err := d.Record(rec)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Record decodes one record of a log. rec may be longer than it. Padding is
// ErrPadding; every other error is ErrDamaged.
func (d *Decoder) Record(rec []byte) (*probe.Hit, error) {
	r, err := d.record(rec)
	if err != nil {
		return nil, err
	}
	h := &probe.Hit{
		Probe: r.spec.ID, Location: r.spec.At,
		PID:       d.cfg.PID,
		Goroutine: r.goid,
		Function:  r.site.Function,
		File:      r.site.File,
		Line:      r.site.Line,
	}
	if d.cfg.Time != nil {
		h.Time = d.cfg.Time(r.tsc)
	}
	h.Values = d.values(r.program, r.site, r.slots)
	h.Message = message(r.program, h.Values)
	h.Seq = d.next(r)
	return h, nil
}

// parsed is a record whose parts were found.
type parsed struct {
	program *program.Program
	site    *program.Site
	spec    probe.Spec // empty: unknown
	tsc     uint64
	goid    uint64
	slots   []slot
	rest    []byte // behind the slots
}

func (d *Decoder) record(rec []byte) (r parsed, err error) {
	size, index, tsc, err := Header(rec)
	if err != nil {
		return r, err
	}
	rec = rec[:size]
	at := int(binary.LittleEndian.Uint16(rec[ring.RecordSite:]))
	r = parsed{program: d.programs[index], tsc: tsc, goid: binary.LittleEndian.Uint64(rec[ring.RecordGoid:])}
	if r.program == nil || at >= len(r.program.Sites) {
		return r, fmt.Errorf("%w: probe %d, site %d are unknown", ErrDamaged, index, at)
	}
	r.site = &r.program.Sites[at]
	if index < len(d.cfg.Probes) {
		r.spec = d.cfg.Probes[index]
	}
	r.slots, r.rest, err = parse(r.site, rec)
	return r, err
}

// next numbers the hits of a probe.
func (d *Decoder) next(r parsed) uint64 {
	d.seq[r.program.Index]++
	return d.seq[r.program.Index]
}

// values builds the program's values from the slots of a site.
func (d *Decoder) values(p *program.Program, site *program.Site, slots []slot) []probe.NamedValue {
	b := builder{cfg: &d.cfg, site: site, slots: slots}
	values := make([]probe.NamedValue, len(p.Values))
	for i, v := range p.Values {
		values[i] = probe.NamedValue{Name: d.cfg.Redact.Source(v.Expr), Value: probe.Why("not captured")}
		if i < len(site.Captures) {
			c := &site.Captures[i]
			if c.Unreadable != "" {
				values[i].Value = probe.Why(d.cfg.Redact.Told(v.Expr, c.Unreadable))
			} else {
				values[i].Value = d.cfg.Redact.Read(v.Reads, b.value(&c.Shape, maxDepth))
				if c.Whole == nil {
					continue
				}
				if w := d.cfg.Redact.Read(v.Reads, b.value(c.Whole, maxDepth)); w.Shape == probe.Redacted {
					values[i].Value = w
				}
			}
		}
	}
	return values
}

// message fills the template.
func message(p *program.Program, values []probe.NamedValue) string {
	var b strings.Builder
	for i, text := range p.Text {
		b.WriteString(text)
		if i < len(p.Parts) && p.Parts[i] < len(values) {
			b.WriteString(values[p.Parts[i]].Value.String())
		}
	}
	return b.String()
}
