package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel"

	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

// adoptLibraryLogs redirects what libraries print to the log. Otherwise it would be plain
// text between JSON lines.
func adoptLibraryLogs() {
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: telemetry.LogLevel()}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("OpenTelemetry", "error", err)
	}))
	redis.SetLogger(redisLogger{log})
}

// redisLogger logs at debug level: go-redis reports each failed attempt, and
// the caller gets the error.
type redisLogger struct{ log *slog.Logger }

func (l redisLogger) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, fmt.Sprintf(format, v...))
}
