package value

import (
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata"
)

// TestRuledTime: behind a location's last change its rule says the same as
// package time, north and south of the equator, and without summer time.
func TestRuledTime(t *testing.T) {
	for name, rule := range map[string]string{
		"America/New_York": "EST5EDT,M3.2.0,M11.1.0", "Australia/Sydney": "AEST-10AEDT,M10.1.0,M4.1.0/3",
		"Europe/Dublin": "IST-1GMT0,M10.5.0,M3.5.0/1", "Asia/Kolkata": "IST-5:30", "America/Sao_Paulo": "<-03>3",
	} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Date(2038, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
		for range 500 {
			at := time.Unix(from+rand.Int64N(100*365*24*3600), 0)
			_, want := at.In(loc).Zone()
			if got, ok := ruled(rule, at.Unix()); !ok || got != want {
				t.Errorf("%s at %s: %d, %v; want %d", name, at.UTC(), got, ok, want)
			}
		}
	}
	for _, bad := range []string{"", "X", "EST5EDT,M3", "\n\x00\xff", "<", "EST5EDT,M99.9.9,M11.1.0"} {
		if got, ok := ruled(bad, 4e9); ok {
			t.Errorf("%q gives %d", bad, got)
		}
	}
}
