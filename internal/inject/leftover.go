//go:build linux && amd64

package inject

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/ring"
)

// BayInfo is a bay that was found in the target.
type BayInfo struct {
	Base   uint64
	PID    int    // owner's pid, as the owner saw it
	Start  uint64 // owner's start time
	Layout ring.Layout
	Alive  bool // its owner lives: hands off
	Free   bool // given back, or never used: it may be taken
	Sites  int  // sites that the journal says may still be changed

	index   int
	ended   uint64
	more    extent // its region of aggregates
	journal []journalEntry
}

// Leftover tells whether the bay's owner died without clearing it.
func (b BayInfo) Leftover() bool { return !b.Alive && !b.Free }

// Bays lists the bays in the target, ours included. The caller holds the Lock,
// else a bay that is being made looks like one that is free.
func (p *Proc) Bays() ([]BayInfo, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bays()
}

func (p *Proc) bays() ([]BayInfo, error) {
	maps, err := p.Maps()
	if err != nil {
		return nil, err
	}
	var out []BayInfo
	for _, base := range findBays(maps) {
		info, err := p.readBay(base)
		if err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	return out, nil
}

// findBays finds complete bays in a memory map: code, control, shared region.
func findBays(maps []Mapping) []uint64 {
	var out []uint64
	for _, m := range maps {
		if isOurs(m) && m.Exec && !m.Shared && m.Size() == ring.CodeSize &&
			covered(maps, m.Hi, ring.ControlArea, false) && covered(maps, m.Lo+ring.SharedOff, ring.SharedMax, true) {
			out = append(out, m.Lo)
		}
	}
	return out
}

// covered tells whether [lo,lo+size) is one writable mapping (or part of one),
// shared and ours or private.
func covered(maps []Mapping, lo, size uint64, shared bool) bool {
	for _, m := range maps {
		if m.Lo <= lo && lo+size <= m.Hi {
			return m.Write && m.Shared == shared && (!shared || isOurs(m))
		}
	}
	return false
}

func (p *Proc) readBay(base uint64) (BayInfo, error) {
	info := BayInfo{Base: base, Free: true}
	raw := make([]byte, ring.HeaderSize+ring.JournalSize)
	if err := p.ReadAt(raw, base); err != nil {
		return info, err
	}
	h, ok := parseHeader(raw)
	if !ok { // its maker died before it was used
		return info, nil
	}
	info.PID, info.Start, info.Layout, info.ended = int(h.pid), h.start, h.layout, h.ended
	info.more = h.more
	info.journal = parseJournal(raw[ring.HeaderSize:])
	info.Sites = len(info.journal)
	info.Free = h.state == stateFree && info.Sites == 0
	var word [4]byte
	if err := p.ReadAt(word[:], base+ring.SharedOff); err != nil {
		return info, err
	}
	info.Alive = h.state == stateTaken && wordAlive(binary.LittleEndian.Uint32(word[:]), h.word)
	return info, nil
}

// holder finds the Sidelight whose journal holds a site that overlaps
// [addr,addr+n), other than the bay at own.
func (p *Proc) holder(addr uint64, n int, own uint64) int {
	list, err := p.bays()
	if err != nil {
		return 0
	}
	for _, info := range list {
		if info.Base == own {
			continue
		}
		for _, j := range info.journal {
			if j.addr < addr+uint64(n) && addr < j.addr+uint64(len(j.orig)) {
				return info.PID
			}
		}
	}
	return 0
}

// Cleared says what Clear did.
type Cleared struct {
	Sites   int      // put back
	Foreign []uint64 // sites that hold something that no Sidelight wrote: left alone, for now
}

// Clear takes out what a dead owner has left in its bay: it puts the file's bytes
// back by the same protocol and marks the bay free. The caller holds the Lock.
// It refuses the bay of an owner that lives.
//
// A bay stays a leftover while something else has its own bytes at one of its
// sites: what that has saved may be our jump, and when it puts the jump back, the
// trampoline must still be there, and the next Clear takes the jump out.
func (p *Proc) Clear(info BayInfo) (Cleared, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var done Cleared
	if err := p.ensureResident(); err != nil {
		return done, err
	}
	info, err := p.readBay(info.Base) // it may have changed since it was listed
	if err != nil || info.Free {
		return done, err
	}
	if info.Alive {
		return done, fmt.Errorf("the probes in this bay belong to a Sidelight that lives (pid %d)", info.PID)
	}
	edits, foreign, err := p.undo(info)
	if err != nil {
		return done, err
	}
	rest := make([]byte, 0, ring.JournalSize)
	for _, j := range foreign {
		done.Foreign = append(done.Foreign, j.addr)
		rest = append(rest, j.bytes(jnlArmed)...)
	}
	if err := p.rewrite(edits); err != nil {
		return done, err
	}
	done.Sites = len(edits)
	if err := p.dropTraps(info.Base); err != nil {
		return done, err
	}
	if err := p.WriteAt(rest[:ring.JournalSize], info.Base+ring.JournalOff); err != nil || len(foreign) > 0 {
		return done, err
	}
	h := header{state: stateFree, layout: info.Layout, base: info.Base, ended: bootTime(), more: info.more}
	return done, p.WriteAt(h.bytes(), info.Base)
}

// dropTraps takes the keys from all sites in the table of a bay: they would stand
// before those of a later session.
func (p *Proc) dropTraps(base uint64) error {
	raw := make([]byte, ring.TableSize)
	if err := p.ReadAt(raw, base+ring.TableOff); err != nil {
		return err
	}
	for _, off := range trapPlaces(raw) {
		if err := p.WriteAt(binary.LittleEndian.AppendUint64(nil, noKey), base+ring.TableOff+off); err != nil {
			return err
		}
	}
	return nil
}

// undo makes the edits that put a dead owner's sites back. foreign are the sites
// that are neither the file's nor the owner's.
func (p *Proc) undo(info BayInfo) (edits []textEdit, foreign []journalEntry, err error) {
	for _, j := range info.journal {
		now := make([]byte, len(j.orig))
		if err := p.ReadAt(now, j.addr); err != nil {
			if errors.Is(err, ErrExited) || errors.Is(err, ErrReplaced) {
				return nil, nil, err
			}
			continue // unmapped since (a plugin): nothing to put back
		}
		switch {
		case bytes.Equal(now, j.orig):
		case info.wrote(j, now):
			edits = append(edits, textEdit{j.addr, now, j.orig})
		default:
			foreign = append(foreign, j)
		}
	}
	return edits, foreign, nil
}

// wrote tells whether the bay's owner may have left these bytes at a site: an int3
// or a jump, in front of the original tail or of one that leads into the bay.
// Others have jumps and int3, too.
func (b BayInfo) wrote(j journalEntry, now []byte) bool {
	into := false
	if len(now) >= 5 {
		to := j.addr + 5 + uint64(int32(binary.LittleEndian.Uint32(now[1:])))
		into = to >= b.Base && to < b.Base+ring.CodeSize && bytes.Equal(now[5:], j.orig[5:])
	}
	switch now[0] {
	case int3:
		return into || bytes.Equal(now[1:], j.orig[1:]) || tornTail(j, now)
	case 0xE9:
		return into
	}
	return false
}

// tornTail tells whether a tail that spans two pages is new on one of them only:
// a tool that is killed between the two pages of a write leaves that.
func tornTail(j journalEntry, now []byte) bool {
	edge := int(pageSize - j.addr%pageSize)
	return edge < len(now) && (bytes.Equal(now[1:edge], j.orig[1:edge]) || bytes.Equal(now[edge:], j.orig[edge:]))
}

// CloseLeaked closes descriptors of ours that a dead Sidelight has left open in
// the target, and returns how many. The caller holds the Lock.
func (p *Proc) CloseLeaked() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fds, err := p.ourFDs()
	if err != nil || len(fds) == 0 {
		return 0, err
	}
	if err := p.ensureResident(); err != nil {
		return 0, err
	}
	// A stub of the dead one may be about to close it, and the number to be the
	// program's next: look again when no thread is in a stub any more.
	if err := p.awaitClear(p.resident.slot(0), p.resident.slot(slots)); err != nil {
		return 0, err
	}
	if fds, err = p.ourFDs(); err != nil {
		return 0, err
	}
	var calls []Syscall
	for _, fd := range fds {
		calls = append(calls, Sys(sysClose, Num(uint64(fd))))
	}
	if len(calls) == 0 {
		return 0, nil
	}
	_, err = p.call(calls[:min(len(calls), callsMax)])
	return len(calls), err
}

// ourFDs lists the target's descriptors that refer to memory of a Sidelight.
func (p *Proc) ourFDs() ([]int, error) {
	fd, err := unix.Openat(int(p.dir.Fd()), "fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, p.fileError("fd", err)
	}
	dir := os.NewFile(uintptr(fd), "fd")
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, p.fileError("fd", err)
	}
	var out []int
	link := make([]byte, 256)
	for _, name := range names {
		n, err := unix.Readlinkat(fd, name, link)
		if err != nil || !strings.HasPrefix(string(link[:n]), "/memfd:"+memfdName+" ") {
			continue
		}
		if num, err := strconv.Atoi(name); err == nil {
			out = append(out, num)
		}
	}
	return out, nil
}
