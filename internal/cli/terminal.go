package cli

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"

	"github.com/sidelight-dev/sidelight/internal/sink"
)

// paint says whether a stream takes colours: a terminal does, unless NO_COLOR
// (no-color.org) or TERM=dumb says otherwise. CLICOLOR_FORCE asks for colours
// without a terminal, for pictures of output.
func (a *App) paint(w io.Writer) sink.Paint {
	switch {
	case os.Getenv("NO_COLOR") != "":
		return false
	case os.Getenv("CLICOLOR_FORCE") != "" && os.Getenv("CLICOLOR_FORCE") != "0":
		return true
	case os.Getenv("TERM") == "dumb":
		return false
	}
	return sink.Paint(isTerminal(w))
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// columns is how many a terminal has; 0 where there is none, and nothing needs
// to be cut. For pictures COLUMNS stands for the terminal.
func columns(w io.Writer) int {
	if !isTerminal(w) {
		n, err := strconv.Atoi(os.Getenv("COLUMNS"))
		if err != nil || n < 0 || os.Getenv("CLICOLOR_FORCE") == "" {
			return 0
		}
		return n
	}
	return terminalWidth(w)
}
