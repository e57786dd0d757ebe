package redact

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// FileError is a mistake in a file of rules.
type FileError struct {
	File string
	Line int // 0: unknown
	Msg  string
}

func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Msg)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// maxRules bounds each list of a file.
const maxRules = 1000

// Parse reads a file of rules, which come on top of the default ones. The error
// is a *FileError that names the line.
func Parse(file string, text []byte) (*Rules, error) {
	d := Default()
	r := &Rules{names: slices.Clone(d.names), allowed: map[string]bool{}, types: d.types, patterns: slices.Clone(d.patterns),
		file: file, text: text}
	f := &reader{file: file, rules: r}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, &FileError{File: file, Msg: "this is no YAML: " + strings.TrimPrefix(err.Error(), "yaml: ") +
			"; mind the indentation, and quote texts with braces, colons or backslashes"}
	}
	if len(doc.Content) == 0 {
		return nil, &FileError{File: file, Msg: `the file is empty; it has "names:", "allow:", "patterns:" or "block:" and a list below`}
	}
	err := f.each(doc.Content[0], "the file", map[string]func(*yaml.Node) error{
		"names":    f.names,
		"allow":    f.allow,
		"patterns": f.patterns,
		"block":    f.block,
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

type reader struct {
	file  string
	rules *Rules
}

func (f *reader) errorf(n *yaml.Node, format string, args ...any) error {
	return &FileError{f.file, n.Line, fmt.Sprintf(format, args...)}
}

func deref(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// each reads a mapping: every key once, and none that is unknown.
func (f *reader) each(n *yaml.Node, what string, keys map[string]func(*yaml.Node) error) error {
	var known []string
	for k := range keys {
		known = append(known, k)
	}
	slices.Sort(known)
	n = deref(n)
	if n.Kind != yaml.MappingNode {
		return f.errorf(n, "%s is written as keys and values; it may have: %s", what, strings.Join(known, ", "))
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		read := keys[key.Value]
		if read == nil {
			return f.errorf(key, "unknown key %q; %s may have: %s", key.Value, what, strings.Join(known, ", "))
		}
		if first, twice := seen[key.Value]; twice {
			return f.errorf(key, "%q is given twice (first in line %d)", key.Value, first)
		}
		seen[key.Value] = key.Line
		if err := read(deref(n.Content[i+1])); err != nil {
			return err
		}
	}
	return nil
}

// list reads a list and gives each of its entries to read.
func (f *reader) list(n *yaml.Node, example string, read func(*yaml.Node) error) error {
	if n.Kind != yaml.SequenceNode {
		return f.errorf(n, "a list is needed here, such as %s", example)
	}
	if len(n.Content) > maxRules {
		return f.errorf(n, "%d entries are too many; %d is the most", len(n.Content), maxRules)
	}
	for _, e := range n.Content {
		if err := read(deref(e)); err != nil {
			return err
		}
	}
	return nil
}

func (f *reader) texts(n *yaml.Node, example string, add func(n *yaml.Node, text string) error) error {
	return f.list(n, example, func(e *yaml.Node) error {
		if e.Kind != yaml.ScalarNode || strings.TrimSpace(e.Value) == "" {
			return f.errorf(e, "a text is needed here, such as one of %s", example)
		}
		return add(e, strings.TrimSpace(e.Value))
	})
}

func (f *reader) names(n *yaml.Node) error {
	return f.texts(n, `[iban, "date of birth"]`, func(n *yaml.Node, text string) error {
		rule := newNameRule(text)
		if len(rule.words) == 0 {
			return f.errorf(n, "the name %q has no letters", text)
		}
		f.rules.names = append(f.rules.names, rule)
		return nil
	})
}

func (f *reader) allow(n *yaml.Node) error {
	return f.texts(n, `[pageToken, csrf_token]`, func(n *yaml.Node, text string) error {
		f.rules.allowed[strings.Join(words(text), "")] = true
		return nil
	})
}

func (f *reader) patterns(n *yaml.Node) error {
	const example = `- {name: staff number, match: 'S-\d{6}'}`
	return f.list(n, example, func(e *yaml.Node) error {
		var name, match string
		line := e
		take := func(to *string) func(*yaml.Node) error {
			return func(n *yaml.Node) error {
				if n.Kind != yaml.ScalarNode || n.Value == "" {
					return f.errorf(n, "a text is needed here: %s", example)
				}
				*to, line = n.Value, n
				return nil
			}
		}
		if err := f.each(e, "a pattern", map[string]func(*yaml.Node) error{"name": take(&name), "match": take(&match)}); err != nil {
			return err
		}
		if name == "" || match == "" {
			return f.errorf(e, "a pattern has a name, which stands in the place of what it finds, and a match: %s", example)
		}
		re, err := regexp.Compile(match)
		if err != nil {
			return f.errorf(line, "match of %q is no regular expression: %v", name, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		if re.MatchString("") {
			return f.errorf(line, "match of %q is found in an empty text, so it would redact everything", name)
		}
		f.rules.patterns = append(f.rules.patterns, pattern{name, func(_ *Rules, text []byte) bool { return re.Match(text) }})
		return nil
	})
}

func (f *reader) block(n *yaml.Node) error {
	b := &f.rules.block
	add := func(to *[]string, example, must string) func(*yaml.Node) error {
		return func(n *yaml.Node) error {
			return f.texts(n, example, func(n *yaml.Node, text string) error {
				if must != "" && !strings.Contains(text, must) {
					return f.errorf(n, "%q has no package before it; write it such as one of %s", text, example)
				}
				*to = append(*to, text)
				return nil
			})
		}
	}
	return f.each(n, `"block"`, map[string]func(*yaml.Node) error{
		"packages":  add(&b.packages, `[example.com/app/vault, example.com/keys/...]`, ""),
		"types":     add(&b.types, `[vault.Key, example.com/app/vault.Key]`, "."),
		"functions": add(&b.functions, `[main.login, vault.(*Store).Open]`, "."),
	})
}
