package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// logbook is a driver that records the statements that reach the database, as its log
// would.
type logbook struct{ statements []string }

func (l *logbook) Open(string) (driver.Conn, error) { return l, nil }

func (*logbook) Close() error { return nil }

func (*logbook) Prepare(string) (driver.Stmt, error) { return nil, driver.ErrSkip }

func (*logbook) Begin() (driver.Tx, error) { return nil, driver.ErrSkip }

func (l *logbook) ExecContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	l.statements = append(l.statements, query)
	return driver.ResultNoRows, nil
}

// The statement carries the trace, and the span carries no parameter.
func TestStatementLeadsToTheTrace(t *testing.T) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	log := new(logbook)
	sql.Register("logbook", log)
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	orders, err := open(t.Context(), "logbook", provider)
	if err != nil {
		t.Fatal(err)
	}
	defer orders.Close()
	ctx, request := provider.Tracer("test").Start(t.Context(), "POST /orders")
	if err := orders.insert(ctx, "o-1", "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	request.End()

	statement := log.statements[len(log.statements)-1]
	if want := "/*traceparent='00-" + request.SpanContext().TraceID().String(); !strings.Contains(statement, want) {
		t.Errorf("the statement is %s", statement)
	}
	if strings.Contains(statement, "ada@") {
		t.Errorf("the statement has a parameter: %s", statement)
	}
	for _, span := range spans.Ended() {
		if text := fmt.Sprint(span.Name(), span.Attributes(), span.Events()); strings.Contains(text, "ada@") {
			t.Errorf("a parameter is in %s", text)
		}
	}
}
