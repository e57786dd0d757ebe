package dap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	godap "github.com/google/go-dap"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/redact"
	"github.com/sidelight-dev/sidelight/internal/target"
)

// config is an attach configuration, checked.
type config struct {
	target string
	life   time.Duration
	limit  int64
	rate   int64
	budget float64
	bounds probe.Bounds
	watch  []string
	subst  []substitution
	redact *redact.Rules

	symbols []string // where debug information is; none: as the adapter knows it
}

// attachArguments is a configuration as an editor sends it. Keys that are not
// listed are the editor's own.
type attachArguments struct {
	Target         json.RawMessage `json:"target"`
	PID            json.RawMessage `json:"pid"`
	ProcessID      json.RawMessage `json:"processId"`
	For            string          `json:"for"`
	Limit          int64           `json:"limit"`
	Rate           *int64          `json:"rate"`
	Budget         string          `json:"budget"`
	Depth          int             `json:"depth"`
	MaxItems       int             `json:"maxItems"`
	MaxBytes       int64           `json:"maxBytes"`
	Frames         int             `json:"frames"`
	MaxTime        string          `json:"maxTime"`
	Watch          []string        `json:"watch"`
	Redact         string          `json:"redact"`
	Symbols        paths           `json:"symbols"`
	SubstitutePath []substitution  `json:"substitutePath"`
}

// paths are one string or a list of them.
type paths []string

func (p *paths) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*p = nil
		if one != "" {
			*p = paths{one}
		}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(p))
}

// maxTime is the most that a snapshot may be allowed to take in the program.
const maxTime = time.Second

// defaultBudget is the share of one core that the probes may take.
const defaultBudget = 0.01

// parseConfig checks a configuration; every error says what to write.
func parseConfig(raw json.RawMessage) (config, error) {
	var a attachArguments
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a); err != nil {
			return config{}, fmt.Errorf("the configuration is not understood: %v", err)
		}
	}
	c := config{life: probe.DefaultFor, limit: a.Limit, rate: probe.DefaultRate, budget: defaultBudget, watch: a.Watch,
		bounds: probe.Bounds{Depth: a.Depth, MaxItems: a.MaxItems, MaxBytes: a.MaxBytes, Frames: a.Frames}}
	for _, raw := range []json.RawMessage{a.Target, a.PID, a.ProcessID} {
		if c.target == "" {
			c.target = word(raw)
		}
	}
	if a.For != "" {
		life, err := time.ParseDuration(a.For)
		if err != nil || life <= 0 {
			return c, fmt.Errorf("\"for\": %q: write how long a breakpoint lives, such as \"10m\" or \"2h\"", a.For)
		}
		c.life = life
	}
	if a.MaxTime != "" {
		most, err := time.ParseDuration(a.MaxTime)
		if err != nil || most < 0 || most > maxTime {
			return c, fmt.Errorf("\"maxTime\": %q: write how long a snapshot may take in the program, at most %s, such as \"50us\", or \"0\" for no limit", a.MaxTime, maxTime)
		}
		if c.bounds.MaxTime = most; most == 0 {
			c.bounds.MaxTime = probe.NoMaxTime
		}
	}
	if a.Rate != nil {
		c.rate = *a.Rate
	}
	if c.rate < 0 || c.limit < 0 || a.Depth < 0 || a.MaxItems < 0 || a.MaxBytes < 0 || a.Frames < 0 {
		return c, errors.New("\"limit\", \"rate\", \"depth\", \"maxItems\", \"maxBytes\" and \"frames\" are not negative")
	}
	var err error
	if c.budget, err = parseBudget(a.Budget); err != nil {
		return c, err
	}
	if c.redact, err = readRules(a.Redact); err != nil {
		return c, err
	}
	for _, path := range a.Symbols {
		if _, err := os.Stat(path); err != nil {
			return c, fmt.Errorf("\"symbols\": %w; write the path of a binary that was not stripped, a .debug file, a directory or a store", err)
		}
	}
	c.symbols = a.Symbols
	c.subst, err = checkSubstitutions(a.SubstitutePath)
	return c, err
}

