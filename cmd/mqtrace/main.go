// Command mqtrace is the command-line tool. `mqtrace -h` lists its commands.
//
//	go install github.com/mqtrace/mqtrace/cmd/mqtrace@latest
//
// It exits with 0 on success, 1 on failure, 2 on a usage error, and 3 if a probe found that the
// trace context does not survive.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/urfave/cli/v3"
	"go.opentelemetry.io/otel"
)

const (
	exitFailed  = 1
	exitUsage   = 2
	exitDamaged = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	// The second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	quiet()
	os.Exit(run(ctx, os.Args, os.Stdout, os.Stderr))
}

// endings are the signals that end a command gracefully. A closed terminal and a lost ssh
// session send SIGHUP, which must stay ignored under nohup.
func endings() []os.Signal {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// quiet keeps libraries from printing. Their failures are returned as errors,
// OpenTelemetry's exporter may print credentials from its environment variables, and
// unreadable baggage is not an error of the tool.
func quiet() {
	redis.SetLogger(discard{})
	setZero(otel.SetLogger)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
}

// discard is a logger for go-redis.
type discard struct{}

func (discard) Printf(context.Context, string, ...any) {}

// setZero sets the zero value. A zero logr.Logger discards everything.
func setZero[T any](set func(T)) {
	var zero T
	set(zero)
}

// errUsage marks an error in how the command was called. run adds the command to its text.
var errUsage = errors.New("see mqtrace -h")

// errDamaged is the error of a probe whose context did not survive.
var errDamaged = errors.New("the trace context did not survive")

// errInterrupted is the error of a command that a signal interrupted.
var errInterrupted = errors.New("interrupted")

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (exitCode int) {
	out := &output{Writer: stdout}
	app := newApp(out, stderr)
	err := app.Run(ctx, args)
	if err == nil {
		err = out.err
	}
	if err == nil {
		return 0
	}
	text := strings.ReplaceAll(err.Error(), errUsage.Error(), "see "+helpOf(app, args))
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Server {
		text = strings.ReplaceAll(text, refused.Error(), fmt.Sprintf("the broker says %s (%d)", refused.Reason, refused.Code))
	}
	fmt.Fprintln(stderr, "mqtrace:", printable(text))
	switch {
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errDamaged):
		return exitDamaged
	default:
		return exitFailed
	}
}

func newApp(stdout, stderr io.Writer) *cli.Command {
	cli.FlagStringer, cli.ShowCommandHelp = flagText, showCommandHelp
	cli.UsageCommandHelp = "show all commands, or the help of one"
	app := &cli.Command{
		Name:                  "mqtrace",
		Usage:                 "see the traces of message queues, and what is stuck in them",
		Description:           description,
		Version:               versionText(),
		Writer:                stdout,
		ErrWriter:             stderr,
		EnableShellCompletion: true,
		ExitErrHandler:        func(context.Context, *cli.Command, error) {}, // run prints errors
		Commands: []*cli.Command{
			peekCommand(),
			sendCommand(),
			probeCommand(),
			tapCommand(),
			traceCommand(),
			viewCommand(),
			queuesCommand(),
			brokerCommand(),
		},
		Action: showHelp,
	}
	setUsageErrors(app)
	return app
}

// groupCommand only has subcommands.
func groupCommand(name, usage, description string, commands ...*cli.Command) *cli.Command {
	return &cli.Command{Name: name, Usage: usage, Description: description, Commands: commands, Action: showHelp}
}

// showHelp is the action of a command that requires a subcommand.
func showHelp(_ context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return fmt.Errorf("unknown command %q, %w", c.Args().First(), errUsage)
	}
	if c.Root() == c {
		return cli.ShowAppHelp(c)
	}
	return cli.ShowSubcommandHelp(c)
}

// setUsageErrors marks errors in the flags of a command and its subcommands.
func setUsageErrors(c *cli.Command) {
	c.OnUsageError = func(_ context.Context, _ *cli.Command, err error, _ bool) error {
		return fmt.Errorf("%w, %w", err, errUsage)
	}
	for _, sub := range c.Commands {
		setUsageErrors(sub)
	}
}

// onlyArgument returns the one argument of a command.
func onlyArgument(c *cli.Command, name string) (string, error) {
	if c.Args().Len() != 1 || c.Args().First() == "" {
		return "", fmt.Errorf("expected one argument, %s, %w", name, errUsage)
	}
	return c.Args().First(), nil
}

func positive(n int) error {
	if n <= 0 {
		return errors.New("must be greater than 0")
	}
	return nil
}

// version returns the module's version, as `go install` and `go build` in a clone record
// it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// versionText is the output of -version, for bug reports.
func versionText() string {
	return fmt.Sprintf("%s (%s, %s/%s)", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
