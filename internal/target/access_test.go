package target

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeProc writes files below a directory that stands for /proc.
func fakeProc(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const hostMap = "         0          0 4294967295\n"

func TestExplainDenied(t *testing.T) {
	plain := self{uid: 1000, gid: 1000, userMap: hostMap}
	root := self{uid: 0, gid: 0, caps: ^uint64(0), userMap: hostMap}
	boxed := self{uid: 0, gid: 0, caps: 0xa80425fb, userMap: hostMap} // docker's default set
	mine := status{uid: [4]int{1000, 1000, 1000, 1000}, gid: [4]int{1000, 1000, 1000, 1000}, owner: 1000}
	ofRoot := status{capPrm: 0x1ffffffffff}
	with := func(st status, change func(*status)) status { change(&st); return st }
	yama := func(n int) map[string]string {
		return map[string]string{"sys/kernel/yama/ptrace_scope": fmt.Sprintln(n)}
	}
	for _, c := range []struct {
		name  string
		self  self
		st    status
		files map[string]string
		code  Code
		cure  string
	}{
		{"other user", plain, ofRoot, nil, CodeOtherUser, "sudo"},
		{"other group", plain, with(mine, func(s *status) { s.gid[1] = 5 }), nil, CodeOtherUser, "as that user"},
		{"yama 1", plain, mine, yama(1), CodeYama, "sysctl kernel.yama.ptrace_scope=0"},
		{"yama 1 names the container's cure", plain, mine, yama(1), CodeYama, "--cap-add=SYS_PTRACE"},
		{"yama 2", plain, mine, yama(2), CodeYama, "CAP_SYS_PTRACE"},
		{"yama 3, even for root", root, ofRoot, yama(3), CodeYama, "nobody trace until the next boot"},
		{"not dumpable", plain, with(mine, func(s *status) { s.owner = 0 }), nil, CodeNotDumpable, "PR_SET_DUMPABLE=0"},
		{"not dumpable before yama", plain, with(mine, func(s *status) { s.owner = 0 }), yama(1), CodeNotDumpable, ""},
		{"more capabilities", plain, with(mine, func(s *status) { s.capPrm = 1 << 10 }), nil, CodeCapabilities, "setcap"},
		{"container without SYS_PTRACE", boxed, ofRoot, nil, CodeCapabilities, "--cap-add=SYS_PTRACE"},
		{"other user namespace", plain, mine, map[string]string{"7/uid_map": "0 100000 65536\n"}, CodeNamespace, "nsenter"},
		{"root, so it is a security module", root, ofRoot, map[string]string{"7/attr/current": "locked (enforce)\n"}, CodeLSM, "security module: locked (enforce)"},
		{"nothing else is left", plain, mine, nil, CodeLSM, "SELinux"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &Host{proc: fakeProc(t, c.files), self: c.self}
			p := h.explainDenied(7, &c.st)
			if p.Code != c.code || !strings.Contains(p.Error(), c.cure) {
				t.Errorf("got %s: %v; want %s with %q", p.Code, p, c.code, c.cure)
			}
			if !p.Refused() {
				t.Error("it is a refusal")
			}
		})
	}
}

func TestBuildProblem(t *testing.T) {
	good := Build{Runtime: "go", RuntimeVersion: "go1.26.8", DebugInfo: true, class: elf.ELFCLASS64, machine: elf.EM_X86_64}
	with := func(change func(*Build)) Build { b := good; change(&b); return b }
	for _, c := range []struct {
		build  Build
		denied bool
		code   Code
	}{
		{good, false, ""},
		{with(func(b *Build) { b.class = elf.ELFCLASS32; b.machine = elf.EM_386 }), false, Code32Bit},
		{with(func(b *Build) { b.machine = elf.EM_AARCH64 }), false, CodeArch},
		{with(func(b *Build) { b.Runtime = "" }), false, CodeNotGo},
		{Build{}, true, ""}, // nothing is known: what was forbidden is the reason
		{with(func(b *Build) { b.DebugInfo = false }), false, ""},
		{with(func(b *Build) { b.RuntimeVersion = "go1.21.13" }), false, CodeOldGo},
		{with(func(b *Build) { b.RuntimeVersion = "go1.22rc1" }), false, ""},
		{with(func(b *Build) { b.RuntimeVersion = "devel go1.27-0123abc" }), false, ""},
	} {
		p := buildProblem(c.build, c.denied)
		var code Code
		if p != nil {
			code = p.Code
		}
		if code != c.code {
			t.Errorf("buildProblem(%+v) = %q, want %q", c.build, code, c.code)
		}
		if p != nil && p.Refused() {
			t.Errorf("%s is no matter of permission", code)
		}
	}
}

func TestTracedNamesTheTracer(t *testing.T) {
	h := &Host{proc: fakeProc(t, map[string]string{"99/status": "Name:\tdlv\nState:\tS\n"})}
	b := Build{Runtime: "go", RuntimeVersion: "go1.26.8", DebugInfo: true, class: elf.ELFCLASS64, machine: elf.EM_X86_64}
	p := h.diagnose(7, &status{tracer: 99}, b, nil)
	if p == nil || p.Code != CodeTraced || !strings.Contains(p.Error(), "pid 99 (dlv)") {
		t.Errorf("got %v", p)
	}
}

func TestDeniedByTheKernelOnly(t *testing.T) {
	b := Build{Runtime: "go", RuntimeVersion: "go1.26.8", DebugInfo: true, class: elf.ELFCLASS64, machine: elf.EM_X86_64}
	asked := 0
	h := &Host{proc: fakeProc(t, nil), attach: func(int) error { asked++; return fs.ErrPermission }}
	if p := h.diagnose(7, &status{}, b, nil); p == nil || asked != 1 {
		t.Errorf("got %v after %d questions", p, asked)
	}
	h.attach = func(int) error { return nil }
	if p := h.diagnose(7, &status{}, b, nil); p != nil {
		t.Errorf("the kernel allows it, but: %v", p)
	}
}
