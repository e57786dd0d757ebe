package cli

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// fileKinds are the kinds that a probe in a file may have.
var fileKinds = []probe.Kind{probe.Log, probe.Snapshot, probe.Count, probe.Measure, probe.Time, probe.Trace}

// kindList is the kinds in words.
const kindList = "log, snapshot, count, measure, time or trace"

// kindKeys are keys that only some kinds may have.
var kindKeys = map[string][]probe.Kind{
	"message":    {probe.Log},
	"rate":       {probe.Log, probe.Snapshot},
	"expression": {probe.Measure},
	"by":         {probe.Count, probe.Measure, probe.Time},
	"every":      {probe.Count, probe.Measure, probe.Time},
	"to":         {probe.Time},
	"snapshot":   {probe.Time},
	"attributes": {probe.Trace},
}

// aggregateKeys are what probes that add up, and traces, may say besides.
var aggregateKeys = []string{"expression", "by", "every", "to", "snapshot", "attributes"}

// aggregate reads what only probes that add up, and traces, may say.
func (r *fileReader) aggregate(n *yaml.Node, fields map[string]*yaml.Node, spec *probe.Spec) error {
	for _, key := range aggregateKeys {
		if f := fields[key]; f != nil && !slices.Contains(kindKeys[key], spec.Kind) {
			return r.errorf(f, "a %s has no %s: it is for %s", spec.Kind, key, kindsText(kindKeys[key]))
		}
	}
	for key, to := range map[string]*string{"expression": &spec.Value, "by": &spec.By, "to": &spec.To} {
		if f := fields[key]; f != nil {
			if *to = f.Value; strings.TrimSpace(f.Value) == "" {
				return r.errorf(f, "%s is empty; remove it, or quote what it should be", key)
			}
		}
	}
	if spec.Kind == probe.Measure && spec.Value == "" {
		return r.errorf(n, "this measure has no number: add \"expression: o.Total\"")
	}
	if f := fields["snapshot"]; f != nil && f.Value != "true" && f.Value != "false" {
		return r.errorf(f, "snapshot is true or false, not %q", f.Value)
	}
	if f := fields["every"]; f != nil {
		d, err := time.ParseDuration(f.Value)
		if err != nil || d < 100*time.Millisecond {
			return r.errorf(f, "every %q is no duration of a tenth of a second or more: write such as 1s or 1m", f.Value)
		}
		spec.Period = d
	}
	if f := fields["attributes"]; f != nil {
		if f.Kind != yaml.MappingNode {
			return r.errorf(f, "attributes are written as \"name: expression\", one a line")
		}
		for i := 0; i+1 < len(f.Content); i += 2 {
			spec.Attrs = append(spec.Attrs, probe.Attr{Name: f.Content[i].Value, Expr: deref(f.Content[i+1]).Value})
		}
	}
	return nil
}

func kindsText(kinds []probe.Kind) string {
	var words []string
	for _, k := range kinds {
		words = append(words, string(k))
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return words[0]
}
