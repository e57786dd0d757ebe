package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/sidelight-dev/sidelight/internal/demo/shop"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// countAt is the function that the demo counts.
const countAt = "shop.(*Shop).Place"

// forever is the life of probes that only Ctrl-C is to end.
const forever = 10000 * time.Hour

// Probes are what the demo puts into the service: a log of the large orders
// and a count of all. They live for the given time; 0: until they are removed.
func Probes(life time.Duration) []probe.Spec {
	if life <= 0 {
		life = forever
	}
	return []probe.Spec{
		{ID: "large", Kind: probe.Log, At: logAt(), If: "o.Qty > 10", For: life, Rate: probe.DefaultRate,
			Message: "order {o.ID}: {o.Qty} x {o.Item} for {name}"},
		{ID: "all", Kind: probe.Count, At: countAt, For: life},
	}
}

func logAt() string { return fmt.Sprintf("%s:%d", shop.SourceFile, shop.LogLine()) }

// CommandLine writes a probe as the command that puts it into the service.
func CommandLine(program string, s probe.Spec) string {
	words := []string{program, string(s.Kind), Name, quote(s.At)}
	if s.Kind == probe.Log {
		words = append(words, quote(s.Message))
	}
	if s.If != "" {
		words = append(words, "--if", quote(s.If))
	}
	return strings.Join(words, " ")
}

// Next are four commands to try by hand while the demo runs. They ask at
// other places than the demo does.
func Next(program string) []string {
	return []string{
		program + " ps",
		CommandLine(program, probe.Spec{Kind: probe.Count, At: "shop.parcels"}),
		CommandLine(program, probe.Spec{Kind: probe.Log, At: "shop.(*Shop).take", Message: "{qty} x {item} of {len(s.stock)} kinds"}) +
			" --limit 5",
		CommandLine(program, probe.Spec{Kind: probe.Snapshot, At: "shop.(*Shop).bill"}),
	}
}

// Excerpt is the source around the line where the demo logs, marked.
func Excerpt() []string {
	const around = 2
	lines := strings.Split(shop.Source, "\n")
	at := shop.LogLine()
	var out []string
	for n := max(1, at-around); n <= min(len(lines), at+around); n++ {
		sign := " "
		if n == at {
			sign = ">"
		}
		text, _, _ := strings.Cut(lines[n-1], " //")
		out = append(out, fmt.Sprintf("%s %3d  %s", sign, n, strings.ReplaceAll(text, "\t", "    ")))
	}
	return out
}

// quote makes one word of a text for a shell.
func quote(s string) string {
	if strings.IndexFunc(s, special) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func special(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:-,%", r)
}
