package gsb

import (
	"context"
	"errors"
	"iter"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb/flexbuffers"
	"github.com/golem-go/golem/p2p"
)

// Peer is who a message comes from.
type Peer struct {
	Node  golem.NodeID
	Trust p2p.Trust
}

// Local reports whether the message comes from this machine.
func (p Peer) Local() bool { return p.Trust == p2p.TrustLocal }

// Method is a call with one answer. Methods are values: the list of them in
// package wire is the protocol.
type Method[Req, Resp any] struct {
	Service string      // address of the service, such as "/public/payment"
	Name    string      // last element of the address, such as "SendInvoice"
	Channel p2p.Channel // between nodes
	Errors  ErrorForm   // how errors are written; nil for ServiceErrors
}

// At returns the method of one instance of a service that has many: of one
// ExeUnit, one file, one private network.
func (m Method[Req, Resp]) At(instance string) Method[Req, Resp] {
	m.Service += "/" + instance
	return m
}

// Addr returns the full local address of the method.
func (m Method[Req, Resp]) Addr() string { return m.Service + "/" + m.Name }

// Call asks the service on node to, or on this node where to is zero, in the
// name of from (zero: the default identity). Errors of the service have the
// kind its error form gives them; those of the way there are ErrUnavailable.
func (m Method[Req, Resp]) Call(ctx context.Context, c Caller, from, to golem.NodeID, req Req) (resp Resp, err error) {
	r, err := request(m.Channel, m.Addr(), from, to, req)
	if err != nil {
		return resp, err
	}
	answered := false
	err = c.Call(ctx, r, func(reply Reply) error {
		if answered || len(reply.Body) == 0 {
			return golem.Errorf(golem.ErrUnavailable, "%s: empty response", m.Addr())
		}
		answered = true
		resp, err = decodeResult[Resp](reply.Body, m.Errors)
		return err
	})
	if err == nil && !answered {
		err = golem.Errorf(golem.ErrUnavailable, "%s: empty response", m.Addr())
	}
	return resp, err
}

// Send makes the call without waiting for an answer, or learning of a failure
// beyond this node.
func (m Method[Req, Resp]) Send(ctx context.Context, c Caller, from, to golem.NodeID, req Req) error {
	r, err := request(m.Channel, m.Addr(), from, to, req)
	if err != nil {
		return err
	}
	r.NoReply = true
	return c.Call(ctx, r, func(Reply) error { return nil })
}

// Handle makes f answer the method on b. Malformed requests are refused before
// f is called.
func (m Method[Req, Resp]) Handle(b Binder, f func(ctx context.Context, from Peer, req Req) (Resp, error)) (release func(), err error) {
	return b.Bind(m.Addr(), func(ctx context.Context, r Request, w func(Reply) error) error {
		req, err := decodeBody[Req](r.Body)
		if err != nil {
			return golem.Errorf(golem.ErrInvalid, "%s: %w", m.Addr(), err)
		}
		resp, err := f(ctx, Peer{r.Caller, r.Trust}, req)
		if r.NoReply {
			return err
		}
		body, err := encodeResult(resp, err, m.Errors)
		if err != nil {
			return err
		}
		return w(Reply{Body: body, Last: true})
	})
}

// Stream is a call with any number of answers.
type Stream[Req, Item any] struct {
	Service string
	Name    string
	Channel p2p.Channel
	Errors  ErrorForm
}

// At returns the stream of one instance of a service that has many.
func (s Stream[Req, Item]) At(instance string) Stream[Req, Item] {
	s.Service += "/" + instance
	return s
}

// Addr returns the full local address of the stream.
func (s Stream[Req, Item]) Addr() string { return s.Service + "/" + s.Name }

// errStop ends a stream whose reader has seen enough.
var errStop = errors.New("stopped")

// Call yields the items as they come. The sequence ends with the stream or with
// one error; leaving the loop ends the call.
func (s Stream[Req, Item]) Call(ctx context.Context, c Caller, from, to golem.NodeID, req Req) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		var none Item
		r, err := request(s.Channel, s.Addr(), from, to, req)
		if err != nil {
			yield(none, err)
			return
		}
		stopped := false
		err = c.Call(ctx, r, func(reply Reply) error {
			if stopped {
				return errStop
			}
			if len(reply.Body) == 0 {
				return nil // a pure end of stream
			}
			item, err := decodeResult[Item](reply.Body, s.Errors)
			if err != nil {
				return err
			}
			if stopped = !yield(item, nil); stopped {
				return errStop
			}
			return nil
		})
		if err != nil && !stopped {
			yield(none, err)
		}
	}
}

// Handle makes f answer the stream on b. f calls send for each item; an error of
// send means that the reader is gone.
func (s Stream[Req, Item]) Handle(b Binder, f func(ctx context.Context, from Peer, req Req, send func(Item) error) error) (release func(), err error) {
	return b.Bind(s.Addr(), func(ctx context.Context, r Request, w func(Reply) error) error {
		req, err := decodeBody[Req](r.Body)
		if err != nil {
			return golem.Errorf(golem.ErrInvalid, "%s: %w", s.Addr(), err)
		}
		err = f(ctx, Peer{r.Caller, r.Trust}, req, func(item Item) error {
			body, err := encodeResult(item, nil, s.Errors)
			if err != nil {
				return err
			}
			return w(Reply{Body: body})
		})
		if err == nil {
			return w(Reply{Last: true})
		}
		var none Item
		body, err := encodeResult(none, err, s.Errors)
		if err != nil {
			return err
		}
		return w(Reply{Body: body, Last: true})
	})
}

// request builds the request for a service on node to.
func request(ch p2p.Channel, addr string, from, to golem.NodeID, req any) (Request, error) {
	body, err := flexbuffers.Marshal(req)
	if err != nil {
		return Request{}, golem.Errorf(golem.ErrInternal, "%s: %w", addr, err)
	}
	if len(body) > p2p.MaxBody {
		return Request{}, golem.Errorf(golem.ErrTooLarge, "%s: request of %d bytes, at most %d", addr, len(body), p2p.MaxBody)
	}
	r := Request{Caller: from, Trust: p2p.TrustLocal, Addr: addr, Body: body}
	if !to.IsZero() {
		r.Addr = remoteAddr(ch, from, to, addr)
	}
	return r, nil
}

// decodeBody decodes a body, compressed or not.
func decodeBody[T any](body []byte) (v T, err error) {
	plain, err := flexbuffers.Inflate(body, p2p.MaxBody)
	if err != nil {
		return v, err
	}
	err = flexbuffers.Unmarshal(plain, &v)
	return v, err
}
