package router

import (
	"context"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router/gsbpb"
	"github.com/golem-go/golem/p2p"
)

const (
	// callReplies is how many replies of a call may wait for its reader.
	callReplies = 16
	// heldBytes is how many bytes of replies, of all calls of a connection, may
	// wait for their readers. One reply may exceed it.
	heldBytes = 1 << 20
)

// calls are those this side has made on a connection and that are not complete.
type calls struct {
	space chan struct{} // holds a token when a reply has left; for the one reader

	mu      sync.Mutex
	pending map[string]*call // nil when the connection is lost
	bytes   int              // of replies that wait
}

// call is one of them.
type call struct {
	wake    chan struct{} // holds a token when replies or err have changed
	replies []*gsbpb.CallReply
	err     error // why no more will come
}

func (c *calls) init() {
	c.space = make(chan struct{}, 1)
	c.pending = map[string]*call{}
}

func (c *calls) open(id string) (*call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending == nil {
		return nil, errLost
	}
	one := &call{wake: make(chan struct{}, 1)}
	c.pending[id] = one
	return one, nil
}

// drop forgets a call and what has come for it.
func (c *calls) drop(id string, one *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
	for _, r := range one.replies {
		c.bytes -= len(r.Data)
	}
	one.replies = nil
	signal(c.space)
}

// offer hands a reply to its call. It reports false when that has no room.
func (c *calls) offer(r *gsbpb.CallReply) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.pending[r.RequestId]
	if one == nil || one.err != nil {
		return true // nobody waits for it
	}
	if len(one.replies) >= callReplies || c.bytes > heldBytes {
		return false
	}
	one.replies = append(one.replies, r)
	c.bytes += len(r.Data)
	signal(one.wake)
	return true
}

// fail ends a call after the replies that have come.
func (c *calls) fail(id string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one := c.pending[id]; one != nil {
		one.fail(err)
	}
}

// close fails all calls, those to come too.
func (c *calls) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.pending {
		one.fail(errLost)
	}
	c.pending = nil
}

func (one *call) fail(err error) {
	if one.err == nil {
		one.err = err
		signal(one.wake)
	}
}

// next returns the next reply of a call, waiting for it.
func (c *calls) next(ctx context.Context, one *call) (*gsbpb.CallReply, error) {
	for {
		r, err := c.poll(one)
		if r != nil || err != nil {
			return r, err
		}
		select {
		case <-one.wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (c *calls) poll(one *call) (*gsbpb.CallReply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(one.replies) == 0 {
		return nil, one.err
	}
	r := one.replies[0]
	one.replies = one.replies[1:]
	c.bytes -= len(r.Data)
	signal(c.space)
	return r, nil
}

func (c *calls) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending)
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// deliver hands a reply to its call, waiting for those who read slowly. A call
// that holds up the others for too long is given up.
func (l *link) deliver(ctx context.Context, r *gsbpb.CallReply) error {
	if l.calls.offer(r) {
		return nil
	}
	defer l.hold()()
	timer := time.NewTimer(l.readers)
	defer timer.Stop()
	for {
		select {
		case <-l.calls.space:
		case <-timer.C:
			l.calls.fail(r.RequestId, errStalled)
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if l.calls.offer(r) {
			return nil
		}
	}
}

// Call implements [gsb.Caller]: it makes a call to the other side.
func (l *link) Call(ctx context.Context, r gsb.Request, w func(gsb.Reply) error) error {
	request, err := l.request(r)
	if err != nil {
		return err
	}
	packet := &gsbpb.Packet{Packet: &gsbpb.Packet_CallRequest{CallRequest: request}}
	if r.NoReply {
		return l.send(ctx, packet)
	}
	one, err := l.calls.open(request.RequestId)
	if err != nil {
		return err
	}
	defer l.calls.drop(request.RequestId, one)
	if err := l.send(ctx, packet); err != nil {
		return err
	}
	return l.collect(ctx, request.RequestId, one, w)
}

// collect passes the replies of a call on until the last one.
func (l *link) collect(ctx context.Context, id string, one *call, w func(gsb.Reply) error) error {
	for {
		r, err := l.calls.next(ctx, one)
		if err != nil {
			l.abandon(id)
			return err
		}
		if r.Code != gsbpb.CallReply_OK {
			return gsb.PeerError(string(r.Data))
		}
		last := r.ReplyType == gsbpb.CallReply_FULL
		if err := w(gsb.Reply{Body: r.Data, Last: last}); err != nil {
			if !last {
				l.abandon(id)
			}
			return err
		}
		if last {
			return nil
		}
	}
}

// abandon tells the other side that nobody waits for a call any more. Upstream
// has no word for that and goes on answering.
func (l *link) abandon(id string) {
	if !l.modern.Load() {
		return
	}
	p := &gsbpb.Packet{Packet: &gsbpb.Packet_CallCancel{CallCancel: &gsbpb.CallCancel{RequestId: id}}}
	l.out.push(p, size(p))
}

func (l *link) request(r gsb.Request) (*gsbpb.CallRequest, error) {
	switch {
	case len(r.Body) > p2p.MaxBody:
		return nil, golem.Errorf(golem.ErrTooLarge, "request of %d bytes, at most %d", len(r.Body), p2p.MaxBody)
	case !utf8.ValidString(r.Addr):
		return nil, golem.Errorf(golem.ErrInvalid, "bus address %q is not text", r.Addr)
	}
	request := &gsbpb.CallRequest{
		Address:   r.Addr,
		RequestId: strconv.FormatUint(l.lastID.Add(1), 10),
		Data:      r.Body,
		NoReply:   r.NoReply,
	}
	if l.vouches {
		request.Trust = uint32(r.Trust)
	}
	if !r.Caller.IsZero() {
		request.Caller = r.Caller.String()
	}
	return request, nil
}
