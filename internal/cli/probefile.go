package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// fileError is a mistake in a probe file.
type fileError struct {
	file string
	line int // 0: unknown
	msg  string
}

func (e *fileError) Error() string {
	if e.line == 0 {
		return fmt.Sprintf("%s: %s", e.file, e.msg)
	}
	return fmt.Sprintf("%s:%d: %s", e.file, e.line, e.msg)
}

// bareBrace finds the first line whose text begins with a brace and stands in no
// quotes: YAML takes it for a mapping, and complains about some other line.
func bareBrace(text []byte) (line int, key string) {
	for i, l := range strings.Split(string(text), "\n") {
		for _, key := range []string{"message", "if"} {
			rest, ok := strings.CutPrefix(strings.TrimLeft(l, " -"), key+":")
			if ok && strings.HasPrefix(strings.TrimSpace(rest), "{") {
				return i + 1, key
			}
		}
	}
	return 0, ""
}

// fileKeys are what a probe in a file may say.
var fileKeys = slices.Concat([]string{"id", "kind", "at", "message", "if", "for", "limit", "rate"}, snapshotKeys, aggregateKeys)

// maxProbes bounds the probes of one file.
const maxProbes = 1000

// parseProbes reads a probe file. The error is a *fileError that names the
// line: the file is walked node by node, as the decoder of the YAML package
// would speak of Go types instead.
//
// lines tells in which line each id's probe is.
func parseProbes(file string, text []byte) (specs []probe.Spec, lines map[string]int, err error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		if n, key := bareBrace(text); n > 0 {
			return nil, nil, &fileError{file, n, fmt.Sprintf("the text of %s begins with a brace: put it in quotes, %s: '{…}'", key, key)}
		}
		return nil, nil, &fileError{file: file, msg: "this is no YAML: " + strings.TrimPrefix(err.Error(), "yaml: ") +
			"; mind the indentation, and quote texts with braces, colons or hashes"}
	}
	if len(doc.Content) == 0 {
		return nil, nil, &fileError{file: file, msg: "the file is empty; it begins with \"probes:\""}
	}
	r := &fileReader{file: file, ids: map[string]int{}}
	root := deref(doc.Content[0])
	if root.Kind != yaml.MappingNode {
		return nil, nil, r.errorf(root, "the file begins with \"probes:\" and a list below it")
	}
	list, err := r.probeList(root)
	if err != nil {
		return nil, nil, err
	}
	for i, n := range list.Content {
		spec, err := r.probe(deref(n), i)
		if err != nil {
			return nil, nil, err
		}
		specs = append(specs, spec)
	}
	return specs, r.ids, nil
}

type fileReader struct {
	file string
	ids  map[string]int // id → line
}

func (r *fileReader) errorf(n *yaml.Node, format string, args ...any) error {
	return &fileError{r.file, n.Line, fmt.Sprintf(format, args...)}
}

// deref follows an alias to what it stands for.
func deref(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

func (r *fileReader) probeList(root *yaml.Node) (*yaml.Node, error) {
	fields, err := r.fields(root, []string{"probes"}, "the file")
	if err != nil {
		return nil, err
	}
	list, ok := fields["probes"]
	if !ok || list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
		return nil, r.errorf(root, "\"probes:\" needs a list of probes, each beginning with \"- \"")
	}
	if len(list.Content) > maxProbes {
		return nil, r.errorf(list, "%d probes are too many for one file; %d is the most", len(list.Content), maxProbes)
	}
	return list, nil
}

// fields reads a mapping and refuses keys that are unknown or there twice.
func (r *fileReader) fields(n *yaml.Node, known []string, what string) (map[string]*yaml.Node, error) {
	fields := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if !slices.Contains(known, key.Value) {
			msg := fmt.Sprintf("unknown key %q", key.Value)
			if near := nearest(key.Value, known); near != "" {
				msg += fmt.Sprintf(" (did you mean %q?)", near)
			}
			return nil, r.errorf(key, "%s; %s may have: %s", msg, what, strings.Join(known, ", "))
		}
		if first, twice := fields[key.Value]; twice {
			return nil, r.errorf(key, "%q is given twice (first in line %d)", key.Value, first.Line)
		}
		fields[key.Value] = deref(n.Content[i+1])
	}
	return fields, nil
}

