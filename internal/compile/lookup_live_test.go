//go:build linux && amd64

package compile_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/redact"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// lookups are asked of testdata/lookup in machine code.
var lookups = [][2]string{
	{`small["a"]`, "1"}, {`small[""]`, "3"}, {`small[key]`, "2"}, {`small["x"]`, "<no such key>"}, {`small[missing]`, "<no such key>"},
	{`small["x"] == 0`, "true"}, {`small["x"] + 1`, "1"}, {`contains(small, "a")`, "true"}, {`contains(small, "x")`, "false"},
	{`many["key0"]`, "0"}, {`many["key999"]`, "999"}, {`many["key1000"]`, "<no such key>"}, {`contains(many, "key500")`, "true"}, {`many["key617"] * 2`, "1234"},
	{`growing[0]`, "0"}, {`growing[12]`, "144"}, {`growing[13]`, "169"}, {`growing[14]`, "<no such key>"}, {`contains(growing, 5)`, "true"},
	{`thousands[7]`, "7"}, {`thousands[99999] - thousands[-1]`, "99999"}, {`contains(thousands, 100000)`, "false"}, {`deleted[195]`, "195"}, {`deleted[5]`, "<no such key>"}, {`len(deleted)`, "10"},
	{`byInt[-5]`, "minus five"}, {`byInt[0]`, "zero"}, {`byInt[1 << 40]`, "large"}, {`byInt[seven]`, "<no such key>"}, {`byInt[seven] == ""`, "true"},
	{`byByte[7]`, "true"}, {`byByte[255]`, "false"}, {`contains(byByte, 255)`, "true"}, {`contains(byByte, 8)`, "false"}, {`byBool[true]`, "1"}, {`byBool[false]`, "<no such key>"},
	{`byLevel[-3]`, "low"}, {`byArray[triple]`, "6"}, {`byPoint[spot]`, "here"}, {`byPointer[who]`, "1"}, {`byPointer[nil]`, "<no such key>"},
	{`people["alice"].Name`, "Alice"}, {`people["bob"].Name`, "<nil pointer>"}, {`people["bob"] == nil`, "true"}, {`people["alice"].Tags["role"]`, "admin"},
	{`structs["bob"]`, `{Name:"Bob" Age:7 Tags:nil Password:[redacted: name]}`}, {`structs["bob"].Age`, "7"}, {`structs["x"].Age`, "0"}, {`structs["x"].Name == ""`, "true"}, {`structs["x"]`, "<no such key>"},
	{`larges["x"].N`, "99"}, {`larges["y"].N`, "<no such key>"}, {`contains(sets, "in")`, "true"}, {`contains(sets, "out")`, "false"},
	{`nested["a"]["b"]`, "5"}, {`nested["a"]["c"]`, "<no such key>"}, {`nested["x"]["b"]`, "<no such key>"}, {`nested["x"]["b"] == 0`, "true"},
	{`header["Accept"][1]`, "*/*"}, {`header["Accept"]`, `["text/html" "*/*"]`}, {`len(header["Accept"])`, "2"}, {`len(header["X"])`, "0"}, {`header["X"]`, "<no such key>"},
	{`header["Authorization"]`, "[redacted: name]"}, {`header["Authorization"][0][7:10]`, "[redacted: name]"}, {`empty["x"]`, "<no such key>"}, {`none["x"]`, "<no such key>"}, {`none["x"] == 0`, "true"},

	{`errPath.(*fs.PathError).Path`, "/does/not/exist"}, {`errPath.(*fs.PathError).Op`, "open"}, {`errPath.(*strconv.NumError)`, "<another type>"},
	{`errOther.(*strconv.NumError).Num`, "x1"}, {`errNil.(*fs.PathError).Path`, "<another type>"}, {`is(errPath, *fs.PathError)`, "true"}, {`is(errNil, *fs.PathError)`, "false"},
	{`errPath.(*fs.PathError).Err.(syscall.Errno)`, "2"}, {`anyInt.(int)`, "12"}, {`anyInt.(int) + 1`, "13"}, {`anyInt.(string)`, "<another type>"}, {`anyString.(string)`, "dyn"},
	{`anyString.(string)[1:]`, "yn"}, {`anyPerson.(person).Name`, "Carol"}, {`anyPointer.(*person).Age`, "42"}, {`anyPointer.(*main.person).Tags["role"]`, "admin"}, {`anyWrapped.(wrapper).p.Name`, "Alice"},
	{`anyLevel.(level)`, "-3"}, {`anySlice.([]int)[1]`, "5"}, {`anySlice.([]int)`, "[4 5]"}, {`anyMap.(map[string]int)["b"]`, "2"}, {`anyLarge.(large).N`, "3"}, {`is(anyInt, int)`, "true"}, {`is(anyInt, string)`, "false"},
	{`is(anyPointer, *person) && anyPointer.(*person).Age == 42`, "true"},

	{`errPath`, "open /does/not/exist: no such file or directory"}, {`errOther`, `strconv.Atoi: parsing "x1": invalid syntax`}, {`errNil`, "nil"},
	{`errDeadline`, "context deadline exceeded"}, {`errCanceled`, "context canceled"}, {`errErrno`, "no such file or directory"},
	{`errDial`, "dial tcp 127.0.0.1:PORT: connect: connection refused"}, {`errURL`, `parse "http://[::1": missing ']' in host`},
	{`errJSON`, "unexpected end of JSON input"}, {`errDNS`, "lookup x.example on 127.0.0.1:53: no such host"}, {`errAddr`, "address a: missing port in address"},
	{`errLink`, "rename /does/not/exist /tmp/x: no such file or directory"}, {`errWrapped`, "while opening: open /does/not/exist: no such file or directory"},
	{`errGet`, `Get "http://127.0.0.1:PORT/x": dial tcp 127.0.0.1:PORT: connect: connection refused`}, {`errConn`, "[redacted: pattern: url password]"},

	{`inUTC`, "2026-07-02T03:04:05.000006Z"}, {`fixed`, "2026-07-02T03:04:05-02:30"}, {`*timeP`, "2026-07-02T03:04:05-02:30"}, {`noTime`, "0001-01-01T00:00:00Z"},
	{`ip`, "192.0.2.1"}, {`noIP`, "010203"}, {`card`, "00:1a:2b:03:04:05"}, {`len(ip)`, "16"}, {`locks.Free`, "free"}, {`locks.Held`, "held"}, {`locks.Read`, "held by 1 reader"}, {`locks.Group`, "counter 2"}, {`locks.Number`, "-7"}, {`locks.Flag`, "true"}, {`locks.Any`, `string("stored")`},

	{`auth[7:]`, "[redacted: pattern: bearer token]"}, {`auth[9]`, "[redacted: pattern: bearer token]"}, {`auth[2:][3:6]`, "[redacted: pattern: bearer token]"}, {`text[4:7]`, "/ap"},
	{`auth == "x"`, "false"}, {`password[1:2]`, "[redacted: name]"}, {`password == "x"`, "[redacted: name]"}, {`password == ""`, "false"}, {`len(password)`, "7"}, {`who.Password`, "[redacted: name]"},

	{`contains(text, "users")`, "true"}, {`contains(text, "Users")`, "false"}, {`startsWith(text, "GET ")`, "true"}, {`startsWith(text, "POST")`, "false"}, {`endsWith(text, "1.1")`, "true"},
	{`endsWith(text, "1.0")`, "false"}, {`startsWith(key, text)`, "false"}, {`startsWith(text, text)`, "true"}, {`endsWith(text, "")`, "true"}, {`contains(raw, ": o")`, "true"},
	{`matches(text, "^GET /api/v[12]/users/\\d+ ")`, "true"}, {"matches(text, `users/\\D`)", "false"}, {`matches(text, "(?i)get")`, "true"}, {`matches(key, "^[a-c]$")`, "true"}, {`matches(key, "")`, "true"},
	{`contains(header["Accept"], "*/*")`, "true"}, {`contains(header["Accept"], "*")`, "false"}, {`contains(header["X"], "x")`, "false"}, {`contains(header["Accept"], key)`, "false"},
	{`contains(anySlice.([]int), 5)`, "true"}, {`contains(anySlice.([]int), 6)`, "false"}, {`contains(anySlice.([]int), seven)`, "false"}, {`contains(triple, 2)`, "true"}, {`contains(triple, 9)`, "false"},
	{`contains(long, "y")`, "<too large to be searched>"}, {`contains(long, "xx")`, "true"}, {`contains("abc", "b")`, "true"}, {`matches(people["alice"].Name, "^A")`, "true"},
}

