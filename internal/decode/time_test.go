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
		got, ok := (&builder{}).timeText(&program.Shape{Type: &program.Type{Name: "time.Time"}}, fields)
		if text := want.UTC().Format(time.RFC3339Nano); !ok || got.String() != text {
			t.Errorf("got %v, want %s", got, text)
		}
	}
}

// TestZone puts a time into its location only where that is sure.
func TestZone(t *testing.T) {
	const year1970 = 62135596800 // seconds since the year 1
	fields := []probe.NamedValue{{Name: "wall", Value: probe.Value{Shape: probe.Uint}},
		{Name: "ext", Value: probe.Value{Shape: probe.Int, Int: time.Date(2026, 7, 2, 3, 4, 5, 0, time.UTC).Unix() + year1970}}}
	second := uint64(time.Date(2026, 7, 2, 3, 4, 5, 0, time.UTC).Unix())
	for _, c := range []struct {
		start, end, offset uint64
		status             program.Status
		want               string
	}{
		{second, second + 1, 7200, 0, "2026-07-02T05:04:05+02:00"},
		{1 << 63, 1<<63 - 1, 1<<64 - 9000, 0, "2026-07-02T00:34:05-02:30"},
		{second + 1, second + 2, 7200, 0, "2026-07-02T03:04:05Z"},
		{second - 1, second, 7200, 0, "2026-07-02T03:04:05Z"},
		{0, 1<<63 - 1, 1 << 40, 0, "2026-07-02T03:04:05Z"},
		{0, 1<<63 - 1, 7200, program.StatusFault, "2026-07-02T03:04:05Z"},
	} {
		b := &builder{}
		s := &program.Shape{Type: &program.Type{Name: "time.Time"}}
		for i, v := range []uint64{c.start, c.end, c.offset} {
			b.slots = append(b.slots, slot{status: c.status, data: words(v)})
			s.Elems = append(s.Elems, program.Shape{Slot: i})
		}
		if got, ok := b.timeText(s, fields); !ok || got.String() != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}
