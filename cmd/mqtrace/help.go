package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v3"
)

// description is the text of mqtrace -h about all commands.
const description = `Each command has its own help with examples: mqtrace peek amqp -h.
Flags may be written with one hyphen or two.

Examples:
   mqtrace peek amqp orders.dead        which traces the dead letters belong to
   mqtrace trace 4bf92f3577b34da6a3ce929d0e0e4736
   mqtrace probe amqp -queue probe      whether trace context survives
   source <(mqtrace completion bash)    completion in the shell; also zsh, fish and pwsh

Environment:
   MQTRACE_AMQP_URL, MQTRACE_REDIS_ADDR and MQTRACE_MANAGEMENT_URL keep the servers'
      passwords off the command line.

TLS:
   amqps://USER:PASSWORD@HOST/?cacertfile=CA.pem&certfile=CERT.pem&keyfile=KEY.pem
      &server_name_indication=NAME takes the CA, a client's certificate with its key, and
      the name in the server's certificate, each optional; rediss:// and https:// take them
      too.
   Without cacertfile, the system's CAs are trusted; SSL_CERT_FILE=CA.pem replaces them
      on Linux.
   Spans sent to https:// use OTEL_EXPORTER_OTLP_CERTIFICATE,
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY.

Exit codes:
   0  success
   1  failure
   2  usage error
   3  probe: the trace context did not survive`

// The width and the indent of an option's text. The template indents it further.
const (
	helpWidth  = 92
	helpIndent = "\n "
)

// flagText returns a flag for the help: its name as the examples spell it, and below that
// its usage, wrapped.
func flagText(f cli.Flag) string {
	var b strings.Builder
	b.WriteString("-" + strings.Join(f.Names(), ", -"))
	doc, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return b.String()
	}
	usage := doc.GetUsage()
	if before, rest, quoted := strings.Cut(usage, "`"); quoted {
		name, after, _ := strings.Cut(rest, "`")
		b.WriteString(" " + name)
		usage = before + name + after
	}
	if many, ok := f.(cli.DocGenerationMultiValueFlag); ok && many.IsMultiValueFlag() {
		usage += "; may be repeated"
	}
	if value := defaultText(doc); value != "" {
		usage += " (default: " + value + ")"
	}
	if names := doc.GetEnvVars(); len(names) > 0 {
		usage += " [$" + strings.Join(names, ", $") + "]"
	}
	width := helpWidth + 1
	for word := range strings.FieldsSeq(usage) {
		if width+1+len(word) > helpWidth {
			b.WriteString(helpIndent + word)
			width = len(helpIndent) + len(word)
			continue
		}
		b.WriteString(" " + word)
		width += 1 + len(word)
	}
	return b.String()
}

// defaultText is empty for obvious defaults.
func defaultText(f cli.DocGenerationFlag) string {
	if !f.IsDefaultVisible() {
		return ""
	}
	switch value := strings.ReplaceAll(f.GetValue(), `"`, ""); value {
	case "0", "0s", "false", "[]":
		return ""
	default:
		return value
	}
}

// helpOf returns the help command line for the command in args.
func helpOf(app *cli.Command, args []string) string {
	path := []string{app.Name}
	for _, arg := range args[min(1, len(args)):] {
		sub := app.Command(arg)
		if sub == nil {
			break
		}
		app = sub
		path = append(path, arg)
	}
	return strings.Join(path, " ") + " -h"
}

// showCommandHelp shows a command's own help if arguments precede -h. The library would
// take the first of them for a command.
func showCommandHelp(ctx context.Context, c *cli.Command, name string) error {
	if lineage := c.Lineage(); len(c.VisibleCommands()) == 0 && len(lineage) > 1 {
		c, name = lineage[1], c.Name
	}
	return cli.DefaultShowCommandHelp(ctx, c, name)
}
