// Package saved keeps snapshots in files and reads them again, exactly.
//
// Moments come in (package probe, by way of package cli); a file goes out, and
// comes back as the same moments. Package cli stands before it, and shows what
// it reads by packages sink and view.
//
// A file is a gzip file of JSON lines. Each line is a gzip member of its own,
// so that what was written is whole whatever happens to the next one. The first
// line says what the file is: {"format":"sidelight moments","version":1}. Each
// of the others is a moment with the members of package probe's Moment, Frame,
// Variable and Value in lower case; what is empty is left out. Floats are
// written as their bits and bytes in base64, and so is text that is no UTF-8:
// {"base64":"…"}.
package saved

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// The first line of a file.
const (
	format  = "sidelight moments"
	version = 1
)

type header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
}

// What is read of a file at most, in bytes.
const (
	maxLine  = 256 << 20
	maxWhole = 1 << 30
)

// ErrForeign says that a file holds no moments.
var ErrForeign = errors.New("this is no file of snapshots; sidelight snapshot … --save FILE makes one")

// Read reads all moments. Where the file is damaged or ends too soon, it
// returns those that are whole, and an error that says so.
func Read(r io.Reader) ([]*probe.Moment, error) {
	lines, err := newReader(r)
	if err != nil {
		return nil, err
	}
	var all []*probe.Moment
	for {
		line, err := lines.next()
		if err == io.EOF {
			return all, nil
		}
		var m *probe.Moment
		if err == nil {
			m, err = decode(line)
		}
		if err != nil {
			return all, fmt.Errorf("the file is damaged after %s: %w", count(len(all)), err)
		}
		all = append(all, m)
	}
}

func count(n int) string {
	if n == 1 {
		return "1 snapshot"
	}
	return fmt.Sprintf("%d snapshots", n)
}

// reader reads the members of a file.
type reader struct {
	in    *bufio.Reader
	zip   *gzip.Reader
	whole int64
}

// newReader reads the first line.
func newReader(r io.Reader) (*reader, error) {
	in := bufio.NewReader(r)
	zip, err := gzip.NewReader(in)
	if err != nil {
		return nil, ErrForeign
	}
	lines := &reader{in: in, zip: zip}
	line, err := lines.member(1 << 10)
	var h header
	if err != nil || json.Unmarshal(line, &h) != nil || h.Format != format {
		return nil, ErrForeign
	}
	if h.Version != version {
		return nil, fmt.Errorf("the file has version %d of the format; this sidelight reads version %d: use the newer one", h.Version, version)
	}
	return lines, nil
}

// next returns the next line, or io.EOF where the file ends between two.
func (r *reader) next() ([]byte, error) {
	if _, err := r.in.Peek(1); err != nil {
		return nil, err
	}
	if err := r.zip.Reset(r.in); err != nil {
		return nil, torn(err)
	}
	return r.member(maxLine)
}

// member reads one member to its end, where its checksum is compared.
func (r *reader) member(most int64) ([]byte, error) {
	r.zip.Multistream(false)
	most = min(most, maxWhole-r.whole)
	line, err := io.ReadAll(io.LimitReader(r.zip, most+1))
	if err != nil {
		return nil, torn(err)
	}
	if int64(len(line)) > most {
		return nil, fmt.Errorf("it holds more than %d MB", most>>20)
	}
	r.whole += int64(len(line))
	return line, nil
}

// torn keeps an end within a member apart from the end of the file.
func torn(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// pack makes a member of a line.
func pack(v any) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	enc := json.NewEncoder(zip)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// encode writes the member of a moment.
func encode(m *probe.Moment) ([]byte, error) { return pack(fromMoment(m)) }

func decode(line []byte) (*probe.Moment, error) {
	var w momentLine
	if err := json.Unmarshal(line, &w); err != nil {
		return nil, err
	}
	return w.moment()
}
