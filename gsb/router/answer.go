package router

import (
	"context"
	"sync"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router/gsbpb"
	"github.com/golem-go/golem/p2p"
)

// answers are the calls of the other side that are being answered.
type answers struct {
	mu      sync.Mutex
	serving map[string]context.CancelCauseFunc // without those that want no reply
	count   int
	bytes   int
}

func (a *answers) init() { a.serving = map[string]context.CancelCauseFunc{} }

// begin notes a call and returns false when there are too many.
func (a *answers) begin(r *gsbpb.CallRequest, limits Limits, cancel context.CancelCauseFunc) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count >= limits.Calls || a.bytes+len(r.Data) > limits.CallBytes {
		return false
	}
	a.count++
	a.bytes += len(r.Data)
	if !r.NoReply {
		a.serving[r.RequestId] = cancel
	}
	return true
}

func (a *answers) finish(r *gsbpb.CallRequest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count--
	a.bytes -= len(r.Data)
	if !r.NoReply {
		delete(a.serving, r.RequestId)
	}
}

func (a *answers) cancel(id string) {
	a.mu.Lock()
	cancel := a.serving[id]
	a.mu.Unlock()
	if cancel != nil {
		cancel(errCanceled)
	}
}

func (a *answers) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.count
}

// serve has a call of the other side answered. The reader goes on meanwhile.
func (l *link) serve(ctx context.Context, r *gsbpb.CallRequest) error {
	request, err := l.end.admit(r)
	if err == nil && len(r.Data) > p2p.MaxBody {
		err = golem.Errorf(golem.ErrTooLarge, "request of %d bytes, at most %d", len(r.Data), p2p.MaxBody)
	}
	if err != nil {
		return l.refuse(ctx, r, err)
	}
	callCtx, cancel := context.WithCancelCause(ctx)
	if !l.answers.begin(r, l.limits, cancel) {
		cancel(nil)
		return l.refuse(ctx, r, errBusy)
	}
	l.serving.Go(func() {
		defer cancel(nil)
		defer l.answers.finish(r)
		l.answer(callCtx, r, request)
	})
	return nil
}

// answer sends what the call yields. When replies cannot be sent the connection
// is ending, and there is nobody to tell.
func (l *link) answer(ctx context.Context, r *gsbpb.CallRequest, request gsb.Request) {
	last := false
	err := l.end.Call(ctx, request, func(reply gsb.Reply) error {
		switch {
		case last:
			return golem.Errorf(golem.ErrInternal, "reply after the last one")
		case len(reply.Body) > p2p.MaxBody:
			return golem.Errorf(golem.ErrTooLarge, "reply of %d bytes, at most %d", len(reply.Body), p2p.MaxBody)
		case r.NoReply:
			return nil
		}
		last = reply.Last
		return l.reply(ctx, r, reply)
	})
	switch {
	case r.NoReply || last || ctx.Err() != nil:
	case err != nil:
		l.refuse(ctx, r, err)
	default:
		l.reply(ctx, r, gsb.Reply{Last: true})
	}
}

func (l *link) reply(ctx context.Context, r *gsbpb.CallRequest, reply gsb.Reply) error {
	kind := gsbpb.CallReply_PARTIAL
	if reply.Last {
		kind = gsbpb.CallReply_FULL
	}
	return l.send(ctx, &gsbpb.Packet{Packet: &gsbpb.Packet_CallReply{CallReply: &gsbpb.CallReply{
		RequestId: r.RequestId, ReplyType: kind, Data: reply.Body,
	}}})
}

// refuse answers a call with an error.
func (l *link) refuse(ctx context.Context, r *gsbpb.CallRequest, err error) error {
	if r.NoReply {
		return nil
	}
	code, text := failure(err)
	return l.send(ctx, &gsbpb.Packet{Packet: &gsbpb.Packet_CallReply{CallReply: &gsbpb.CallReply{
		RequestId: r.RequestId, Code: code, Data: []byte(text),
	}}})
}
