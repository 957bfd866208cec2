// Package order is the order service: POST /orders checks the stock, takes the
// payment and publishes an event.
package order

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/mail"
	"strings"
)

const (
	maxItems    = 50
	maxQuantity = 100
)

// Request is the body of POST /orders.
type Request struct {
	Email        string `json:"email"`
	PaymentToken string `json:"payment_token"`
	Items        []Item `json:"items"`
}

// Item is some number of one article.
type Item struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// Order is an order that was understood, with its id and price.
type Order struct {
	ID     string `json:"order_id"`
	Tenant string `json:"-"`
	Email  string `json:"-"`
	Token  string `json:"-"`
	Items  []Item `json:"-"`
	Total  int    `json:"total"` // in cents
}

// Outcome is how an order ended. Only failures are errors: an article that is sold out is
// no reason to page anyone.
type Outcome string

// The outcomes of an order.
const (
	Accepted        Outcome = "accepted"
	OutOfStock      Outcome = "out_of_stock"
	PaymentDeclined Outcome = "payment_declined"
	PaymentFailed   Outcome = "payment_failed"
	NotPublished    Outcome = "not_published"
)

// validate returns all that is wrong with a request in one error.
func (r *Request) validate() error {
	var problems []string
	if address, err := mail.ParseAddress(r.Email); err != nil || address.Address != r.Email {
		problems = append(problems, "email is not an address")
	}
	if r.PaymentToken == "" {
		problems = append(problems, "payment_token is missing")
	}
	if len(r.Items) == 0 || len(r.Items) > maxItems {
		problems = append(problems, fmt.Sprintf("there must be 1 to %d items", maxItems))
	}
	for i, item := range r.Items {
		if _, known := prices[item.SKU]; !known {
			problems = append(problems, fmt.Sprintf("items[%d]: no such article", i))
		}
		if item.Quantity < 1 || item.Quantity > maxQuantity {
			problems = append(problems, fmt.Sprintf("items[%d]: quantity must be 1 to %d", i, maxQuantity))
		}
		if len(problems) > maxItems {
			break
		}
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}

// newOrder gives a valid request an id and a price.
func newOrder(r Request, tenant string) Order {
	total := 0
	for _, item := range r.Items {
		total += prices[item.SKU] * item.Quantity
	}
	return Order{
		ID:     "ord-" + strings.ToLower(rand.Text()),
		Tenant: tenant,
		Email:  r.Email,
		Token:  r.PaymentToken,
		Items:  r.Items,
		Total:  total,
	}
}
