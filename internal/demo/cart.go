package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
)

// A basket is what a customer is about to buy.
type basket struct {
	User   string `json:"user"`
	SKU    string `json:"sku"`
	Units  int    `json:"units"`
	Coupon string `json:"coupon,omitempty"`
}

// A bill is what the basket costs, in minor units.
type bill struct {
	Goods    int64 `json:"goods"`
	Shipping int64 `json:"shipping"`
}

// openCart serves the bill of a basket: pricing's quote, and shipping.
//
// 1.x reads the quoted total as whole cents. 2.x reads a decimal number and
// rounds it. Both do what pricing 1.x promises.
func openCart(k *kit) (http.Handler, io.Closer, error) {
	cents := wholeCents
	if strings.HasPrefix(k.version, "2.") {
		cents = roundedCents
	}
	return k.routes(map[string]handler{
		"POST /bills": func(ctx context.Context, r *http.Request) (any, error) {
			var in basket
			if err := read(r, &in); err != nil {
				return nil, err
			}
			var offered quote
			if err := k.call(ctx, "pricing", "/quotes", quoteRequest{User: in.User, SKU: in.SKU, Units: in.Units}, &offered); err != nil {
				return nil, err
			}
			goods, err := cents(offered.Total)
			if err != nil {
				return nil, &replyError{"pricing", err}
			}
			out := bill{Goods: goods, Shipping: 490}
			if k.flags.enabled(ctx, k.emit, flagExpressShipping, in.User) {
				out.Shipping = 0
			}
			return out, nil
		},
	}), nil, nil
}

// wholeCents reads a total as 1.x always has.
func wholeCents(total json.Number) (int64, error) {
	var n int64
	if err := json.Unmarshal([]byte(total), &n); err != nil {
		return 0, fmt.Errorf("total: %w", err)
	}
	return n, nil
}

// roundedCents reads a total with or without a fraction, and rounds half up.
func roundedCents(total json.Number) (int64, error) {
	f, err := total.Float64()
	if err != nil {
		return 0, fmt.Errorf("total: %w", err)
	}
	return int64(math.Floor(f + 0.5)), nil
}
