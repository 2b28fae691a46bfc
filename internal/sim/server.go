package sim

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A ServerSink sends OTLP to a server, over gRPC or HTTP, one request after the
// other, as fast as it takes them. What a server that is full refuses with a
// status that says so is sent again, with pauses that double from 100 ms to 5 s,
// for at most a minute; after that, and at any other refusal, the run ends.
type ServerSink struct {
	ctx  context.Context
	send func(signal Signal, request []byte) (retry time.Duration, err error)
	stop func() error
}

const (
	firstPause = 100 * time.Millisecond
	mostPause  = 5 * time.Second
	patience   = time.Minute // with one request
)

// OpenServerSink returns a sink that sends to an address until ctx is done. The
// address is http://HOST:4318 or https://, below which the paths /v1/traces,
// /v1/logs and /v1/metrics are, or grpc://HOST:4317, or grpcs:// for TLS. Token, if
// not empty, goes with each request. Close the sink after the run.
func OpenServerSink(ctx context.Context, address, token string) (*ServerSink, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("OTLP address %q: want one such as http://127.0.0.1:4318 or grpc://127.0.0.1:4317", address)
	}
	switch u.Scheme {
	case "http", "https":
		p := poster{ctx, strings.TrimSuffix(address, "/"), token}
		return &ServerSink{ctx: ctx, send: p.send, stop: func() error { return nil }}, nil
	case "grpc", "grpcs":
		secure := insecure.NewCredentials()
		if u.Scheme == "grpcs" {
			secure = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
		}
		conn, err := grpc.NewClient(u.Host, grpc.WithTransportCredentials(secure), grpc.WithDefaultCallOptions(grpc.ForceCodec(ready{})))
		if err != nil {
			return nil, fmt.Errorf("OTLP address %q: %w", address, err)
		}
		c := caller{ctx, conn, token}
		return &ServerSink{ctx: ctx, send: c.send, stop: conn.Close}, nil
	}
	return nil, fmt.Errorf("OTLP address %q: scheme %q: want http, https, grpc or grpcs", address, u.Scheme)
}

// Format is Protobuf.
func (*ServerSink) Format() Format { return Protobuf }

// Close ends the connection.
func (s *ServerSink) Close() error { return s.stop() }

// Send sends one request, again if need be.
func (s *ServerSink) Send(signal Signal, request []byte) error {
	pause, left := firstPause, patience
	for {
		retry, err := s.send(signal, request)
		if err == nil || retry == 0 || left <= 0 {
			return err
		}
		wait := max(pause, min(retry, mostPause))
		select {
		case <-s.ctx.Done():
			return errors.Join(err, s.ctx.Err())
		case <-time.After(wait):
		}
		left -= wait
		pause = min(2*pause, mostPause)
	}
}

// A poster sends over HTTP.
type poster struct {
	ctx         context.Context
	base, token string
}

// send posts one request. It returns how long to wait before it may be sent
// again, or 0 if that is of no use.
func (p poster) send(signal Signal, request []byte) (time.Duration, error) {
	address := p.base + "/v1/" + string(signal)
	r, err := http.NewRequestWithContext(p.ctx, http.MethodPost, address, bytes.NewReader(request))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10)) // only for the message
	if answer.StatusCode == http.StatusOK {
		return 0, nil
	}
	err = fmt.Errorf("%s: %s: %s", address, answer.Status, bytes.TrimSpace(bytes.ToValidUTF8(text, nil)))
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After")) // 0 if it says nothing
		return max(time.Duration(seconds)*time.Second, firstPause), err
	}
	return 0, err
}

// A caller sends over gRPC.
type caller struct {
	ctx   context.Context
	conn  *grpc.ClientConn
	token string
}

// send calls the export method of a signal.
func (c caller) send(signal Signal, request []byte) (time.Duration, error) {
	method := map[Signal]string{
		Traces:  "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
		Logs:    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
		Metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
	}[signal]
	ctx := c.ctx
	if c.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.token)
	}
	var answer []byte
	err := c.conn.Invoke(ctx, method, request, &answer)
	switch status.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.DeadlineExceeded:
		return firstPause, err
	default:
		return 0, err
	}
}

// ready is the codec of messages that are encoded already.
type ready struct{}

func (ready) Name() string { return "proto" }

func (ready) Marshal(v any) ([]byte, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("BUG: a message of type %T is not encoded", v)
	}
	return b, nil
}

func (ready) Unmarshal(data []byte, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("BUG: an answer cannot be put into a %T", v)
	}
	*b = bytes.Clone(data)
	return nil
}