// TestLookupsLive asks of maps of both kinds, of what interfaces hold and of
// texts, in processes that Go made before and since its maps changed.
func TestLookupsLive(t *testing.T) {
	for _, toolchain := range []string{"go1.22.12", "go1.23.12", "go1.24.11", ""} {
		t.Run("go"+strings.TrimPrefix(toolchain, "go"), func(t *testing.T) {
			var specs []probe.Spec
			for i, c := range lookups {
				if i%8 == 0 || strings.HasPrefix(c[0], "err") {
					specs = append(specs, probe.Spec{ID: fmt.Sprintf("p%d", len(specs)), Kind: probe.Log, At: "main.tick", For: time.Minute, Limit: 1})
				}
				specs[len(specs)-1].Message += "{" + c[0] + "} "
			}
			got, port := map[string]string{}, ""
			specs = append(specs, probe.Spec{ID: "port", Kind: probe.Log, At: "main.tick", For: time.Minute, Limit: 1, Message: "{port} {errOwn} {errLong}"})
			ask(t, "testdata/lookup", testprog.Options{Toolchain: toolchain}, specs, func(h *probe.Hit) {
				for _, v := range h.Values {
					got[v.Name] = v.Value.String()
				}
			})
			port = got["port"]
			if own := got["errOwn"]; !strings.HasPrefix(own, "*main.failure(0x") {
				t.Errorf("an error of a type that nobody knows: %s", own)
			}
			if long := got["errLong"]; !strings.Contains(long, `xxx"… (349 bytes)`) {
				t.Errorf("an error that is too long: %s", long)
			}
			for _, c := range lookups {
				if c[1] = strings.ReplaceAll(c[1], "PORT", port); got[redact.Default().Source(c[0])] != c[1] {
					t.Errorf("%s: got %s, want %s", c[0], got[c[0]], c[1])
				}
			}
		})
	}
}

