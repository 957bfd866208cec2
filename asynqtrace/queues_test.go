package asynqtrace_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// observed returns the measurements of the scene's queue: the size and the age of the
// oldest task, by state.
func (s *scene) observed() (sizes map[string]int64, ages map[string]float64) {
	s.Helper()
	var data metricdata.ResourceMetrics
	s.ok(s.metrics.Collect(context.Background(), &data))
	sizes, ages = make(map[string]int64), make(map[string]float64)
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				if m.Name == "mqtrace.asynq.queue.size" && (m.Unit != "{task}" || d.IsMonotonic) {
					s.Errorf("%s has unit %q, monotonic %v", m.Name, m.Unit, d.IsMonotonic)
				}
				for _, p := range d.DataPoints {
					if queue, _ := p.Attributes.Value("messaging.destination.name"); m.Name == "mqtrace.asynq.queue.size" && queue.AsString() == s.queue {
						state, _ := p.Attributes.Value("asynq.task.state")
						sizes[state.AsString()] = p.Value
					}
				}
			case metricdata.Gauge[float64]:
				for _, p := range d.DataPoints {
					system, _ := p.Attributes.Value("messaging.system")
					address, _ := p.Attributes.Value("server.address")
					if m.Name != "mqtrace.asynq.queue.oldest_age" || m.Unit != "s" || system.AsString() != "asynq" || address.AsString() == "" {
						s.Errorf("%s in %q has %v", m.Name, m.Unit, p.Attributes.ToSlice())
					}
					if queue, _ := p.Attributes.Value("messaging.destination.name"); queue.AsString() == s.queue {
						state, _ := p.Attributes.Value("asynq.task.state")
						ages[state.AsString()] = p.Value
					}
				}
			}
		}
	}
	return sizes, ages
}

func TestObserveQueues(t *testing.T) {
	t.Parallel()
	onRedis(t, func(t *testing.T, e *env) {
		s := newScene(t, e)
		inspector := asynq.NewInspector(s.redis)
		defer func() { _ = inspector.Close() }()
		registration, err := asynqtrace.ObserveQueues(inspector, s.opts(asynqtrace.WithRedis(s.redis))...)
		s.ok(err)
		if sizes, ages := s.observed(); len(sizes) != 0 || len(ages) != 0 {
			t.Errorf("sizes %v, ages %v of a queue that does not exist", sizes, ages)
		}
		s.put(s.task())
		s.put(s.task(asynq.TaskID("t2"), asynq.ProcessIn(time.Hour)))
		s.put(s.task(asynq.TaskID("t3"), asynq.ProcessIn(time.Hour)))
		s.put(s.task(asynq.TaskID("t4"), asynq.Group("g")))
		s.put(s.task(asynq.TaskID("t5")))
		s.ok(inspector.ArchiveTask(s.queue, "t5"))
		want := map[string]int64{"active": 0, "pending": 1, "aggregating": 1, "scheduled": 2, "retry": 0, "archived": 1, "completed": 0}
		sizes, ages := s.observed()
		if age, ok := ages["pending"]; !maps.Equal(sizes, want) || len(ages) != 1 || !ok || age < 0 || age > patience.Seconds() {
			t.Errorf("sizes %v, want %v; ages %v", sizes, want, ages)
		}
		s.ok(registration.Unregister())
		if sizes, ages := s.observed(); len(sizes) != 0 || len(ages) != 0 {
			t.Errorf("afterwards sizes %v, ages %v", sizes, ages)
		}
	})
	if _, err := asynqtrace.ObserveQueues(nil); err == nil {
		t.Error("no error without an inspector")
	}
}

// handledErrors returns the errors given to OpenTelemetry's error handler until the test
// ends.
func handledErrors(t *testing.T) func() []error {
	t.Helper()
	var mu sync.Mutex
	var handled []error
	before := otel.GetErrorHandler()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		handled = append(handled, err)
	}))
	t.Cleanup(func() { otel.SetErrorHandler(before) })
	return func() []error {
		mu.Lock()
		defer mu.Unlock()
		return handled
	}
}

// silentInspector returns an inspector for a Redis that accepts connections and does not
// answer.
func silentInspector(t *testing.T) *asynq.Inspector {
	t.Helper()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: silent.Addr().String(), ReadTimeout: patience})
	t.Cleanup(func() {
		_ = silent.Close() // ends a read
		_ = inspector.Close()
	})
	return inspector
}

// A Redis that does not answer delays one collection, up to its deadline, and does not cost
// it other metrics.
func TestObserveQueuesOfASilentRedis(t *testing.T) {
	handled := handledErrors(t)
	metrics := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(metrics))
	if _, err := asynqtrace.ObserveQueues(silentInspector(t), asynqtrace.WithMeterProvider(provider)); err != nil {
		t.Fatal(err)
	}
	counter, err := provider.Meter("test").Int64Counter("other")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(context.Background(), 1)
	collect := func(timeout time.Duration) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		var data metricdata.ResourceMetrics
		if err := metrics.Collect(ctx, &data); err != nil || len(data.ScopeMetrics) != 1 {
			t.Errorf("collected %+v, %v", data.ScopeMetrics, err)
		}
	}
	began := time.Now()
	collect(100 * time.Millisecond)
	before := runtime.NumGoroutine()
	for range 10 {
		collect(patience)
	}
	if took := time.Since(began); took > patience/2 || runtime.NumGoroutine() > before {
		t.Errorf("11 collections took %v, %d goroutines became %d", took, before, runtime.NumGoroutine())
	}
	errs := handled()
	if len(errs) != 11 || !errors.Is(errs[0], context.DeadlineExceeded) || errors.Is(errs[1], context.DeadlineExceeded) {
		t.Errorf("handled %v", errs)
	}
}

// A collection without a deadline does not wait for Redis forever.
func TestCollectionWithoutDeadline(t *testing.T) {
	t.Parallel()
	metrics := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(metrics))
	if _, err := asynqtrace.ObserveQueues(silentInspector(t), asynqtrace.WithMeterProvider(provider)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var data metricdata.ResourceMetrics
	if err := metrics.Collect(context.Background(), &data); err != nil || time.Since(began) > patience/2 {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// An inspector that is closed too early is reported, and does not affect other metrics.
func TestObserveQueuesOfAClosedRedis(t *testing.T) {
	handled := handledErrors(t)
	s := newScene(t, newEnv(t, startRedis(t)))
	inspector := asynq.NewInspector(s.redis)
	_, err := asynqtrace.ObserveQueues(inspector, s.opts(asynqtrace.WithRedis(s.redis))...)
	s.ok(err)
	s.ok(inspector.Close())
	if sizes, _ := s.observed(); len(sizes) != 0 || len(handled()) != 1 {
		t.Errorf("sizes %v, handled %v", sizes, handled())
	}
}
