package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// shards is how many parts the stock file has; an article is in one of them, by
// a hash of its name.
const shards = 7

// A stockroom is the file that all instances of inventory read stock from. It
// is safe for concurrent use.
type stockroom struct {
	mu     sync.RWMutex
	broken map[int]bool
}

func newStockroom() *stockroom { return &stockroom{broken: make(map[int]bool)} }

// spoil makes a shard unreadable, as a stock sync does that is cut off.
func (s *stockroom) spoil(shard int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken[shard] = true
}

// units returns how many units of an article there are.
func (s *stockroom) units(sku string) (int, error) {
	h := hashOf(sku)
	shard := int(h >> 16 % shards)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.broken[shard] {
		return 0, fmt.Errorf("stock of %s: unexpected end of shard %d", sku, shard)
	}
	return 20 + int(h>>32%200), nil
}

// A stockRequest asks how many units there are, and holds some of them.
type stockRequest struct {
	SKU  string `json:"sku"`
	Hold int    `json:"hold"`
}

// A stockReply is how many units are there for the customer.
type stockReply struct {
	Units int `json:"units"`
}

// openInventory serves stock levels. All versions behave alike.
func openInventory(k *kit) (http.Handler, io.Closer, error) {
	return k.routes(map[string]handler{
		"POST /stock": func(_ context.Context, r *http.Request) (any, error) {
			var in stockRequest
			if err := read(r, &in); err != nil {
				return nil, err
			}
			units, err := k.stock.units(in.SKU)
			if err != nil {
				return nil, err
			}
			return stockReply{Units: max(units-in.Hold, 0)}, nil
		},
	}), nil, nil
}
