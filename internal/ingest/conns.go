package ingest

import (
	"context"
	"net"
	"sync"

	"go.opentelemetry.io/collector/config/configtls"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// conns knows the open gRPC connections, so that they can be cut off when
// waiting for them has taken too long: the receiver offers no way to. It is
// safe for concurrent use.
type conns struct {
	mu   sync.Mutex
	open map[*trackedConn]struct{}
}

func newConns() *conns { return &conns{open: make(map[*trackedConn]struct{})} }

// closeAll cuts off the connections that are open.
func (c *conns) closeAll() {
	c.mu.Lock()
	var open []*trackedConn
	for conn := range c.open {
		open = append(open, conn)
	}
	c.mu.Unlock()
	for _, conn := range open {
		_ = conn.Close() // it is being cut off; there is nothing to do about an error
	}
}

// credentials returns what the gRPC server does with a new connection: the TLS
// handshake, or nothing, and keeping track of it.
func (c *conns) credentials(ctx context.Context, cfg TLSConfig) (credentials.TransportCredentials, error) {
	if !cfg.On() {
		return &trackingCreds{TransportCredentials: insecure.NewCredentials(), conns: c}, nil
	}
	server := configtls.ServerConfig{
		ClientCAFile: cfg.ClientCAFile,
		Config:       configtls.Config{CertFile: cfg.CertFile, KeyFile: cfg.KeyFile, ReloadInterval: certReload},
	}
	tls, err := server.LoadTLSConfig(ctx)
	if err != nil {
		return nil, err
	}
	return &trackingCreds{TransportCredentials: credentials.NewTLS(tls), conns: c}, nil
}

type trackingCreds struct {
	credentials.TransportCredentials
	conns *conns
}

// ServerHandshake tracks raw until it is closed.
func (t *trackingCreds) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn := &trackedConn{Conn: raw, conns: t.conns}
	t.conns.mu.Lock()
	t.conns.open[conn] = struct{}{}
	t.conns.mu.Unlock()
	out, info, err := t.TransportCredentials.ServerHandshake(conn)
	if err != nil {
		conn.forget()
	}
	return out, info, err
}

// Clone returns credentials that track for the same set.
func (t *trackingCreds) Clone() credentials.TransportCredentials {
	return &trackingCreds{TransportCredentials: t.TransportCredentials.Clone(), conns: t.conns}
}

type trackedConn struct {
	net.Conn
	conns *conns
}

// Close closes the connection and forgets it.
func (t *trackedConn) Close() error {
	t.forget()
	return t.Conn.Close()
}

func (t *trackedConn) forget() {
	t.conns.mu.Lock()
	defer t.conns.mu.Unlock()
	delete(t.conns.open, t)
}
