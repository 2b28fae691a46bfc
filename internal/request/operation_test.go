package request_test

import (
	"testing"

	"example.test/eddy/internal/request"
)

func TestOperationsAreLowInCardinality(t *testing.T) {
	for text, want := range map[string]string{
		`a "GET /x" 1ms http.request.method=GET http.route=/users/{id}`:                             "GET /users/{id}",
		`a "GET /x" 1ms http.method=GET http.route=/v1/users`:                                       "GET /v1/users",
		`a GET 1ms http.method=GET http.target=/users/17?sort=1`:                                    "GET /users/{id}",
		`a "GET /users/17/orders/9f86d081884c7d65" 1ms`:                                             "GET /users/{id}/orders/{id}",
		`a "get order-12345" 1ms`:                                                                   "get order-{id}",
		`a "mail to ann@example.test" 1ms`:                                                          "mail to {id}",
		`a "SELECT shop.orders" 1ms`:                                                                "SELECT shop.orders",
		`a "report 2026-11-21" 1ms`:                                                                 "report {id}",
		`a "api v1.2 http-2" 1ms`:                                                                   "api v1.2 http-2",
		`a x 1ms rpc.system=grpc rpc.service=shop.Cart rpc.method=Get`:                              "shop.Cart/Get",
		`a x 1ms rpc.system.name=grpc rpc.method=shop.Cart/Get`:                                     "shop.Cart/Get",
		`a x 1ms consumer messaging.destination.name=orders messaging.operation=deliver`:            "orders process",
		`a x 1ms producer messaging.destination=orders`:                                             "orders send",
		`a x 1ms consumer messaging.destination.name=jobs-8f14e45f messaging.operation.name=commit`: "jobs-{id} commit",
		`a x 1ms http.request.method=GET`:                                                           "x",
	} {
		if got := request.Operation(parse(t, text)[0]); got != want {
			t.Errorf("Operation(%s) = %q, want %q", text, got, want)
		}
	}
}

func FuzzCollapse(f *testing.F) {
	f.Add("/users/17/orders/9f86d081884c7d65")
	f.Add("a-1234-b_99:x.1")
	f.Add("8f14e45f-ceea-467f-a0e6-2b0f5a1c3d5e")
	f.Fuzz(func(t *testing.T, name string) {
		once := request.Collapse(name)
		if again := request.Collapse(once); again != once {
			t.Errorf("Collapse(%q) = %q, and once more %q", name, once, again)
		}
	})
}
