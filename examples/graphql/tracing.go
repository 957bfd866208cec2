package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/graphql-go/graphql"
	"github.com/graphql-go/graphql/language/ast"
	"github.com/graphql-go/graphql/language/parser"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// An operation is a parsed request. It is parsed before the span starts, because the span
// is named after it.
type operation struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`

	name, kind string // of the span, and query or mutation
}

type operationKey struct{}

// read parses the request. A request that cannot be parsed is named graphql; the schema
// rejects it.
func read(w http.ResponseWriter, r *http.Request) *operation {
	o := &operation{name: "graphql"}
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(o) != nil {
		return o
	}
	document, err := parser.Parse(parser.ParseParams{Source: o.Query})
	if err != nil {
		return o
	}
	for _, d := range document.Definitions {
		if definition, ok := d.(*ast.OperationDefinition); ok && o.selects(definition) {
			o.nameAfter(definition)
			break
		}
	}
	return o
}

func (o *operation) selects(d *ast.OperationDefinition) bool {
	return o.OperationName == "" || d.Name != nil && d.Name.Value == o.OperationName
}

// nameAfter takes the type of the operation and its first field. The schema bounds both: the
// operation's own name is the client's choice, and an attribute.
func (o *operation) nameAfter(d *ast.OperationDefinition) {
	o.kind, o.name = d.Operation, d.Operation
	if d.Name != nil {
		o.OperationName = d.Name.Value
	}
	if field, ok := d.SelectionSet.Selections[0].(*ast.Field); ok && known[field.Name.Value] {
		o.name += " " + field.Name.Value
	}
}

// The root fields of the schema. Others, which it rejects, would make the number of span
// names unbounded.
var known = map[string]bool{"placeOrder": true, "version": true, "__schema": true, "__type": true, "__typename": true}

// traced serves the schema, with a server span for each operation. Parsing before the span
// starts lets samplers see its name; otelhttp would name all of them POST.
func traced(schema graphql.Schema, provider trace.TracerProvider) http.Handler {
	handler := otelhttp.NewHandler(execute(schema), "",
		otelhttp.WithTracerProvider(provider),
		otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return from(r.Context()).name }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), operationKey{}, read(w, r))))
	})
}

func from(ctx context.Context) *operation {
	o, _ := ctx.Value(operationKey{}).(*operation)
	return o
}

// execute answers a failed operation with 200 too, as GraphQL does, so the failure has to
// be set on the span. Variables are not recorded: they are the customer's data.
func execute(schema graphql.Schema) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o, span := from(r.Context()), trace.SpanFromContext(r.Context())
		span.SetAttributes(attribute.String("graphql.operation.type", o.kind),
			attribute.String("graphql.operation.name", o.OperationName))
		result := graphql.Do(graphql.Params{
			Schema: schema, RequestString: o.Query, OperationName: o.OperationName,
			VariableValues: o.Variables, Context: r.Context(),
		})
		if result.HasErrors() {
			span.SetStatus(codes.Error, result.Errors[0].Message)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(result)
	})
}
