package router_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
	"github.com/golem-go/golem/gsb/router/gsbpb"
)

// FuzzConnection lets somebody hostile say anything to a server and to a client.
// Neither may panic, hang or keep the connection's goroutines.
func FuzzConnection(f *testing.F) {
	var all []byte
	for _, p := range []*gsbpb.Packet{
		{Packet: &gsbpb.Packet_Hello{Hello: &gsbpb.Hello{InstanceId: make([]byte, 16), Extensions: 1}}},
		register("/public/x"), subscribe("t"), broadcast("t", "b"), request("1", "/public/x/Y", "b"), request("2", "/local/echo", "b"),
		partial("1", "x"), full("1", "x"), failed("1", 500, "x"), unregister("/public/x"), ping(), pong(),
		registered(409, "m"), subscribed(), broadcasted(),
		{Packet: &gsbpb.Packet_CallCancel{CallCancel: &gsbpb.CallCancel{RequestId: "1"}}},
	} {
		b, _ := proto.Marshal(p)
		frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
		f.Add(frame)
		all = append(all, frame...)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, stream []byte) {
		say(stream, func(ctx context.Context, nc net.Conn) {
			bus := gsb.New(gsb.Config{})
			bind(t, bus, "/local/echo", echo)
			s, err := router.NewServer(router.Config{Session: router.NewLocal(bus)})
			if err != nil {
				t.Fatal(err)
			}
			_ = s.Serve(ctx, newOne(nc))
		})
		say(stream, func(ctx context.Context, nc net.Conn) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			c, err := router.NewClient(router.ClientConfig{Dial: func(context.Context) (net.Conn, error) {
				if nc == nil {
					cancel() // once is enough
					return nil, io.EOF
				}
				defer func() { nc = nil }()
				return nc, nil
			}, Retry: 1})
			if err != nil {
				t.Fatal(err)
			}
			bind(t, c, "/local/echo", echo)
			_ = c.Run(ctx)
		})
	})
}

// say writes stream to what serve serves, and waits for the end, which comes when
// the stream has been acted on.
func say(stream []byte, serve func(context.Context, net.Conn)) {
	here, there := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { serve(context.Background(), there) })
	wg.Go(func() { io.Copy(io.Discard, here) })
	here.Write(stream)
	here.Close()
	wg.Wait()
}

// one is a listener of one connection, that ends when that is closed.
type one struct {
	net.Conn
	accepted bool
	closed   chan struct{}
	once     sync.Once
}

func newOne(nc net.Conn) *one { return &one{Conn: nc, closed: make(chan struct{})} }

func (o *one) Accept() (net.Conn, error) {
	if !o.accepted {
		o.accepted = true
		return o, nil
	}
	<-o.closed
	return nil, net.ErrClosed
}

func (o *one) Close() error {
	o.once.Do(func() { close(o.closed) })
	return o.Conn.Close()
}

func (o *one) Addr() net.Addr { return o.Conn.LocalAddr() }
