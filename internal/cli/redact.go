package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/sidelight-dev/sidelight/internal/redact"
)

// maxRedactFile bounds what is read of a file of rules, in bytes.
const maxRedactFile = 1 << 20

// rules are the rules for what is not shown: the default ones, and those of the
// file that was named. A file that cannot be read is an error, never ignored.
func (f *sessionFlags) rules() (*redact.Rules, error) {
	if f.redact == "" {
		return redact.Default(), nil
	}
	in, err := os.Open(f.redact)
	if err != nil {
		return nil, fmt.Errorf("--redact: %w", err)
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxRedactFile+1))
	if err != nil {
		return nil, fmt.Errorf("--redact: %w", err)
	}
	if len(text) > maxRedactFile {
		return nil, fmt.Errorf("--redact: %s has more than %d bytes", f.redact, maxRedactFile)
	}
	return redact.Parse(f.redact, text)
}
