// Package viewload holds the load test of `mqtrace view`: spans at a steady rate from
// several senders, while others are slow, idle or hostile and a page is open. The short
// form is part of make load; the long one, whose figures are in docs/view.md, is
//
//	go test -tags load -count=1 -v ./integration/viewload -args -load.rate 56000 -load.for 30s
package viewload
