//go:build linux && amd64

package compile_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/compile"
	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/engine"
	"github.com/sidelight-dev/sidelight/internal/interp"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// hashedKeys are what testdata/hashed is asked: each is true at every pass.
var hashedKeys = []string{
	"strs[now.Size][now.S] == now.Want", "ints[now.Size][now.I] == now.Want", "i32s[now.Size][now.I32] == now.Want",
	"u32s[now.Size][now.U32] == now.Want", "ptrs[now.Size][now.P] == now.Want", "ids[now.Size][now.ID] == now.Want",
	"pairs[now.Size][now.Pair] == now.Want", "odds[now.Size][now.Odd] == now.Want", "longs[now.Size][now.Long] == now.Want",
	"!now.Has || u16s[now.Size][now.U16] == now.Want", "!now.Has8 || i8s[now.Size][now.I8] == now.Want",
	"contains(strs[now.Size], now.S) == (now.Want != 0)",
}

// startHashed starts the program and waits until its maps are filled.
func startHashed(t *testing.T, o testprog.Options, env ...string) (path string, pid int) {
	t.Helper()
	path = testprog.Dir(t, "testdata/hashed", o)
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return path, cmd.Process.Pid
}

// TestHashedLookupsLive asks maps of all kinds of keys and of many sizes for keys
// that are there, that never were and that are deleted: in machine code, and by the
// interpreter with the hash and entry by entry.
func TestHashedLookupsLive(t *testing.T) {
	ways := []testprog.Options{{PIE: true}}
	for _, toolchain := range testprog.Toolchains {
		ways = append(ways, testprog.Options{Toolchain: toolchain})
	}
	for _, o := range ways {
		t.Run(o.String(), func(t *testing.T) {
			path, pid := startHashed(t, o)
			var specs []probe.Spec
			for _, x := range hashedKeys {
				specs = append(specs, probe.Spec{ID: x, Kind: probe.Log, At: "main.tick", Message: "{now.Size} {now.Want} {" + x + "}", For: time.Minute, Limit: 600, Rate: 10_000})
			}
			passes := map[string]int{}
			askOf(t, pid, specs, func(h *probe.Hit) {
				if passes[h.Probe]++; !strings.HasSuffix(h.Message, " true") {
					t.Errorf("%s: %s", h.Probe, h.Message)
				}
			})
			for _, x := range hashedKeys {
				if passes[x] != 600 {
					t.Errorf("%s: %d passes", x, passes[x])
				}
			}
			if !o.PIE {
				interpret(t, path, pid)
			}
		})
	}
}

// TestLookupsWithoutAES asks a program that hashes in another way: small maps are
// searched, large ones are not.
func TestLookupsWithoutAES(t *testing.T) {
	_, pid := startHashed(t, testprog.Options{}, "GODEBUG=cpu.aes=off")
	spec := probe.Spec{ID: "p", Kind: probe.Log, At: "main.tick", Message: "{now.Size} {strs[now.Size][now.S] == now.Want}", For: time.Minute, Limit: 200, Rate: 10_000}
	got := map[string]int{}
	askOf(t, pid, []probe.Spec{spec}, func(h *probe.Hit) { got[h.Message]++ })
	if got["4 <too large to be searched>"] == 0 || got["0 true"] == 0 || got["2 true"] == 0 || got["4 true"]+got["0 false"]+got["2 false"] != 0 {
		t.Error(got)
	}
}

// askOf puts logs into a process and gives their hits to take.
func askOf(t *testing.T, pid int, specs []probe.Spec, take func(*probe.Hit)) {
	t.Helper()
	askAll(t, pid, specs, func(e probe.Event) {
		if h, ok := e.(*probe.Hit); ok {
			take(h)
		}
	})
}

// askAll puts probes into a process and gives their events to take.
func askAll(t *testing.T, pid int, specs []probe.Spec, take func(probe.Event)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := engine.Open(ctx, pid, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ready, err := s.Install(ctx, specs)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ready.Probes {
		for _, i := range p.Issues {
			t.Log(i)
		}
	}
	for e := range s.Events() {
		take(e)
	}
}

// interpret asks the same of the memory of a process that stands still.
func interpret(t *testing.T, path string, pid int) {
	b, err := debuginfo.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	hashed, plain := conditions(t, b), conditions(t, b)
	for i, n := range plain {
		if len(forget(n)) == 0 {
			t.Errorf("%s: no hash is known", hashedKeys[i])
		}
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	s := &interp.State{Mem: func(addr uint64, n int) []byte {
		out := make([]byte, n)
		if _, err := mem.ReadAt(out, int64(addr)); err != nil {
			return nil
		}
		return out
	}}
	large := 0
	for range 40 {
		stop(t, pid)
		for i, x := range hashedKeys {
			if v, st := s.Eval(hashed[i]); v != 1 || st != program.StatusOK {
				t.Errorf("%s: %d, status %d", x, v, st)
			}
			v, st := s.Eval(plain[i])
			if st == program.StatusLarge {
				large++
			} else if v != 1 || st != program.StatusOK {
				t.Errorf("%s, entry by entry: %d, status %d", x, v, st)
			}
		}
		_ = unix.Kill(pid, unix.SIGCONT)
	}
	if large == 0 || large > 40*len(hashedKeys)/2 {
		t.Errorf("%d searches entry by entry were too long", large)
	}
	g, _ := b.Global("main.ints")
	if m := forget(hashed[1])[0]; m.Classic {
		word := func(at uint64) uint64 { return binary.LittleEndian.Uint64(s.Mem(at, 8)) }
		if at := word(g.Addr + 3*8); word(at+uint64(m.Old)) == 0 {
			t.Error("no map is growing: the program does not test what it is for")
		}
	}
}

// conditions compiles hashedKeys.
func conditions(t *testing.T, b *debuginfo.Build) (out []*program.Node) {
	t.Helper()
	at, err := locate.Resolve(b, "main.tick")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range hashedKeys {
		p, issues, err := compile.Compile(b, probe.Spec{Kind: probe.Count, At: "main.tick", If: x}, 0, at)
		if err != nil || len(p.Sites) != 1 {
			t.Fatal(x, issues, err)
		}
		out = append(out, p.Sites[0].Cond)
	}
	return out
}

// forget takes the hashes from a program's look-ups, and gives those that had one.
func forget(n *program.Node) (had []*program.Map) {
	if n == nil {
		return nil
	}
	if n.Map != nil && n.Map.Hash != nil {
		n.Map.Hash = nil
		had = append(had, n.Map)
	}
	for _, part := range []*program.Node{n.X, n.Y, n.Z, n.W} {
		had = append(had, forget(part)...)
	}
	return had
}

// stop stops a process and waits until it stands still, past its start.
func stop(t *testing.T, pid int) {
	t.Helper()
	time.Sleep(2 * time.Millisecond) // it goes on to another key
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, ok := strings.Cut(string(stat), ") "); ok && rest[0] == 'T' {
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
}
