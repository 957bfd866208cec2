package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/graphql-go/graphql"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// orders is what the resolvers need.
type orders struct {
	pub       *amqptrace.Publisher
	exchange  string
	client    *http.Client
	warehouse string
}

// newAPI returns the schema. A resolver's context is the request's, and so has its span.
func newAPI(o *orders) (graphql.Schema, error) {
	order := graphql.NewObject(graphql.ObjectConfig{Name: "Order", Fields: graphql.Fields{
		"id": &graphql.Field{Type: graphql.NewNonNull(graphql.ID)},
	}})
	return graphql.NewSchema(graphql.SchemaConfig{
		Query: graphql.NewObject(graphql.ObjectConfig{Name: "Query", Fields: graphql.Fields{
			"version": &graphql.Field{Type: graphql.String, Resolve: func(graphql.ResolveParams) (any, error) { return "1", nil }},
		}}),
		Mutation: graphql.NewObject(graphql.ObjectConfig{Name: "Mutation", Fields: graphql.Fields{
			"placeOrder": &graphql.Field{
				Type: order,
				Args: graphql.FieldConfigArgument{"sku": &graphql.ArgumentConfig{Type: graphql.NewNonNull(graphql.String)}},
				Resolve: func(p graphql.ResolveParams) (any, error) {
					sku, _ := p.Args["sku"].(string)
					return o.place(p.Context, sku)
				},
			},
		}}),
	})
}

func (o *orders) place(ctx context.Context, sku string) (any, error) {
	for _, path := range []string{"/flags", "/stock/" + sku} {
		if err := o.get(ctx, path); err != nil {
			return nil, err
		}
	}
	const id = "o-1"
	err := o.pub.PublishConfirmed(ctx, o.exchange, "order.created", true, false, amqp.Publishing{MessageId: id, Body: []byte(sku)})
	return map[string]any{"id": id}, err
}

func (o *orders) get(ctx context.Context, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.warehouse+path, http.NoBody)
	if err != nil {
		return err
	}
	response, err := o.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
