package moment

import (
	"encoding/binary"
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/value"
)

// walker reads one hit.
type walker struct {
	r      *Reader
	h      Hit
	m      *probe.Moment
	values *value.Reader
}

// physical is a frame on the stack: one function with what is inlined in it.
type physical struct {
	f    *debuginfo.Func
	pc   uint64 // as linked: where it goes on
	at   uint64 // an address of the instruction that it is in, for tables
	cfa  uint64
	site bool // the one that was hit: its registers are known
}

const rsp = 4

// bottoms are functions below which there is no stack.
var bottoms = map[string]bool{"runtime.goexit": true, "runtime.mstart": true, "runtime.rt0_go": true}

// borders are functions at which execution came from another stack.
var borders = map[string]string{
	"runtime.systemstack": "the runtime came here from another stack",
	"runtime.mcall":       "the runtime came here from another stack",
	"runtime.morestack":   "the runtime came here from another stack",
	"runtime.asmcgocall":  "the runtime came here from another stack",
	"runtime.cgocallback": "called from C, whose stack is not read",
	"runtime.sigtramp":    "a signal interrupted what was running",
}

// faulting are functions that the runtime makes look called by an instruction:
// where they return to is that very instruction, and not the one behind a call.
var faulting = map[string]bool{"runtime.sigpanic": true, "runtime.asyncPreempt": true, "runtime.sigpanic0": true}

// stack walks from the site to the bottom, by the table of stack depths that the
// runtime itself unwinds with: exact at every instruction.
func (w *walker) stack() {
	sp, ok := w.h.Image.Reg(rsp)
	p := physical{pc: w.h.Site.PC, at: w.h.Site.PC, site: true}
	for ok {
		if p.f = w.r.b.FuncAt(p.at); p.f == nil {
			w.issue(fmt.Sprintf("called from 0x%x, which is no Go code", p.pc+w.r.slide))
			return
		}
		if bottoms[p.f.Name] {
			return
		}
		depth, known := w.r.b.StackDepth(p.at)
		if p.cfa = sp + uint64(depth) + 8; !known || depth < 0 || p.cfa <= sp {
			w.issue("the build does not tell how deep the stack is in " + p.f.Name)
			return
		}
		if !w.frames(p) {
			return
		}
		if why := borders[p.f.Name]; why != "" {
			w.issue(why)
			return
		}
		b := w.h.Image.Read(p.cfa-8, 8)
		if len(b) < 8 {
			w.short()
			return
		}
		exact := faulting[p.f.Name]
		sp = p.cfa
		p = physical{pc: binary.LittleEndian.Uint64(b) - w.r.slide}
		if p.at = p.pc - 1; exact {
			p.at = p.pc
		}
	}
}

// issue tells of the last frame why the stack ends there.
func (w *walker) issue(why string) {
	if n := len(w.m.Frames); n > 0 {
		f := &w.m.Frames[n-1]
		if f.Issue != "" {
			why = f.Issue + "; " + why
		}
		f.Issue = why
	}
}

// unknown says why nothing is known of the variables of the function that was hit:
// that it has none would not be true. The other frames are without for the same reason.
func (w *walker) unknown() string {
	if w.r.b.HasDebug() {
		return ""
	}
	return "its variables are not known: the build has no debug information (see sidelight symbols --help)"
}

// short says that the stack goes on behind what was copied of it.
func (w *walker) short() {
	lo, hi := w.h.Image.Stack()
	w.issue(fmt.Sprintf("the stack goes on; %d bytes of it were copied: ask for more with --frames", hi-lo))
}

// frames adds a physical frame, what is inlined in it first; false when there
// are as many as were asked for.
func (w *walker) frames(p physical) bool {
	b := w.r.b
	chain := b.InlineAt(p.f, p.at)
	file, line, _ := b.SourceAt(p.at)
	from := 0
	if p.site {
		from = w.siteFrame(p.f, chain)
	}
	for i := 0; i <= len(chain); i++ {
		name := p.f.Name
		if i < len(chain) {
			name = chain[i].Name
		}
		if i >= from {
			if len(w.m.Frames) >= w.h.Bounds.Frames {
				w.m.Cuts = append(w.m.Cuts, fmt.Sprintf("the stack goes on behind --frames %d", w.h.Bounds.Frames))
				return false
			}
			f := probe.Frame{Function: name, File: file, Line: line, PC: p.pc + w.r.slide, Inlined: i < len(chain)}
			if p.site && i == from {
				s := w.h.Site
				f.File, f.Line = s.File, s.Line
				f.Variables = w.siteVariables(p)
				f.Issue = w.unknown()
			} else {
				f.Variables = w.outerVariables(p, name, line)
			}
			w.m.Frames = append(w.m.Frames, f)
		}
		if i < len(chain) {
			file, line = chain[i].CallFile, chain[i].CallLine
		}
	}
	return true
}

// siteFrame is the place in a chain of inlined calls of the function that the
// site is meant for: calls inlined in it may begin at its first instruction.
func (w *walker) siteFrame(f *debuginfo.Func, chain []*debuginfo.Inline) int {
	for i, c := range chain {
		if c.Name == w.h.Site.Function {
			return i
		}
	}
	if f.Name == w.h.Site.Function {
		return len(chain)
	}
	return 0
}
