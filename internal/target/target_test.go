package target

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestInspectLive(t *testing.T) {
	h := Local()
	p, err := h.Inspect(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !p.IsGo() || p.Name != "target.test" || p.BuildID == "" || !strings.HasPrefix(p.RuntimeVersion, "go1.") {
		t.Errorf("this test program is described as %+v", p)
	}
	if !slices.Contains(p.Names(), "sidelight") {
		t.Errorf("Names() = %q, without the last element of the module path", p.Names())
	}
}

func TestInspectOthers(t *testing.T) {
	h := Local()
	cat := exec.Command("cat")
	leash, err := cat.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cat.Process.Pid
	wantCode(t, h, pid, CodeNotGo)
	leash.Close()
	awaitZombie(t, pid)
	wantCode(t, h, pid, CodeZombie)
	if err := cat.Wait(); err != nil {
		t.Fatal(err)
	}
	var gone *NotFoundError
	if _, err := h.Inspect(pid); !errors.As(err, &gone) {
		t.Errorf("a process that is gone: %v, want a NotFoundError", err)
	}
}

// awaitZombie waits, without collecting it, for a child's end.
func awaitZombie(t *testing.T, pid int) {
	t.Helper()
	for {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		if err != nil {
			t.Fatal(err)
		}
		if st, err := parseStatus(b); err == nil && st.zombie() {
			return
		}
	}
}

func wantCode(t *testing.T, h *Host, pid int, code Code) {
	t.Helper()
	p, err := h.Inspect(pid)
	if err != nil {
		t.Fatal(err)
	}
	if p.Observable() || p.Problem.Code != code {
		t.Errorf("pid %d: problem %v, want %s", pid, p.Problem, code)
	}
}

func TestThreadIsNoProcess(t *testing.T) {
	// Every Go program has threads besides the first.
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	tid := threads[len(threads)-1].Name()
	if tid == strconv.Itoa(os.Getpid()) {
		t.Fatalf("one thread only: %v", threads)
	}
	_, err = Local().Resolve(tid)
	if err == nil || !strings.Contains(err.Error(), "a thread of process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("Resolve(thread) = %v", err)
	}
}

func TestListLeavesThisProcessOut(t *testing.T) {
	list, err := Local().List(true)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range list {
		if p.PID == os.Getpid() {
			t.Error("the list has the process that asks")
		}
		if i > 0 && list[i-1].PID >= p.PID {
			t.Error("the list is not sorted by pid")
		}
	}
	if len(list) == 0 {
		t.Error("there are no processes at all")
	}
}

func TestPick(t *testing.T) {
	process := func(pid int, name, module string) Process {
		p := Process{PID: pid, Name: name}
		if module != "" {
			p.Runtime, p.Module = "go", module
		}
		return p
	}
	list := []Process{
		process(1, "init", ""),
		process(2, "caddy", "github.com/caddyserver/caddy/v2"),
		process(3, "shop", "example.com/acme/webshop/v3"),
		process(4, "worker", "example.com/acme/worker"),
		process(5, "worker", "example.com/acme/worker"),
		process(6, "worker", ""), // a script: Go programs come first
		process(7, "shop.sh", ""),
		process(8, "desk", "example.com/acme/counter"),
		process(9, "desk-worker", "example.com/acme/desk"), // a name comes before a module
		process(10, "a", "example.com/acme/one"),
		process(11, "bcd", "example.com/other/one"),
	}
	for _, c := range []struct {
		text string
		pid  int
		err  string
	}{
		{"caddy", 2, ""},
		{"github.com/caddyserver/caddy/v2", 2, ""},
		{"webshop", 3, ""},
		{"shop", 3, ""},
		{"example.com/acme/webshop/v3", 3, ""},
		{"v3", 0, `no running Go program is called "v3"`},
		{"shop.sh", 7, ""},
		{"worker", 0, "2 processes are called \"worker\""},
		{"example.com/acme/worker", 0, "name one by its pid:\n        4  worker"},
		{"desk", 8, ""},
		{"one", 0, "\n       10  a    example.com/acme/one\n       11  bcd  example.com/other/one"},
		{"sho", 0, "did you mean shop?"},
		{"", 0, "no running Go program"},
	} {
		p, err := pick(list, c.text)
		switch {
		case c.err == "" && (err != nil || p.PID != c.pid):
			t.Errorf("pick(%q) = %d, %v; want %d", c.text, p.PID, err, c.pid)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("pick(%q): error %v; want one with %q", c.text, err, c.err)
		}
	}
}

func TestDisplayName(t *testing.T) {
	for _, c := range []struct {
		comm, base string
		args       []string
		want       string
	}{
		{"averylongservic", "averylongservicename", nil, "averylongservicename"}, // the kernel's copy is cut
		{"shop", "sidelight", []string{"shop"}, "shop"},                          // a name of its own
		{"kworker/0:1", "", nil, "kworker/0:1"},
		{"sshd", "", []string{"/usr/sbin/sshd", "-D"}, "sshd"}, // the link cannot be read
	} {
		if got := displayName(c.comm, c.base, c.args); got != c.want {
			t.Errorf("displayName(%q, %q, %q) = %q, want %q", c.comm, c.base, c.args, got, c.want)
		}
	}
}

func TestReadBuildOfNoProgram(t *testing.T) {
	for _, text := range []string{"", "#!/bin/sh\n", "\x7fELF", strings.Repeat("\x7fELF\x02\x01\x01", 40)} {
		if b, err := ReadBuild(strings.NewReader(text)); err == nil && b.Runtime != "" {
			t.Errorf("ReadBuild(%q) = %+v", text, b)
		}
	}
}

func FuzzReadBuild(f *testing.F) {
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		f.Fatal(err)
	}
	defer exe.Close()
	head, err := io.ReadAll(io.LimitReader(exe, 8192))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(head))
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = ReadBuild(strings.NewReader(text)) // it must return
	})
}

func FuzzParseStatus(f *testing.F) {
	f.Add("Name:\tshop\nState:\tS (sleeping)\nTracerPid:\t0\nUid:\t1\t1\t1\t1\nCapEff:\t000001ffffffffff\n")
	f.Fuzz(func(t *testing.T, text string) {
		st, err := parseStatus([]byte(text))
		if err == nil && st == nil {
			t.Error("neither a status nor an error")
		}
	})
}

func TestShortName(t *testing.T) {
	for symbol, want := range map[string]string{
		"main.main":                              "main.main",
		"github.com/acme/shop.(*Cart).Add":       "shop.(*Cart).Add",
		"github.com/acme/shop.(*Cart).Add.func1": "shop.(*Cart).Add.func1",
		"slices.Sort[go.shape.[]a/b.T]":          "slices.Sort[go.shape.[]a/b.T]",
		"gopkg.in/yaml%2ev3.Node.Decode":         "yaml%2ev3.Node.Decode",
	} {
		if got := shortName(symbol); got != want {
			t.Errorf("shortName(%q) = %q, want %q", symbol, got, want)
		}
	}
}
