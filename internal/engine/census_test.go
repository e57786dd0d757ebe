package engine

import (
	"debug/elf"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// censusProgram is the program of a census: the one that SIDELIGHT_CENSUS names,
// or else a small one that is made, with its debug information uncompressed, so
// that each bit of it can be reached. step is how many functions stand for one.
func censusProgram(t *testing.T) (path string, step int) {
	if path = os.Getenv("SIDELIGHT_CENSUS"); path != "" {
		return path, 1
	}
	step = 10
	if testing.Short() {
		step = 60
	}
	return testprog.Build(t, map[string]string{"main.go": censusService}, testprog.Options{LDFlags: "-compressdwarf=false"}), step
}

// censusService brings a good part of the standard library with it.
const censusService = `package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"text/template"
)

type order struct {
	ID, Qty int
	Name    string
}

func total[T int | int64](list []T) (sum T) {
	for _, n := range list {
		sum += n
	}
	return sum
}

func main() {
	page := template.Must(template.New("page").Parse("{{.ID}} {{.Name}}"))
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		var o order
		if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
			http.Error(w, fmt.Sprint(err, total([]int{o.ID, o.Qty})), 400)
			return
		}
		page.Execute(w, o)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:0", nil))
}
`

// TestCensus asks for every function and line, and every variable there.
func TestCensus(t *testing.T) {
	path, step := censusProgram(t)
	x, err := Examine(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	began := time.Now()
	c := x.Census(step)
	t.Logf("in %v: %+v", time.Since(began).Round(time.Second), c)
	if c.Sites != c.Jumps+c.Traps && c.Sites-c.Jumps-c.Traps > c.Sites/100 {
		t.Errorf("%d of %d sites take no probe", c.Sites-c.Jumps-c.Traps, c.Sites)
	}
	if c.Jumps*100 < c.Sites*90 || c.Readable*100 < c.Variables*30 || c.Lines < 1000/step {
		t.Errorf("too little can be probed or read: %+v", c)
	}
	if c.Readable+c.OptimisedOut+c.Unset != c.Variables {
		t.Errorf("variables are missing: %+v", c)
	}
	for i, fn := range x.build.Funcs() {
		if i%(40*step) != 0 {
			continue
		}
		_, err := x.Where(fn.Name)
		explained(t, fn.Name, err)
	}
}

// explained holds an error to be one of those that say what to do next.
func explained(t *testing.T, at string, err error) {
	t.Helper()
	var syntax *locate.SyntaxError
	var gone *locate.NotFoundError
	var several *locate.AmbiguousError
	var refused *locate.RefusedError
	if err != nil && !errors.As(err, &syntax) && !errors.As(err, &gone) && !errors.As(err, &several) && !errors.As(err, &refused) {
		t.Errorf("%s: %v", at, err)
	}
}

// TestDamagedCensus flips bits in the debug information and cuts its sections
// off, and asks for probes at functions and lines: there are errors, other
// answers and fewer, but no panic, an end, and never a probe at an address that
// the whole build would not allow.
func TestDamagedCensus(t *testing.T) {
	path, step := censusProgram(t)
	whole, err := Examine(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rounds, enough := 12, 1000
	if testing.Short() {
		rounds, enough = 4, 100
	}
	if n, err := strconv.Atoi(os.Getenv("SIDELIGHT_RANDOM")); err == nil {
		rounds = n
	}
	sections := debugSections(t, path)
	rnd := rand.New(rand.NewPCG(7, uint64(rounds)))
	opened, probes := 0, 0
	file := filepath.Join(t.TempDir(), "prog")
	for i := range rounds {
		damaged := slices.Clone(image)
		what := damage(damaged, sections, rnd, i)
		if err := os.WriteFile(file, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := Examine(file, nil)
		if err != nil {
			t.Logf("round %d (%s): %v", i, what, err)
			continue
		}
		opened++
		began := time.Now()
		n := askDamaged(t, x, whole, 8*step, i, what)
		probes += n
		x.Close()
		t.Logf("round %d (%s): %d places in %v", i, what, n, time.Since(began))
	}
	t.Logf("%d of %d damaged files were opened, %d places of probes compared", opened, rounds, probes)
	if opened < rounds/2 || probes < enough {
		t.Errorf("%d of %d opened, %d places: too little was tested", opened, rounds, probes)
	}
}

type section struct {
	name      string
	off, size uint64
	header    uint64 // of its section header's size field in the file
}

func debugSections(t *testing.T, path string) []section {
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	table := leUint64(raw[0x28:]) // e_shoff
	var out []section
	for i, s := range f.Sections {
		if strings.HasPrefix(s.Name, ".debug_") && s.Size > 0 {
			out = append(out, section{s.Name, s.Offset, s.FileSize, table + uint64(i)*64 + 0x20})
		}
	}
	return out
}

func leUint64(b []byte) (n uint64) {
	for i := range 8 {
		n |= uint64(b[i]) << (8 * i)
	}
	return n
}

// damage flips bits all over, or many in one section, or cuts one off.
func damage(image []byte, sections []section, rnd *rand.Rand, round int) string {
	one := sections[round/3%len(sections)]
	switch round % 3 {
	case 0:
		n := 1 << (round % 11)
		for range n {
			s := sections[rnd.IntN(len(sections))]
			image[s.off+rnd.Uint64N(s.size)] ^= 1 << rnd.IntN(8)
		}
		return fmt.Sprintf("%d bits", n)
	case 1:
		for range 256 {
			image[one.off+rnd.Uint64N(one.size)] ^= 1 << rnd.IntN(8)
		}
		return "256 bits of " + one.name
	}
	size := rnd.Uint64N(one.size)
	for i := range 8 {
		image[one.header+uint64(i)] = byte(size >> (8 * i))
	}
	return fmt.Sprintf("%s cut to %d of %d bytes", one.name, size, one.size)
}

// askDamaged asks for probes at some functions and all their lines, and compares
// where each would go with what the whole build allows there.
func askDamaged(t *testing.T, x, whole *Examiner, step, round int, what string) (probes int) {
	t.Helper()
	for i, fn := range x.build.Funcs() {
		if i%step != round%step && fn.Package != "main" {
			continue
		}
		code := locate.ReadCode(x.build, fn)
		ask := [][]locate.Site{code.Entry()}
		for _, at := range code.Places() {
			ask = append(ask, code.Sites(at.File, at.Line))
		}
		c := compared{t: t, what: what, x: x, whole: whole, asked: newPlanner(x.build), allowed: newPlanner(whole.build), may: map[*debuginfo.Func]bool{}}
		for _, sites := range ask {
			probes += c.windows(sites)
		}
		if i%(10*step) == round%step { // the whole way of a probe, now and then
			_, err := x.Where(fn.Name)
			explained(t, fn.Name, err)
		}
	}
	return probes
}

// compared compares the probes of one function of a damaged build with what
// the whole one allows.
type compared struct {
	t              *testing.T
	what           string
	x, whole       *Examiner
	asked, allowed *planner
	may            map[*debuginfo.Func]bool // functions that take probes at all
}

func (c *compared) windows(sites []locate.Site) (n int) {
	c.t.Helper()
	for i, w := range c.x.ways(c.asked, sites) {
		if w.how == probe.Refused {
			continue
		}
		n++
		pc := sites[i].PC
		fn := c.whole.build.FuncAt(pc)
		if fn == nil {
			c.t.Errorf("%s: a probe at %#x, in no function", c.what, pc)
			continue
		}
		may, known := c.may[fn]
		if !known {
			may = locate.Allows(c.whole.build, fn)
			c.may[fn] = may
		}
		if !may {
			c.t.Errorf("%s: a probe at %#x in %s, which takes none", c.what, pc, fn.Name)
		}
		if _, err := c.allowed.window(asked{at: pc, pc: pc}, 0); err != nil {
			c.t.Errorf("%s: a probe at %#x in %s: %v", c.what, pc, fn.Name, err)
		}
	}
	return n
}
