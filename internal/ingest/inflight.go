package ingest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// slots bound how many requests are worked on at a time, and how many bytes
// they have. It is safe for concurrent use.
type slots struct {
	max, maxBytes int64
	used, bytes   atomic.Int64
}

func newSlots(max int, maxBytes int64) *slots { return &slots{max: int64(max), maxBytes: maxBytes} }

// take makes room for a request, or reports that there is none.
func (s *slots) take() bool {
	if s.used.Add(1) > s.max {
		s.used.Add(-1)
		return false
	}
	return true
}

func (s *slots) give() { s.used.Add(-1) }

// takeBytes makes room for n bytes of a request that holds held already, or
// reports that there is none. The only request that holds any is never refused.
func (s *slots) takeBytes(n, held int64) bool {
	if used := s.bytes.Add(n); used > s.maxBytes && used != n+held {
		s.bytes.Add(-n)
		return false
	}
	return true
}

func (s *slots) giveBytes(n int64) { s.bytes.Add(-n) }

// A boundedCodec decodes gRPC messages within the bounds. A codec can only say
// that a message is malformed, so what is refused for another reason is left
// undecoded, and intercept, which is called next with the same message, gives
// the answer.
type boundedCodec struct {
	encoding.CodecV2
	slots   *slots
	refused func()
	pending sync.Map // of a decoded message to its load
}

// A load is what a message holds, or why it was refused.
type load struct {
	bytes int64
	err   error
}

// Unmarshal decodes data into v, if there is room and it is not nested so deep
// that decoding, which recurses, would need a stack of a gigabyte.
func (c *boundedCodec) Unmarshal(data mem.BufferSlice, v any) error {
	l := load{bytes: int64(data.Len())}
	if !c.slots.takeBytes(l.bytes, 0) {
		c.refused()
		c.pending.Store(v, load{err: retryable(codes.ResourceExhausted, tooMany)})
		return nil
	}
	if data.Len() > shallowBytes {
		buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
		defer buf.Free()
		if err := checkNesting(buf.ReadOnlyData()); err != nil {
			c.slots.giveBytes(l.bytes)
			c.pending.Store(v, load{err: status.Error(codes.InvalidArgument, err.Error())})
			return nil
		}
		data = mem.BufferSlice{buf}
	}
	if err := c.CodecV2.Unmarshal(data, v); err != nil {
		c.slots.giveBytes(l.bytes) // intercept is not called
		return err
	}
	c.pending.Store(v, l)
	return nil
}

// intercept answers what Unmarshal refused, and gives back what others hold
// when they are done.
func (c *boundedCodec) intercept(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if got, ok := c.pending.LoadAndDelete(req); ok {
		l, _ := got.(load)
		if l.err != nil {
			return nil, l.err
		}
		defer c.slots.giveBytes(l.bytes)
	}
	return next(ctx, req)
}

// A boundedBody reads a body whole before it gives any of it, and refuses, in a
// form that the receiver understands, what is too large, nested too deep or has
// no room now.
type boundedBody struct {
	inner   io.ReadCloser
	slots   *slots
	refused func()
	check   func([]byte) error
	size    int64 // as announced, or -1

	read bool
	held int64
	rest bytes.Reader
}

// newBoundedBody wraps the body of r. The caller calls release when the request
// is done.
func newBoundedBody(r *http.Request, s *slots, refused func()) *boundedBody {
	b := &boundedBody{inner: r.Body, slots: s, refused: refused, check: checkNesting, size: r.ContentLength}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		b.check = checkJSONNesting
	}
	return b
}

// Read reads from the body.
func (b *boundedBody) Read(p []byte) (int, error) {
	if !b.read {
		b.read = true
		data, err := b.all()
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return 0, status.Errorf(codes.InvalidArgument, "request: more than %d bytes uncompressed: send smaller batches", large.Limit)
		}
		if err != nil {
			return 0, err
		}
		if len(data) > shallowBytes {
			if err := b.check(data); err != nil {
				return 0, status.Error(codes.InvalidArgument, err.Error())
			}
		}
		b.rest.Reset(data)
	}
	return b.rest.Read(p)
}

// firstRead is how much is read at first if the size was not announced.
const firstRead = 32 << 10

// all reads the body, and takes room for it as it goes.
func (b *boundedBody) all() ([]byte, error) {
	size := int64(firstRead)
	if b.size >= 0 {
		size = min(b.size, 1<<20) + 1 // one more, to see the end without growing
	}
	var data []byte
	for {
		if !b.slots.takeBytes(size, b.held) {
			b.refused()
			return nil, retryable(codes.ResourceExhausted, tooMany)
		}
		b.held += size
		grown := make([]byte, len(data), int64(len(data))+size)
		copy(grown, data)
		data = grown
		for len(data) < cap(data) {
			n, err := b.inner.Read(data[len(data):cap(data)])
			data = data[:len(data)+n]
			if errors.Is(err, io.EOF) {
				return data, nil
			}
			if err != nil {
				return nil, err
			}
		}
		size = int64(cap(data)) // twice as much
	}
}

func (b *boundedBody) release() { b.slots.giveBytes(b.held) }

// Close closes the body.
func (b *boundedBody) Close() error { return b.inner.Close() }
