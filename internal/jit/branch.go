package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

func isComparison(o program.Op) bool { return o >= program.OpEq && o <= program.OpGe }

// Conditions after a comparison of signed and of unsigned integers.
var (
	signedConds = map[program.Op]amd64.Cond{
		program.OpEq: amd64.CondE, program.OpNe: amd64.CondNE, program.OpLt: amd64.CondL,
		program.OpLe: amd64.CondLE, program.OpGt: amd64.CondG, program.OpGe: amd64.CondGE,
	}
	unsignedConds = map[program.Op]amd64.Cond{
		program.OpEq: amd64.CondE, program.OpNe: amd64.CondNE, program.OpLt: amd64.CondB,
		program.OpLe: amd64.CondBE, program.OpGt: amd64.CondA, program.OpGe: amd64.CondAE,
	}
)

// branch jumps to target if the truth of n is sense, else goes on. It uses
// pool[i:].
func (g *gen) branch(n *program.Node, i int, target amd64.Label, sense bool) {
	switch {
	case n.Op == program.OpNot:
		g.branch(n.X, i, target, !sense)
	case n.Op == program.OpAndAnd && !sense, n.Op == program.OpOrOr && sense:
		g.branch(n.X, i, target, sense)
		g.branch(n.Y, i, target, sense)
	case n.Op == program.OpAndAnd, n.Op == program.OpOrOr:
		skip := g.a.NewLabel()
		g.branch(n.X, i, skip, !sense)
		g.branch(n.Y, i, target, sense)
		g.a.Bind(skip)
	case isComparison(n.Op) && n.X.Type.Float():
		m := g.mark()
		g.branchFloat(n.Op, g.compareFloats(n, i), target, sense)
		g.release(m)
	case isComparison(n.Op):
		c := g.compareInts(n, i)
		if !sense {
			c = c.Not()
		}
		g.a.Jcc(c, target)
	default:
		g.eval(n, i)
		g.a.Test(g.pool[i], g.pool[i], 4)
		c := amd64.CondE
		if sense {
			c = amd64.CondNE
		}
		g.a.Jcc(c, target)
	}
}

// compareInts compares the operands of n and gives the condition of its truth.
func (g *gen) compareInts(n *program.Node, i int) amd64.Cond {
	m := g.mark()
	y := g.pair(n, i)
	g.alu(amd64.CMP, g.pool[i], y)
	g.release(m)
	if n.X.Type.Signed() {
		return signedConds[n.Op]
	}
	return unsignedConds[n.Op]
}

// compareFloats compares so that "above" means true; it gives the condition.
// Less is greater with the sides changed: only above is false for NaN.
func (g *gen) compareFloats(n *program.Node, i int) amd64.Cond {
	g.usesX = true
	size := int(n.X.Type.Size())
	y := g.pair(n, i)
	if n.Op == program.OpLt || n.Op == program.OpLe {
		first := g.spilled(operand{kind: inReg, reg: g.pool[i]})
		switch y.kind {
		case inReg:
			g.a.MovXR(xspill, y.reg, size)
		default:
			g.a.LoadX(xspill, g.spilled(y), size)
		}
		g.a.UcomiXMem(xspill, first, size)
	} else {
		second := g.spilled(y)
		g.a.MovXR(xspill, g.pool[i], size)
		g.a.UcomiXMem(xspill, second, size)
	}
	switch n.Op {
	case program.OpLt, program.OpGt:
		return amd64.CondA
	case program.OpLe, program.OpGe:
		return amd64.CondAE
	}
	return unsignedConds[n.Op]
}

// branchFloat jumps after compareFloats. Unordered sets ZF, PF and CF.
func (g *gen) branchFloat(o program.Op, c amd64.Cond, target amd64.Label, sense bool) {
	switch {
	case o != program.OpEq && o != program.OpNe:
		if !sense {
			c = c.Not()
		}
		g.a.Jcc(c, target)
	case (o == program.OpNe) == sense: // unordered: not equal
		g.a.Jcc(amd64.CondP, target)
		g.a.Jcc(amd64.CondNE, target)
	default:
		skip := g.a.NewLabel()
		g.a.Jcc(amd64.CondP, skip)
		g.a.Jcc(amd64.CondE, target)
		g.a.Bind(skip)
	}
}

// compared puts the truth of a comparison into pool[i].
func (g *gen) compared(n *program.Node, i int) {
	if n.X.Type.Float() {
		g.decide(n, i)
		return
	}
	c := g.compareInts(n, i)
	g.a.Setcc(c, g.pool[i])
	g.a.Extend(g.pool[i], g.pool[i], 1)
}

// decide puts the truth of n into pool[i] by jumping.
func (g *gen) decide(n *program.Node, i int) {
	no, done := g.a.NewLabel(), g.a.NewLabel()
	g.branch(n, i, no, false)
	g.a.MovRI64(g.pool[i], 1)
	g.a.Jmp(done)
	g.a.Bind(no)
	g.a.MovRI64(g.pool[i], 0)
	g.a.Bind(done)
}
