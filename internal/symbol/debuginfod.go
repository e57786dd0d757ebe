package symbol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// The debuginfod protocol: GET URL/buildid/ID/debuginfo, ID in hex. What came is
// kept in a cache; that a server has nothing is remembered for a while, too.
const (
	serverTime = 30 * time.Second // for all servers together
	serverMost = 1 << 30          // bytes
	absentFor  = 10 * time.Minute
)

// servers asks the servers of DEBUGINFOD_URLS.
func (f *finder) servers() *debuginfo.Build {
	list := strings.Fields(f.Env("DEBUGINFOD_URLS"))
	if len(list) == 0 {
		f.note("DEBUGINFOD_URLS", "no server is named")
		return nil
	}
	if f.id.GNUID == "" {
		f.note("debuginfod", "not asked: the program has no GNU build ID (Go 1.24 and later write one, before that -ldflags=-B=gobuildid)")
		return nil
	}
	if !debuginfo.Hashed(f.id.GoID) && f.id.GoID != "" {
		f.note("debuginfod", "not asked: the program's build ID does not tell it from other builds")
		return nil
	}
	dir := cacheDir(f.Env)
	kept := filepath.Join(dir, f.id.GNUID+".debug")
	if _, err := os.Stat(kept); err == nil {
		if b, _ := f.try(kept, kept); b != nil {
			return b
		}
		os.Remove(kept) // damaged, or another's
	}
	ctx, cancel := context.WithTimeout(f.ctx, serverTime)
	defer cancel()
	for _, server := range list {
		if err := f.download(ctx, dir, server, kept); err != nil {
			f.note(server, "%v", err)
			continue
		}
		if b, _ := f.try(server, kept); b != nil {
			return b
		}
		os.Remove(kept)
	}
	return nil
}

func cacheDir(env func(string) string) string {
	if dir := env("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "sidelight", "debuginfod")
	}
	return filepath.Join(env("HOME"), ".cache", "sidelight", "debuginfod")
}

var errAbsent = errors.New("it does not know this build")

// download fetches the debug information of the build from one server.
func (f *finder) download(ctx context.Context, dir, server, to string) (err error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("it is no http or https address")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	absent := to + "." + url.PathEscape(u.Host) + ".absent"
	if info, err := os.Stat(absent); err == nil && time.Since(info.ModTime()) < absentFor {
		return fmt.Errorf("%w (asked %s ago)", errAbsent, time.Since(info.ModTime()).Round(time.Second))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("buildid", f.id.GNUID, "debuginfo").String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "sidelight")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		_ = os.WriteFile(absent, nil, 0o644)
		return errAbsent
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("it answers %s", resp.Status)
	case resp.ContentLength > serverMost:
		return fmt.Errorf("it has %d bytes, which is more than is taken", resp.ContentLength)
	}
	return receive(resp.Body, resp.ContentLength, to)
}

// receive writes an answer to a file that is there as a whole or not at all.
func receive(r io.Reader, length int64, to string) error {
	tmp, err := os.CreateTemp(filepath.Dir(to), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	n, err := io.Copy(tmp, io.LimitReader(r, serverMost+1))
	switch {
	case err != nil:
	case n > serverMost:
		err = errors.New("it has more bytes than are taken")
	case length >= 0 && n != length:
		err = fmt.Errorf("it sent %d of %d bytes", n, length)
	}
	if err = closeAll(tmp, err); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), to)
}
