package demo

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/demo/shop"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// What the demo shows as commands, a shell reads as the probes that it puts in.
func TestCommandLinesMeanTheProbes(t *testing.T) {
	for _, s := range Probes(time.Second) {
		line := CommandLine("sidelight", s)
		text, err := exec.Command("sh", "-c", "printf '%s\\n' "+line).Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		want := []string{"sidelight", string(s.Kind), Name, s.At}
		if s.Kind == probe.Log {
			want = append(want, s.Message)
		}
		if s.If != "" {
			want = append(want, "--if", s.If)
		}
		if got := strings.TrimSuffix(string(text), "\n"); got != strings.Join(want, "\n") {
			t.Errorf("%s\n is read as %q\nwant %q", line, got, want)
		}
	}
}

func TestProbesLiveUntilTheyAreRemoved(t *testing.T) {
	for _, s := range Probes(0) {
		if s.For < 24*time.Hour {
			t.Errorf("%s ends after %v by itself", s.ID, s.For)
		}
	}
}

func TestExcerptMarksTheLine(t *testing.T) {
	marked := 0
	for _, line := range Excerpt() {
		if strings.HasPrefix(line, ">") {
			marked++
			if !strings.Contains(line, "s.bill(o, name)") {
				t.Errorf("the wrong line is marked: %s", line)
			}
		}
		if strings.Contains(line, "//") {
			t.Errorf("the mark of the demo is shown: %s", line)
		}
	}
	if marked != 1 {
		t.Errorf("%d lines are marked", marked)
	}
}

// The names that the demo speaks of are in the source of the shop.
func TestNextCommandsNameWhatIsThere(t *testing.T) {
	for _, name := range []string{"func (s *Shop) Place(", "func (s *Shop) take(", "func (s *Shop) bill(", "func parcels("} {
		if !strings.Contains(shop.Source, name) {
			t.Errorf("orders.go has no %q", name)
		}
	}
	if n := len(Next("sidelight")); n != 4 {
		t.Errorf("%d commands to try, want four", n)
	}
}
