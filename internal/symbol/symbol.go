// Package symbol finds the debug information of builds that have none, and keeps
// it.
//
// In comes the path of a program, which may be /proc/PID/exe; out goes its build
// with the debug information that was proven to be of it, from a store on this
// machine, a separate file by the usual conventions, or a debuginfod server; or
// the build without, which then says where was looked. And in come binaries to
// remember; out go files of a fraction of their size, that any tool for ELF reads.
//
// debuginfo stands before it and does the proof; engine, which opens builds, and
// cli, which has the commands for the store, stand after it.
package symbol

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/sidelight-dev/sidelight/internal/cache"
	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// Options say where to look.
type Options struct {
	Given []string     // by the user: binaries, .debug files, directories, stores; before all else
	Cache *cache.Dir   // for debuginfo.OpenCached; nil: none
	Log   *slog.Logger // what was tried; nil: nowhere
	Store *Store       // nil: the user's
	Env   func(string) string
}

func (o *Options) fill() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Env == nil {
		o.Env = os.Getenv
	}
	if o.Store == nil {
		o.Store = &Store{Dir: DefaultDir(o.Env)}
	}
}

// Open opens a build, with debug information from elsewhere if it has none and
// some is found. That what was given by the user is of another build is an error;
// what was found by ourselves is only passed over.
func Open(ctx context.Context, path string, o Options) (*debuginfo.Build, error) {
	o.fill()
	b, err := debuginfo.OpenCached(path, o.Cache)
	if err != nil || b.HasDebug() {
		return b, err
	}
	f := finder{Options: o, ctx: ctx, build: b, path: path}
	if f.id, err = b.Identity(false); err != nil {
		b.Close()
		return nil, err
	}
	found, err := f.find()
	if err != nil {
		b.Close()
		return nil, err
	}
	if found == nil {
		b.Tried = f.tried
		return b, nil
	}
	b.Close()
	return found, nil
}

// finder looks for the debug information of one build.
type finder struct {
	Options
	ctx   context.Context
	build *debuginfo.Build
	path  string
	id    *debuginfo.Identity
	tried []string
}

// note remembers what was tried.
func (f *finder) note(where, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	f.tried = append(f.tried, where+": "+what)
	f.Log.Debug("looked for debug information", "in", where, "found", what)
}

// find goes from place to place; nil without an error: there is none.
func (f *finder) find() (*debuginfo.Build, error) {
	for _, given := range f.Given {
		b, err := f.given(given)
		if b != nil || err != nil {
			return b, err
		}
	}
	if len(f.Given) > 0 {
		return nil, &NotGivenError{Given: f.Given, Tried: f.tried}
	}
	for _, look := range []func() *debuginfo.Build{f.store, f.conventions, f.servers} {
		if b := look(); b != nil {
			return b, nil
		}
	}
	return nil, nil
}

// NotGivenError says that what --symbols names has no debug information of the
// program.
type NotGivenError struct {
	Given []string
	Tried []string
}

func (e *NotGivenError) Error() string {
	text := "no debug information of this program in what --symbols names"
	for _, t := range e.Tried {
		text += "\n  " + t
	}
	return text + "\ngive the binary of the same build before it was stripped, or leave --symbols out to go without"
}

// try opens the build with debug information from a file. nil: it is not of this
// build, and tried says why.
func (f *finder) try(where, path string) (*debuginfo.Build, error) {
	b, err := debuginfo.OpenCached(f.path, f.Cache, debuginfo.WithDebug(path))
	var other *debuginfo.MismatchError
	switch {
	case err == nil:
		f.Log.Debug("found debug information", "in", path)
		return b, nil
	case errors.Is(err, os.ErrNotExist):
		f.note(where, "nothing")
	case errors.As(err, &other):
		f.note(where, "of another build (%s)", other.Why)
	default:
		f.note(where, "%v", err)
	}
	return nil, err
}

// store looks into the user's store.
func (f *finder) store() *debuginfo.Build {
	b, _ := f.from(f.Store)
	return b
}

func (f *finder) from(s *Store) (*debuginfo.Build, error) {
	entries, err := s.Find(f.id)
	if err != nil {
		f.note(s.Dir, "%v", err)
	}
	var last error
	for _, e := range entries {
		path, err := s.Object(e)
		if err != nil {
			f.note(s.Dir, "%v", err)
			last = err
			continue
		}
		b, err := f.try(path, path)
		if b != nil {
			return b, nil
		}
		last = err
	}
	if len(entries) == 0 && err == nil {
		f.note(s.Dir, "nothing of Go build ID %s, nor with the same functions%s",
			orNone(f.id.GoID[:min(len(f.id.GoID), 20)]), s.alike(f.id))
	}
	return nil, last
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// closeAll joins the error of closing a file that was written.
func closeAll(c io.Closer, err error) error { return errors.Join(err, c.Close()) }

// Resolve is where the debug information of a program is that has none itself:
// one file for Options.Given of somebody who works elsewhere, with other
// surroundings, or none. What cannot be read here is left to them to say.
func Resolve(ctx context.Context, path string, o Options) ([]string, error) {
	var given []string
	for _, g := range o.Given {
		abs, err := filepath.Abs(g)
		if err != nil {
			return nil, err
		}
		given = append(given, abs)
	}
	o.Given = given
	if ok, err := hasDebug(path); ok || err != nil {
		return given, nil
	}
	b, err := Open(ctx, path, o)
	if err != nil {
		if len(given) == 0 {
			err = nil
		}
		return nil, err
	}
	defer b.Close()
	if b.DebugPath() == "" {
		return nil, nil
	}
	return []string{b.DebugPath()}, nil
}

// hasDebug tells at a glance whether a program has debug information itself.
func hasDebug(path string) (ok bool, err error) {
	defer func() { // debug/elf was written for files that can be trusted
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged: %v", p)
		}
	}()
	f, err := elf.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	return f.Section(".debug_info") != nil, nil
}
