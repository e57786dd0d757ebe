package cli

import (
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

// snapshotKeys are what only a snapshot in a file may say.
var snapshotKeys = []string{"watch", "depth", "frames", "max-items", "max-bytes", "max-time"}

// snapshot reads what only a snapshot has.
func (r *fileReader) snapshot(fields map[string]*yaml.Node, spec *probe.Spec) error {
	if !spec.Snapshots() {
		for _, key := range snapshotKeys {
			if fields[key] != nil {
				if spec.Kind == probe.Time {
					return r.errorf(fields[key], "a time has no %s; add \"snapshot: true\", or remove it", key)
				}
				return r.errorf(fields[key], "a %s has no %s; make it \"kind: snapshot\", or remove it", spec.Kind, key)
			}
		}
		return nil
	}
	b := probe.Bounds{}.WithDefaults()
	depth, frames, items := int64(b.Depth), int64(b.Frames), int64(b.MaxItems)
	for _, n := range []struct {
		key  string
		most int64
		into *int64
	}{
		{"depth", maxDepth, &depth}, {"frames", maxFrames, &frames},
		{"max-items", maxItems, &items}, {"max-bytes", maxBytes, &b.MaxBytes},
	} {
		if err := r.bound(fields[n.key], n.key, n.most, n.into); err != nil {
			return err
		}
	}
	b.Depth, b.Frames, b.MaxItems = int(depth), int(frames), int(items)
	if err := r.timeBound(fields["max-time"], &b.MaxTime); err != nil {
		return err
	}
	spec.Bounds = b
	return r.watch(fields["watch"], spec)
}

// bound reads one number, which for bytes may have a unit.
func (r *fileReader) bound(n *yaml.Node, key string, most int64, into *int64) error {
	if n == nil {
		return nil
	}
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if key == "max-bytes" {
		var size byteSize
		err = size.Set(n.Value)
		v = int64(size)
	}
	if err != nil || v < 1 || v > most {
		return r.errorf(n, "%s %q: write a number from 1 to %s", key, n.Value, sink.Number(uint64(most)))
	}
	*into = v
	return nil
}

// timeBound reads a duration, of which 0 is no bound.
func (r *fileReader) timeBound(n *yaml.Node, into *time.Duration) error {
	if n == nil {
		return nil
	}
	d, err := time.ParseDuration(n.Value)
	if err != nil || d < 0 || d > maxTime {
		return r.errorf(n, "max-time %q: write a time of at most %s, such as 50us, or 0 for no limit", n.Value, maxTime)
	}
	*into = timeBound(d)
	return nil
}

// watch reads expressions: a list of them, or one.
func (r *fileReader) watch(n *yaml.Node, spec *probe.Spec) error {
	if n == nil {
		return nil
	}
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	for _, e := range list {
		e = deref(e)
		if e.Kind != yaml.ScalarNode || strings.TrimSpace(e.Value) == "" {
			return r.errorf(e, "\"watch\" is a list of expressions, such as [len(o.Items), o.Name]; quote those with braces, brackets or colons")
		}
		spec.Watch = append(spec.Watch, e.Value)
	}
	return nil
}
