package engine

import (
	"runtime"
	"sync"

	"github.com/sidelight-dev/sidelight/internal/compile"
	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Census asks for a probe at every function and every line of a build, and for
// every variable there: of one function in step. Nothing is put anywhere.
func (x *Examiner) Census(step int) probe.Census {
	next := make(chan *debuginfo.Func)
	total := counting{lines: map[locate.Place]bool{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			part := counting{lines: map[locate.Place]bool{}}
			for fn := range next {
				x.count(fn, &part)
			}
			mu.Lock()
			defer mu.Unlock()
			total.add(&part)
		})
	}
	for i, fn := range x.build.Funcs() {
		if i%step == 0 {
			next <- fn
		}
	}
	close(next)
	wg.Wait()
	total.Lines = len(total.lines)
	for _, probed := range total.lines {
		if probed {
			total.LinesProbed++
		}
	}
	return total.Census
}

// counting is a census while it is taken.
type counting struct {
	probe.Census
	lines map[locate.Place]bool // whether one can be probed
}

func (c *counting) add(o *counting) {
	c.Functions += o.Functions
	c.FunctionsProbed += o.FunctionsProbed
	c.Sites += o.Sites
	c.Jumps += o.Jumps
	c.Traps += o.Traps
	c.Variables += o.Variables
	c.Readable += o.Readable
	c.OptimisedOut += o.OptimisedOut
	c.Unset += o.Unset
	for p, probed := range o.lines {
		c.lines[p] = c.lines[p] || probed
	}
}

// count takes one function: its entry, then each of its lines.
func (x *Examiner) count(fn *debuginfo.Func, c *counting) {
	code := locate.ReadCode(x.build, fn)
	p, scope := newPlanner(x.build), compile.NewScope(x.build, false)
	c.Functions++
	for _, w := range x.ways(p, code.Entry()) {
		if w.how != probe.Refused {
			c.FunctionsProbed++
			break
		}
	}
	for _, at := range code.Places() {
		sites := code.Sites(at.File, at.Line)
		c.lines[at] = c.lines[at] || false
		for i, w := range x.ways(p, sites) {
			c.Sites++
			switch w.how {
			case probe.ByJump:
				c.Jumps++
			case probe.ByTrap:
				c.Traps++
			default:
				continue
			}
			c.lines[at] = true
			for _, v := range scope.At(sites[i]) {
				c.variable(v)
			}
		}
	}
}

func (c *counting) variable(v probe.ScopeVar) {
	c.Variables++
	switch {
	case v.Readable:
		c.Readable++
	case v.Why == debuginfo.WhyOptimised || v.Why == debuginfo.WhyPartly:
		c.OptimisedOut++
	default:
		c.Unset++
	}
}
