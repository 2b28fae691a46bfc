package access

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Loopback reports whether a listener on addr ("host:port") can be reached
// from this machine only. An empty host means all interfaces and is not
// loopback; neither is a host name other than localhost, because what it
// resolves to may change.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// CheckListen refuses to listen on an address that other machines can reach,
// unless the connection is encrypted and senders need a token, or insecure
// says that the user wants it so. It also refuses an address without a port.
func CheckListen(addr string, tls, tokens, insecure bool) error {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("listen address %q: want host:port, such as 127.0.0.1:4317: %w", addr, err)
	}
	if insecure || Loopback(addr) || tls && tokens {
		return nil
	}
	var missing []string
	if !tls {
		missing = append(missing, "a TLS certificate and key")
	}
	if !tokens {
		missing = append(missing, "tokens")
	}
	return fmt.Errorf("listen address %s: other machines can reach it, so it needs %s: set them in the configuration, listen on 127.0.0.1, or accept the risk with --insecure-listen",
		addr, strings.Join(missing, " and "))
}
