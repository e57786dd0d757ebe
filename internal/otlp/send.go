package otlp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// tracesPath is where a collector takes traces by HTTP.
const tracesPath = "/v1/traces"

// Bounds of one request.
const (
	timeout   = 10 * time.Second
	maxTries  = 4
	firstWait = 500 * time.Millisecond
	maxWait   = 10 * time.Second
	maxAnswer = 64 << 10
)

// ToWriter sends requests to a file: each is a line.
func ToWriter(w io.Writer) Sender {
	return func(_ context.Context, request []byte) (int, string, error) {
		_, err := w.Write(append(request, '\n'))
		return 0, "", err
	}
}

// IsURL tells whether spans go to a collector there, and not to a file.
func IsURL(to string) bool {
	return strings.HasPrefix(to, "http://") || strings.HasPrefix(to, "https://")
}

// Endpoint is where a collector at an address takes traces.
func Endpoint(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if u.Host == "" || !IsURL(address) {
		return "", errors.New("write http://HOST:PORT, such as http://localhost:4318")
	}
	if !strings.HasSuffix(u.Path, tracesPath) {
		u.Path = strings.TrimSuffix(u.Path, "/") + tracesPath
	}
	return u.String(), nil
}

// Headers reads what OTEL_EXPORTER_OTLP_HEADERS has: name=value pairs with commas
// between them, percent-encoded.
func Headers(list string) (http.Header, error) {
	out := http.Header{}
	for _, pair := range strings.Split(list, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, text, ok := strings.Cut(pair, "=")
		v, err := url.PathUnescape(strings.TrimSpace(text))
		if name = strings.TrimSpace(name); !ok || name == "" || err != nil {
			return nil, errors.New("write NAME=VALUE, with commas between several and %2C for one in a value") // its values are secrets
		}
		out.Add(name, v)
	}
	return out, nil
}

// ToHTTP posts requests to an endpoint, and nowhere else: whoever it sends one to has
// not been asked for, and gets neither the spans nor the headers. What a receiver calls
// a passing trouble is tried again.
func ToHTTP(endpoint string, headers http.Header) Sender {
	client := &http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(ctx context.Context, request []byte) (int, string, error) {
		wait := firstWait
		for try := 1; ; try++ {
			rejected, told, again, err := post(ctx, client, endpoint, headers, request)
			if err == nil || again < 0 || try == maxTries {
				return rejected, told, err
			}
			select {
			case <-time.After(min(max(wait, again), maxWait)):
			case <-ctx.Done():
				return 0, "", err
			}
			wait *= 2
		}
	}
}

// post sends a request once. again says how long to wait before the next try, if
// that makes sense; else it is negative.
func post(ctx context.Context, client *http.Client, endpoint string, headers http.Header, request []byte) (rejected int, told string, again time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(request))
	if err != nil {
		return 0, "", -1, err
	}
	for name, values := range headers {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", 0, err
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return 0, "", time.Duration(max(seconds, 0)) * time.Second, refusal(resp, body)
	}
	if resp.StatusCode/100 != 2 {
		return 0, "", -1, refusal(resp, body)
	}
	rejected, told = partial(body)
	return rejected, told, -1, nil
}

// refusal is the error of an answer.
func refusal(resp *http.Response, body []byte) error {
	err := fmt.Errorf("it answered %s", resp.Status)
	var s struct{ Message string }
	if json.Unmarshal(body, &s) == nil && s.Message != "" {
		err = fmt.Errorf("%w: %s", err, s.Message)
	}
	if resp.StatusCode == http.StatusNotFound {
		err = fmt.Errorf("%w; is it the port of OTLP by HTTP, 4318?", err)
	}
	if to, gone := resp.Location(); gone == nil && resp.StatusCode/100 == 3 {
		err = fmt.Errorf("%w; if %s is meant, name it", err, to.Redacted())
	}
	return err
}

// partial reads how many spans of a request the receiver refused. It has the
// number as a string, as protobuf's JSON does, or as a number.
func partial(body []byte) (rejected int, told string) {
	var answer struct {
		PartialSuccess struct {
			RejectedSpans json.Number
			ErrorMessage  string
		}
	}
	if json.Unmarshal(body, &answer) != nil {
		return 0, ""
	}
	rejected, _ = strconv.Atoi(answer.PartialSuccess.RejectedSpans.String())
	return rejected, answer.PartialSuccess.ErrorMessage
}
