//go:build linux && amd64

package inject

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/ring"
)

// runHelper is what the test binary does when it is started again as a tool that
// is to be killed: sessions without end on the process and site it is told.
func runHelper() bool {
	arg := os.Getenv("INJECT_HELPER")
	if arg == "" {
		return false
	}
	var pid int
	var site uint64
	var orig string
	if _, err := fmt.Sscanf(arg, "%d %d %s", &pid, &site, &orig); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for {
		if err := session(pid, site, []byte(unhex(orig))); err != nil {
			fmt.Println("helper:", err)
			os.Exit(1)
		}
	}
}

func unhex(s string) string {
	var b []byte
	for i := 0; i+1 < len(s); i += 2 {
		v, _ := strconv.ParseUint(s[i:i+2], 16, 8)
		b = append(b, byte(v))
	}
	return string(b)
}

// session is a whole life of a tool: clear what others left, install a trap,
// make it a jump, take it out. orig is the one instruction at the site.
func session(pid int, site uint64, orig []byte) error {
	p, err := Open(pid)
	if err != nil {
		return err
	}
	defer p.Close()
	unlock, err := p.Lock(context.Background())
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := clearAll(p); err != nil {
		return err
	}
	layout, err := ring.NewLayout(4, 1, 0)
	if err != nil {
		return err
	}
	b, err := p.NewBay(layout)
	if err != nil {
		return err
	}
	if err := p.InstallHandlers(16); err != nil {
		return err
	}
	tramp := countTrampoline(b.Control()+ring.TrapCountOff, site+uint64(len(orig)), orig, b.Text())
	if err := p.WriteAt(tramp, b.Text()); err != nil {
		return err
	}
	if err := b.Enter([]Entry{{Key: site, Target: b.Text(), Kind: ring.KindTrap}}); err != nil {
		return err
	}
	e := &emitter{at: site}
	e.put(0xE9)
	e.rel(b.Text(), 0)
	trap := append([]byte{int3}, orig[1:5]...)
	for _, now := range [][]byte{trap, e.code, trap, e.code, orig[:5]} {
		if err := b.Patch([]Edit{{site, orig[:5], now}}); err != nil {
			return err
		}
	}
	return b.Close()
}

// clearAll does what every new session does first.
func clearAll(p *Proc) (leftovers int, err error) {
	if err := p.CleanCave(); err != nil {
		return 0, err
	}
	if _, err := p.CloseLeaked(); err != nil {
		return 0, err
	}
	list, err := p.Bays()
	if err != nil {
		return 0, err
	}
	for _, info := range list {
		if !info.Leftover() {
			continue
		}
		leftovers++
		if _, err := p.Clear(info); err != nil {
			return leftovers, err
		}
	}
	return leftovers, nil
}

// TestKilled kills the tool at random moments, again and again, and checks that
// the target works on and that the next tool puts everything right.
func TestKilled(t *testing.T) {
	for _, kind := range []string{"static", "pie", "external"} {
		t.Run(kind, func(t *testing.T) {
			exe := busyBuild(t, kind)
			tg := start(t, exe, "20")
			p := open(t, tg)
			text, err := p.Text()
			if err != nil {
				t.Fatal(err)
			}
			site, _ := symbol(t, exe, "main.hot")
			site += text.Slide
			orig := make([]byte, 10)
			if err := p.ReadAt(orig, site); err != nil {
				t.Fatal(err)
			}
			if orig[0]&0xF0 != 0x40 || orig[1]&0xF8 != 0xB8 {
				t.Skipf("hot begins with % x, not with a long mov", orig)
			}
			leftovers := 0
			for i := range count("INJECT_KILLS", 25) {
				killOne(t, tg, site, orig, 8000, 25000)
				leftovers += checkAfterKill(t, tg, i)
			}
			t.Logf("%d of the kills left something to clear", leftovers)
			tg.end()
		})
	}
}

// TestKilledFirst kills the very first tool of fresh targets, so that the first
// stub and the first mappings are hit.
func TestKilledFirst(t *testing.T) {
	exe := busyBuild(t, "static")
	site, _ := symbol(t, exe, "main.hot")
	orig := textOf(t, exe, site, 10)
	for i := range count("INJECT_KILLS", 8) {
		tg := start(t, exe, "5")
		killOne(t, tg, site, orig, 3000, 12000)
		checkAfterKill(t, tg, i)
		p := open(t, tg)
		layout, _ := ring.NewLayout(2, 1, 0)
		unlock := lock(t, p)
		b, err := p.NewBay(layout)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		unlock()
		tg.end()
	}
}

// killOne starts a tool and kills it after from to from+more microseconds.
func killOne(t *testing.T, tg *target, site uint64, orig []byte, from, more int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), fmt.Sprintf("INJECT_HELPER=%d %d %x", tg.cmd.Process.Pid, site, orig))
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(from+rand.IntN(more)) * time.Microsecond)
	cmd.Process.Kill()
	cmd.Wait()
	if out.Len() > 0 {
		t.Fatal(out.String())
	}
}

func checkAfterKill(t *testing.T, tg *target, i int) int {
	t.Helper()
	p, err := Open(tg.cmd.Process.Pid)
	if err != nil {
		t.Fatalf("after kill %d: %v", i, err)
	}
	defer p.Close()
	defer lock(t, p)()
	n, err := clearAll(p)
	if err != nil {
		t.Fatalf("after kill %d: %v", i, err)
	}
	sameText(t, p)
	noDescriptors(t, p)
	list, err := p.Bays()
	if err != nil || len(list) > 3 {
		t.Fatalf("after kill %d: %d bays, %v", i, len(list), err)
	}
	return n
}
