package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"
)

// commands are the paths of all commands that do something.
func commands(c *cli.Command, path ...string) [][]string {
	if len(c.Commands) == 0 {
		return [][]string{path}
	}
	var all [][]string
	for _, sub := range c.Commands {
		all = append(all, commands(sub, append(slices.Clip(path), sub.Name)...)...)
	}
	return all
}

// Only names that cannot contain a comma may be listed with commas in one flag.
func TestCommasInFlags(t *testing.T) {
	var check func(c *cli.Command)
	check = func(c *cli.Command) {
		for _, f := range c.Flags {
			if _, many := f.(*cli.StringSliceFlag); many && !slices.Contains([]string{"state", "attribute"}, f.Names()[0]) && !c.DisableSliceFlagSeparator {
				t.Errorf("mqtrace %s splits -%s at commas", c.Name, f.Names()[0])
			}
		}
		for _, sub := range c.Commands {
			check(sub)
		}
	}
	check(newApp(nil, nil))
}

// Each command has a help with examples that fits a terminal.
func TestHelp(t *testing.T) {
	all := append(commands(newApp(nil, nil)), []string{"peek"}, []string{"send"}, []string{"probe"}, []string{})
	for _, path := range all {
		text := ok(t, append(slices.Clip(path), "-h")...)
		name := strings.Join(append([]string{"help"}, path...), "-")
		golden(t, name, strings.Replace(text, versionText(), "(devel) (go1.25.0, linux/amd64)", 1))
		if !strings.Contains(text, "Examples:\n      ") {
			t.Errorf("%s has no examples", name)
		}
		for line := range strings.Lines(text) {
			if len(line) > 101 {
				t.Errorf("%s: %d columns: %s", name, len(line)-1, line)
			}
		}
	}
}

// The help is also available after a part of a command.
func TestHelpAfterArguments(t *testing.T) {
	for _, args := range [][]string{{"peek", "amqp", "orders", "-n", "3", "-h"}, {"peek", "amqp", "-h", "orders"}} {
		if out := ok(t, args...); out != ok(t, "peek", "amqp", "-h") && !strings.Contains(out, "USAGE:\n   mqtrace peek amqp") {
			t.Errorf("%q: %s", args, out)
		}
	}
	fails(t, exitFailed, "nope", "help", "nope")
}

// A usage error names the help of the command that was called.
func TestUsageNamesTheHelp(t *testing.T) {
	for help, args := range map[string][]string{
		"see mqtrace -h":            {"nope"},
		"see mqtrace peek -h":       {"peek", "nope"},
		"see mqtrace peek amqp -h":  {"peek", "amqp"},
		"see mqtrace send asynq -h": {"send", "asynq", "-nope"},
		"see mqtrace trace -h":      {"trace", "-n", "0", "x"},
	} {
		fails(t, exitUsage, help+"\n", args...)
	}
}

// Completion offers commands and flags, in each shell's own way.
func TestCompletion(t *testing.T) {
	for shell, what := range map[string]string{"bash": "complete", "zsh": "compdef", "fish": "complete", "pwsh": "Register-ArgumentCompleter"} {
		if script := ok(t, "completion", shell); !strings.Contains(script, what) {
			t.Errorf("%s: %s", shell, script)
		}
	}
	for want, args := range map[string][]string{
		"peek:show the messages":     {},
		"asynq:tasks in a queue":     {"peek"},
		"--baggage-values:show the ": {"peek", "amqp", "--b"},
	} {
		// The library looks at os.Args.
		out, err := process(t, append(args, "--generate-shell-completion")...).Output()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %q is not offered: %s, %v", args, want, out, err)
		}
	}
}
