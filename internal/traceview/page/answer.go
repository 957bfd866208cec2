package page

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// answers limits how many answers are made at a time, because large ones take several times
// the memory of their trace. Any number may be written at a time, because clients may read
// slowly, or not at all; a budget bounds those.
type answers struct {
	busy   chan struct{} // holds a token for each answer being made
	unread atomic.Int64  // bytes of large answers that clients have not read
}

const (
	maxAnswers = 4
	// maxUnread bounds the large answers that clients have not read; small ones do not
	// count.
	maxUnread   = 64 << 20
	smallAnswer = 256 << 10
	// pieceTime is how long a client may take to read a piece of an answer.
	pieceTime = 10 * time.Second
	pieceSize = 256 << 10
)

func newAnswers() *answers { return &answers{busy: make(chan struct{}, maxAnswers)} }

// limited lets only a few answers be made at once; others wait. Writing an answer does not
// count.
func (a *answers) limited(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case a.busy <- struct{}{}:
		case <-r.Context().Done():
			return
		}

		kept := &keptAnswer{ResponseWriter: w, status: http.StatusOK}

		func() {
			defer func() { <-a.busy }()

			answer(kept, r)
		}()

		a.send(w, kept)
	}
}

func (a *answers) send(w http.ResponseWriter, kept *keptAnswer) {
	size := int64(kept.body.Len())
	if size > smallAnswer {
		defer a.unread.Add(-size)

		if a.unread.Add(size) > maxUnread+size {
			w.Header().Set("Retry-After", "1")
			w.Header().Del("ETag")
			WriteError(w, http.StatusServiceUnavailable, "other clients have not read their answers yet")

			return
		}
	}

	w.WriteHeader(kept.status)
	_, _ = pieces{w}.Write(kept.body.Bytes()) // The client is gone: there is no one to report to.
}

// keptAnswer is an answer that has not been sent yet.
type keptAnswer struct {
	http.ResponseWriter

	status int
	body   bytes.Buffer
}

func (k *keptAnswer) WriteHeader(status int) { k.status = status }

func (k *keptAnswer) Write(p []byte) (int, error) { return k.body.Write(p) }

// pieces writes to a client that has to keep reading.
type pieces struct{ w http.ResponseWriter }

var _ io.Writer = pieces{}

func (p pieces) Write(b []byte) (written int, err error) {
	for len(b) > 0 && err == nil {
		// Not every ResponseWriter supports deadlines.
		_ = http.NewResponseController(p.w).SetWriteDeadline(time.Now().Add(pieceTime))

		var n int

		n, err = p.w.Write(b[:min(len(b), pieceSize)])
		written += n
		b = b[n:]
	}

	return written, err
}

// WriteError answers with an object that contains the error.
func WriteError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"error": message})
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) //nolint:errchkjson // The client is gone: there is no one to report to.
}
