package ingest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"example.test/eddy/internal/ingest"
)

// certificate writes a self-signed certificate for 127.0.0.1 and returns the
// files and a pool that trusts it.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(certFile, certPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, pool
}

func TestWithTLSOnlyEncryptedRequestsAreTaken(t *testing.T) {
	certFile, keyFile, pool := certificate(t)
	f := serve(t, ingest.Config{TLS: ingest.TLSConfig{CertFile: certFile, KeyFile: keyFile}}, ingest.Options{})
	req := ptraceotlp.NewExportRequestFromTraces(traces(1, nil))
	secure := f.dial(t, grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(pool, "")))
	if _, err := secure.Export(t.Context(), req); err != nil {
		t.Errorf("gRPC with TLS: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := f.dial(t).Export(ctx, req); err == nil {
		t.Error("gRPC without TLS was taken")
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	res, err := client.Post("https://"+f.HTTPAddr()+"/api/v1/changes", jsonType,
		strings.NewReader(`{"time":"2026-03-01T14:03:00Z","kind":"deploy","dimension":"service.version","value":"1"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("HTTP with TLS: status %d", res.StatusCode)
	}
	if code, _, _ := f.postTraces(t, traces(1, nil)); code != http.StatusBadRequest {
		t.Errorf("HTTP without TLS: status %d, want 400", code)
	}
}

func TestAClientWithoutACertificateIsRefusedIfOneIsAskedFor(t *testing.T) {
	certFile, keyFile, pool := certificate(t)
	f := serve(t, ingest.Config{TLS: ingest.TLSConfig{CertFile: certFile, KeyFile: keyFile, ClientCAFile: certFile}}, ingest.Options{})
	req := ptraceotlp.NewExportRequestFromTraces(traces(1, nil))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	anonymous := f.dial(t, grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(pool, "")))
	if _, err := anonymous.Export(ctx, req); err == nil {
		t.Error("a client without a certificate was taken")
	}
	own, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	known := f.dial(t, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}})))
	if _, err := known.Export(ctx, req); err != nil {
		t.Errorf("a client with a certificate: %v", err)
	}
}
