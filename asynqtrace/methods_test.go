package asynqtrace_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"github.com/hibiken/asynq"
)

// Every method of asynq's Client, true where it enqueues, so that a method added by a
// release fails the test until somebody decides what it means for traces. Those that
// enqueue have a counterpart: an embedded client's own would leave tasks without their
// trace.
var clientMethods = map[string]bool{
	"Enqueue": true, "EnqueueContext": true,
	"BatchEnqueueContext": true, // after 0.26
	"Close":               false, "Ping": false,
}

func TestEveryMethodOfTheClientIsAnswered(t *testing.T) {
	ours := clientMethodsOfOurs(t)
	host := reflect.TypeFor[*asynq.Client]()
	if host.NumMethod() == 0 {
		t.Fatalf("%v has no methods", host)
	}
	for i := range host.NumMethod() {
		m := host.Method(i)
		enqueues, ok := clientMethods[m.Name]
		if !ok || takesTasks(m.Type) && !enqueues {
			t.Errorf("%v.%s is new: does it enqueue tasks?", host, m.Name)
		}
		if enqueues && !ours[m.Name] {
			t.Errorf("%v.%s enqueues tasks and has no counterpart: the embedded client's is called", host, m.Name)
		}
	}
}

// clientMethodsOfOurs returns the methods that Client declares. Reflection would list the
// embedded client's too.
func clientMethodsOfOurs(t *testing.T) map[string]bool {
	t.Helper()
	isOurs := func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }
	packages, err := parser.ParseDir(token.NewFileSet(), ".", isOurs, parser.SkipObjectResolution) //nolint:staticcheck // no build tags here
	if err != nil {
		t.Fatal(err)
	}
	methods := make(map[string]bool)
	ast.Inspect(packages["asynqtrace"], func(n ast.Node) bool {
		if f, ok := n.(*ast.FuncDecl); ok && f.Recv != nil {
			if star, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok {
				if name, ok := star.X.(*ast.Ident); ok && name.Name == "Client" {
					methods[f.Name.Name] = true
				}
			}
		}
		return true
	})
	return methods
}

// takesTasks reports whether a method takes tasks, in whatever form.
func takesTasks(method reflect.Type) bool {
	for i := 1; i < method.NumIn(); i++ {
		if strings.Contains(method.In(i).String(), "asynq.Task") {
			return true
		}
	}
	return false
}
