package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/livequeue"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracesource"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/weburl"
	"github.com/mqtrace/mqtrace/internal/traceview/queues"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

func queuesCommand() *cli.Command {
	return &cli.Command{ //nolint:gosec // the password is the broker's own default
		Name:      "queues",
		Usage:     "list the queues that traces went through, and what waits in them",
		ArgsUsage: "[FILE|URL]",
		Description: `Lists each queue in the traces of the view at -view or at URL, or in FILE: messages
that nothing has consumed, since when and of which tenants, messages a minute, waiting
and processing times, failures, retries and dead letters, publishers and consumers.
The queue that waits longest comes first. A message to be processed later counts as
waiting once it is due.

With -management or -redis, the broker's own depth and consumers are shown too.
WAITING counts messages whose publish was traced; DEPTH counts all.

Examples:
   mqtrace queues
   mqtrace queues http://127.0.0.1:4318 -o json
   mqtrace queues -management http://guest:guest@localhost:15672
   mqtrace queues traces.json -redis localhost:6379`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "view", Value: "http://127.0.0.1:4318", Usage: "ask the mqtrace view at `URL`"},
			&cli.StringFlag{
				Name: "management", Usage: "ask RabbitMQ's management API at `URL` for depth and consumers",
				Sources: cli.EnvVars("MQTRACE_MANAGEMENT_URL"),
			},
			&cli.StringFlag{Name: "redis", Usage: "ask asynq's Redis at `ADDR`, host:port or a redis:// URL, for depth and consumers"},
			outputFlag(),
		},
		Action: listQueues,
	}
}

// listedQueue is a queue as -o json prints it.
type listedQueue struct {
	queues.Queue

	Broker *livequeue.State `json:"broker,omitempty"`
}

func listQueues(ctx context.Context, c *cli.Command) error {
	if c.Args().Len() > 1 {
		return fmt.Errorf("expected at most one argument, FILE or URL, %w", errUsage)
	}
	ctx, cancel := context.WithTimeout(ctx, traceTimeout)
	defer cancel()
	found, err := findQueues(ctx, c, cmp.Or(c.Args().First(), c.String("view")))
	if err != nil {
		return err
	}
	states, err := brokerStates(ctx, c)
	if err != nil {
		return err
	}
	list := beside(found.Queues, states)
	slices.SortStableFunc(list, func(a, b listedQueue) int { return cmp.Compare(waitingFor(b, found.At), waitingFor(a, found.At)) })
	if isJSON(c) {
		return printJSON(c, struct {
			At     time.Time     `json:"at"`
			Queues []listedQueue `json:"queues"`
			Edges  []queues.Edge `json:"edges"`
		}{found.At, list, found.Edges})
	}
	if len(list) == 0 {
		fmt.Fprintln(c.Root().Writer, "No queues yet: no span sends or processes a message.")
		return nil
	}
	writeQueues(c, list, found.At)
	return nil
}

func findQueues(ctx context.Context, c *cli.Command, source string) (queues.Overview, error) {
	if !isURL(source) {
		traces, err := readFile(c, source)
		return queues.FindIn(traces, time.Now()), err
	}
	remote, err := tracesource.NewRemote(source)
	if err != nil {
		return queues.Overview{}, fmt.Errorf("%w, %w", err, errUsage)
	}
	found, err := remote.Queues(ctx)
	if errors.Is(err, syscall.ECONNREFUSED) {
		err = fmt.Errorf("%w; use -view to name the mqtrace view that has the traces", err)
	}
	return found, err
}

func brokerStates(ctx context.Context, c *cli.Command) (map[string]livequeue.State, error) {
	states := make(map[string]livequeue.State)
	if url := c.String("management"); url != "" {
		more, err := livequeue.Management(ctx, url)
		if errors.Is(err, weburl.ErrNotURL) {
			return nil, fmt.Errorf("-management is %w%s, %w", err, escapingHint(url), errUsage)
		}
		if err != nil {
			return nil, fmt.Errorf("-management: %w", err)
		}
		maps.Copy(states, more)
	}
	if c.String("redis") != "" {
		client, err := dialRedis(ctx, c)
		if err != nil {
			return nil, err
		}
		defer client.Close()
		more, unknown, err := livequeue.Asynq(ctx, client)
		if err != nil {
			return nil, fmt.Errorf("-redis: %w", err)
		}
		for _, name := range slices.Sorted(maps.Keys(unknown)) {
			warnf(c, "the depth of queue %q is unknown: %v", name, unknown[name])
		}
		maps.Copy(states, more)
	}
	return states, nil
}

