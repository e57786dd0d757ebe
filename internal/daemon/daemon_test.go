package daemon

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"math"
	"math/big"
	"math/rand"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// fakeProber is a Prober of a process that is not there. A location says what
// becomes of a probe.
type fakeProber struct {
	mu     sync.Mutex
	opt    Options
	events chan probe.Event
	specs  map[string]probe.Spec
	closed chan struct{}
}

type fakeEngine struct {
	mu      sync.Mutex
	probers []*fakeProber
}

type refused struct{ error }

func (refused) Refused() bool { return true }

type mistake struct{ error }

func (mistake) ProbeID() string { return "p7" }

type taken struct{}

func (taken) Error() string { return fmt.Sprintf("in use by another Sidelight (pid %d)", os.Getpid()) }
func (taken) HeldBy() int   { return os.Getpid() }

func (e *fakeEngine) open(_ context.Context, pid int, opt Options) (Prober, error) {
	if pid == 13 {
		return nil, fmt.Errorf("no luck: %w", refused{errors.New("not permitted")})
	}
	p := &fakeProber{opt: opt, events: make(chan probe.Event, 1000), specs: map[string]probe.Spec{}, closed: make(chan struct{})}
	opt.Log.Warn("cleared", "its pid", 7, "took", 3*time.Millisecond)
	opt.Log.Debug("opened")
	e.mu.Lock()
	defer e.mu.Unlock()
	e.probers = append(e.probers, p)
	return p, nil
}

func (p *fakeProber) Install(ctx context.Context, specs []probe.Spec) (*probe.Ready, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ready := &probe.Ready{PID: 4711, Pause: 640 * time.Microsecond}
	for _, s := range specs {
		switch s.At {
		case "slow":
			<-ctx.Done()
			return nil, ctx.Err()
		case "mistake":
			return nil, mistake{errors.New("no such name")}
		case "taken":
			return nil, taken{}
		}
		p.specs[s.ID] = s
		ready.Probes = append(ready.Probes, probe.Report{Probe: s.ID, Location: s.At, Sites: 1, Jumps: 1,
			Issues: []probe.Issue{{Code: probe.IssueTaken, Message: "by another Sidelight (pid 1)"}}})
	}
	p.events <- ready
	return ready, nil
}

func (p *fakeProber) Events() <-chan probe.Event { return p.events }

func (p *fakeProber) Remove(ids ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if _, ok := p.specs[id]; ok {
			delete(p.specs, id)
			p.events <- &probe.End{Probe: id, Reason: probe.EndRemoved}
		}
	}
	return nil
}

func (p *fakeProber) State() []probe.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []probe.State
	for id, s := range p.specs {
		all = append(all, probe.State{Probe: id, Kind: s.Kind, Location: s.At, Hits: 5})
	}
	return all
}

func (p *fakeProber) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.specs {
		p.events <- &probe.End{Probe: id, Reason: probe.EndInterrupted, Hits: 9}
	}
	close(p.events)
	close(p.closed)
	return nil
}

// run starts a daemon of this test's own.
func run(t *testing.T, idle time.Duration) (*fakeEngine, *Client, chan error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	e, done := &fakeEngine{}, make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	d := &Daemon{Open: e.open, Idle: idle}
	go func() { done <- d.Run(ctx) }()
	c := &Client{}
	eventually(t, "the daemon answers", func() bool {
		_, _, _, err := c.ask(context.Background(), hello{Do: doList})
		return err == nil
	})
	return e, c, done
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("it never came that %s", what)
}

