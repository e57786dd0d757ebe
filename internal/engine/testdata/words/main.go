// Command words is a program for tests that puts a good part of the standard
// library to work in one order: it reads its standard input, and what it does
// depends on nothing else.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"go/format"
	"io"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"text/tabwriter"
	"text/template"
)

type word struct {
	Text  string            `json:"text"`
	Count int               `json:"count"`
	Lines []int             `json:"lines"`
	Notes map[string]string `json:"notes,omitempty"`
	First *word             `json:"first,omitempty"`
}

type book struct {
	Words  []*word
	byText map[string]*word
	errs   []error
}

func (b *book) add(text string, line int) *word {
	w := b.byText[text]
	if w == nil {
		w = &word{Text: text, Notes: map[string]string{"length": strconv.Itoa(len(text))}}
		b.byText[text] = w
		b.Words = append(b.Words, w)
	}
	w.Count++
	w.Lines = append(w.Lines, line)
	w.First = b.Words[0]
	return w
}

var splitter = regexp.MustCompile(`[A-Za-z]+(?:-[a-z]+)*`)

func (b *book) read(r io.Reader) error {
	in := bufio.NewScanner(r)
	for n := 1; in.Scan(); n++ {
		for _, text := range splitter.FindAllString(in.Text(), -1) {
			b.add(strings.ToLower(text), n)
		}
		if v, err := strconv.ParseFloat(in.Text(), 64); err != nil {
			b.errs = append(b.errs, fmt.Errorf("line %d: %w", n, err))
		} else if v < 0 {
			b.errs = append(b.errs, errors.New("negative"))
		}
	}
	return in.Err()
}

func (b *book) print(w io.Writer) error {
	sort.Slice(b.Words, func(i, j int) bool {
		x, y := b.Words[i], b.Words[j]
		return x.Count > y.Count || x.Count == y.Count && x.Text < y.Text
	})
	tabs := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	t := template.Must(template.New("words").Parse("{{range .Words}}{{.Text}}\t{{.Count}}\t{{len .Lines}}\n{{end}}"))
	if err := t.Execute(tabs, b); err != nil {
		return err
	}
	return tabs.Flush()
}

// again goes through JSON and back.
func (b *book) again() (*book, error) {
	for _, w := range b.Words {
		w.First = nil
	}
	text, err := json.Marshal(b.Words)
	if err != nil {
		return nil, err
	}
	var loose []map[string]any
	if err := json.Unmarshal(text, &loose); err != nil {
		return nil, err
	}
	other := &book{byText: map[string]*word{}}
	if err := json.Unmarshal(text, &other.Words); err != nil {
		return nil, err
	}
	for i, w := range other.Words {
		if loose[i]["text"] != w.Text {
			return nil, fmt.Errorf("%v is not %s", loose[i]["text"], w.Text)
		}
		other.byText[w.Text] = w
	}
	return other, nil
}

func run() error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	b := &book{byText: map[string]*word{}}
	if err := b.read(bytes.NewReader(text)); err != nil {
		return err
	}
	b, err = b.again()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := b.print(&out); err != nil {
		return err
	}
	source, err := format.Source([]byte("package x\nvar y=`" + base64.StdEncoding.EncodeToString(out.Bytes()) + "`\nfunc z( a int,b string ) (n int) { if a>0 {n++}; return }"))
	if err != nil {
		return err
	}
	_, err = fmt.Println(len(source), len(b.errs))
	return err
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
