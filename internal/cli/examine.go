package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/target"
)

// Examiner says of one build what can be probed and read where. The engine
// implements it.
type Examiner interface {
	// Where says what a probe at a location would meet.
	Where(at string) (*probe.Where, error)
	// Survey says it of every line of a source file.
	Survey(file string) (*probe.Survey, error)
	// Functions and Files are what answers to a pattern, the best first: at
	// most limit of them (0: all), and how many there are.
	Functions(pattern string, limit int) ([]probe.FoundFunction, int)
	Files(pattern string, limit int) ([]probe.FoundFile, int)
	// Complete are the locations that begin with what was typed.
	Complete(typed string, limit int) []probe.Offer
	Close() error
}

// subject is the build that a TARGET runs or is, opened to be examined.
type subject struct {
	Examiner
	word string // the TARGET as it was typed
	pid  int    // 0: a file
	proc string // the process's name
	path string // of the executable
	file string // where it can be opened
}

const subjectHelp = `TARGET is a running process (its pid, its name, its module path or the last
element of that) or the path of a Go binary, such as ./shop: nothing has to run,
so this works in a pipeline, too.`

// examine opens what a TARGET means: a path with a slash in it is a file; all
// else a process first and a file of this folder if there is none.
func (a *App) examine(word string) (*subject, error) {
	if a.Examine == nil {
		return nil, errors.New("this sidelight was built without its engine")
	}
	boundMemory(false)
	s, err := a.examineWord(word)
	boundMemory(true)
	return s, err
}

func (a *App) examineWord(word string) (*subject, error) {
	if strings.Contains(word, "/") {
		return a.examineFile(word)
	}
	p, err := a.Host.Resolve(word)
	var unknown *target.NotFoundError
	if errors.As(err, &unknown) {
		if info, statErr := os.Stat(word); statErr == nil && info.Mode().IsRegular() {
			return a.examineFile(word)
		}
	}
	if err != nil {
		return nil, err
	}
	// A process that may not be attached to can often be read all the same, and
	// more is not needed here.
	problem := fmt.Errorf("%s (pid %d) cannot be examined: %w", p.Name, p.PID, p.Problem)
	if p.Problem != nil && !p.Problem.Refused() {
		return nil, problem
	}
	s := &subject{word: word, pid: p.PID, proc: p.Name, file: fmt.Sprintf("/proc/%d/exe", p.PID)}
	if s.path, err = os.Readlink(s.file); err != nil {
		s.path = p.Name
	}
	s.Examiner, err = a.Examine(s.file, a.Symbols)
	if errors.Is(err, fs.ErrPermission) && p.Problem != nil {
		return nil, problem
	}
	return s, err
}

// boundMemory lets the collector sleep until a question about a large build has
// taken some memory: most are answered before. Once the build is open, half of
// that may come on top of what it holds.
func boundMemory(opened bool) {
	const least, most = 64 << 20, 100 << 20
	debug.SetGCPercent(-1)
	limit := int64(most)
	if opened {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		limit = min(most, max(least, int64(sample[0].Value.Uint64())+least/2))
	}
	debug.SetMemoryLimit(limit)
}

func (a *App) examineFile(path string) (*subject, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w; TARGET is a running process or the path of a Go binary", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file: give the Go binary itself (go build -o shop ./cmd/shop)", path)
	}
	s := &subject{word: path, path: path, file: path}
	s.Examiner, err = a.Examine(path, a.Symbols)
	return s, err
}

// name is the subject for a person.
func (s *subject) name() string {
	if s.pid != 0 {
		return fmt.Sprintf("%s (pid %d)", s.proc, s.pid)
	}
	return s.path
}

// describe completes what an answer says of the build.
func (s *subject) describe(b *probe.Build) { b.Path = s.path }
