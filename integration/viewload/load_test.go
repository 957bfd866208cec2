//go:build load

package viewload_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var (
	rate     = flag.Int("load.rate", 5_000, "`spans` a second")
	duration = flag.Duration("load.for", 3*time.Second, "for how `long`")
)

const (
	senders         = 4
	idleConnections = 200
	// maxResidentMiB is three times the 128 MiB of spans that view keeps by default, as its
	// help says, plus what the program takes without any.
	maxResidentMiB = 3*128 + 64
	// patience is how long an answer may take on a busy machine.
	patience = 20 * time.Second
)

// load is what the senders and the other clients have seen.
type load struct {
	view        *view
	client      *http.Client
	batch, bomb []byte
	number      atomic.Uint64 // of the last batch

	sent, delayed, hostile, looked atomic.Int64
	slowest                        atomic.Int64 // answer to the page, in nanoseconds
}

// Under load the program accepts every span, refuses what is malformed, answers the page,
// and stays within its memory.
func TestViewSurvivesLoad(t *testing.T) {
	l := &load{view: startView(t), batch: newBatch(t), bomb: newBomb(t), client: &http.Client{
		Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: senders + 2},
	}}
	t.Cleanup(l.client.CloseIdleConnections)
	l.view.idle(t, idleConnections)
	ctx, cancel := context.WithTimeout(t.Context(), *duration)
	defer cancel()
	started := time.Now()
	var work sync.WaitGroup
	for range senders {
		work.Go(func() { l.send(ctx, t, *rate/senders) })
	}
	work.Go(func() { l.attack(ctx, t) })
	work.Go(func() { l.look(ctx, t) })
	work.Wait()

	took := time.Since(started)
	resident := l.view.residentMiB(t)
	t.Logf("%d spans in %.1f s, %.0f a second; %d batches told to try again; %d hostile requests; "+
		"%d looks at the page, the slowest %v; %d MiB resident at most; %.1f s of CPU",
		l.sent.Load()*batchSize, took.Seconds(), float64(l.sent.Load()*batchSize)/took.Seconds(), l.delayed.Load(), l.hostile.Load(),
		l.looked.Load(), time.Duration(l.slowest.Load()).Round(time.Millisecond), resident, l.view.cpu(t).Seconds())
	if l.sent.Load() == 0 || l.hostile.Load() == 0 || l.looked.Load() == 0 {
		t.Error("no span was sent, or the page was never requested")
	}
	if resident > maxResidentMiB {
		t.Errorf("%d MiB resident, want %d at most", resident, maxResidentMiB)
	}
}

// send sends batches at a rate, in spans a second. A late batch is sent at once.
func (l *load) send(ctx context.Context, t *testing.T, rate int) {
	next := time.Now()
	for ctx.Err() == nil {
		body := renew(l.batch, l.number.Add(1))
		status, answer, err := l.post(t, body, "")
		for status == http.StatusServiceUnavailable && ctx.Err() == nil { // as exporters do
			l.delayed.Add(1)
			wait(t.Context(), 100*time.Millisecond)
			status, answer, err = l.post(t, body, "")
		}
		if status == http.StatusServiceUnavailable {
			return // it is over
		}
		if status != http.StatusOK || answer != "" || err != nil {
			t.Errorf("a batch is answered with %d: %s, %v", status, answer, err)
			return
		}
		l.sent.Add(1)
		next = next.Add(batchSize * time.Second / time.Duration(rate))
		wait(ctx, time.Until(next))
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// newBomb returns a small body that decompresses to more than the limit of 20 MiB.
func newBomb(t *testing.T) []byte {
	t.Helper()
	var body bytes.Buffer
	zip := gzip.NewWriter(&body)
	_, err := zip.Write(make([]byte, 40<<20))
	if err := errors.Join(err, zip.Close()); err != nil {
		t.Fatal(err)
	}
	return body.Bytes()
}

// attack sends requests that must be refused.
func (l *load) attack(ctx context.Context, t *testing.T) {
	large := make([]byte, 21<<20)
	for ctx.Err() == nil {
		for _, c := range []struct {
			name, encoding string
			body           []byte
			status         int
		}{
			{"no protobuf", "", []byte("hello"), http.StatusBadRequest},
			{"cut off", "", l.batch[:len(l.batch)/2], http.StatusBadRequest},
			{"no gzip", "gzip", l.batch, http.StatusBadRequest},
			{"a gzip bomb", "gzip", l.bomb, http.StatusRequestEntityTooLarge},
			{"a large body", "", large, http.StatusRequestEntityTooLarge},
		} {
			status, answer, err := l.post(t, c.body, c.encoding)
			// The server may close the connection while the rest of a body is on its way.
			closed := c.status == http.StatusRequestEntityTooLarge &&
				(errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF))
			if status != c.status && status != http.StatusServiceUnavailable && !closed {
				t.Errorf("%s is answered with %d: %s, %v", c.name, status, answer, err)
			}
			l.hostile.Add(1)
		}
		wait(ctx, 200*time.Millisecond)
	}
}

// look makes the requests of an open page, once a second.
func (l *load) look(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		began := time.Now()
		for _, path := range []string{"/", "/api/traces", "/api/traces?text=orders&attribute=messaging.system%3Dkafka", "/api/queues"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.view.url+path, http.NoBody)
			if err != nil {
				t.Error(err)
				return
			}
			if status, body, err := l.do(request); status != http.StatusOK || !strings.Contains(body, "trace") && !strings.Contains(body, "queues") || err != nil {
				t.Errorf("%s is answered with %d, %v", path, status, err)
			}
		}
		l.slowest.Store(max(l.slowest.Load(), int64(time.Since(began))))
		l.looked.Add(1)
		wait(ctx, time.Second-time.Since(began))
	}
}

func (l *load) post(t *testing.T, body []byte, encoding string) (status int, answer string, err error) {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.view.url+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	if encoding != "" {
		request.Header.Set("Content-Encoding", encoding)
	}
	return l.do(request)
}

func (l *load) do(request *http.Request) (status int, answer string, err error) {
	response, err := l.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}