// ask puts logs into a program and gives their hits to take.
func ask(t *testing.T, dir string, o testprog.Options, specs []probe.Spec, take func(*probe.Hit)) {
	t.Helper()
	cmd := exec.Command(testprog.Dir(t, dir, o))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	time.Sleep(100 * time.Millisecond) // until it has filled its maps
	askOf(t, cmd.Process.Pid, specs, take)
}

// steady are of keys that testdata/churn has always: each is true, or it is said why
// nothing is known.
var steady = []string{
	`byText["fixed"] == 7`, `byNumber[7] == "seven"`, `byZero[0] == "zero"`, `byNone[""] == "none"`, `contains(byNumber, 7)`,
	`!contains(byZero, 5)`, `structs["fixed"].N == 7`, `structs["fixed"].Name == "fixed"`, `larges[7].Numbers[29] == 7`,
	`larges[7].Name == "seven"`, `arrays[seven][1] == 2`, `contains(arrays[seven], 3)`, `pointers[7].Name == "fixed"`, `len(texts[7]) == 5`,
	`contains(texts[7], "even")`, `nested["fixed"][7] == "seven"`, `arrays[keys[7]][2] == 3`, `matches(byNumber[7], "^se.en$")`,
}

// shown are likewise values as they are shown.
var shown = [][2]string{
	{`byText["fixed"]`, "7"}, {`byNumber[7]`, "seven"}, {`byZero[0]`, "zero"}, {`structs["fixed"]`, `{Name:"fixed" N:7 Pair:[7 7]}`},
	{`structs["fixed"].Name`, "fixed"}, {`larges[7].Numbers[29]`, "7"}, {`larges[7].Name`, "seven"}, {`arrays[seven]`, "[1 2 3]"},
	{`pointers[7]`, `&{Name:"fixed" N:7 Pair:[7 7]}`}, {`texts[7]`, "seven"}, {`nested["fixed"][7]`, "seven"}, {`arrays[keys[7]]`, "[1 2 3]"},
}

// TestLookupsUnderWrites looks for keys that are there always, in maps that
// another goroutine fills and empties: they are found, or it is said why not.
func TestLookupsUnderWrites(t *testing.T) {
	for _, o := range []testprog.Options{{Toolchain: "go1.22.12"}, {}, {Toolchain: "go1.22.12", Race: true}} {
		t.Run(o.String(), func(t *testing.T) {
			var specs []probe.Spec
			want := map[string]string{}
			for _, x := range shown {
				want[x[0]] = x[1]
				specs = append(specs, probe.Spec{ID: x[0], Kind: probe.Log, At: "main.tick", Message: "{" + x[0] + "}", For: 2 * time.Second, Rate: 3000})
			}
			for _, x := range steady {
				specs = append(specs, probe.Spec{ID: x, Kind: probe.Count, At: "main.tick", If: "!(" + x + ")", For: 2 * time.Second})
			}
			for _, x := range []string{`byText["fixed"]`, `byNumber[7]`} {
				specs = append(specs, probe.Spec{ID: "by " + x, Kind: probe.Count, At: "main.tick", By: x, For: 2 * time.Second})
			}
			cmd := exec.Command(testprog.Dir(t, "testdata/churn", o), "busy")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}()
			underWrites(t, cmd.Process.Pid, specs, want)
		})
	}
}

// underWrites fails where a value is another one than wanted, where a count with a
// condition has a hit, or where a count by a value has a row for another one.
func underWrites(t *testing.T, pid int, specs []probe.Spec, want map[string]string) {
	got, wrong := map[string]int{}, map[string]int{}
	askAll(t, pid, specs, func(e probe.Event) {
		switch e := e.(type) {
		case *probe.Hit:
			switch v := e.Message; {
			case v == want[e.Probe]:
				got["right"]++
			case v == "<too large to be searched>", strings.Contains(v, "<the map is being written>"): // perhaps of a part only
				got["said"]++
			default:
				wrong[e.Probe+": "+v]++
			}
		case *probe.End:
			if want[e.Probe] == "" && !strings.HasPrefix(e.Probe, "by ") {
				if got["unknown"] += int(e.ConditionErrors); e.Hits > 0 {
					wrong[e.Probe+" was false"] += int(e.Hits)
				}
			}
		case *probe.CountNow:
			if e.By == nil {
				return
			}
			for _, r := range e.By.Rows {
				if k := r.Key.String(); k != "7" && k != "seven" {
					wrong[fmt.Sprintf("%s: a row for %q", e.Probe, k)] += int(r.Count)
				}
			}
		}
	})
	for what, n := range wrong {
		t.Errorf("%s (%d times)", what, n)
	}
	if t.Logf("%v", got); got["right"] < 100 || got["unknown"] == 0 {
		t.Errorf("only %v", got)
	}
}
