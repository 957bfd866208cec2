// Package troubleshooting reproduces the symptoms of docs/troubleshooting.md, each with its
// cause, on an in-process broker. Those of the SDK setup are in integration/snippets.
package troubleshooting
