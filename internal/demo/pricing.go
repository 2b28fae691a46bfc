package demo

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// A quoteRequest asks pricing for the price of a basket.
type quoteRequest struct {
	User  string `json:"user"`
	SKU   string `json:"sku"`
	Units int    `json:"units"`
}

// A quote is pricing's answer. Total is a JSON number in minor units (cents);
// what kind of number is up to pricing's version, and that is the whole story.
type quote struct {
	Total    json.Number `json:"total"`
	Currency string      `json:"currency"`
}

// A priceTag is the list price of one article, in minor units.
type priceTag struct {
	SKU   string `json:"sku"`
	Price int64  `json:"price"`
}

// openPricing serves list prices, and quotes for baskets. Users for whom
// bulk-quote is on get a discount by the number of units.
//
// 1.x rounds the discounted total to whole cents. 2.x leaves rounding to the
// caller ("1234.665"): totals of several quotes should be added first and
// rounded once. Without a discount there is nothing to round.
func openPricing(k *kit) (http.Handler, io.Closer, error) {
	total := roundedTotal
	if strings.HasPrefix(k.version, "2.") {
		total = exactTotal
	}
	return k.routes(map[string]handler{
		"POST /prices": func(_ context.Context, r *http.Request) (any, error) {
			var in quoteRequest
			if err := read(r, &in); err != nil {
				return nil, err
			}
			return priceTag{SKU: in.SKU, Price: k.plan.price(in.SKU)}, nil
		},
		"POST /quotes": func(ctx context.Context, r *http.Request) (any, error) {
			var in quoteRequest
			if err := read(r, &in); err != nil {
				return nil, err
			}
			millage := int64(1000)
			if k.flags.enabled(ctx, k.emit, flagBulkQuote, in.User) {
				millage -= k.plan.discount(in.Units)
			}
			return quote{Total: total(k.plan.price(in.SKU) * int64(in.Units) * millage), Currency: "EUR"}, nil
		},
	}), nil, nil
}

// roundedTotal writes thousandths of a cent as whole cents, half up.
func roundedTotal(thousandths int64) json.Number {
	return json.Number(strconv.FormatInt((thousandths+500)/1000, 10))
}

// exactTotal writes thousandths of a cent as cents, with a fraction if there
// is one.
func exactTotal(thousandths int64) json.Number {
	whole := strconv.FormatInt(thousandths/1000, 10)
	fraction := strconv.FormatInt(1000+thousandths%1000, 10)[1:]
	if fraction = strings.TrimRight(fraction, "0"); fraction == "" {
		return json.Number(whole)
	}
	return json.Number(whole + "." + fraction)
}
