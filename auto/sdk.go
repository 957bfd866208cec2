package auto

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	_ "unsafe" // for go:linkname

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// flushPatience is how long a program waits at its end for its last spans to be exported.
const flushPatience = 5 * time.Second

// sdk exports the spans and metrics of a program that has not set up OpenTelemetry itself.
type sdk struct {
	shutdowns []func(context.Context) error
	once      sync.Once
	signals   chan os.Signal
}

var installed atomic.Pointer[sdk]

// installing is true while we set up package otel ourselves, and not the program.
var installing atomic.Bool

// Start is called by woven code at the start of main, and the function that it returns at
// the end of main. It sets up OpenTelemetry from the standard environment variables. A
// program that sets up OpenTelemetry afterwards replaces it.
func Start() (stop func()) {
	o := settings()
	if off() || !o.sdk || os.Getenv("OTEL_SDK_DISABLED") == "true" {
		return func() {}
	}
	s := new(sdk)
	installing.Store(true)
	restore := setEndpoint()
	err := s.install(context.Background())
	restore()
	installing.Store(false)
	if err != nil {
		otel.Handle(err)
	}
	installed.Store(s)
	if !hostHandles.Load() {
		s.signals = make(chan os.Signal, 1)
		notify(s.signals)
		go s.handle()
	}
	return exit
}

// setEndpoint sets the exporters' default endpoint to the one in the specification, unless
// the environment sets one. Go's exporters default to HTTPS.
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/
func setEndpoint() (restore func()) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for _, name := range []string{
		endpoint, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_INSECURE",
	} {
		if os.Getenv(name) != "" {
			return func() {}
		}
	}
	before, isSet := os.LookupEnv(endpoint) // empty counts as unset
	value := "http://localhost:4318"
	if os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc" {
		value = "http://localhost:4317"
	}
	_ = os.Setenv(endpoint, value)
	return func() {
		if isSet {
			_ = os.Setenv(endpoint, before)
		} else {
			_ = os.Unsetenv(endpoint)
		}
	}
}

func (s *sdk) install(ctx context.Context) error {
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithProcessPID(),
		resource.WithProcessExecutableName(), resource.WithFromEnv())
	res, mergeErr := resource.Merge(resource.Default(), res)
	err = errors.Join(err, mergeErr)
	if exporter, exporterErr := autoexport.NewSpanExporter(ctx); exporterErr == nil {
		p := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(res))
		otel.SetTracerProvider(p)
		s.shutdowns = append(s.shutdowns, p.Shutdown)
	} else {
		err = errors.Join(err, exporterErr)
	}
	if reader, readerErr := autoexport.NewMetricReader(ctx); readerErr == nil {
		p := metric.NewMeterProvider(metric.WithReader(reader), metric.WithResource(res))
		otel.SetMeterProvider(p)
		s.shutdowns = append(s.shutdowns, p.Shutdown)
	} else {
		err = errors.Join(err, readerErr)
	}
	otel.SetTextMapPropagator(autoprop.NewTextMapPropagator())
	return err
}

// stop exports what is left.
func (s *sdk) stop() {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), flushPatience)
		defer cancel()
		closed := make(chan struct{})
		go func() { closings.Wait(); close(closed) }()
		select {
		case <-closed:
		case <-ctx.Done():
		}
		for _, shutdown := range s.shutdowns {
			if err := shutdown(ctx); err != nil {
				otel.Handle(err)
			}
		}
	})
}

// exit is called when main returns, and by os.Exit.
//
//go:linkname exit
func exit() {
	if s := installed.Load(); s != nil {
		s.stop()
	}
}

// providerSet is called when a tracer provider is set: the program has its own.
//
//go:linkname providerSet
func providerSet() {
	if installing.Load() {
		return
	}
	s := installed.Swap(nil)
	if s == nil {
		return
	}
	if s.signals != nil {
		signal.Stop(s.signals)
	}
	go s.drop()
}

// drop shuts down without exporting: everything recorded so far is from before the program
// set up its own SDK.
func (s *sdk) drop() {
	s.once.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for _, shutdown := range s.shutdowns {
			_ = shutdown(ctx) // the error only says that ctx was canceled
		}
	})
}

// ending are the signals that end a program that does not handle them, without returning
// from main.
var ending = []os.Signal{os.Interrupt, syscall.SIGTERM}

var (
	notifying   atomic.Bool // we are calling signal.Notify ourselves
	hostHandles atomic.Bool // the program handles the signals itself
)

func notify(c chan os.Signal) {
	notifying.Store(true)
	defer notifying.Store(false)
	// Signals that the program was started to ignore, as by nohup, stay ignored.
	heeded := slices.DeleteFunc(slices.Clone(ending), signal.Ignored)
	if len(heeded) > 0 { // Notify without signals means all of them
		signal.Notify(c, heeded...)
	}
}

// signalNotify is called when the program asks for signals, or for all of them if signals
// is empty.
//
//go:linkname signalNotify
func signalNotify(signals []os.Signal) {
	if notifying.Load() || len(signals) > 0 && !slices.ContainsFunc(signals, isEnding) {
		return
	}
	hostHandles.Store(true)
	if s := installed.Load(); s != nil && s.signals != nil {
		signal.Stop(s.signals)
	}
}

func isEnding(sig os.Signal) bool { return slices.Contains(ending, sig) }

// handle ends the program as the signal would have, after exporting its spans.
func (s *sdk) handle() {
	sig := <-s.signals
	if hostHandles.Load() {
		return
	}
	s.stop()
	signal.Reset(sig)
	if self, err := os.FindProcess(os.Getpid()); err != nil || self.Signal(sig) != nil {
		os.Exit(1)
	}
}
