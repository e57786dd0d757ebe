package cli

import (
	"errors"
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/saved"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

// saver keeps the moments that pass through it.
type saver struct {
	next sink.Sink
	file *saved.File
}

// Event saves before it shows: what a reader has seen is kept.
func (s *saver) Event(e probe.Event) error {
	if m, ok := e.(*probe.Moment); ok {
		if err := s.file.Write(m); err != nil {
			return fmt.Errorf("saving a snapshot: %w", err)
		}
	}
	return s.next.Event(e)
}

// keep runs a session whose moments go into a file, too.
func (a *App) keep(path string, next sink.Sink, session func(sink.Sink) error) error {
	file, err := saved.Create(path)
	if err != nil {
		return err
	}
	err = session(&saver{next, file})
	if closed := file.Close(); closed != nil {
		err = errors.Join(err, fmt.Errorf("saving the snapshots: %w", closed))
	}
	if n := file.Count(); n > 0 {
		what := "1 snapshot is"
		if n > 1 {
			what = fmt.Sprintf("%d snapshots are", n)
		}
		fmt.Fprintf(a.Stderr, "%s in %s; sidelight show %s opens it\n", what, sink.Escape(path), sink.Escape(quote(path)))
	}
	return err
}
