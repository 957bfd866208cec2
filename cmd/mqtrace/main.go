// Command mqtrace is the tool beside the packages. `mqtrace -h` lists what it does.
//
//	go install github.com/mqtrace/mqtrace/cmd/mqtrace@latest
//
// It exits 0 when a command has done its work, 1 when it could not, and 2 when it was
// called in a way that it does not know.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/urfave/cli/v3"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// The second signal ends the process the hard way.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args, os.Stdout, os.Stderr))
}

// errUsage marks an error in how the command was called.
var errUsage = errors.New("see mqtrace -h")

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (exitCode int) {
	err := newApp(stdout, stderr).Run(ctx, args)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "mqtrace:", err)
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

func newApp(stdout, stderr io.Writer) *cli.Command {
	app := &cli.Command{
		Name:                  "mqtrace",
		Usage:                 "the tool beside the packages: an in-process AMQP broker",
		Version:               version(),
		Writer:                stdout,
		ErrWriter:             stderr,
		EnableShellCompletion: true,
		ExitErrHandler:        func(context.Context, *cli.Command, error) {}, // run does it
		Commands:              []*cli.Command{brokerCommand()},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return fmt.Errorf("there is no command %q, %w", c.Args().First(), errUsage)
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, c := range append(app.Commands, app) {
		c.OnUsageError = func(_ context.Context, _ *cli.Command, err error, _ bool) error {
			return fmt.Errorf("%w, %w", err, errUsage)
		}
	}
	return app
}

// version is that of the module, as `go install` records it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
