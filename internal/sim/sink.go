package sim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// A FileSink writes OTLP JSON, one request a line: the form of the Collector's
// file exporter, which "eddy replay" reads.
type FileSink struct {
	w io.Writer
}

// NewFileSink returns a sink that writes to w, which it does not close.
func NewFileSink(w io.Writer) *FileSink { return &FileSink{w: w} }

// Format is JSON.
func (*FileSink) Format() Format { return JSON }

// Send writes one line.
func (f *FileSink) Send(_ Signal, request []byte) error {
	if _, err := f.w.Write(request); err != nil {
		return err
	}
	_, err := f.w.Write([]byte{'\n'})
	return err
}

// A MemorySink keeps all requests.
type MemorySink struct {
	Form     Format
	Requests []Request
}

// A Request is one export request.
type Request struct {
	Signal Signal
	Body   []byte
}

// Format is that of the field Form.
func (m *MemorySink) Format() Format { return m.Form }

// Send keeps a copy.
func (m *MemorySink) Send(signal Signal, request []byte) error {
	m.Requests = append(m.Requests, Request{signal, bytes.Clone(request)})
	return nil
}

// A ServerSink sends OTLP over HTTP to a server, one request after the other, as
// fast as it takes them.
type ServerSink struct {
	ctx    context.Context
	client *http.Client
	base   string
}

// NewServerSink returns a sink that posts to the paths below base, such as
// http://127.0.0.1:4318, until ctx is done.
func NewServerSink(ctx context.Context, client *http.Client, base string) *ServerSink {
	return &ServerSink{ctx: ctx, client: client, base: strings.TrimSuffix(base, "/")}
}

// Format is Protobuf.
func (*ServerSink) Format() Format { return Protobuf }

// Send posts one request. An answer other than 200 is an error.
func (s *ServerSink) Send(signal Signal, request []byte) error {
	url := s.base + "/v1/" + string(signal)
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, url, bytes.NewReader(request))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // only for the message
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, resp.Status, text)
	}
	return nil
}
