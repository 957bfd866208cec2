package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"

	"github.com/XSAM/otelsql"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// store keeps orders in SQLite.
type store struct{ *sql.DB }

// open opens an in-memory database whose statements have spans and carry the trace context
// in a comment.
func open(ctx context.Context, driverName string, provider trace.TracerProvider) (*store, error) {
	db, err := otelsql.Open(driverName, ":memory:",
		otelsql.WithTracerProvider(provider),
		otelsql.WithAttributes(semconv.DBSystemNameSQLite),
		otelsql.WithSQLCommenter(true),
		otelsql.WithSpanNameFormatter(name),
		// A span for each statement, and none for the driver's other work. The text has
		// placeholders; the parameters, which are the customer's data, are not recorded.
		otelsql.WithSpanOptions(otelsql.SpanOptions{
			OmitConnResetSession: true, OmitConnectorConnect: true, OmitConnPrepare: true, OmitRows: true,
			// A failed statement is a span with an error status, without an exception event.
			RecordError: func(error) bool { return false },
			// Outside a request, a statement would be a trace of its own.
			SpanFilter: func(ctx context.Context, method otelsql.Method, _ string, _ []driver.NamedValue) bool {
				return method != otelsql.MethodConnPing && trace.SpanContextFromContext(ctx).IsValid()
			},
		}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // Each connection to :memory: has a database of its own.
	_, err = db.ExecContext(ctx, "CREATE TABLE orders (id TEXT PRIMARY KEY, email TEXT)")
	return &store{db}, err
}

// name returns the operation and the table, as the semantic conventions require. Table
// names come from the program and are few; statement texts are not.
func name(_ context.Context, method otelsql.Method, query string) string {
	words := strings.Fields(query)
	if len(words) > 2 && words[0] == "INSERT" {
		return "INSERT " + words[2]
	}
	return string(method)
}

func (s *store) insert(ctx context.Context, id, email string) error {
	_, err := s.ExecContext(ctx, "INSERT INTO orders (id, email) VALUES (?, ?)", id, email)
	return err
}
