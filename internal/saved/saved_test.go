package saved

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// random fills whatever it is given: a member that the format forgets is
// found by the first moment that has it.
type random struct{ *rand.Rand }

func (r random) fill(v reflect.Value, depth int) {
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(r.Int64N(4e9), r.Int64N(1e9))))
		return
	case reflect.TypeFor[probe.Shape]():
		v.SetUint(r.Uint64N(uint64(len(shapes))))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(r.Uint64()))
	case reflect.Uint64:
		v.SetUint(r.Uint64())
	case reflect.Uint8:
		v.SetUint(r.Uint64N(256))
	case reflect.Float64:
		v.SetFloat([]float64{0, math.Copysign(0, -1), math.Inf(1), math.MaxFloat64, 0.1, math.SmallestNonzeroFloat64, r.Float64()}[r.IntN(7)])
	case reflect.String:
		v.SetString([]string{"", "plain", "\xff\x00", "<é>\u2028", `"\`, "{}"}[r.IntN(6)])
	case reflect.Pointer:
		if r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			r.fill(v.Elem(), depth-1)
		}
	case reflect.Slice:
		if n := r.IntN(4) - 1; n >= 0 && depth > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				r.fill(v.Index(i), depth-1)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			r.fill(v.Field(i), depth)
		}
	default:
		panic("the test knows no " + v.Kind().String())
	}
}

func (r random) moment() *probe.Moment { return r.deep(3) }

func (r random) deep(depth int) *probe.Moment {
	m := &probe.Moment{}
	r.fill(reflect.ValueOf(m).Elem(), depth)
	return m
}

func file(t testing.TB, moments ...*probe.Moment) []byte {
	t.Helper()
	b, err := pack(header{format, version})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range moments {
		line, err := encode(m)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, line...)
	}
	return b
}

// What is read is what was written, whatever it was.
func TestReadGivesBackWhatWasWritten(t *testing.T) {
	for seed := range uint64(200) {
		r := random{rand.New(rand.NewPCG(seed, 1))}
		want := []*probe.Moment{r.deep(4), r.moment()}
		got, err := Read(bytes.NewReader(file(t, want...)))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d:\n got %+v\nwant %+v", seed, got, want)
		}
	}
}

func TestNaNKeepsItsBits(t *testing.T) {
	bits := uint64(0x7ff8_0000_dead_beef)
	m := &probe.Moment{Watches: []probe.NamedValue{{Value: probe.Value{Shape: probe.Float, Float: math.Float64frombits(bits)}}}}
	got, err := Read(bytes.NewReader(file(t, m)))
	if err != nil {
		t.Fatal(err)
	}
	if b := math.Float64bits(got[0].Watches[0].Value.Float); b != bits {
		t.Errorf("%x, want %x", b, bits)
	}
}

// Every shape has a name of its own.
func TestShapesHaveNames(t *testing.T) {
	if len(shapesByName) != len(shapes) || len(shapes) != int(probe.Redacted)+1 {
		t.Errorf("%d names for %d of %d shapes", len(shapesByName), len(shapes), int(probe.Redacted)+1)
	}
}

// A file that ends too soon gives all moments that are whole, and an error
// unless it ends between two.
func TestTruncatedFile(t *testing.T) {
	r := random{rand.New(rand.NewPCG(7, 7))}
	want := []*probe.Moment{r.moment(), r.moment(), r.moment()}
	whole := file(t, want...)
	ends := map[int]int{}
	for i := range 4 {
		ends[len(file(t, want[:i]...))] = i
	}
	for n := range len(whole) {
		got, err := Read(bytes.NewReader(whole[:n]))
		count, between := ends[n]
		if between != (err == nil) {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
		if between && len(got) != count {
			t.Fatalf("%d of %d bytes: %d moments, want %d", n, len(whole), len(got), count)
		}
		if len(got) > 0 && !reflect.DeepEqual(got, want[:len(got)]) {
			t.Fatalf("%d of %d bytes: other moments", n, len(whole))
		}
	}
}

// Whoever opens what is not there learns how it comes to be.
func TestNoFile(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "nofile"))
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "sidelight snapshot TARGET LOCATION --save FILE") {
		t.Errorf("%v", err)
	}
}

func TestForeignFiles(t *testing.T) {
	newer, err := pack(header{format, version + 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(bytes.NewReader(newer)); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("newer version: %v", err)
	}
	other, err := pack(map[string]string{"a": "b"})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"empty": nil, "text": []byte("package main\n"), "gzip": other} {
		if _, err := Read(bytes.NewReader(b)); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
	odd, err := pack(momentLine{Watches: []namedLine{{Value: valueLine{Shape: "cloud"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(bytes.NewReader(append(file(t), odd...))); err == nil || !strings.Contains(err.Error(), `"cloud"`) {
		t.Errorf("unknown shape: %v", err)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.moments")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("there is a file before there is a moment")
	}
	r := random{rand.New(rand.NewPCG(1, 2))}
	var want []*probe.Moment
	for i := range 3 {
		want = append(want, r.moment())
		if err := f.Write(want[i]); err != nil {
			t.Fatal(err)
		}
		if got, err := Open(path); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("after %d moments there are %d, %v", i+1, len(got), err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	onlyFile(t, dir, "a.moments")

	// A second one replaces it, but not before it has a moment.
	f, err = Create(path)
	if err != nil {
		t.Fatal(err)
	}
	onlyFile(t, dir, "a.moments") // whoever is killed now leaves nothing
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := Open(path); err != nil || len(got) != 3 {
		t.Errorf("a file without moments replaced one with three by %d, %v", len(got), err)
	}
	onlyFile(t, dir, "a.moments")
}

func onlyFile(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("%s has %v, %v", dir, entries, err)
	}
}

func TestCreateReplacesNothingElse(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{source, dir, "/dev/null", filepath.Join(dir, "no", "where")} {
		if f, err := Create(path); err == nil {
			f.Close()
			t.Errorf("%s may be replaced", path)
		}
	}
	if b, _ := os.ReadFile(source); string(b) != "package main\n" {
		t.Errorf("the file has now %q", b)
	}
	onlyFile(t, dir, "main.go")
}

// A damaged file gives an error or other moments, and never a panic.
func FuzzRead(f *testing.F) {
	r := random{rand.New(rand.NewPCG(3, 4))}
	whole := file(f, r.moment(), r.moment())
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, _ := Read(bytes.NewReader(b))
		if again, err := Read(bytes.NewReader(file(t, all...))); err != nil || len(again) != len(all) {
			t.Errorf("%d moments are %d when written again: %v", len(all), len(again), err)
		}
	})
}

// The same, behind the compression, whose checksum keeps most damage away.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"time":"2026-01-02T15:04:05Z","frames":[{"variables":[{"name":{"base64":"/w=="},"value":{"shape":"int","int":7}}]}]}`))
	f.Add([]byte(`{"time":"x"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := decode(line)
		if err != nil {
			return
		}
		b, err := encode(m)
		if err != nil {
			t.Skip("a year that JSON cannot have")
		}
		again, err := Read(bytes.NewReader(append(file(t), b...)))
		if err != nil || len(again) != 1 || !again[0].Time.Equal(m.Time) {
			t.Errorf("read again: %v", err)
		}
	})
}
