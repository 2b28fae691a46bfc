package demo

// These tests stand inside: how services write and read a total is not for
// users of the package, and all of the twist hangs on it.

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNewCartReadsWhatEitherPricingWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		thousandths := rapid.Int64Range(0, 1<<40).Draw(t, "thousandths")
		old, err := roundedCents(roundedTotal(thousandths))
		if err != nil {
			t.Fatal(err)
		}
		exact, err := roundedCents(exactTotal(thousandths))
		if err != nil {
			t.Fatal(err)
		}
		if exact != old {
			t.Errorf("%d thousandths: %d from %s, %d from %s", thousandths, exact, exactTotal(thousandths), old, roundedTotal(thousandths))
		}
	})
}

func TestOldCartReadsWholeCentsAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		thousandths := rapid.Int64Range(0, 1<<40).Draw(t, "thousandths")
		if _, err := wholeCents(roundedTotal(thousandths)); err != nil {
			t.Errorf("%s, as pricing 1.x writes it: %v", roundedTotal(thousandths), err)
		}
		_, err := wholeCents(exactTotal(thousandths))
		if whole := thousandths%1000 == 0; whole != (err == nil) {
			t.Errorf("%s, as pricing 2.x writes it: error %v", exactTotal(thousandths), err)
		}
	})
}

func TestTotalsAreJSONNumbers(t *testing.T) {
	for thousandths, want := range map[int64]string{
		0: "0", 1: "0.001", 10: "0.01", 1000: "1", 1234500: "1234.5", 1234665: "1234.665",
	} {
		body, err := json.Marshal(quote{Total: exactTotal(thousandths), Currency: "EUR"})
		if err != nil || !strings.Contains(string(body), `"total":`+want+`,`) {
			t.Errorf("%d thousandths: %s, %v; want total %s", thousandths, body, err, want)
		}
	}
}

func TestEverySeedQuotesFractions(t *testing.T) {
	for seed := range uint64(50) {
		p := newPlan(seed, catalogue())
		d := newDice(seed, "test")
		fractions := 0
		for range 500 {
			v := p.visit(d)
			total := p.price(v.SKU) * int64(v.Units) * (1000 - p.discount(v.Units))
			if total%1000 != 0 {
				fractions++
			}
		}
		if fractions < 350 {
			t.Errorf("seed %d: %d of 500 discounted baskets have a fraction, want at least 350", seed, fractions)
		}
	}
}

func TestEverySeedSpoilsSomeArticlesAndNotMost(t *testing.T) {
	for seed := range uint64(50) {
		p := newPlan(seed, catalogue())
		stock := newStockroom()
		stock.spoil(p.spoiled)
		d := newDice(seed, "test")
		failed := 0
		for range 1000 {
			if _, err := stock.units(p.visit(d).SKU); err != nil {
				failed++
			}
		}
		if failed < 70 || failed > 280 {
			t.Errorf("seed %d: %d of 1000 visits meet the spoiled shard, want 70 to 280", seed, failed)
		}
	}
}

func TestAnotherSeedIsAnotherShop(t *testing.T) {
	a, again, b := newPlan(1, catalogue()), newPlan(1, catalogue()), newPlan(2, catalogue())
	if a.coupons != again.coupons || a.price("sku-1") != again.price("sku-1") {
		t.Error("the same seed made two plans")
	}
	if a.coupons == b.coupons || a.price("sku-1") == b.price("sku-1") {
		t.Error("two seeds made one plan")
	}
}
