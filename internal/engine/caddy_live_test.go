//go:build linux && amd64

package engine

import (
	"context"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// startCaddy runs a server that nobody here wrote, on loopback. SIDELIGHT_CADDY
// is its path; without it the tests of this file are skipped.
func startCaddy(t *testing.T) (c *child, url string) {
	t.Helper()
	path := os.Getenv("SIDELIGHT_CADDY")
	if path == "" {
		t.Skip("SIDELIGHT_CADDY names no caddy (go install github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9)")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"page.html": strings.Repeat("<p>a page of some length</p>\n", 500),
		"Caddyfile": fmt.Sprintf("{\nadmin off\nauto_https off\npersist_config off\n}\nhttp://%s {\nencode gzip\n"+
			"route /hello* {\nheader X-Test yes\nrespond \"hello {query.name}\" 200\n}\nfile_server /* {\nroot %s\n}\nlog {\noutput file %s/log\n}\n}\n", addr, dir, dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	said, err := os.Create(filepath.Join(dir, "said"))
	if err != nil {
		t.Fatal(err)
	}
	c = &child{t: t, path: path, cmd: exec.Command(path, "run", "--config", filepath.Join(dir, "Caddyfile"), "--adapter", "caddyfile")}
	c.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	c.cmd.Stdout, c.cmd.Stderr = said, said
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.cmd.Wait() }()
	t.Cleanup(func() {
		select {
		case err := <-ended:
			text, _ := os.ReadFile(said.Name())
			t.Errorf("caddy ended by itself: %v\n%s", err, text[max(0, len(text)-4000):])
		default:
			_ = c.cmd.Process.Kill()
			<-ended
		}
	})
	url = "http://" + addr
	for range 400 {
		if resp, err := http.Get(url + "/hello"); err == nil {
			resp.Body.Close()
			return c, url
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("caddy does not answer")
	return nil, ""
}

// traffic makes n requests to each path, in so many connections, and checks the
// answers.
func traffic(t *testing.T, url string, n, connections int) {
	t.Helper()
	var wg sync.WaitGroup
	transport := &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	for k := range connections {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := k; i < n; i += connections {
				name := "n" + strconv.Itoa(i)
				if got := get(t, client, url+"/hello?name="+name); got != "hello "+name {
					t.Errorf("the server says %q", got)
				}
				if got := get(t, client, url+"/page.html"); len(got) != 500*29 {
					t.Errorf("a page of %d bytes", len(got))
				}
			}
		}()
	}
	wg.Wait()
	time.Sleep(200 * time.Millisecond) // what a handler defers may run after its answer came
}

func get(t *testing.T, client *http.Client, url string) string {
	resp, err := client.Get(url)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// TestCaddyCountsEqualTheTraffic probes places that each request passes as often
// as its code says, and generic code as often as one request of each kind does.
func TestCaddyCountsEqualTheTraffic(t *testing.T) {
	c, url := startCaddy(t)
	const n = 2000 // requests to each of two paths
	generic := []string{"slices.Backward", "slices.Backward.func1"}
	var specs []probe.Spec
	for _, at := range generic {
		specs = append(specs, probe.Spec{ID: at, Kind: probe.Count, At: at})
	}
	o := observe(t, c, specs...)
	traffic(t, url, 1, 1)
	ends := o.end()
	want := map[string]uint64{
		"caddyhttp/server.go:555":             2 * n, // a hot line of the handler
		"net/http.NewResponseController":      2 * n, // inlined
		"caddyhttp.(*Server).ServeHTTP":       2 * n, // a method
		"caddyhttp.StaticResponse.ServeHTTP":  n,     // a method by value
		"fileserver.(*FileServer).ServeHTTP":  n,
		"caddyhttp.prepareRequest":            2 * n,
		"caddyhttp.(*Server).ServeHTTP.func1": 2 * n, // a deferred closure
		"caddyhttp/server.go:919":             2 * n, // a line of a closure
		"caddyhttp.(*Server).logRequest":      2 * n,
		"fileserver.(*FileServer).openFile":   n,
	}
	for _, at := range generic {
		if want[at] = n * o.sum(ends, at); want[at] == 0 {
			t.Errorf("%s is not passed", at)
		}
	}
	specs = []probe.Spec{{ID: "log", Kind: probe.Log, At: "caddyhttp/server.go:555", Message: "{r.Method} {r.URL.Path}", If: `r.Method == "GET"`}}
	for at := range want {
		specs = append(specs, probe.Spec{ID: at, Kind: probe.Count, At: at})
	}
	want["log"] = 2 * n
	o = observe(t, c, specs...)
	traffic(t, url, n, 8)
	ends = o.end()
	for id, passes := range want {
		if got := o.sum(ends, id); got != passes {
			t.Errorf("%s counted %d of %d", id, got, passes)
		}
	}
	if got := len(o.hits("log")); uint64(got) != ends["log"].Emitted {
		t.Errorf("%d hits came; %+v", got, ends["log"])
	}
	for _, h := range o.hits("log") {
		if h.Message != "GET /hello" && h.Message != "GET /page.html" {
			t.Fatalf("%q", h.Message)
		}
	}
	checkText(t, c)
}

// hotPackages are those whose code the traffic passes, by prefix.
var hotPackages = []string{
	"net/http", "github.com/caddyserver/caddy/v2", "bufio", "fmt", "net", "net/textproto", "io", "strings", "strconv",
	"go.uber.org/zap", "encoding/json", "os", "internal/poll", "context", "time", "sync", "reflect", "sort", "slices", "maps", "errors",
	"bytes", "mime", "path", "syscall", "internal/sync", "compress/flate", "compress/gzip", "github.com/klauspost", "unicode/utf8", "log", "crypto/tls", "io/fs",
}

// lines are the places file:line of functions of the hot packages.
func (o *observation) lines() []string {
	seen := map[string]bool{}
	for _, fn := range o.s.build.Funcs() {
		hot := slices.ContainsFunc(hotPackages, func(p string) bool { return fn.Package == p || strings.HasPrefix(fn.Package, p+"/") })
		if !hot || locate.Refused(fn) != "" {
			continue
		}
		for _, row := range o.s.build.Lines(fn) {
			if row.Stmt && row.Line > 0 {
				seen[fmt.Sprintf("%s:%d", row.File, row.Line)] = true
			}
		}
	}
	var out []string
	for at := range seen {
		out = append(out, at)
	}
	slices.Sort(out)
	return out
}

// busy makes traffic until it is told to stop.
func busy(t *testing.T, url string) (stop func()) {
	end, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			default:
				traffic(t, url, 100, 4)
			}
		}
	}()
	return func() { close(end); <-ended }
}

// roundsAndRandom are how often (SIDELIGHT_RANDOM) and by which chance.
func roundsAndRandom(t *testing.T, usual int) (int, *rand.Rand) {
	t.Helper()
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	if n, err := strconv.Atoi(os.Getenv("SIDELIGHT_RANDOM")); err == nil {
		usual = n
	}
	return usual, rand.New(rand.NewSource(seed))
}

// TestCaddyTakesHundredsOfProbes installs random lines together, under traffic,
// over and over. Lines that were passed come again more often.
func TestCaddyTakesHundredsOfProbes(t *testing.T) {
	c, url := startCaddy(t)
	rounds, r := roundsAndRandom(t, 4)
	o := collecting(t, c)
	lines := o.lines()
	_ = o.s.Close()
	var hot []string
	for round := range rounds {
		stop := busy(t, url)
		var specs []probe.Spec
		for i := range 400 {
			at := lines[r.Intn(len(lines))]
			if len(hot) > 0 && i%2 == 0 {
				at = hot[r.Intn(len(hot))]
			}
			s := probe.Spec{ID: fmt.Sprint(i), Kind: probe.Count, At: at}
			if i%4 < 2 {
				s.Kind, s.Message, s.Rate = probe.Log, "{$function} {$goroutine}", 1000
			}
			specs = append(specs, s)
		}
		o := collecting(t, c)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		ready, err := o.s.Install(ctx, specs)
		cancel()
		if err != nil { // lines with thousands of copies: too much for one command, and said so
			stop()
			_ = o.s.Close()
			if !strings.Contains(err.Error(), "ask for fewer") {
				t.Fatalf("round %d: %v", round, err)
			}
			t.Logf("round %d: %v", round, err)
			checkText(t, c)
			continue
		}
		time.Sleep(500 * time.Millisecond)
		ends := o.end()
		stop()
		sites, jumps := 0, 0
		before := len(hot)
		for _, p := range ready.Probes {
			sites, jumps = sites+p.Sites, jumps+p.Jumps
			if e := ends[p.Probe]; e != nil && e.Hits > 0 && !slices.Contains(hot, p.Location) {
				hot = append(hot, p.Location)
			}
		}
		t.Logf("round %d: %d sites, %d jumps, %d more hot lines; pause %v", round, sites, jumps, len(hot)-before, ready.Pause)
		checkText(t, c)
		if t.Failed() {
			t.FailNow()
		}
	}
}

// TestCaddyTakesProbesAnywhere puts counts before random instructions of
// functions that each request runs through.
func TestCaddyTakesProbesAnywhere(t *testing.T) {
	c, url := startCaddy(t)
	rounds, r := roundsAndRandom(t, 4)
	o := collecting(t, c)
	var all []uint64
	for _, prefix := range []string{"net/http.(*conn).", "net/http.(*response).", "net/http.readRequest", "net/http.(*Request).", "net/http.Header",
		"net/http.(*chunkWriter).", "github.com/caddyserver/caddy/v2/modules/caddyhttp.", "github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver.",
		"github.com/caddyserver/caddy/v2.(*Replacer).", "bufio.", "net/textproto.", "internal/poll.", "net.(*conn).", "net.(*netFD).", "os.(*File).",
		"go.uber.org/zap", "context.", "sync.(*Pool).", "sync.(*Mutex).", "sync.(*Once).", "time.(*Timer).", "time.Time.", "io.", "strings.", "strconv.", "fmt.",
		"compress/gzip.", "github.com/klauspost/compress", "encoding/json."} {
		all = append(all, o.instructions(prefix, anyInst)...)
	}
	_ = o.s.Close()
	t.Logf("%d instructions", len(all))
	for round := range rounds {
		stop := busy(t, url)
		pcs := make([]uint64, ring.ProbesMax)
		for i := range pcs {
			pcs[i] = all[r.Intn(len(all))]
		}
		o := collecting(t, c)
		spec := probe.Spec{Kind: probe.Count}
		if round%2 == 1 {
			spec = probe.Spec{Kind: probe.Log, Message: "{$goroutine}"}
		}
		p := o.planAt(spec, pcs)
		o.install(p)
		time.Sleep(500 * time.Millisecond)
		passed := 0
		for _, e := range o.end() {
			if e.Hits > 0 {
				passed++
			}
		}
		stop()
		t.Logf("round %d: %d windows, %d of the probes were passed", round, len(p.windows), passed)
		checkText(t, c)
		if t.Failed() {
			t.FailNow()
		}
	}
}
