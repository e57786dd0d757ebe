package dap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	godap "github.com/google/go-dap"
)

// sourceRefs knows files of the build by the paths of the editor, and gives
// numbers to those that the editor cannot open by itself.
type sourceRefs struct {
	session *session
	paths   map[string]string // the build's name: the editor's path
	known   map[string]*godap.Source
	refs    map[int]string // number: the build's name
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
		if r.refs == nil {
			r.refs = map[int]string{}
		}
		src.SourceReference = len(r.refs) + 1
		src.Path, src.Origin = file, "of the build"
		r.refs[src.SourceReference] = file
	}
	if r.known == nil {
		r.known = map[string]*godap.Source{}
	}
	r.known[file] = src
	return src
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
	go func() {
		text, err := s.a.text(s.proc.PID, file)
		s.post(func() {
			if err != nil {
				s.refuse(r, err)
				return
			}
			if text.Warning != "" {
				s.note("important", fmt.Sprintf("%s: %s", base(file), text.Warning))
			}
			s.answer(r, godap.SourceResponseBody{Content: text.Content, MimeType: "text/x-go"})
		})
	}()
}

// maxSource bounds the text of a file, in bytes.
const maxSource = 8 << 20

// text is the source of a file of the build.
func (a *Adapter) text(pid int, file string) (Text, error) {
	if a.Sources != nil {
		return a.Sources.Source(pid, file)
	}
	info, err := os.Stat(file)
	if err != nil {
		return Text{}, fmt.Errorf("the source of %s is not on this machine", file)
	}
	if info.Size() > maxSource || !info.Mode().IsRegular() {
		return Text{}, fmt.Errorf("%s is no source file", file)
	}
	content, err := os.ReadFile(file)
	return Text{Content: string(content), Path: file}, err
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
