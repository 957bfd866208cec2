// Package woven contains the tests of what is woven into a program. They are built with the
// tool:
//
//	go tool orchestrion go test -tags woven ./...
package woven
