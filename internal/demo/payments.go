package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// A charge is what a customer has to pay.
type charge struct {
	User   string `json:"user"`
	Amount int64  `json:"amount"`
	Coupon string `json:"coupon,omitempty"`
}

// A receipt says that a charge is in the books.
type receipt struct {
	Order int64 `json:"order"`
}

// dailyLimit is what one user may owe, in minor units, before payments asks
// for more than a card. It is far above what the demo's customers reach.
const dailyLimit = 1 << 50

// openPayments serves charges from the orders database.
//
// 3.1 also books the coupon of orders that have one. Its migration, which adds
// the column, was never run.
func openPayments(k *kit) (http.Handler, io.Closer, error) {
	books, err := openLedger(k.ledger, k.emit)
	if err != nil {
		return nil, nil, err
	}
	booksCoupons := !strings.HasPrefix(k.version, "3.0.")
	return k.routes(map[string]handler{
		"POST /charges": func(ctx context.Context, r *http.Request) (any, error) {
			var in charge
			if err := read(r, &in); err != nil {
				return nil, err
			}
			owed, err := books.owed(ctx, in.User)
			if err != nil {
				return nil, err
			}
			if owed > dailyLimit {
				return nil, fmt.Errorf("user %s: the daily limit is reached", in.User)
			}
			if !booksCoupons {
				in.Coupon = ""
			}
			order, err := books.insert(ctx, in)
			return receipt{Order: order}, err
		},
	}), books, nil
}
