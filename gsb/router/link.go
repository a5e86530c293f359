package router

import (
	"bufio"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router/gsbpb"
)

const (
	readBuffer = 64 << 10
	// flushSize is how much is gathered before it is written.
	flushSize = 64 << 10
	// farewell is how long what is queued may take to be written when a
	// connection is ended by this side.
	farewell = time.Second
)

// link is one connection, the same at both ends: packets out through a queue,
// calls out, and calls in. Its end decides what all other packets mean.
type link struct {
	nc       net.Conn
	end      end
	patience time.Duration // how long a packet may wait for the other side to read
	readers  time.Duration // how long a reply may wait for its reader here
	limits   Limits
	vouches  bool // this side is the router and says how well callers are known
	out      *queue
	heard    atomic.Int64  // when the last packet came, Unix nanoseconds
	received atomic.Uint64 // packets so far
	held     atomic.Bool   // the reader waits for somebody slow and hears nothing
	lastID   atomic.Uint64
	serving  *sync.WaitGroup // of answers; it outlives the connection
	lost     chan struct{}   // closed when nothing can be sent any more
	modern   atomic.Bool     // the other side announced our extensions
	calls    calls
	answers  answers
}

// end is what the two kinds of end of a connection do differently.
type end interface {
	// admit says who makes a call that came in, or refuses it.
	admit(*gsbpb.CallRequest) (gsb.Request, error)
	// Call answers it.
	gsb.Caller
	// handle acts on a packet that is not about calls. It runs in the reader. Its
	// error ends the connection.
	handle(ctx context.Context, p *gsbpb.Packet) error
	// keep watches the connection until ctx ends. Its error ends the connection.
	keep(ctx context.Context) error
}

func newLink(nc net.Conn, e end, serving *sync.WaitGroup, limits Limits) *link {
	l := &link{nc: nc, end: e, limits: limits.withDefaults(), serving: serving, out: newQueue(), lost: make(chan struct{})}
	l.heard.Store(time.Now().UnixNano())
	l.calls.init()
	l.answers.init()
	return l
}

// run serves the connection until ctx ends or the connection does, and returns
// why. The contexts of the answers in hand have ended then; the owner of serving
// waits for them.
func (l *link) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.write(ctx) })
	g.Go(func() error { return l.read(ctx) })
	g.Go(func() error { return l.end.keep(ctx) })
	return g.Wait()
}

// write writes what is queued, in as few pieces as possible.
func (l *link) write(ctx context.Context) error {
	defer l.nc.Close()
	defer l.lose()
	hurry := context.AfterFunc(ctx, func() { l.nc.SetWriteDeadline(time.Now().Add(farewell)) })
	defer hurry()
	var buf []byte
	var packets []*gsbpb.Packet
	for ctx.Err() == nil {
		packets = l.out.take(ctx, packets)
		var err error
		if buf, err = l.flush(ctx, buf, packets); err != nil {
			return err
		}
		clear(packets)
	}
	_, err := l.flush(ctx, buf, l.out.grab(nil))
	return err
}

func (l *link) flush(ctx context.Context, buf []byte, packets []*gsbpb.Packet) (_ []byte, err error) {
	buf = buf[:0]
	for i, p := range packets {
		if buf, err = appendFrame(buf, p); err != nil {
			return nil, err
		}
		if len(buf) < flushSize && i < len(packets)-1 {
			continue
		}
		l.setDeadline(ctx)
		if _, err := l.nc.Write(buf); err != nil {
			return nil, err
		}
		if cap(buf) > keepBuffer {
			buf = nil
		}
		buf = buf[:0]
	}
	return buf, nil
}

// setDeadline gives the next write its time. The end of ctx may come in between,
// and must not find the longer time set after its own.
func (l *link) setDeadline(ctx context.Context) {
	if ctx.Err() != nil {
		return // the farewell has its time
	}
	l.nc.SetWriteDeadline(time.Now().Add(l.patience))
	if ctx.Err() != nil {
		l.nc.SetWriteDeadline(time.Now().Add(farewell))
	}
}

// read acts on what comes in.
func (l *link) read(ctx context.Context) error {
	r := bufio.NewReaderSize(l.nc, readBuffer)
	messages, bytes := l.limits.limiters()
	var buf []byte
	for {
		p, rest, err := readPacket(r, buf)
		if err != nil {
			return err
		}
		buf = rest
		l.received.Add(1)
		l.heard.Store(time.Now().UnixNano())
		if err := l.throttle(ctx, messages, bytes, p); err != nil {
			return err
		}
		switch m := p.Packet.(type) {
		case *gsbpb.Packet_CallRequest:
			err = l.serve(ctx, m.CallRequest)
		case *gsbpb.Packet_CallReply:
			err = l.deliver(ctx, m.CallReply)
		case *gsbpb.Packet_CallCancel:
			l.answers.cancel(m.CallCancel.RequestId)
		case nil: // a kind of packet that is newer than this program
		default:
			err = l.end.handle(ctx, p)
		}
		if err != nil {
			return err
		}
	}
}

// throttle makes the other side wait when it sends more than it may.
func (l *link) throttle(ctx context.Context, messages, bytes *rate.Limiter, p *gsbpb.Packet) error {
	if messages == nil && bytes == nil {
		return nil
	}
	defer l.hold()()
	if messages != nil {
		if err := messages.Wait(ctx); err != nil {
			return err
		}
	}
	if bytes == nil {
		return nil
	}
	return bytes.WaitN(ctx, min(size(p), bytes.Burst()))
}

// hold notes that the reader waits, until the function it returns is called.
func (l *link) hold() (release func()) {
	l.held.Store(true)
	return func() {
		l.heard.Store(time.Now().UnixNano())
		l.held.Store(false)
	}
}

// silence returns for how long nothing has been heard from the other side.
func (l *link) silence() time.Duration {
	if l.held.Load() {
		return 0
	}
	return time.Since(time.Unix(0, l.heard.Load()))
}

// send queues a packet and waits while the queue is full.
func (l *link) send(ctx context.Context, p *gsbpb.Packet) error {
	return l.out.put(ctx, p, size(p), l.patience)
}

// heed answers a sign of life, unless so much is on its way to the other side
// that it needs no further one, or does not read.
func (l *link) heed(p *gsbpb.Packet) { l.out.offer(p, size(p)) }

// lose fails what waits for the connection.
func (l *link) lose() {
	l.out.close()
	l.calls.close()
	close(l.lost)
}

// size returns roughly how much memory a packet takes.
func size(p *gsbpb.Packet) int {
	const overhead = 128
	switch m := p.Packet.(type) {
	case *gsbpb.Packet_CallRequest:
		return overhead + len(m.CallRequest.Data) + len(m.CallRequest.Address)
	case *gsbpb.Packet_CallReply:
		return overhead + len(m.CallReply.Data)
	case *gsbpb.Packet_BroadcastRequest:
		return overhead + len(m.BroadcastRequest.Data) + len(m.BroadcastRequest.Topic)
	}
	return overhead
}
