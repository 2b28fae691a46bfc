package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
)

// A visit is what a customer's cookies say: who it is, and what is in the
// basket. The basket is the customer's, so no instance has to remember it.
type visit struct {
	basket
	tenant, tier, region string
}

// cookies writes v as a browser would send it.
func (v visit) cookies(r *http.Request) {
	for _, c := range []http.Cookie{
		{Name: "user", Value: v.User},
		{Name: "tenant", Value: v.tenant},
		{Name: "tier", Value: v.tier},
		{Name: "region", Value: v.region},
		{Name: "basket", Value: v.SKU + "." + strconv.Itoa(v.Units)},
		{Name: "coupon", Value: v.Coupon},
	} {
		r.AddCookie(&c)
	}
}

// visitOf reads what cookies writes.
func visitOf(r *http.Request) (visit, error) {
	values := make(map[string]string)
	for _, c := range r.Cookies() {
		values[c.Name] = c.Value
	}
	sku, count, _ := strings.Cut(values["basket"], ".")
	units, err := strconv.Atoi(count)
	if err != nil || sku == "" || units < 1 {
		return visit{}, &inputError{fmt.Errorf("cookie basket %q: want ARTICLE.UNITS", values["basket"])}
	}
	return visit{
		basket: basket{User: values["user"], SKU: sku, Units: units, Coupon: values["coupon"]},
		tenant: values["tenant"], tier: values["tier"], region: values["region"],
	}, nil
}

// openGateway serves the shop's entries. Each of them asks inventory once.
func openGateway(k *kit) (http.Handler, io.Closer, error) {
	g := gateway{k}
	return k.routes(map[string]handler{
		"GET /products":  g.entry(g.products),
		"GET /cart":      g.entry(g.cart),
		"POST /quote":    g.entry(g.quote),
		"POST /checkout": g.entry(g.checkout),
	}), nil, nil
}

type gateway struct{ *kit }

// entry reads the visit and tags the span with the customer's circumstances,
// none of which has anything to do with any of the failures.
func (g gateway) entry(next func(context.Context, visit) (any, error)) handler {
	return func(ctx context.Context, r *http.Request) (any, error) {
		v, err := visitOf(r)
		if err != nil {
			return nil, err
		}
		tag(ctx,
			attribute.String("app.tenant", v.tenant),
			attribute.String("app.tier", v.tier),
			attribute.String("app.region", v.region))
		return next(ctx, v)
	}
}

func (g gateway) products(ctx context.Context, v visit) (any, error) {
	var list priceTag
	if err := g.call(ctx, "pricing", "/prices", quoteRequest{SKU: v.SKU}, &list); err != nil {
		return nil, err
	}
	var stock stockReply
	if err := g.call(ctx, "inventory", "/stock", stockRequest{SKU: v.SKU}, &stock); err != nil {
		return nil, err
	}
	return map[string]any{"sku": list.SKU, "price": list.Price, "units": stock.Units}, nil
}

// quote is the partners' entry: it passes pricing's total on as it is.
func (g gateway) quote(ctx context.Context, v visit) (any, error) {
	var offered quote
	if err := g.call(ctx, "pricing", "/quotes", quoteRequest{User: v.User, SKU: v.SKU, Units: v.Units}, &offered); err != nil {
		return nil, err
	}
	var stock stockReply
	if err := g.call(ctx, "inventory", "/stock", stockRequest{SKU: v.SKU}, &stock); err != nil {
		return nil, err
	}
	return map[string]any{"total": offered.Total, "currency": offered.Currency, "units": stock.Units}, nil
}

func (g gateway) cart(ctx context.Context, v visit) (any, error) {
	var due bill
	if err := g.call(ctx, "cart", "/bills", v.basket, &due); err != nil {
		return nil, err
	}
	var stock stockReply
	if err := g.call(ctx, "inventory", "/stock", stockRequest{SKU: v.SKU}, &stock); err != nil {
		return nil, err
	}
	return map[string]any{"goods": due.Goods, "shipping": due.Shipping, "units": stock.Units}, nil
}

func (g gateway) checkout(ctx context.Context, v visit) (any, error) {
	var due bill
	if err := g.call(ctx, "cart", "/bills", v.basket, &due); err != nil {
		return nil, err
	}
	var stock stockReply
	if err := g.call(ctx, "inventory", "/stock", stockRequest{SKU: v.SKU, Hold: v.Units}, &stock); err != nil {
		return nil, err
	}
	var paid receipt
	if err := g.call(ctx, "payments", "/charges", charge{User: v.User, Amount: due.Goods + due.Shipping, Coupon: v.Coupon}, &paid); err != nil {
		return nil, err
	}
	g.emit.note(ctx, log.SeverityInfo, "order placed", attribute.Int64("app.order", paid.Order))
	return paid, nil
}
