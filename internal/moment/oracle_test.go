package moment

import (
	"bufio"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/image"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
	"github.com/sidelight-dev/sidelight/internal/testprog"
	"github.com/sidelight-dev/sidelight/internal/value"
)

func TestMain(m *testing.M) { os.Exit(testprog.Main(m)) }

// ways are the ways of building; the whole matrix runs without -short.
func ways() []testprog.Options {
	out := []testprog.Options{{}, {Toolchain: testprog.Toolchains[0]}}
	if !testing.Short() {
		for _, v := range testprog.Toolchains[1 : len(testprog.Toolchains)-1] {
			out = append(out, testprog.Options{Toolchain: v})
		}
		out = append(out, testprog.Options{PIE: true, Trimpath: true}, testprog.Options{Race: true},
			testprog.Options{GCFlags: "-N -l"}, testprog.Options{Toolchain: testprog.Toolchains[0], PIE: true, GCFlags: "-N -l"})
	}
	return out
}

// child is a process that waits in a system call.
type child struct {
	pid   int
	b     *debuginfo.Build
	slide uint64
	mem   *os.File
}

func start(t testing.TB, path string) *child {
	t.Helper()
	cmd := exec.Command(path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "waiting\n" {
		t.Fatalf("%q, %v", line, err)
	}
	b, err := debuginfo.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", cmd.Process.Pid))
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { mem.Close() })
	c := &child{pid: cmd.Process.Pid, b: b, mem: mem}
	if b.PIE {
		c.slide = c.base(t)
	}
	return c
}

// base is what the process's addresses are above the linked ones: the kernel
// tells where its entry is.
func (c *child) base(t testing.TB) uint64 {
	auxv, err := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", c.pid))
	if err != nil {
		t.Fatal(err)
	}
	file, err := elf.Open(c.b.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const entry = 9
	for ; len(auxv) >= 16; auxv = auxv[16:] {
		if binary.LittleEndian.Uint64(auxv) == entry {
			return binary.LittleEndian.Uint64(auxv[8:]) - file.Entry
		}
	}
	t.Fatal("the kernel tells no entry")
	return 0
}

func (c *child) read(addr uint64, n int64) []byte {
	b := make([]byte, n)
	if _, err := c.mem.ReadAt(b, int64(addr)); err != nil {
		return nil
	}
	return b
}

// wanted are the variables of the target and what is to be shown of them.
func wanted(t *testing.T) [][3]string {
	t.Helper()
	text, err := os.ReadFile("testdata/values/main.go")
	if err != nil {
		t.Fatal(err)
	}
	var out [][3]string
	line := regexp.MustCompile(`(?m)^\s(V\w+)\s.*// (want|len|type): ?(.*)$`)
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		out = append(out, [3]string{m[1], m[2], strings.TrimSpace(m[3])})
	}
	if len(out) < 100 {
		t.Fatalf("only %d values", len(out))
	}
	return out
}

var (
	address = regexp.MustCompile(`0x[0-9a-f]+ \(shown`)
	// A caller sees marks only of what people must know.
	marks = strings.NewReplacer(" (late)", "")
)

// TestEveryType reads a variable of every type out of a living process.
func TestEveryType(t *testing.T) {
	for _, o := range ways() {
		t.Run(o.String(), func(t *testing.T) {
			c := start(t, testprog.Dir(t, "testdata/values", o))
			r := New(c.b, c.slide, c.read)
			h := Hit{Program: &program.Program{}, Bounds: probe.Bounds{MaxItems: 1000}.WithDefaults()}
			for _, w := range wanted(t) {
				g, ok := c.b.Global("main." + w[0])
				if !ok {
					if w[0] != "VStructZero" && w[0] != "VEmpty" {
						t.Errorf("no variable %s", w[0])
					}
					continue
				}
				v := value.New(r.config(h)).Value(g.Type, value.Place{Addr: g.Addr + c.slide}, value.Outer)
				checkValue(t, w, v)
			}
			checkClosure(t, c, r, h)
		})
	}
}

// bare is a value without the messages of errors, which are shown in place of
// what they are made of.
func bare(v probe.Value) probe.Value {
	if v.Shape == probe.Interface {
		v.Text = ""
	}
	v.Elems, v.Fields = slices.Clone(v.Elems), slices.Clone(v.Fields)
	for i := range v.Elems {
		v.Elems[i] = bare(v.Elems[i])
	}
	for i := range v.Fields {
		v.Fields[i].Value = bare(v.Fields[i].Value)
	}
	return v
}