// beside adds the broker's figures to each queue, and adds non-empty queues that no trace
// names.
func beside(found []queues.Queue, states map[string]livequeue.State) []listedQueue {
	list := make([]listedQueue, 0, len(found))
	for _, q := range found {
		listed := listedQueue{Queue: q}
		if state, ok := states[q.Name]; ok {
			listed.Broker = &state
			delete(states, q.Name)
		}
		list = append(list, listed)
	}
	for _, name := range slices.Sorted(maps.Keys(states)) {
		if state := states[name]; state.Depth > 0 {
			list = append(list, listedQueue{
				Queue:  queues.Queue{Name: name, Publishers: []string{}, Consumers: []string{}, Tenants: []string{}, Traces: []string{}},
				Broker: &state,
			})
		}
	}
	return list
}

func waitingFor(q listedQueue, at time.Time) time.Duration {
	if q.WaitingSince == nil {
		return 0
	}
	return max(1, at.Sub(*q.WaitingSince))
}

// writeQueues writes a table, and below it the waiting messages.
func writeQueues(c *cli.Command, list []listedQueue, at time.Time) {
	rows := [][]string{{"QUEUE", "WAITING", "FOR", "DEPTH", "CONSUMERS", "MSG/MIN", "P50", "P95", "LONGEST", "TOOK", "FAILED", "RETRIED", "DEAD", "FROM -> TO"}}
	for _, q := range list {
		rows = append(rows, queueRow(q, at))
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], textfmt.Width(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if i == 0 || i == len(row)-1 {
				line.WriteString(cell + strings.Repeat(" ", widths[i]-textfmt.Width(cell)+2))
			} else {
				line.WriteString(strings.Repeat(" ", widths[i]-textfmt.Width(cell)) + cell + "  ")
			}
		}
		fmt.Fprintln(c.Root().Writer, strings.TrimRight(line.String(), " "))
	}
	for _, q := range list {
		if q.Waiting > 0 {
			fmt.Fprintln(c.Root().Writer, waitingLine(q, at))
		}
		if q.Scheduled > 0 {
			fmt.Fprintf(c.Root().Writer, "\n%s: %s not due yet, the next in %s\n", textfmt.Printable(q.Name, maxQueueName),
				textfmt.Count(q.Scheduled, "message"), textfmt.FormatDuration(q.NextDue.Sub(at)))
		}
	}
}

func queueRow(q listedQueue, at time.Time) []string {
	name := textfmt.Printable(q.Name, maxQueueName)
	if q.Exchange {
		name += " (exchange)"
	}
	row := []string{name, number(q.Waiting), "", "", ""}
	if q.Waiting > 0 {
		row[2] = textfmt.FormatDuration(at.Sub(*q.WaitingSince))
	}
	if q.Broker != nil {
		row[3], row[4] = strconv.Itoa(q.Broker.Depth), strconv.Itoa(q.Broker.Consumers)
	}
	return append(row, strconv.FormatFloat(q.PerMinute, 'g', 3, 64),
		textfmt.FormatDuration(q.WaitP50), textfmt.FormatDuration(q.WaitP95), textfmt.FormatDuration(q.WaitLongest),
		textfmt.FormatDuration(q.ProcessingP50), number(q.Failures), number(q.Retries), number(q.DeadLetters),
		names(q.Publishers)+" -> "+names(q.Consumers))
}

const maxQueueName = 60

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func names(list []string) string {
	const most = 3
	if len(list) == 0 {
		return "none seen"
	}
	text := textfmt.Printable(strings.Join(list[:min(len(list), most)], ", "), 3*maxQueueName)
	if len(list) > most {
		text += fmt.Sprintf(" and %d more", len(list)-most)
	}
	return text
}

// waitingLine answers the first questions of a person on call.
func waitingLine(q listedQueue, at time.Time) string {
	since := q.WaitingSince.Local().Format(time.TimeOnly) //nolint:gosmopolitan // people read their own clocks
	line := fmt.Sprintf("\n%s: %s not consumed, the first since %s (%s)", textfmt.Printable(q.Name, maxQueueName),
		textfmt.Count(q.Waiting, "message"), since, textfmt.FormatDuration(at.Sub(*q.WaitingSince)))
	if len(q.Consumers) == 0 {
		line += ", and no consumer was seen: none runs, or none is traced"
	}
	if len(q.Tenants) > 0 {
		line += "\n   tenants: " + names(q.Tenants)
	}
	if len(q.Traces) > 0 {
		line += "\n   traces:  " + strings.Join(q.Traces[:min(len(q.Traces), 3)], " ")
	}
	return line
}
