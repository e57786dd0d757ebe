package debuginfo

import "github.com/sidelight-dev/sidelight/internal/amd64"

// Functions that the program runs when it starts and never again, from Go 1.22 to
// 1.26 (runtime/asm_amd64.s): the first code of the runtime, and what checks for it
// what the compiler and the processor do. Nothing else calls them or has their
// address; a test looks through whole programs.
const (
	onceFirst = "runtime.rt0_go"
	onceCheck = "runtime.check"
)

// onceEntry is how much of their beginnings is left out: who traces all functions of
// a program sets breakpoints there.
const onceEntry = 8

// Once is code that the program runs while its runtime starts and never again. No
// call is in it, so no return address, on whatever stack, leads there either. At an
// address in edge the runtime's own unwinding ends; middle is larger. ok is false
// where the Go release is not one that was looked at.
func (b *Build) Once() (edge, middle [2]uint64, ok bool) {
	first, check := b.FuncNamed(onceFirst), b.FuncNamed(onceCheck)
	if _, known := b.layout(); !known || first == nil || check == nil || check.Wrapper {
		return edge, middle, false
	}
	if b.needPclntab(); b.pcln.u8(first.pcln, funcFlag)&flagTopFrame == 0 {
		return edge, middle, false
	}
	edge, middle = b.betweenCalls(first), b.betweenCalls(check)
	return edge, middle, edge[0] < edge[1] && middle[0] < middle[1]
}

// betweenCalls is the longest stretch of a function without a call.
func (b *Build) betweenCalls(f *Func) (longest [2]uint64) {
	from := f.Entry + onceEntry
	end := func(at uint64) {
		if at > from && at-from > longest[1]-longest[0] {
			longest = [2]uint64{from, at}
		}
	}
	err := b.eachInstOf(f, func(in *amd64.Inst) {
		if in.Kind == amd64.Call || in.Kind == amd64.CallInd {
			end(in.PC)
			from = max(from, in.End()+1) // the return address itself is left out
		}
	})
	if err != nil {
		return [2]uint64{}
	}
	end(f.End)
	return longest
}