func checkValue(t *testing.T, w [3]string, v probe.Value) {
	t.Helper()
	got := marks.Replace(v.String())
	if chain := marks.Replace(bare(v).String()); w[0] == "VWrapped" && chain != `*fmt.wrapError(&{msg:"outer: inner: boom" err:*fmt.wrapError(&{msg:"inner: boom" err:*errors.errorString(&{s:"boom"})})})` {
		t.Errorf("the chain of errors: %s", chain)
	}
	switch w[1] {
	case "want":
		got = address.ReplaceAllString(got, "0x… (shown")
		if got != w[2] && !(v.Shape == probe.Literal && "&"+got == w[2]) {
			t.Errorf("%s:\n got %s\nwant %s", w[0], got, w[2])
		}
	case "len":
		if strconv.FormatInt(v.Len, 10) != w[2] || v.Note != "" {
			t.Errorf("%s: len %d, want %s (%s)", w[0], v.Len, w[2], v.Note)
		}
		checkEntries(t, w[0], v)
	case "type":
		if v.Type != w[2] {
			t.Errorf("%s: type %s, want %s: %.200s", w[0], v.Type, w[2], got)
		}
	}
	if !v.Late && v.Shape != probe.Unreadable && !(v.Shape == probe.Struct && len(v.Fields) == 0) {
		t.Errorf("%s was read after the hit, and does not say so", w[0])
	}
}

// checkEntries holds large maps to what they were made of.
func checkEntries(t *testing.T, name string, v probe.Value) {
	t.Helper()
	want := int(min(v.Len, 1000))
	if v.Shape == probe.Map && len(v.Entries) != want {
		t.Errorf("%s: %d entries of %d (%s)", name, len(v.Entries), v.Len, v.Cut)
	}
	seen := map[string]bool{}
	for _, e := range v.Entries {
		k := marks.Replace(e.Key.String())
		if seen[k] {
			t.Errorf("%s has %s twice", name, k)
		}
		seen[k] = true
		switch name {
		case "VMapBig":
			if e.Value.Int != e.Key.Int*e.Key.Int {
				t.Errorf("%s: %d: %d", name, e.Key.Int, e.Value.Int)
			}
		case "VMapHuge":
			if k != "key"+strconv.FormatInt(e.Value.Int, 10) {
				t.Errorf("%s: %s: %d", name, k, e.Value.Int)
			}
		}
	}
}

func checkClosure(t *testing.T, c *child, r *Reader, h Hit) {
	t.Helper()
	g, ok := c.b.Global("main.VClosure")
	if !ok {
		t.Fatal("no closure")
	}
	v := value.New(r.config(h)).Value(g.Type, value.Place{Addr: g.Addr + c.slide}, value.Outer)
	got := marks.Replace(v.String())
	if !strings.HasPrefix(got, "main.counter.func1") {
		t.Errorf("closure: %s", got)
	}
	if len(v.Fields) == 0 {
		t.Logf("%s does not tell what closures captured", c.b.GoVersion)
		return
	}
	for _, part := range []string{"n:3", `name:"cap"`, `b:&{ID:8 Name:"shared"}`, "total:106"} {
		if !strings.Contains(got, part) {
			t.Errorf("closure: %s lacks %s", got, part)
		}
	}
}

// stopped makes the image of the goroutine that waits in a system call: its
// stack pointer and place are those that the kernel tells.
func (c *child) stopped(t testing.TB, size int64) (*image.Image, uint64) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", c.pid))
		for _, name := range tasks {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Skip(err)
			}
			f := strings.Fields(string(text))
			if len(f) < 9 || f[0] != "0" || f[1] != "0x0" { // read(0, …)
				continue
			}
			sp, _ := strconv.ParseUint(f[7], 0, 64)
			pc, _ := strconv.ParseUint(f[8], 0, 64)
			m, err := image.Parse(c.record(t, sp, size))
			if err != nil {
				t.Fatal(err)
			}
			return m, pc - c.slide
		}
	}
	t.Fatal("no thread reads its standard input")
	return nil, 0
}

func (c *child) record(t testing.TB, sp uint64, size int64) []byte {
	t.Helper()
	regs := make([]byte, program.RegsSize)
	binary.LittleEndian.PutUint64(regs[8*rsp:], sp)
	stack := c.read(sp, size)
	if stack == nil {
		t.Fatalf("no stack at %#x", sp)
	}
	b := make([]byte, ring.ImageHeader)
	for _, o := range []struct {
		addr uint64
		data []byte
	}{{0, regs}, {1 << 40, c.g(t)}, {sp, stack}} {
		h := make([]byte, ring.ObjectHeader)
		binary.LittleEndian.PutUint64(h[ring.ObjectAddr:], o.addr)
		binary.LittleEndian.PutUint32(h[ring.ObjectBytes:], uint32(len(o.data)))
		b = append(append(b, h...), o.data...)
		b = append(b, make([]byte, -len(o.data)&7)...)
	}
	binary.LittleEndian.PutUint32(b[ring.ImageSize:], uint32(len(b)))
	return b
}

