package main

import (
	"encoding/json"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"time"
)

// report is what a run has found, and on what machine. It names no host and no
// path.
type report struct {
	Date       string       `json:"date"`
	CPU        string       `json:"cpu"`
	CPUs       int          `json:"cpus"`
	Kernel     string       `json:"kernel"`
	Go         string       `json:"go"`
	Load       string       `json:"load"` // average over a minute before the run
	Quick      bool         `json:"quick"`
	Costs      []*cost      `json:"costs"`
	Contention []contention `json:"contention"`
	Topped     []topped     `json:"topped"`
	Pauses     []pause      `json:"pauses"`
}

// cost is a row of the table of costs, in nanoseconds. Numbers that there are
// not are 0.
type cost struct {
	Name       string  `json:"name"`
	By         string  `json:"by,omitempty"`
	Call       float64 `json:"call_ns"`            // a call, the probe in it
	Hit        float64 `json:"hit_ns"`             // what the probe adds: median of the rounds
	Least      float64 `json:"least_ns"`           // the same by the best batches
	ToUnprobed float64 `json:"to_unprobed"`        // a call to the call without a probe
	ToLog      float64 `json:"to_log,omitempty"`   // a hit to a hit of Sidelight's log
	Limit      float64 `json:"limit_ns,omitempty"` // what the project allows
	Note       string  `json:"note,omitempty"`

	bare float64 // a call without the probe
}

func newReport() *report {
	return &report{
		Date: time.Now().Format("2006-01-02"), CPU: processor(), CPUs: runtime.NumCPU(),
		Kernel: "Linux " + firstLine("/proc/sys/kernel/osrelease"), Go: runtime.Version(),
		Load: strings.SplitN(firstLine("/proc/loadavg"), " ", 2)[0],
	}
}

func firstLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}

// processor is the model of the machine's processor.
func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for _, line := range strings.Split(string(b), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// unprobed is the row of the calls without a probe.
func unprobed(s *series) *cost {
	call := number(median(s.without))
	return &cost{Name: "unprobed", Call: call, bare: call}
}

// costOf is the row of what was found.
func costOf(name, by string, s *series) *cost {
	hit, low := s.hit()
	return &cost{Name: name, By: by, Hit: number(hit), Least: number(low),
		Call: number(median(s.with)), bare: number(median(s.without))}
}

// number is x, or 0 for what is none.
func number(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

// compare fills in the ratios.
func (r *report) compare() {
	log := 0.0
	for _, c := range r.Costs {
		if c.Name == rowLog && c.By == "Sidelight" {
			log = c.Hit
		}
	}
	for _, c := range r.Costs {
		if c.bare > 0 {
			c.ToUnprobed = c.Call / c.bare
		}
		if c.Hit > 0 && log > 0 {
			c.ToLog = c.Hit / log
		}
	}
}

func (r *report) json(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
