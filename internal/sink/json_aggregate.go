package sink

import (
	"encoding/json"
	"math"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// rowObject is a row of a count.
type rowObject struct {
	Key   probe.Value       `json:"key"`
	Count uint64            `json:"count"`
	Dist  *distributionPart `json:"distribution,omitempty"`
}

// measureObject is a running or final distribution; times are in nanoseconds.
type measureObject struct {
	Type       string `json:"type"`
	Probe      string `json:"probe"`
	Location   string `json:"location"`
	Time       string `json:"time"`
	Final      bool   `json:"final"`
	Expression string `json:"expression,omitempty"`
	Unit       string `json:"unit,omitempty"`
	distributionPart
	Turns      bool         `json:"turns,omitempty"`
	Timed      int64        `json:"timed_ns,omitempty"`
	Calls      *callsObject `json:"calls,omitempty"`
	Snapshots  *snapshots   `json:"snapshots,omitempty"`
	ByExpr     string       `json:"by_expression,omitempty"`
	By         []rowObject  `json:"by,omitempty"`
	Other      *uint64      `json:"other,omitempty"`
	Unreadable *uint64      `json:"by_unreadable,omitempty"`
}

type distributionPart struct {
	Count      uint64          `json:"count"`
	Sum        json.RawMessage `json:"sum"`
	Mean       json.RawMessage `json:"mean"`
	Min        *probe.Value    `json:"min"`
	Max        *probe.Value    `json:"max"`
	Last       *probe.Value    `json:"last"`
	P50        json.RawMessage `json:"p50"`
	P90        json.RawMessage `json:"p90"`
	P99        json.RawMessage `json:"p99"`
	P999       json.RawMessage `json:"p999"`
	Zero       uint64          `json:"zero"`
	Under      uint64          `json:"underflow"`
	Over       uint64          `json:"overflow"`
	NaN        uint64          `json:"nan"`
	Inf        uint64          `json:"infinite"`
	Unreadable uint64          `json:"unreadable"`
	Scale      int             `json:"scale"`
	Buckets    []bucketObject  `json:"buckets"`
}

type bucketObject struct {
	From  float64 `json:"from"`
	To    float64 `json:"to"`
	Count uint64  `json:"count"`
}

type callsObject struct {
	Returned  uint64 `json:"returned"`
	Recovered uint64 `json:"recovered"`
	Panicked  uint64 `json:"panicked"`
	Goexited  uint64 `json:"goexited"`
	Running   uint64 `json:"running"`
	Abandoned uint64 `json:"abandoned"`
	Restarted uint64 `json:"restarted"`
	Unmatched uint64 `json:"unmatched"`
	Lost      uint64 `json:"lost"`
	Untimed   uint64 `json:"untimed"`
	Filtered  uint64 `json:"filtered"`
	Backwards uint64 `json:"clock_backwards"`
}

type snapshots struct {
	Taken      uint64 `json:"taken"`
	Suppressed uint64 `json:"suppressed"`
	Dropped    uint64 `json:"dropped"`
}

// number is a number in JSON: exact, null where there is none, a text for an
// infinite one.
func number(v float64) json.RawMessage {
	if math.IsNaN(v) {
		return json.RawMessage("null")
	}
	return json.RawMessage(probe.Value{Shape: probe.Float, Float: v}.AppendJSON(nil))
}

func distribution(d *probe.Distribution) distributionPart {
	q := func(share float64) json.RawMessage { return number(d.Quantile(share)) }
	p := distributionPart{Count: d.Count, Sum: number(d.SumFloat), Mean: number(d.Mean()),
		P50: q(0.5), P90: q(0.9), P99: q(0.99), P999: q(0.999),
		Zero: d.Zero, Under: d.Under, Over: d.Over, NaN: d.NaN, Inf: d.Inf, Unreadable: d.Unreadable,
		Scale: d.Scale, Buckets: make([]bucketObject, len(d.Buckets))}
	if d.Sum != nil {
		p.Sum = json.RawMessage(d.Sum.String())
	}
	if d.Count > 0 {
		p.Min, p.Max, p.Last = &d.Min, &d.Max, &d.Last
	}
	for i, b := range d.Buckets {
		p.Buckets[i] = bucketObject(b)
	}
	return p
}

// rowObjects is the rows of a probe by key.
func rowObjects(by *probe.Rows) []rowObject {
	out := make([]rowObject, len(by.Rows))
	for i, r := range by.Rows {
		out[i] = rowObject{Key: r.Key, Count: r.Count}
		if r.Dist != nil {
			d := distribution(r.Dist)
			out[i].Dist = &d
		}
	}
	return out
}

func measured(e *probe.Measured) measureObject {
	o := measureObject{Type: string(e.Kind), Probe: e.Probe, Location: e.Location, Time: stamp(e.Time), Final: e.Final,
		Expression: e.Expr, distributionPart: distribution(&e.Dist), Turns: e.Turns, Timed: e.Timed.Nanoseconds()}
	if Unit(e) == durationName {
		o.Unit = "ns"
	}
	if e.Calls != nil {
		c := callsObject(*e.Calls)
		o.Calls = &c
	}
	if e.Snapshots != nil {
		s := snapshots(*e.Snapshots)
		o.Snapshots = &s
	}
	if e.By != nil {
		o.ByExpr, o.By = e.By.Expr, rowObjects(e.By)
		o.Other, o.Unreadable = &e.By.Other.Count, &e.By.Unreadable.Count
	}
	return o
}

// countBy is a count by key.
type countBy struct {
	countObject
	ByExpr     string      `json:"by_expression"`
	By         []rowObject `json:"by"`
	Other      uint64      `json:"other"`
	Unreadable uint64      `json:"by_unreadable"`
}