// maxRules bounds what is read of a file of rules, in bytes.
const maxRules = 1 << 20

// readRules reads what is not to be shown, besides what is never shown.
func readRules(file string) (*redact.Rules, error) {
	if file == "" {
		return redact.Default(), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("\"redact\": %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRules))
	if err != nil {
		return nil, fmt.Errorf("\"redact\": %w", err)
	}
	return redact.Parse(file, text)
}

// word is a string or a number as text.
func word(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return strings.TrimSpace(text)
	}
	var number json.Number
	if json.Unmarshal(raw, &number) == nil {
		return number.String()
	}
	return ""
}

func parseBudget(text string) (float64, error) {
	if text == "" {
		return defaultBudget, nil
	}
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || math.IsNaN(v) || v < 0 || v > 100 || !percent && v != 0 {
		return 0, fmt.Errorf("\"budget\": %q: write a share of one core in percent, such as \"1%%\"", text)
	}
	return v / 100, nil
}

// attach finds the process and gets to know its build. Nothing is changed there
// before the first breakpoint.
func (s *session) attach(_ context.Context, r request) {
	if s.attached {
		s.refuse(r, errors.New("this session is attached already: start another for another process"))
		return
	}
	c, err := parseConfig(r.Arguments)
	if err == nil {
		s.proc, err = s.find(c.target)
	}
	if err != nil {
		s.refuse(r, err)
		return
	}
	if c.symbols == nil {
		c.symbols = s.a.Symbols
	}
	s.config = c
	go func() {
		code, err := s.a.Code(s.proc.PID, c.symbols)
		if !s.post(func() { s.opened(r, code, err) }) && err == nil {
			_ = code.Close()
		}
	}()
}

// opened goes on with attach when the build is read.
func (s *session) opened(r request, code Code, err error) {
	if err != nil || s.attached {
		if err == nil {
			_ = code.Close()
			err = errors.New("this session is attached already")
		}
		s.refuse(r, err)
		return
	}
	s.code, s.attached = code, true
	s.answer(r, nil)
	s.tell("initialized", nil)
	s.tell("process", godap.ProcessEventBody{Name: s.proc.Name, SystemProcessId: s.proc.PID, IsLocalProcess: true, StartMethod: "attach"})
	s.note("console", fmt.Sprintf("Sidelight looks into %s (pid %d, %s). It runs on: a breakpoint takes a snapshot, a logpoint writes here; \"help\" tells more.",
		s.proc.Name, s.proc.PID, s.proc.RuntimeVersion))
	s.place()
}

// find is the process that a configuration means.
func (s *session) find(name string) (target.Process, error) {
	if name == "" {
		return s.only()
	}
	p, err := s.a.Host.Resolve(name)
	if err != nil {
		return p, err
	}
	if p.Problem != nil {
		return p, fmt.Errorf("%s (pid %d) cannot be observed: %w", p.Name, p.PID, p.Problem)
	}
	return p, nil
}

// only is the one process that can be observed, where there is just one.
func (s *session) only() (target.Process, error) {
	list, err := s.a.Host.List(false)
	if err != nil {
		return target.Process{}, err
	}
	var found []target.Process
	var lines []string
	for _, p := range list {
		if p.Observable() && !strings.HasPrefix(p.Name, "sidelight") { // the tool, its daemon, a guard
			found = append(found, p)
			lines = append(lines, fmt.Sprintf("%d %s", p.PID, p.Name))
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return target.Process{}, errors.New("no Go program that can be observed runs here; \"sidelight ps --all\" says why each of the others cannot")
	}
	return target.Process{}, fmt.Errorf("say which process, as \"target\": \"NAME or pid\"; there run %s", strings.Join(lines, ", "))
}