// g is the descriptor of a goroutine that main.prepare started.
func (c *child) g(t testing.TB) []byte {
	t.Helper()
	rt, err := c.b.Runtime()
	if err != nil {
		t.Fatal(err)
	}
	head := c.read(rt.Allgs+c.slide, 16)
	at, n := binary.LittleEndian.Uint64(head), binary.LittleEndian.Uint64(head[8:])
	size := c.b.TypeByName("runtime.g").Size
	for i := range n {
		g := c.read(binary.LittleEndian.Uint64(c.read(at+8*i, 8)), size)
		pc, _ := word(c.b.TypeByName("runtime.g"), g, "gopc")
		if f := c.b.FuncAt(pc - c.slide); f != nil && f.Name == "main.prepare" {
			return g
		}
	}
	t.Fatal("no goroutine was started by main.prepare")
	return nil
}

// TestStack walks the stack of a goroutine in a system call and reads the
// variables of the functions that led there.
func TestStack(t *testing.T) {
	for _, o := range ways() {
		t.Run(o.String(), func(t *testing.T) {
			c := start(t, testprog.Dir(t, "testdata/values", o))
			img, pc := c.stopped(t, 2048)
			f := c.b.FuncAt(pc)
			if f == nil {
				t.Fatalf("%#x is in no function", pc)
			}
			site := &program.Site{PC: pc, Function: f.Name, File: "asm.s", Line: 1, CFA: program.CFA{Reg: rsp}}
			var m probe.Moment
			New(c.b, c.slide, c.read).Fill(Hit{Program: &program.Program{Sites: []program.Site{*site}}, Site: site,
				Bounds: probe.Bounds{Frames: 30}, Image: img}, &m)
			checkStack(t, &m, o)
			if m.Created == nil || m.Created.Goroutine != 1 || m.Created.Function != "main.prepare" || !strings.HasSuffix(m.Created.File, "main.go") {
				t.Errorf("created by %+v", m.Created)
			}
		})
	}
}

func checkStack(t *testing.T, m *probe.Moment, o testprog.Options) {
	t.Helper()
	var names []string
	vars := map[string]probe.Value{}
	for _, f := range m.Frames {
		names = append(names, f.Function)
		for _, v := range f.Variables {
			vars[f.Function+"."+v.Name] = v.Value
		}
		if f.Issue != "" || f.File == "" || f.Line == 0 {
			t.Errorf("%s at %s:%d: %s", f.Function, f.File, f.Line, f.Issue)
		}
	}
	all := strings.Join(names, " ")
	if !strings.HasSuffix(all, "syscall.Read main.wait main.Generic[go.shape.int8] main.outer main.helper main.main runtime.main") {
		t.Errorf("stack: %s", all)
	}
	for name, want := range map[string]string{
		"main.outer.count": "42", "main.outer.what": "called", "main.outer.local": "43", "main.outer.total": "0.5",
		"main.outer.pair": "[42 9]", "main.outer.escaped": `{ID:42 Name:"called"}`, "main.helper.a": "6", "main.helper.c": "42",
		"main.Generic[go.shape.int8].x": "5", "main.Generic[go.shape.int8].list": "[1 2]", "main.Generic[go.shape.int8].more": `map["x":3]`,
	} {
		v, ok := vars[name]
		got := marks.Replace(v.String())
		switch {
		case v.Shape == probe.Unreadable && o.GCFlags == "":
			t.Logf("%s (%v): %s", name, ok, got)
		case !ok || got != want:
			t.Errorf("%s (%v): %s, want %s", name, ok, got, want)
		}
	}
	for name, typ := range map[string]string{"x": "main.Level", "list": "[]main.Level", "more": "map[string]main.Level", "z": "main.Level"} {
		if v := vars["main.Generic[go.shape.int8]."+name]; v.Type != typ {
			t.Errorf("%s has type %s, want %s", name, v.Type, typ)
		}
	}
}

// BenchmarkFill is what a moment costs the tool, once the build is known to it.
func BenchmarkFill(b *testing.B) {
	c := start(b, testprog.Dir(b, "testdata/values", testprog.Options{}))
	img, pc := c.stopped(b, 2048)
	site := &program.Site{PC: pc, Function: c.b.FuncAt(pc).Name, File: "asm.s", Line: 1, CFA: program.CFA{Reg: rsp}}
	r := New(c.b, c.slide, c.read)
	for b.Loop() {
		var m probe.Moment
		r.Fill(Hit{Program: &program.Program{Sites: []program.Site{*site}}, Site: site, Bounds: probe.Bounds{Frames: 30}, Image: img}, &m)
	}
}
