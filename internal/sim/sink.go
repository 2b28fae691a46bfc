package sim

import (
	"bytes"
	"io"
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
