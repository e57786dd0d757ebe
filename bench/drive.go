package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// drive keeps a server busy: so many connections, each of which asks again as soon
// as it has its answer.
type drive struct {
	answered atomic.Uint64
	failed   atomic.Pointer[error]
	stopping atomic.Bool
	done     sync.WaitGroup
}

func startDrive(port, connections int) (*drive, error) {
	d := &drive{}
	for i := range connections {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			d.stop()
			return nil, err
		}
		d.done.Add(1)
		go func() {
			defer d.done.Done()
			defer c.Close()
			if err := d.ask(c, i); err != nil {
				d.failed.Store(&err)
			}
		}()
	}
	return d, nil
}

// ask sends requests until the drive stops.
func (d *drive) ask(c net.Conn, id int) error {
	in := bufio.NewReader(c)
	for ; !d.stopping.Load(); id++ {
		if _, err := fmt.Fprintf(c, "GET /order?id=%d HTTP/1.1\r\nHost: busy\r\n\r\n", id%1000); err != nil {
			return err
		}
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
		if r.StatusCode != http.StatusOK {
			return fmt.Errorf("the server answers %s", r.Status)
		}
		d.answered.Add(1)
	}
	return nil
}

// stop ends the drive. The error is that of a connection that failed.
func (d *drive) stop() error {
	d.stopping.Store(true)
	d.done.Wait()
	if err := d.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// moment is a moment of a drive.
type moment struct {
	at       time.Time
	answered uint64
}

func (d *drive) now() moment { return moment{time.Now(), d.answered.Load()} }

// rate is the answers a second between two moments.
func (m moment) rate(to moment) float64 {
	return float64(to.answered-m.answered) / to.at.Sub(m.at).Seconds()
}
