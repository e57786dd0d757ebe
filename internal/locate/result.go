package locate

import (
	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Site is one machine address of a location.
type Site struct {
	PC       uint64          // as linked
	Func     *debuginfo.Func // whose code it is
	Function string          // the function as the source has it: innermost, inlined copies included
	File     string          // as the build knows it
	Line     int
}

// Result is where a location is in a build.
type Result struct {
	Sites  []Site        // sorted by PC, each PC once
	Issues []probe.Issue // what a person should know of them
}
