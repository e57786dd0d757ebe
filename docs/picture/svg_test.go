package main

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

func TestPicture(t *testing.T) {
	in := "plain <b> & more\n\x1b[1mbold\x1b[0m then \x1b[36mplace\x1b[0m\n\n" + strings.Repeat("long ", 40) + "\nbell\x07\n"
	var out strings.Builder
	if err := run(strings.NewReader(in), &out, "sidelight demo"); err != nil {
		t.Fatal(err)
	}
	svg := out.String()
	for dec := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := dec.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("no XML: %v\n%s", err, svg)
		}
	}
	for _, want := range []string{"plain &lt;b&gt; &amp; more", `<tspan class="bold">bold</tspan> then <tspan class="place">place</tspan>`,
		`<tspan class="bold">sidelight demo</tspan>`, "…</text>", ">bell</text>"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s in\n%s", want, svg)
		}
	}
}

func FuzzSpans(f *testing.F) {
	f.Add("a \x1b[1mb\x1b[0m c\x1b[")
	f.Add(strings.Repeat("x", maxColumns) + "\x1b[1my")
	f.Fuzz(func(t *testing.T, s string) {
		var p picture
		p.add(s, 0)
		if p.columns > maxColumns {
			t.Errorf("%q is %d columns wide", s, p.columns)
		}
	})
}