func (r *fileReader) probe(n *yaml.Node, index int) (probe.Spec, error) {
	spec := probe.Spec{For: probe.DefaultFor}
	if n.Kind != yaml.MappingNode {
		return spec, r.errorf(n, "a probe is written as keys and values, such as \"at: orders.go:42\"")
	}
	fields, err := r.fields(n, fileKeys, "a probe")
	if err != nil {
		return spec, err
	}
	for _, key := range fileKeys {
		if value := fields[key]; value != nil && value.Kind != yaml.ScalarNode && key != "watch" && key != "attributes" {
			return spec, r.errorf(value, "%q takes one value; a text with braces or colons needs quotes: %s: '…'", key, key)
		}
	}
	if err := r.texts(n, fields, &spec); err != nil {
		return spec, err
	}
	if err := r.limits(fields, &spec); err != nil {
		return spec, err
	}
	if err := r.snapshot(fields, &spec); err != nil {
		return spec, err
	}
	if err := r.aggregate(n, fields, &spec); err != nil {
		return spec, err
	}
	return spec, r.name(n, fields, index, &spec)
}

// texts reads what a probe says in words, and what its kind asks for.
func (r *fileReader) texts(n *yaml.Node, fields map[string]*yaml.Node, spec *probe.Spec) error {
	text := func(key string) string {
		if f := fields[key]; f != nil {
			return f.Value
		}
		return ""
	}
	spec.Kind, spec.At = probe.Kind(text("kind")), text("at")
	spec.Message, spec.If = text("message"), text("if")
	spec.Calls = spec.Kind == probe.Time && text("snapshot") == "true"
	switch {
	case fields["kind"] == nil:
		return r.errorf(n, "this probe has no kind: add such as \"kind: log\"; it may be %s", kindList)
	case !slices.Contains(fileKinds, spec.Kind):
		return r.errorf(fields["kind"], "unknown kind %q: it is %s", spec.Kind, kindList)
	case strings.TrimSpace(spec.At) == "":
		return r.errorf(n, "this probe has no location: add \"at: file.go:LINE\" or \"at: pkg.Func\"")
	case spec.Kind == probe.Log && fields["message"] == nil:
		return r.errorf(n, "this log has no message: add \"message: 'text with {expressions}'\"")
	case spec.Kind != probe.Log && fields["message"] != nil:
		return r.errorf(fields["message"], "a %s has no message; make it \"kind: log\", or remove the message", spec.Kind)
	case !slices.Contains(kindKeys["rate"], spec.Kind) && !spec.Calls && fields["rate"] != nil:
		return r.errorf(fields["rate"], "a %s has no rate: it emits nothing, or all; remove the rate", spec.Kind)
	case fields["if"] != nil && strings.TrimSpace(spec.If) == "":
		return r.errorf(fields["if"], "the condition is empty; remove \"if\", or quote what it should be")
	}
	return nil
}

// limits reads the numbers of a probe.
func (r *fileReader) limits(fields map[string]*yaml.Node, spec *probe.Spec) error {
	switch spec.Kind {
	case probe.Log:
		spec.Rate = probe.DefaultRate
	case probe.Snapshot:
		spec.Rate, spec.Limit = defaultSnapshotRate, probe.DefaultLimit
	}
	if spec.Calls {
		spec.Rate = defaultSnapshotRate
	}
	if err := r.number(fields["limit"], "limit", &spec.Limit); err != nil {
		return err
	}
	if err := r.number(fields["rate"], "rate", &spec.Rate); err != nil {
		return err
	}
	if f := fields["for"]; f != nil {
		d, err := time.ParseDuration(f.Value)
		if err != nil || d <= 0 {
			return r.errorf(f, "for %q is no duration: write such as 30s, 10m or 1h30m", f.Value)
		}
		spec.For = d
	}
	return nil
}

func (r *fileReader) number(n *yaml.Node, key string, into *int64) error {
	if n == nil {
		return nil
	}
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil || v < 0 {
		return r.errorf(n, "%s %q is no number of hits: write a whole number, or 0 for no limit", key, n.Value)
	}
	*into = v
	return nil
}

// name gives a probe the id of the file, or pN by its place in it.
func (r *fileReader) name(n *yaml.Node, fields map[string]*yaml.Node, index int, spec *probe.Spec) error {
	spec.ID = fmt.Sprintf("p%d", index+1)
	if f := fields["id"]; f != nil {
		n, spec.ID = f, f.Value
	}
	if strings.TrimSpace(spec.ID) == "" {
		return r.errorf(n, "the id is empty; remove it, or give the probe a name")
	}
	if line, taken := r.ids[spec.ID]; taken {
		return r.errorf(n, "the id %q is taken by the probe in line %d; give this one another", spec.ID, line)
	}
	r.ids[spec.ID] = n.Line
	return nil
}

// nearest returns the word that differs least from a misspelt one, or nothing
// where none is near.
func nearest(word string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if d := distance(strings.ToLower(word), k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	return best
}

// distance is Levenshtein's: how many letters are to be changed, added or
// removed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
