package decode

import (
	"testing"
	"time"
	"unsafe"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// TestTimeText reads times as they lie in this process.
func TestTimeText(t *testing.T) {
	now := time.Now()
	for _, want := range []time.Time{{}, now, now.Round(0), time.Unix(0, 1), time.Date(1850, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2300, 1, 1, 0, 0, 0, 0, time.Local)} {
		words := (*[2]uint64)(unsafe.Pointer(&want))
		fields := []probe.NamedValue{{Name: "wall", Value: probe.Value{Shape: probe.Uint, Uint: words[0]}}, {Name: "ext", Value: probe.Value{Shape: probe.Int, Int: int64(words[1])}}}
		got, ok := timeText(&program.Type{Name: "time.Time"}, fields)
		if text := want.UTC().Format(time.RFC3339Nano); !ok || got.String() != text {
			t.Errorf("got %v, want %s", got, text)
		}
	}
}
