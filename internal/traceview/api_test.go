package traceview_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"testing"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/otlp"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// get requests a path from the handler. Headers come in pairs.
func get(h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}

	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)

	return w
}

// getJSON decodes an answer of the handler, which must have status 200.
func getJSON[T any](t *testing.T, h http.Handler, path string) (answer T) {
	t.Helper()

	w := get(h, path)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != jsonType {
		t.Fatalf("%s: %d %s: %s", path, w.Code, w.Header().Get("Content-Type"), w.Body)
	}

	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s: %v: %s", path, err, w.Body)
	}

	return answer
}

type listAnswer struct {
	Traces []tree.Summary
	Found  int
}

// stored returns a handler for a store with the given spans.
func stored(all ...spans.Span) http.Handler { return storedWithin(traceview.Limits{}, all...) }

func storedWithin(limits traceview.Limits, all ...spans.Span) http.Handler {
	kept := traceview.NewStore(limits)
	kept.Add(all...)

	return traceview.NewHandler(kept)
}

func TestAPIListsTheNewestFirst(t *testing.T) {
	h := stored(append(sample.Order().Spans, sample.SpanOf(1, 1), sample.SpanOf(2, 1))...)

	got := getJSON[listAnswer](t, h, "/api/traces")
	if got.Found != 3 || len(got.Traces) != 3 || got.Traces[0].ID != sample.TraceID(2).String() {
		t.Fatalf("%+v", got)
	}

	start, _ := sample.Order().Bounds()
	want := tree.Summary{
		ID: sample.ID.String(), Service: "order-api", Name: "POST /orders", Start: start,
		Duration: sample.Order().Duration(), Waited: got.Traces[2].Waited, Spans: 10, Errors: 1,
		Services: []string{"order-api", "payment", "notification", "email-worker"},
		Queues:   []string{"orders", "order-notifications", "emails"},
	}
	if !reflect.DeepEqual(got.Traces[2], want) || want.Waited <= 0 {
		t.Errorf("got %+v, want %+v", got.Traces[2], want)
	}

	if got := getJSON[listAnswer](t, h, "/api/traces?limit=1"); got.Found != 3 || len(got.Traces) != 1 {
		t.Errorf("%+v", got)
	}

	if w := get(stored(), "/api/traces"); w.Body.String() != `{"traces":[],"found":0,"services":[],"queues":[]}`+"\n" {
		t.Errorf("nothing stored: %s", w.Body)
	}
}

func TestAPISearch(t *testing.T) {
	batch := sample.With(sample.With(sample.SpanOf(1, 1), "messaging.system", "rabbitmq"), "messaging.destination.name", "orders:order.created:audit")
	batch.Resource.Attributes = spans.Attributes{{Key: "deployment.environment.name", Value: "test"}}
	buried := sample.With(sample.With(sample.SpanOf(2, 1), "messaging.system", "rabbitmq"), "mqtrace.dead_letter.queues", []any{"audit", "other"})
	h := stored(append(sample.Order().Spans, sample.With(sample.SpanOf(1, 2), "n", int64(7)), batch, buried)...)

	order, one, two := sample.ID.String(), sample.TraceID(1).String(), sample.TraceID(2).String()
	for query, want := range map[string][]string{
		"":                                 {two, one, order},
		"text=4BF92f35":                    {order},
		"text=" + order:                    {order},
		"text=f92f35":                      nil, // An id is matched by prefix.
		"text=post+/ORD":                   {order},
		"text=email-w":                     {order},
		"text=post&text=nothing":           nil,
		"service=svc":                      {two, one},
		"service=sv":                       nil,
		"queue=order-notifications":        {order},
		"queue=audit":                      {two, one},
		"queue=orders:order.created:audit": {one},
		"queue=order.created":              {one},
		"queue=span":                       nil,
		"attribute=tenant.id%3Dacme":       {order},
		"attribute=tenant.id":              {order},
		"attribute=tenant.id%3Dac":         nil,
		"attribute=n%3D7":                  {one},
		"attribute=deployment.environment.name%3Dtest": {one},
		"attribute=n%3D7&queue=audit":                  {one}, // on different spans
		"attribute=n%3D7&attribute=tenant.id":          nil,
		"errors=true":                                  {order},
		"errors=true&service=svc":                      nil,
	} {
		var got []string
		for _, summary := range getJSON[listAnswer](t, h, "/api/traces?"+query).Traces {
			got = append(got, summary.ID)
		}

		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
}

func TestAPITraceIsOTLP(t *testing.T) {
	h := stored(sample.Order().Spans...)

	got, err := otlp.DecodeJSON(get(h, "/api/traces/"+sample.ID.String()).Body.Bytes())
	if err != nil || len(got.Spans) != len(sample.Order().Spans) || got.Spans[0].Name != "POST /orders" {
		t.Fatalf("%v: %+v", err, got)
	}

	for _, id := range []string{sample.OtherID.String(), "nonsense", "%00", url.PathEscape("<script>"), "00000000000000000000000000000000"} {
		w := get(h, "/api/traces/"+id)

		var answer struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusNotFound || answer.Error == "" {
			t.Errorf("%s: %d %s", id, w.Code, w.Body)
		}
	}
}
