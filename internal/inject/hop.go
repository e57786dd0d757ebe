//go:build linux && amd64

package inject

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/jit"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// hopSignals come between any two instructions, and the runtime looks up where: of
// a thread at a hop our handlers must tell it that it is at the site. Their
// entries lie behind those of handlerSignals, in this order.
var hopSignals = [2]unix.Signal{unix.SIGURG, unix.SIGPROF}

// hopWords are jit's words for hopSignals.
var hopWords = [2]uint64{jit.WordUrg, jit.WordProf}

// CoverHops sees to it that our handlers stand before the program's for
// preemption and profiling. Where it says false, no hop may be used: the runtime
// would throw when it found a thread there. InstallHandlers comes before it; the
// caller holds the Lock.
func (p *Proc) CoverHops() (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.ensureResident(); err != nil {
		return false, err
	}
	r, err := p.call([]Syscall{
		Sys(sysRtSigaction, Num(uint64(hopSignals[0])), Num(0), Out(0), Num(sigsetSize)),
		Sys(sysRtSigaction, Num(uint64(hopSignals[1])), Num(0), Out(actSize), Num(sigsetSize)),
	})
	if err != nil {
		return false, err
	}
	acts := [2][]byte{r.Scratch[:actSize:actSize], r.Scratch[actSize : 2*actSize : 2*actSize]}
	for i := range hopSignals {
		if err := r.Err(i); err != nil {
			return false, fmt.Errorf("rt_sigaction in the target: %w", err)
		}
		if ok, err := p.coverHop(i, acts[i]); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// coverHop puts our handler before that of one of hopSignals, whose action is act.
func (p *Proc) coverHop(i int, act []byte) (bool, error) {
	entry, err := p.word(p.resident.base + resEntries + 8*uint64(len(handlerSignals)+i))
	if err != nil {
		return false, err
	}
	before, err := p.word(p.resident.words() + hopWords[i])
	if err != nil {
		return false, err
	}
	const want = saSiginfo | saOnstack
	switch h := handlerOf(act); {
	case entry == 0 || h <= 1 || binary.LittleEndian.Uint64(act[actFlags:])&want != want:
		return false, nil
	case h == entry:
		return true, nil
	case before > 1 && h != before: // changed since; it may lead to ours in turn
		return false, nil
	default:
		if err := p.WriteAt(binary.LittleEndian.AppendUint64(nil, h), p.resident.words()+hopWords[i]); err != nil {
			return false, err
		}
	}
	ours := append([]byte(nil), act...)
	binary.LittleEndian.PutUint64(ours[actHandler:], entry)
	r, err := p.call([]Syscall{Sys(sysRtSigaction, Num(uint64(hopSignals[i])), Data(ours), Out(0), Num(sigsetSize))})
	if err != nil {
		return false, err
	}
	if err := r.Err(0); err != nil {
		return false, fmt.Errorf("rt_sigaction in the target: %w", err)
	}
	was := r.Scratch[:actSize]
	if string(was) == string(act) {
		return true, nil
	}
	// The program changed it at the same moment: as the program wants it.
	_, err = p.call([]Syscall{Sys(sysRtSigaction, Num(uint64(hopSignals[i])), Data(was), Num(0), Num(sigsetSize))})
	return false, err
}

func (p *Proc) word(at uint64) (uint64, error) {
	var b [8]byte
	err := p.ReadAt(b[:], at)
	return binary.LittleEndian.Uint64(b[:]), err
}

// hops lists the hops that a bay's table knows. A thread that was held up there
// needs the table when it goes on, long after the hop was taken out.
func (p *Proc) hops(bay uint64) ([]extent, error) {
	raw := make([]byte, ring.TableSize)
	if err := p.ReadAt(raw, bay+ring.TableOff); err != nil {
		return nil, err
	}
	return hopsIn(raw, extent{bay, bay + ring.CodeSize}), nil
}

// hopsIn finds the entries of hops in a table as it was read: their keys lie
// outside the bay's own code.
func hopsIn(raw []byte, code extent) (out []extent) {
	for off := 0; off+ring.TableEntry <= len(raw); off += ring.TableEntry {
		key := binary.LittleEndian.Uint64(raw[off:])
		if binary.LittleEndian.Uint64(raw[off+16:]) == ring.KindYield && key > noKey && !code.has(key) {
			out = append(out, extent{key, key + 2}) // behind an int3, too, whose signal is on its way
		}
	}
	return out
}
