package order

import "sync"

// prices are in cents. An article without a price does not exist.
var prices = map[string]int{
	"tea":     450,
	"caddy":   1200,
	"teapot":  2900,
	"samovar": 24900,
}

// inventory is the stock, in memory: a stand-in for a database.
type inventory struct {
	mu    sync.Mutex
	stock map[string]int
}

// newInventory returns a stock in which caddies are few and samovars are sold out.
func newInventory() *inventory {
	return &inventory{stock: map[string]int{"tea": 1_000_000, "teapot": 1_000_000, "caddy": 100}}
}

// reserve takes all items or none, and reports whether it took them.
func (v *inventory) reserve(items []Item) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	wanted := make(map[string]int, len(items))
	for _, item := range items {
		wanted[item.SKU] += item.Quantity
	}
	for sku, quantity := range wanted {
		if v.stock[sku] < quantity {
			return false
		}
	}
	for sku, quantity := range wanted {
		v.stock[sku] -= quantity
	}
	return true
}

// release puts reserved items back.
func (v *inventory) release(items []Item) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, item := range items {
		v.stock[item.SKU] += item.Quantity
	}
}
