package dap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	godap "github.com/google/go-dap"
)

// sourceRefs knows files of the build by the paths of the editor, and gives
// numbers to those that the editor cannot open by itself.
type sourceRefs struct {
	session *session
	paths   map[string]string // the build's name: the editor's path
	known   map[string]*godap.Source
	refs    map[int]string // number: the build's name
	numbers map[string]int
	texts   map[string]*compared // by the build's name
}

// know notes by which path the editor calls a file of the build.
func (r *sourceRefs) know(file, path string) {
	if r.paths == nil {
		r.paths = map[string]string{}
	}
	if r.paths[file] != path {
		r.paths[file] = path
		delete(r.known, file)
	}
}

// of is a file of the build as a Source: a path where the editor has the file,
// a number by which it can ask for its text where it has not.
func (r *sourceRefs) of(file string) *godap.Source {
	if file == "" {
		return nil
	}
	if src := r.known[file]; src != nil {
		return src
	}
	src := &godap.Source{Name: base(file)}
	path := r.paths[file]
	if path == "" {
		path = r.session.config.toEditor(file)
	}
	if filepath.IsAbs(path) && isFile(path) {
		src.Path = path
	} else {
		src = r.numbered(file)
	}
	if r.known == nil {
		r.known = map[string]*godap.Source{}
	}
	r.known[file] = src
	return src
}

// numbered is a file of the build as a Source whose text the editor asks for.
func (r *sourceRefs) numbered(file string) *godap.Source {
	if r.refs == nil {
		r.refs, r.numbers = map[int]string{}, map[string]int{}
	}
	n := r.numbers[file]
	if n == 0 {
		n = len(r.refs) + 1
		r.refs[n], r.numbers[file] = file, n
	}
	return &godap.Source{Name: base(file), Path: file, SourceReference: n, Origin: "of the build"}
}

// file is the build's name of a numbered source.
func (r *sourceRefs) file(ref int) string { return r.refs[ref] }

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// source answers with the text of a file that the editor does not have.
func (s *session) source(_ context.Context, r request) {
	var a godap.SourceArguments
	if !s.arguments(r, &a) {
		return
	}
	ref := a.SourceReference
	if ref == 0 && a.Source != nil {
		ref = a.Source.SourceReference
	}
	file := s.sources.file(ref)
	if file == "" && a.Source != nil && s.attached && slices.Contains(s.code.Files(), a.Source.Path) {
		file = a.Source.Path
	}
	if file == "" {
		s.refuse(r, errors.New("no such source"))
		return
	}
	code, dir := s.code, s.sources.dir(file)
	go func() {
		text, err := code.Source(file, dir)
		s.post(func() {
			if err != nil {
				s.refuse(r, err)
				return
			}
			if text.Doubt != "" {
				s.note("important", fmt.Sprintf("%s may differ from what was built: %s", base(file), text.Doubt))
			}
			s.answer(r, godap.SourceResponseBody{Content: text.Content, MimeType: "text/x-go"})
		})
	}()
}

// compared is what is known of a file that the editor has, against the build's.
type compared struct {
	done  bool
	lines *lineMap // nil: the texts are equal, or only one is there
	local string
	doubt string // why the build's text may be another
}

// compareWithin is how long a breakpoint waits for its file to be compared.
const compareWithin = 5 * time.Second

// compare looks, beside the loop, whether the editor's file is what was built,
// and calls then in the loop. It returns what is known already.
func (r *sourceRefs) compare(file, path string, then func()) *compared {
	if c := r.texts[file]; c != nil {
		return c
	}
	if r.texts == nil {
		r.texts = map[string]*compared{}
	}
	c := &compared{}
	r.texts[file] = c
	s := r.session
	finish := func(f func()) {
		s.post(func() {
			if !c.done {
				c.done = true
				f()
				then()
			}
		})
	}
	code := s.code
	go func() {
		text, err := code.Source(file, filepath.Dir(path))
		local, localErr := os.ReadFile(path)
		finish(func() {
			if err != nil || localErr != nil {
				return
			}
			c.local, c.doubt = string(local), text.Doubt
			if text.Doubt == "" && text.Content != "" {
				c.lines = compareLines(c.local, text.Content)
			}
			delete(r.known, file)
		})
	}()
	time.AfterFunc(compareWithin, func() { finish(func() {}) })
	return c
}

// dir is where the editor has a file of the build, or any other.
func (r *sourceRefs) dir(file string) string {
	if path := r.paths[file]; path != "" {
		return filepath.Dir(path)
	}
	for _, path := range r.paths {
		return filepath.Dir(path)
	}
	return ""
}

// at is a place of the build as the editor can show it: in its own file, or where
// that does not have the line, in the text that was built.
func (r *sourceRefs) at(file string, line int) (*godap.Source, int) {
	src := r.of(file)
	c := r.texts[file]
	if src == nil || c == nil || c.lines == nil || src.SourceReference != 0 {
		return src, r.session.toClient(line)
	}
	if n := c.lines.toLocal(line); n != 0 {
		return src, r.session.toClient(n)
	}
	return r.numbered(file), r.session.toClient(line)
}

// loadedSources lists the files of the build that have code.
func (s *session) loadedSources(_ context.Context, r request) {
	body := godap.LoadedSourcesResponseBody{Sources: []godap.Source{}}
	if s.attached {
		for _, f := range s.code.Files() {
			if strings.HasSuffix(f, ".go") {
				body.Sources = append(body.Sources, *s.sources.of(f))
			}
		}
	}
	s.answer(r, body)
}
