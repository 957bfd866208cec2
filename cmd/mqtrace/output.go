package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/escape"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// The two values of outputFlag.
const (
	outputText = "text"
	outputJSON = "json"
)

// outputFlag is -o, of every command that lists something.
func outputFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "o", Value: outputText, Usage: "print `FORMAT`: text or json",
		Validator: func(format string) error {
			if format != outputText && format != outputJSON {
				return errors.New("must be text or json")
			}
			return nil
		},
	}
}

// printJSON writes an indented document.
func printJSON(c *cli.Command, document any) error {
	encoder := json.NewEncoder(jsonOut(c))
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(document)
}

// jsonOut returns the output for JSON, which must not control the terminal.
func jsonOut(c *cli.Command) io.Writer { return escape.NewWriter(c.Root().Writer) }

func isJSON(c *cli.Command) bool { return c.String("o") == outputJSON }

// output is the standard output. It remembers its first error: a command whose output is
// incomplete, because the disk is full for instance, has failed.
type output struct {
	io.Writer

	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// treeOptions returns the options that suit the output: colour is used on a terminal only.
func treeOptions(c *cli.Command) terminal.Options {
	out := c.Root().Writer
	if o, ok := out.(*output); ok {
		out = o.Writer
	}
	if f, ok := out.(*os.File); ok {
		return terminal.OptionsFor(f)
	}
	return terminal.Options{Width: plainWidth}
}

// stdin returns what a command reads if its file is -.
func stdin(c *cli.Command) io.Reader {
	if r := c.Root().Reader; r != nil {
		return r
	}
	return os.Stdin
}

// open opens the file of that name, or the standard input for -.
func open(c *cli.Command, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(stdin(c)), nil
	}
	return os.Open(name) //nolint:gosec // the file that the user names
}

// plainWidth is the width of an output that is not a file.
const plainWidth = 100

// traceURLFlag is -trace-url, of every command that names traces.
func traceURLFlag() cli.Flag {
	return &cli.StringFlag{
		Name:  "trace-url",
		Usage: "link to each trace with this `TEMPLATE`, which contains {trace_id} and optionally {span_id}",
		Validator: func(template string) error {
			if template != "" && !strings.Contains(template, "{trace_id}") {
				return errors.New("must contain {trace_id}")
			}
			return nil
		},
	}
}

// warnf reports a problem that does not stop the command.
func warnf(c *cli.Command, format string, args ...any) {
	fmt.Fprintln(c.Root().ErrWriter, "mqtrace: warning:", printable(fmt.Sprintf(format, args...)))
}

// printable keeps text from servers and messages from controlling the terminal.
func printable(text string) string {
	const maxLine = 2048
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = textfmt.Printable(line, maxLine)
	}
	return strings.Join(lines, "\n")
}
