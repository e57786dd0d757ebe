// Package moment makes of an image the moment that a person sees: the stack
// with its functions, inlined ones included, the variables of each with their
// values, the watched expressions, who started the goroutine, and the trace that
// a context carries.
//
// The image of a hit, the site where it was taken and the build come in; a
// probe.Moment goes out. Before it stand image, value (which reads values) and
// debuginfo; after it stands decode, to which the engine hands it over.
//
// What was copied at the hit is exact: registers and variables at the site, and
// the stack. Registers of calling functions are gone, and nobody followed their
// pointers at the hit: those are read afterwards, and marked. Of a moment that was
// long ago nothing is.
package moment

import (
	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/image"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/value"
)

// Reader makes moments of one process. It is not for concurrent use.
type Reader struct {
	b      *debuginfo.Build
	slide  uint64
	late   func(addr uint64, n int64) []byte
	listed map[*program.Image]map[uint64]bool
	spills map[*debuginfo.Func][]store
}

// New makes a reader for a process that runs a build, its addresses slide above
// the linked ones. late reads the process's memory as it is now; nil: nothing is
// read after the hit.
func New(b *debuginfo.Build, slide uint64, late func(addr uint64, n int64) []byte) *Reader {
	return &Reader{b: b, slide: slide, late: late, listed: map[*program.Image]map[uint64]bool{},
		spills: map[*debuginfo.Func][]store{}}
}

// Hit is a hit of a snapshot as it was recorded.
type Hit struct {
	Program *program.Program
	Site    *program.Site
	Bounds  probe.Bounds
	Image   *image.Image
	Past    bool                                  // the moment was long ago: nothing is read that may be another thing by now
	Slot    func(i int) (data []byte, why string) // the fixed part of a slot
}

// Fill reads a hit into a moment.
func (r *Reader) Fill(h Hit, m *probe.Moment) {
	h.Bounds = h.Bounds.WithDefaults()
	w := walker{r: r, h: h, m: m, values: value.New(r.config(h))}
	w.values.Expect(len(h.Site.Vars) + len(h.Site.Watches))
	w.stack()
	w.watches()
	m.Created = r.created(h.Image)
	m.Trace = w.trace()
	m.Cuts = append(m.Cuts, value.Whole(h.Image, h.Bounds)...)
}

// config says to package value what it needs of the process.
func (r *Reader) config(h Hit) value.Config {
	base := r.slide + r.b.TypesBase()
	listed := r.listedOf(h.Program.Image)
	cfg := value.Config{
		Image: h.Image, Bounds: h.Bounds, Late: r.late, Past: h.Past,
		Type: func(rtype uint64) *program.Type {
			if rtype <= base {
				return nil
			}
			return r.b.TypeByRuntime(rtype - base)
		},
		Listed:   func(addr uint64) bool { return listed[addr-r.slide] },
		Direct:   r.direct,
		Function: func(pc uint64) string { return r.function(pc) },
		Closure:  func(pc uint64) []program.Field { return r.b.Closure(pc - r.slide) },
		Fixed:    func(addr uint64, n int64) []byte { return r.b.ReadOnly(addr-r.slide, n) },
		Global:   r.global,
	}
	if h.Program.Image != nil {
		cfg.Object = h.Program.Image.Object
	}
	return cfg
}

// listedOf are the dynamic types and the code that an image's program can follow.
func (r *Reader) listedOf(img *program.Image) map[uint64]bool {
	if img == nil {
		return nil
	}
	l := r.listed[img]
	if l == nil {
		l = make(map[uint64]bool, len(img.Dynamic))
		for _, d := range img.Dynamic {
			l[d.Key] = true
		}
		r.listed[img] = l
	}
	return l
}

func (r *Reader) direct(t *program.Type) bool {
	if direct, known := r.b.Direct(t); known {
		return direct
	}
	return value.Direct(t)
}

func (r *Reader) function(pc uint64) string {
	if f := r.b.FuncAt(pc - r.slide); f != nil {
		return f.Name
	}
	return ""
}

func (r *Reader) global(name string) (uint64, bool) {
	g, ok := r.b.Global(name)
	if !ok || g.Name != name {
		return 0, false
	}
	return g.Addr + r.slide, true
}