func open(t *testing.T, c *Client, pid int, log *slog.Logger) *Session {
	t.Helper()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s, err := c.Open(context.Background(), pid, "shop", Options{Budget: 0.5, Log: log, Owner: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func collect(s *Session) (func() []probe.Event, chan struct{}) {
	var mu sync.Mutex
	var got []probe.Event
	over := make(chan struct{})
	go func() {
		defer close(over)
		for e := range s.Events() {
			mu.Lock()
			got = append(got, e)
			mu.Unlock()
		}
	}()
	return func() []probe.Event {
		mu.Lock()
		defer mu.Unlock()
		return append([]probe.Event{}, got...)
	}, over
}

func TestSessionIsAProber(t *testing.T) {
	e, c, _ := run(t, time.Minute)
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	s := open(t, c, 4711, log)
	got, over := collect(s)
	specs := []probe.Spec{{ID: "p1", Kind: probe.Log, At: "a.go:1", Message: "{x}"}, {ID: "p2", Kind: probe.Count, At: "a.go:2"}}
	ready, err := s.Install(context.Background(), specs)
	if err != nil || len(ready.Probes) != 2 || ready.Pause != 640*time.Microsecond {
		t.Fatalf("%+v, %v", ready, err)
	}
	if p := e.probers[0]; p.opt.Budget != 0.5 || p.opt.Redact == nil || !reflect.DeepEqual(p.specs["p1"], specs[0]) {
		t.Errorf("the engine got %+v", p.opt)
	}
	e.probers[0].events <- &probe.Hit{Probe: "p1", Seq: 1, Message: "seven"}
	eventually(t, "the state comes", func() bool { return len(s.State()) == 2 })
	list, err := c.List(context.Background())
	if err != nil || len(list) != 2 || list[0].Owner != "test" || list[0].Target != "shop" || list[0].Client != os.Getpid() {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := s.Remove("p1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the probe is removed", func() bool {
		for _, e := range got() {
			if end, ok := e.(*probe.End); ok && end.Probe == "p1" {
				return true
			}
		}
		return false
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-over
	events := got()
	if end, ok := events[len(events)-1].(*probe.End); !ok || end.Probe != "p2" || end.Hits != 9 {
		t.Errorf("the last event is %+v", events[len(events)-1])
	}
	if hit, ok := events[1].(*probe.Hit); !ok || hit.Message != "seven" {
		t.Errorf("the second event is %+v", events[1])
	}
	if text := said.String(); !strings.Contains(text, `level=WARN msg=cleared "its pid"=7 took=3ms`) || strings.Contains(text, "opened") {
		t.Errorf("the log says %q", text)
	}
	eventually(t, "the list is empty", func() bool { list, err := c.List(context.Background()); return err == nil && len(list) == 0 })
}

func TestErrorsKeepTheirMeaning(t *testing.T) {
	_, c, _ := run(t, time.Minute)
	quiet := slog.New(slog.DiscardHandler)
	_, err := c.Open(context.Background(), 13, "", Options{Log: quiet})
	var r refusing
	if !errors.As(err, &r) || !r.Refused() || err.Error() != "no luck: not permitted" {
		t.Errorf("%v", err)
	}
	for at, check := range map[string]func(error) bool{
		"mistake": func(err error) bool {
			var m mistaken
			return errors.As(err, &m) && m.ProbeID() == "p7" && err.Error() == "no such name"
		},
		"taken": func(err error) bool {
			var h holding
			var m mistaken
			return errors.As(err, &h) && h.HeldBy() == os.Getpid() && !errors.As(err, &m) && strings.Contains(err.Error(), "sidelight probes")
		},
		"slow": func(err error) bool { return errors.Is(err, context.Canceled) },
	} {
		s := open(t, c, 4711, nil)
		_, over := collect(s)
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		_, err := s.Install(ctx, []probe.Spec{{ID: "p7", At: at}})
		cancel()
		if err == nil || !check(err) {
			t.Errorf("%s: %v", at, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-over
	}
}

// Two clients on one target, one dies: its probes go, the other's stay.
func TestDeathOfAClient(t *testing.T) {
	e, c, _ := run(t, time.Minute)
	var sessions []*Session
	for range 2 {
		s := open(t, c, 4711, nil)
		collect(s)
		if _, err := s.Install(context.Background(), []probe.Spec{{ID: "p1", Kind: probe.Log, At: "a.go:1"}}); err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, s)
	}
	sessions[0].conn.Close() // what the kernel does for a process that is killed
	select {
	case <-e.probers[0].closed:
	case <-time.After(10 * time.Second):
		t.Fatal("the probes of a dead client stay")
	}
	select {
	case <-e.probers[1].closed:
		t.Fatal("the probes of the other are gone, too")
	case <-time.After(100 * time.Millisecond):
	}
	list, err := c.List(context.Background())
	if err != nil || len(list) != 1 || list[0].ID != "2.p1" {
		t.Errorf("%+v, %v", list, err)
	}
	if n, err := c.Remove(context.Background(), []string{"2.p2"}); n != 0 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := c.Remove(context.Background(), []string{"2"}); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := sessions[1].Close(); err != nil {
		t.Error(err)
	}
}

// A client dies in the middle of its installation.
func TestDeathWhileInstalling(t *testing.T) {
	e, c, _ := run(t, time.Minute)
	s := open(t, c, 4711, nil)
	collect(s)
	if err := s.send(call{Install: &installCall{[]probe.Spec{{ID: "p1", At: "slow"}}}}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	s.conn.Close()
	select {
	case <-e.probers[0].closed:
	case <-time.After(10 * time.Second):
		t.Fatal("the installation goes on")
	}
}

func TestIdleDaemonEnds(t *testing.T) {
	_, c, done := run(t, 200*time.Millisecond)
	s := open(t, c, 4711, nil)
	_, over := collect(s)
	select {
	case err := <-done:
		t.Fatalf("it ended while it had a client: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	<-over
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
	if list, err := c.List(context.Background()); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestDaemonOfAnotherBuildLeaves(t *testing.T) {
	_, c, done := run(t, time.Minute)
	real := Identity
	defer func() { Identity = real }()
	Identity = func() (string, error) { return "a newer one", nil }
	_, err := c.Open(context.Background(), 4711, "", Options{Log: slog.New(slog.DiscardHandler)})
	var away *UnavailableError
	if !errors.As(err, &away) {
		t.Errorf("%v", err)
	}
	select {
	case <-done: // an idle one makes room
	case <-time.After(10 * time.Second):
		t.Fatal("it stays")
	}
}

func TestDaemonOfAnotherBuildKeepsItsProbes(t *testing.T) {
	_, c, done := run(t, time.Minute)
	s := open(t, c, 4711, nil)
	collect(s)
	real := Identity
	defer func() { Identity = real }()
	Identity = func() (string, error) { return "a newer one", nil }
	_, err := c.Open(context.Background(), 4711, "", Options{Log: slog.New(slog.DiscardHandler)})
	var away *UnavailableError
	if !errors.As(err, &away) {
		t.Errorf("%v", err)
	}
	select {
	case <-done:
		t.Fatal("it left its client alone")
	case <-time.After(700 * time.Millisecond):
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestProbesBesideADaemonOfAnotherBuild lists probes that a client of another build
// holds itself, takes one out by the daemon, and forgets them when they are gone.
func TestProbesBesideADaemonOfAnotherBuild(t *testing.T) {
	e, c, done := run(t, time.Minute)
	s := open(t, c, 4711, nil) // so that the daemon stays
	collect(s)
	if _, err := s.Install(context.Background(), []probe.Spec{{ID: "p1", At: "old.go:1"}}); err != nil {
		t.Fatal(err)
	}
	real := Identity
	defer func() { Identity = real }()
	Identity = func() (string, error) { return "a newer one", nil }
	own, err := e.open(context.Background(), 4712, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	p := c.Announce(own, 4712, "shop", "sidelight log")
	specs := []probe.Spec{{ID: "p1", At: "new.go:1", If: "n > 1"}, {ID: "p2", At: "new.go:2"}}
	if _, err := p.Install(context.Background(), specs); err != nil {
		t.Fatal(err)
	}
	var list []Entry
	listed := func(n int) func() bool {
		return func() bool {
			list, err = c.List(context.Background())
			return err == nil && len(list) == n
		}
	}
	eventually(t, "all probes are listed", listed(3))
	for _, x := range list {
		if x.State.Location == "new.go:1" && (x.PID != 4712 || x.Target != "shop" || x.Owner != "sidelight log" || x.Client != os.Getpid() || x.If != "n > 1" || !strings.HasSuffix(x.ID, ".p1")) {
			t.Errorf("%+v", x)
		}
		if x.State.Location == "new.go:2" {
			if n, err := c.Remove(context.Background(), []string{x.ID}); n != 1 || err != nil {
				t.Errorf("%d removed, %v", n, err)
			}
		}
	}
	eventually(t, "one was taken out", listed(2))
	other, err := e.open(context.Background(), 4713, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	q := c.Announce(other, 4713, "shop", "sidelight log")
	if _, err := q.Install(context.Background(), specs[1:]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "those of another client are listed", listed(3))
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "they are forgotten", listed(2))
	if states := own.State(); len(states) != 1 || states[0].Probe != "p1" {
		t.Errorf("%+v", states)
	}
	if err := s.Close(); err != nil { // nothing of its own holds the daemon any more
		t.Error(err)
	}
	eventually(t, "the daemon lets itself be sent away", func() bool { return c.leave(context.Background()) == nil })
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the daemon stays for another's probes")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestDirectoryIsPrivate(t *testing.T) {
	base := t.TempDir()
	t.Setenv("TMPDIR", base)
	t.Setenv("XDG_RUNTIME_DIR", "")
	dir, err := Dir()
	if err != nil || dir != filepath.Join(base, fmt.Sprintf("sidelight-%d", os.Geteuid())) {
		t.Fatalf("%s, %v", dir, err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Dir(); err == nil {
		t.Error("a directory that others may look into is taken")
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(base, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Dir(); err == nil {
		t.Error("a symbolic link is taken")
	}
	wide := t.TempDir()
	if err := os.Chmod(wide, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", wide)
	os.Remove(dir)
	if dir, err := Dir(); err != nil || strings.HasPrefix(dir, wide) {
		t.Errorf("%s, %v", dir, err)
	}
}

// What clients send can do no harm to others.
func TestRudeClients(t *testing.T) {
	_, c, _ := run(t, time.Minute)
	dir, err := Dir()
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, c, 4711, nil)
	collect(s)
	id, _ := Identity()
	random := rand.New(rand.NewSource(1))
	for i := range 200 {
		conn, err := net.Dial("unix", filepath.Join(dir, socketFile))
		if err != nil {
			t.Fatal(err)
		}
		junk := make([]byte, random.Intn(200))
		random.Read(junk)
		switch i % 4 {
		case 0:
			conn.Write(junk)
		case 1:
			fmt.Fprintf(conn, `{"sidelight":1,"build":%q,"do":"open"}`+"\n", id)
			conn.Write(junk)
		case 2:
			fmt.Fprintf(conn, `{"sidelight":99,"do":"dance"}`+"\n")
		case 3:
			fmt.Fprintf(conn, `{"sidelight":1,"build":%q,"do":"open"}`+"\n", id)
			_ = gob.NewEncoder(conn).Encode(call{Open: &openCall{PID: 4711}})
			conn.Write(junk)
		}
		conn.Close()
	}
	if _, err := s.Install(context.Background(), []probe.Spec{{ID: "p1", At: "a.go:1"}}); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Every event of package probe arrives as it was sent, whatever is in it.
func TestEventsArriveExactly(t *testing.T) {
	random := rand.New(rand.NewSource(time.Now().UnixNano()))
	var wire bytes.Buffer
	enc, dec := gob.NewEncoder(&wire), gob.NewDecoder(bufio.NewReader(&wire))
	for _, kind := range []probe.Event{&probe.Ready{}, &probe.Hit{}, &probe.Moment{}, &probe.CountNow{}, &probe.Measured{}, &probe.Span{}, &probe.End{}} {
		for range 25 {
			v := reflect.New(reflect.TypeOf(kind).Elem())
			fill(random, v.Elem(), 4)
			sent := answer{Events: []probe.Event{v.Interface().(probe.Event)}}
			if err := enc.Encode(sent); err != nil {
				t.Fatal(err)
			}
			var got answer
			if err := dec.Decode(&got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(sent, got) {
				t.Fatalf("sent %+v\n got %+v", sent.Events[0], got.Events)
			}
		}
	}
}

// fill gives a value anything; no list is empty but nil, and no pointer leads to
// zero, which gob does not tell apart. Numbers are never zero there.
func fill(r *rand.Rand, v reflect.Value, depth int) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(r.Int63n(1<<33), r.Int63n(1e9)).UTC()))
		return
	}
	if v.Type() == reflect.TypeFor[big.Int]() {
		v.Set(reflect.ValueOf(*new(big.Int).Mul(big.NewInt(r.Int63()), big.NewInt(r.Int63()))))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.Intn(2) == 0)
	case reflect.String:
		b := make([]byte, r.Intn(20))
		r.Read(b)
		v.SetString(string(b))
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Int16, reflect.Int8:
		v.SetInt(r.Int63() >> (64 - v.Type().Bits()) >> r.Intn(30))
	case reflect.Uint, reflect.Uint64, reflect.Uint32, reflect.Uint16, reflect.Uint8:
		v.SetUint(r.Uint64() >> (64 - v.Type().Bits()))
	case reflect.Float64:
		v.SetFloat([]float64{0, math.Inf(1), math.SmallestNonzeroFloat64, r.NormFloat64(), math.Copysign(1, -1)}[r.Intn(5)])
	case reflect.Slice:
		if n := r.Intn(4); depth > 0 && n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(r, v.Index(i), depth-1)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i), depth)
		}
	case reflect.Pointer:
		if depth > 0 && r.Intn(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem(), depth-1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i), depth)
		}
	case reflect.Map:
	default:
		panic("a kind of field that the test does not know: " + v.Type().String())
	}
}

// Every type that package probe calls an event can be sent.
func TestEveryEventIsRegistered(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("..", "probe", "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	source, err := os.ReadFile("wire.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Name.Name != "event" {
				continue
			}
			name := fn.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name
			if !strings.Contains(string(source), "&probe."+name+"{}") {
				t.Errorf("probe.%s is an event without a name on the wire: register it in wire.go", name)
			}
		}
	}
}

// An unexported field would be lost on the way.
func TestWordsHaveNoHiddenFields(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var look func(reflect.Type)
	look = func(typ reflect.Type) {
		if seen[typ] || typ == reflect.TypeFor[time.Time]() || typ == reflect.TypeFor[big.Int]() { // they encode themselves
			return
		}
		seen[typ] = true
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			look(typ.Elem())
		case reflect.Struct:
			for i := range typ.NumField() {
				if f := typ.Field(i); !f.IsExported() {
					t.Errorf("%s.%s is lost on the way to a client", typ, f.Name)
				} else {
					look(f.Type)
				}
			}
		}
	}
	for _, v := range []any{probe.Ready{}, probe.Hit{}, probe.Moment{}, probe.CountNow{}, probe.Measured{}, probe.Span{}, probe.End{}, probe.Spec{}, probe.State{}} {
		look(reflect.TypeOf(v))
	}
}

// TestNegativeZeroArrives: gob takes a zero of any sign for one that it need not
// send.
func TestNegativeZeroArrives(t *testing.T) {
	var buf bytes.Buffer
	sent := probe.Hit{Values: []probe.NamedValue{{Name: "x", Value: probe.Real(math.Copysign(0, -1), 64)}, {Name: "y", Value: probe.Real(0, 64)}}}
	if err := gob.NewEncoder(&buf).Encode(sent); err != nil {
		t.Fatal(err)
	}
	var got probe.Hit
	if err := gob.NewDecoder(&buf).Decode(&got); err != nil {
		t.Fatal(err)
	}
	x, y := got.Values[0].Value, got.Values[1].Value
	if x.String() != "-0" || string(x.AppendJSON(nil)) != "-0" || y.String() != "0" {
		t.Errorf("%s and %s", x, y)
	}
}
