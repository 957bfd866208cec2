package main

import (
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v3"
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
				return fmt.Errorf("-o %s: text or json", format)
			}
			return nil
		},
	}
}

// printJSON writes a document for scripts and for people who look at it.
func printJSON(c *cli.Command, document any) error {
	encoder := json.NewEncoder(c.Root().Writer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(document)
}
