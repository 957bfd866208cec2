// Package woven tests what is woven into a program. Its tests are built with the tool:
//
//	go tool orchestrion go test -tags woven ./...
package woven
