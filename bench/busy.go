package main

import (
	_ "embed"
	"fmt"
	"strings"
)

// busySource is the server; its package store is generated.
//
//go:embed testdata/busy/main.go
var busySource string

// Functions of the package store. Serve calls every section, a section its share of
// the reports, a report its share of the lines, and so on down to the hashes, which
// are called most and take least: 1,820 calls a request of 342 functions, from
// nanoseconds to tens of microseconds, as a server's are.
const (
	sections = 20
	reports  = 40  // JSON and a checksum: microseconds
	lines    = 160 // text, sorted: a microsecond
	lookups  = 96  // a map and a loop: a tenth of that
	hashes   = 24  // nanoseconds

	lookupsOfLine  = 2
	hashesOfLookup = 4

	storeFunctions = 2 + sections + reports + lines + lookups + hashes
)

const storeHead = `// Package store is generated. It stands for what a server does for a request.
package store

import (
	"crypto/sha256"
	"encoding/json"
	"sort"
	"strconv"
	"strings"
)

// Order is what a request is about.
type Order struct {
	ID    int            ` + "`json:\"id\"`" + `
	Names []string       ` + "`json:\"names\"`" + `
	Stock map[string]int ` + "`json:\"stock\"`" + `
}

//go:noinline
func NewOrder(id int) *Order {
	o := &Order{ID: id, Stock: map[string]int{}}
	for i := range 12 {
		name := "article-" + strconv.Itoa((id+7*i)%100)
		o.Names = append(o.Names, name)
		o.Stock[name] = i
	}
	return o
}
`

const reportBody = `
//go:noinline
func report%[1]d(o *Order) uint64 {
	b, err := json.Marshal(o)
	if err != nil {
		return 0
	}
	sum := sha256.Sum256(b)
	n := uint64(sum[%[2]d])
%[3]s	return n
}
`

const lineBody = `
//go:noinline
func line%[1]d(o *Order) uint64 {
	names := append([]string(nil), o.Names...)
	sort.Strings(names)
	var b strings.Builder
	for i, name := range names {
		b.WriteString(name)
		b.WriteByte('x')
		b.WriteString(strconv.Itoa(i + %[1]d))
	}
	n := uint64(b.Len())
%[2]s	return n
}
`

const lookupBody = `
//go:noinline
func lookup%[1]d(o *Order) uint64 {
	n := uint64(o.Stock[o.Names[%[2]d]])
	for _, name := range o.Names {
		n += uint64(name[len(name)-1]) << (n & 7)
	}
%[3]s	return n
}
`

const hashBody = `
//go:noinline
func hash%[1]d(n uint64) uint64 {
	n ^= n >> %[2]d
	return n*0x9E3779B97F4A7C15 + %[1]d
}
`

// storeSource writes the package store.
func storeSource() string {
	var out strings.Builder
	out.WriteString(storeHead)
	out.WriteString("\n//go:noinline\nfunc Serve(o *Order) uint64 {\n\tn := uint64(0)\n" + calls("section", "o", 0, sections, sections) + "\treturn n\n}\n")
	for i := range sections {
		fmt.Fprintf(&out, "\n//go:noinline\nfunc section%d(o *Order) uint64 {\n\tn := uint64(0)\n%s\treturn n\n}\n", i, calls("report", "o", i, reports/sections, reports))
	}
	for i := range reports {
		fmt.Fprintf(&out, reportBody, i, i%32, calls("line", "o", i, lines/reports, lines))
	}
	for i := range lines {
		fmt.Fprintf(&out, lineBody, i, calls("lookup", "o", i, lookupsOfLine, lookups))
	}
	for i := range lookups {
		fmt.Fprintf(&out, lookupBody, i, i%12, calls("hash", "n", i, hashesOfLookup, hashes))
	}
	for i := range hashes {
		fmt.Fprintf(&out, hashBody, i, 7+i%20)
	}
	return out.String()
}

// calls are the lines with which the function of number i calls so many of all.
func calls(name, arg string, i, many, all int) string {
	var out strings.Builder
	for k := range many {
		fmt.Fprintf(&out, "\tn += %s%d(%s)\n", name, (i*many+k)%all, arg)
	}
	return out.String()
}
