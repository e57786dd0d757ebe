//go:build linux

package amd64_test

import (
	"bytes"
	"debug/elf"
	"debug/gosym"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	. "github.com/sidelight-dev/sidelight/internal/amd64"
)

// Is what Live calls dead really dead? A copy of this test binary does some work
// in compiled Go code, one instruction at a time, and before each of them every
// register that is said to be dead is filled with rubbish, and so are the flags.
// The work must come to the same result.

const workEnv = "SIDELIGHT_TEST_WORK"

func TestMain(m *testing.M) {
	if os.Getenv(workEnv) != "" {
		runtime.LockOSThread()
		pause()
		result := work(3)
		pause()
		fmt.Print(result)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// pause hands over to the tracer.
func pause() {
	if os.Getenv(workEnv) == "traced" {
		unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP)
	}
}

type item struct {
	Name  string
	Count int
	Rate  float64
	Tags  map[string]int
	Next  *item
}

func sum[T int | float64](list ...T) (total T) {
	for _, v := range list {
		total += v
	}
	return total
}

// work is a mixture of what programs do: closures, interfaces, maps, generic
// functions, defers, recovered panics, jump tables, strings, floats.
func work(n int) string {
	var out bytes.Buffer
	for i := range n {
		it := &item{Name: fmt.Sprint("item ", i), Count: i * 7, Rate: float64(i) / 3, Tags: map[string]int{"a": i, "b": -i}}
		it.Next = &item{Name: strings.Repeat("x", i)}
		text, err := json.Marshal(it)
		if err != nil {
			return err.Error()
		}
		var back item
		if err := json.Unmarshal(text, &back); err != nil {
			return err.Error()
		}
		list := []int{5, 3, i, 9, -4, 12, 7, 7, 0, 33, 2, 18, -9}
		slices.SortFunc(list, func(a, b int) int { return a - b + 0*i })
		fmt.Fprintf(&out, "%s %v %d %x %8.3f %q\n", text, list, sum(list...), back.Count, sum(back.Rate, 1.5), back.Next.Name)
		fmt.Fprintln(&out, base64.StdEncoding.EncodeToString(text[:9]), hex.EncodeToString(text[:5]), recovered(list, i), kind(i), strconv.Quote("é\x00\u2028"))
	}
	return out.String()
}

func recovered(list []int, i int) (s string) {
	defer func() {
		if e := recover(); e != nil {
			s = fmt.Sprint("recovered: ", e)
		}
	}()
	return strconv.Itoa(list[i*20])
}

func kind(i int) string {
	switch i {
	case 0:
		return "zero"
	case 1:
		return "one"
	case 2:
		return "two"
	case 3:
		return "three"
	case 4:
		return "four"
	case 5:
		return "five"
	case 6:
		return "six"
	case 7:
		return "seven"
	case 8:
		return "eight"
	}
	return "many"
}

// image is the code of this binary.
type image struct {
	table  *gosym.Table
	file   *elf.File
	graphs map[uint64]*Graph
}

func openImage(t *testing.T) *image {
	t.Helper()
	f, err := elf.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if f.Type != elf.ET_EXEC {
		t.Skip("the test binary is position-independent: its addresses are not those of its file")
	}
	pcln, err := f.Section(".gopclntab").Data()
	if err != nil {
		t.Fatal(err)
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(pcln, f.Section(".text").Addr))
	if err != nil {
		t.Fatal(err)
	}
	return &image{table, f, map[uint64]*Graph{}}
}

func (m *image) read(addr uint64, n int) ([]byte, error) {
	for _, s := range m.file.Sections {
		if s.Type == elf.SHT_PROGBITS && s.Addr <= addr && addr+uint64(n) <= s.Addr+s.Size {
			b := make([]byte, n)
			_, err := s.ReadAt(b, int64(addr-s.Addr))
			return b, err
		}
	}
	return nil, fmt.Errorf("no data at %#x", addr)
}

func (m *image) assembly(f *gosym.Func) bool {
	file, _, _ := m.table.PCToLine(f.Entry)
	return strings.HasSuffix(file, ".s")
}

// graph is the flow of the compiled function at pc; nil for what no probe enters.
func (m *image) graph(pc uint64) *Graph {
	f := m.table.PCToFunc(pc)
	if f == nil {
		return nil
	}
	if g, ok := m.graphs[f.Entry]; ok {
		return g
	}
	m.graphs[f.Entry] = nil
	pkg := f.PackageName() // "" for C
	if pkg == "" || pkg == "runtime" || pkg == "syscall" || pkg == "reflect" || strings.HasPrefix(pkg, "internal/") || strings.HasPrefix(pkg, "runtime/") || m.assembly(f) {
		return nil
	}
	code, err := m.read(f.Entry, int(f.End-f.Entry))
	if err != nil {
		return nil
	}
	for len(code) > 0 && code[len(code)-1] == 0xCC { // padding
		code = code[:len(code)-1]
	}
	ordinary := func(target uint64) bool {
		callee := m.table.PCToFunc(target)
		return callee != nil && (!m.assembly(callee) || strings.HasPrefix(callee.Name, "runtime.morestack"))
	}
	g, err := Flow(code, f.Entry, FlowOptions{Read: m.read, Ordinary: ordinary})
	if err == nil {
		m.graphs[f.Entry] = g
	}
	return m.graphs[f.Entry]
}

// rubbish fills what is dead before the instruction at the thread's pc.
func rubbish(regs *syscall.PtraceRegs, l Live, rng *rand.Rand) {
	place := [16]*uint64{&regs.Rax, &regs.Rcx, &regs.Rdx, &regs.Rbx, &regs.Rsp, &regs.Rbp, &regs.Rsi, &regs.Rdi,
		&regs.R8, &regs.R9, &regs.R10, &regs.R11, &regs.R12, &regs.R13, &regs.R14, &regs.R15}
	for _, r := range l.Regs.List() {
		*place[r] = rng.Uint64() | 1
	}
	if l.FlagsDead {
		regs.Eflags ^= rng.Uint64() & 0x8D5
	}
}

func TestDeadRegistersAreDead(t *testing.T) {
	want, err := run("plain", nil)
	if err != nil || !strings.Contains(want, "recovered: ") {
		t.Fatalf("%v: %s", err, want)
	}
	s := &stepper{image: openImage(t), rng: rand.New(rand.NewPCG(5, 6))}
	got, err := run("traced", s.run)
	if err != nil {
		t.Fatalf("after %d steps: %v; output %q", s.steps, err, got)
	}
	if got != want {
		t.Errorf("with rubbish in dead registers:\n%s\nwithout:\n%s", got, want)
	}
	t.Logf("%d steps, %d in code that takes probes; on average %.1f registers dead, flags dead at %d %%",
		s.steps, s.probed, float64(s.dead)/float64(s.probed), 100*s.flags/max(s.probed, 1))
	if s.probed < 10000 || s.dead < s.probed {
		t.Errorf("only %d steps, %d dead registers", s.probed, s.dead)
	}
}

// The same with one register more shows that the test would notice.
func TestLiveRegistersAreLive(t *testing.T) {
	want, err := run("plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Reg{RAX, RCX, RDI} {
		s := &stepper{image: openImage(t), rng: rand.New(rand.NewPCG(5, 6)), also: Regs(r), most: 20000}
		if got, err := run("traced", s.run); err == nil && got == want {
			t.Errorf("rubbish in %s at every step changes nothing", RegName(r))
		}
	}
}

// stepper fills dead registers before each step.
type stepper struct {
	*image
	rng  *rand.Rand
	also RegSet // registers to fill although they may be live
	most int    // steps; 0 no limit

	steps, probed, dead, flags int
}

func (s *stepper) run(pid int) error {
	called := false
	for ; s.most == 0 || s.steps < s.most; s.steps++ {
		var regs syscall.PtraceRegs
		if err := syscall.PtraceGetRegs(pid, &regs); err != nil {
			return err
		}
		g := s.graph(regs.Rip)
		if g == nil && called {
			called = false
			if done, err := skipCall(pid, regs.Rsp); done || err != nil {
				return err
			}
			continue
		}
		if g != nil {
			i, ok := g.Index(regs.Rip)
			if !ok {
				return fmt.Errorf("at %#x, inside an instruction of %#x to %#x", regs.Rip, g.Entry, g.End)
			}
			called = g.Insts[i].Kind == Call || g.Insts[i].Kind == CallInd
			s.fill(&regs, g.Live(regs.Rip))
			if err := syscall.PtraceSetRegs(pid, &regs); err != nil {
				return err
			}
		}
		if done, err := step(pid); done || err != nil {
			return err
		}
	}
	return errors.New("too many steps")
}

func (s *stepper) fill(regs *syscall.PtraceRegs, l Live) {
	s.probed++
	s.dead += l.Regs.Len()
	if l.FlagsDead {
		s.flags++
	}
	l.Regs |= s.also
	rubbish(regs, l, s.rng)
}
