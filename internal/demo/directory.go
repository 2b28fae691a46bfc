package demo

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
)

// errNoInstance is what a caller sees of a service that has no instance.
var errNoInstance = errors.New("no instance is registered")

// A directory knows where the instances of each service listen. As an
// http.RoundTripper it is what clients of the shop use to find one: they ask
// for http://cart/..., and each request goes to an instance drawn at random,
// so that versions mix from request to request. It is safe for concurrent use.
type directory struct {
	sockets http.RoundTripper
	dice    *dice

	mu        sync.RWMutex
	addresses map[string][]string
}

func newDirectory(d *dice) *directory {
	return &directory{
		sockets: &http.Transport{
			MaxIdleConns:        256,
			MaxIdleConnsPerHost: 32,
			DisableCompression:  true,
		},
		dice:      d,
		addresses: make(map[string][]string),
	}
}

// RoundTrip sends r to an instance of the service that r.URL.Host names. The
// Host header keeps the service's name, as behind a service mesh.
func (d *directory) RoundTrip(r *http.Request) (*http.Response, error) {
	address, err := d.pick(r.URL.Host)
	if err != nil {
		return nil, err
	}
	host := r.URL.Host
	r = r.Clone(r.Context())
	r.URL.Host = address
	if r.Host == "" {
		r.Host = host
	}
	return d.sockets.RoundTrip(r)
}

func (d *directory) pick(service string) (string, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	list := d.addresses[service]
	if len(list) == 0 {
		return "", fmt.Errorf("service %s: %w", service, errNoInstance)
	}
	return list[d.dice.below(len(list))], nil
}

// replace puts address in the place of old, or adds it where old is empty.
func (d *directory) replace(service, old, address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := slices.Clone(d.addresses[service])
	if i := slices.Index(list, old); i >= 0 {
		list[i] = address
	} else {
		list = append(list, address)
	}
	d.addresses[service] = list
}

// set gives a service the instances at these addresses and no others.
func (d *directory) set(service string, addresses []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.addresses[service] = addresses
}

// closeIdle drops connections that no request uses.
func (d *directory) closeIdle() {
	if t, ok := d.sockets.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}
