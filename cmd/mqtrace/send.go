package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v3"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/peek"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/send"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/telemetry"
)

func sendCommand() *cli.Command {
	return groupCommand("send", "publish or enqueue one traced message",
		`The message continues the trace in the environment's TRACEPARENT, TRACESTATE and
BAGGAGE, or starts one. Its span is sent to OTEL_EXPORTER_OTLP_ENDPOINT, as service
OTEL_SERVICE_NAME (by default mqtrace). Without an endpoint, or if the span cannot be
sent, the message still carries its trace.

Examples:
   mqtrace send amqp -exchange orders -key order.created -body '{"id":1}'
   mqtrace send asynq email:welcome -queue mail -file welcome.json
   TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 \
      mqtrace send amqp -key orders -body again`,
		sendAMQPCommand(), sendAsynqCommand())
}

func sendFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "body", Usage: "send `TEXT`"},
		&cli.StringFlag{Name: "file", Usage: "send the contents of `FILE`, - for standard input"},
		&cli.StringSliceFlag{Name: "H", Usage: "add a header, `NAME=VALUE`"},
		&cli.DurationFlag{
			Name: "wait", Value: defaultWait, Usage: "give up after this `TIME`, such as 500ms",
			Validator: positiveTime,
		},
		traceURLFlag(),
		outputFlag(),
	}
}

const defaultWait = 10 * time.Second

func positiveTime(d time.Duration) error {
	if d <= 0 {
		return errors.New("must be greater than 0")
	}
	return nil
}

// sent is the output about a message. Its JSON names are documented.
type sent struct {
	System    string `json:"system"`
	Exchange  string `json:"exchange,omitempty"`
	Key       string `json:"routing_key,omitempty"`
	Confirmed bool   `json:"confirmed,omitempty"`
	Queue     string `json:"queue,omitempty"`
	Type      string `json:"type,omitempty"`
	State     string `json:"state,omitempty"`
	ID        string `json:"message_id,omitempty"`

	// Absent if the message has no trace.
	TraceID   string `json:"trace_id,omitempty"`
	SpanID    string `json:"span_id,omitempty"`
	Sampled   bool   `json:"sampled"`
	Continued bool   `json:"continued"` // the trace is TRACEPARENT's
	Link      string `json:"link,omitempty"`
}

// traced runs f, which sends a message, within the environment's trace, and shuts down the
// telemetry, whose errors are only warnings.
func traced(
	ctx context.Context, c *cli.Command, what *sent,
	work func(ctx context.Context, provider trace.TracerProvider) (trace.SpanContext, error),
) error {
	inner, continued, err := telemetry.FromEnvironment(ctx)
	if err != nil {
		warnf(c, "TRACEPARENT is not used: %v", err)
	}
	inner, cancel := context.WithTimeout(inner, c.Duration("wait"))
	defer cancel()
	if err := telemetry.Check(); err != nil {
		return fmt.Errorf("%w, %w", err, errUsage)
	}
	t := telemetry.New(ctx, version())
	span, err := work(inner, t.TracerProvider)
	if lost := t.Shutdown(ctx); lost != nil {
		warnf(c, "the span was not sent: %v", lost)
	}
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("no answer within %v; the message may have arrived", c.Duration("wait"))
		}
		return err
	}
	if span.IsValid() {
		what.TraceID, what.SpanID = span.TraceID().String(), span.SpanID().String()
		what.Sampled, what.Continued = span.IsSampled(), continued
		what.Link = peek.Link(c.String("trace-url"), what.TraceID, what.SpanID)
	}
	return nil
}

func printSent(c *cli.Command, s *sent, text string) error {
	if isJSON(c) {
		return printJSON(c, s)
	}
	lines := []string{text}
	switch s.TraceID {
	case "":
		lines = append(lines, "no trace: OTEL_SDK_DISABLED is set, and TRACEPARENT is not")
	default:
		line := "trace " + s.TraceID + ", span " + s.SpanID
		if s.Continued {
			line += ", continued from TRACEPARENT"
		}
		if !s.Sampled {
			line += ", not sampled"
		}
		lines = append(lines, line)
	}
	if s.Link != "" {
		lines = append(lines, s.Link)
	}
	_, err := fmt.Fprintln(c.Root().Writer, printable(strings.Join(lines, "\n")))
	return err
}

// body reads -body or -file.
func body(c *cli.Command) ([]byte, error) {
	if c.IsSet("body") && c.IsSet("file") {
		return nil, fmt.Errorf("-body and -file cannot be used together, %w", errUsage)
	}
	if !c.IsSet("file") {
		return []byte(c.String("body")), nil
	}
	text, err := send.ReadBody(c.String("file"), stdin(c))
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	return text, nil
}

// headers reads -H. Trace headers come from the environment only.
func headers(c *cli.Command) (map[string]string, error) {
	out := make(map[string]string)
	for _, text := range c.StringSlice("H") {
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" {
			return nil, fmt.Errorf("-H %q is not of the form NAME=VALUE, %w", text, errUsage)
		}
		switch strings.ToLower(name) {
		case "traceparent", "tracestate", "baggage":
			return nil, fmt.Errorf("-H %s: set %s in the environment instead, %w", name, strings.ToUpper(name), errUsage)
		}
		out[name] = value
	}
	return out, nil
}
