package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/sidelight-dev/sidelight/internal/otlp"
	"github.com/sidelight-dev/sidelight/internal/sink"
	"github.com/sidelight-dev/sidelight/internal/target"
)

// lastWait is how long the last spans may take on their way to a collector.
const lastWait = 10 * time.Second

// export sends spans to a collector or into a file; end says what became of them.
func (a *App) export(to string, p target.Process, out *spread) (end func() error, err error) {
	send, shown, closed, err := destination(to)
	if err != nil {
		return nil, fmt.Errorf("--otlp: %w", err)
	}
	r, err := resourceOf(p)
	if err != nil {
		return nil, err
	}
	e := otlp.New(send, r)
	out.to = append(out.to, e.Add)
	return func() error {
		t := e.Close(lastWait)
		if err := closed(); err != nil {
			return fmt.Errorf("--otlp %s: %w", shown, err)
		}
		if !out.live {
			return nil
		}
		if t.Lost > 0 {
			return fmt.Errorf("--otlp %s: %s of %s spans were lost: %w", shown, sink.Number(uint64(t.Lost)), sink.Number(uint64(t.Sent+t.Lost)), t.Reason)
		}
		fmt.Fprintf(a.Stderr, "sent %s spans to %s\n", sink.Number(uint64(t.Sent)), shown)
		return nil
	}, nil
}

// hostAndPort is what somebody writes who means a collector, and not a file.
var hostAndPort = regexp.MustCompile(`^[\w.-]*:\d+$`)

// destination is how requests get to a collector or into a file, and its name
// without secrets.
func destination(to string) (send otlp.Sender, shown string, closed func() error, err error) {
	if !otlp.IsURL(to) {
		// What a program in production had in its memory is for its owner alone.
		if hostAndPort.MatchString(to) {
			return nil, "", nil, fmt.Errorf("write http://%s for a collector, or ./%s for a file", to, to)
		}
		file, err := createFresh(to, 0o600)
		if err != nil {
			return nil, "", nil, err
		}
		if err := file.private(); err != nil {
			return nil, "", nil, errors.Join(err, file.Close())
		}
		return otlp.ToWriter(file), to, file.Close, nil
	}
	endpoint, err := otlp.Endpoint(to)
	if err != nil {
		return nil, "", nil, err
	}
	headers := http.Header{}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		more, err := otlp.Headers(os.Getenv(name))
		if err != nil {
			return nil, "", nil, fmt.Errorf("%s: %w", name, err)
		}
		for key, values := range more {
			headers[key] = values // those for traces count more
		}
	}
	u, _ := url.Parse(endpoint)
	return otlp.ToHTTP(endpoint, headers), u.Redacted(), func() error { return nil }, nil
}

// resourceOf says of a process what OpenTelemetry's conventions have a name for.
// What the environment of this command says counts more.
func resourceOf(p target.Process) (otlp.Resource, error) {
	r := otlp.Resource{{Key: "service.name", Value: p.Name}, {Key: "process.pid", Value: int64(p.PID)}}
	add := func(key, v string) {
		for i := range r {
			if r[i].Key == key {
				r[i].Value = v
				return
			}
		}
		if v != "" {
			r = append(r, otlp.Attr{Key: key, Value: v})
		}
	}
	if p.ModuleVersion != "(devel)" {
		add("service.version", p.ModuleVersion)
	}
	if host, err := os.Hostname(); err == nil {
		add("host.name", host)
	}
	add("process.runtime.name", p.Runtime)
	add("process.runtime.version", p.RuntimeVersion)
	add("process.executable.build_id.go", p.BuildID)
	add("vcs.ref.head.revision", p.Revision)
	if p.Modified {
		r = append(r, otlp.Attr{Key: "sidelight.vcs.modified", Value: true})
	}
	for _, pair := range strings.Split(os.Getenv("OTEL_RESOURCE_ATTRIBUTES"), ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, text, ok := strings.Cut(pair, "=")
		v, err := url.PathUnescape(strings.TrimSpace(text))
		if key = strings.TrimSpace(key); !ok || key == "" || err != nil {
			return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %q: write KEY=VALUE, with commas between several", pair)
		}
		add(key, v)
	}
	if name := os.Getenv("OTEL_SERVICE_NAME"); name != "" {
		add("service.name", name)
	}
	return r, nil
}
