package demo

import (
	"strconv"
	"time"
)

// The shop's size.
const (
	users    = 400
	tenants  = 12
	articles = 70
)

// A plan is what a seed decides once: the shop's prices and customers, the
// shares, and which instances a rollout reaches first. Ranges are chosen such
// that the story's truth shows with every seed.
type plan struct {
	seed      uint64
	noise     float64       // probability that an instance turns a request away
	work      time.Duration // mean of an instance's own part of a request
	flagShare int           // percent of users for whom the story's flag is on
	shipShare int           // percent of users with express-shipping
	coupons   float64       // share of checkouts that have one
	offer     int64         // thousandths of discount for a unit more
	spoiled   int           // shard of the stock file
	rollouts  map[string][]int
	entries   []share
}

// A share is an entry of the gateway and how much of the load goes there.
type share struct {
	method, path string
	weight       float64
}

func newPlan(seed uint64, services []service) plan {
	d := newDice(seed, "plan")
	p := plan{
		seed:      seed,
		noise:     d.between(0.0006, 0.0010),
		work:      time.Duration(d.between(600, 1200)) * time.Microsecond,
		flagShare: 46 + d.below(9),
		shipShare: 25 + d.below(20),
		coupons:   d.between(0.42, 0.55),
		offer:     7 + 2*int64(d.below(6)),
		spoiled:   d.below(shards),
		rollouts:  make(map[string][]int),
		entries: []share{
			{"GET", "/products", d.between(0.10, 0.14)},
			{"POST", "/quote", d.between(0.04, 0.07)},
			{"GET", "/cart", d.between(0.36, 0.44)},
			{"POST", "/checkout", d.between(0.36, 0.44)},
		},
	}
	for _, svc := range services {
		p.rollouts[svc.name] = d.order(svc.replicas)
	}
	return p
}

// price is an article's list price, in minor units.
func (p plan) price(sku string) int64 {
	return 195 + int64((hashOf(sku)^p.seed)%8000)
}

// discount is what bulk-quote takes off a basket, in thousandths.
func (p plan) discount(units int) int64 { return p.offer + 13*int64(units) }

// entry draws where a request goes.
func (p plan) entry(d *dice) share {
	var sum float64
	for _, e := range p.entries {
		sum += e.weight
	}
	x := d.between(0, sum)
	for _, e := range p.entries {
		if x < e.weight {
			return e
		}
		x -= e.weight
	}
	return p.entries[0]
}

// visit draws a customer and a basket. The circumstances (tenant, tier,
// region) are the user's, the basket is the moment's.
func (p plan) visit(d *dice) visit {
	user := d.below(users)
	tenant := tenantOf(user)
	v := visit{
		basket: basket{
			User:  "u" + strconv.Itoa(user),
			SKU:   "sku-" + strconv.Itoa(d.below(articles)),
			Units: 2 + d.below(8),
		},
		tenant: "t" + strconv.Itoa(tenant),
		tier:   []string{"free", "team", "enterprise"}[tenant%3],
		region: []string{"eu-west", "eu-north", "us-east"}[(user/7)%3],
	}
	if d.hit(p.coupons) {
		v.Coupon = "SPRING"
	}
	return v
}

// tenantOf gives the first tenants more users than the last.
func tenantOf(user int) int {
	x := user % (tenants * (tenants + 1) / 2)
	for t := range tenants {
		if x < tenants-t {
			return t
		}
		x -= tenants - t
	}
	return 0
}
