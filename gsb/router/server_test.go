package router_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
	"github.com/golem-go/golem/gsb/router/gsbpb"
	"github.com/golem-go/golem/p2p"
)

// world is a server in a bubble and a way to connect to it.
type world struct {
	*testing.T
	bus    *gsb.Bus
	server *router.Server
	pipes  *pipes
	stop   func()
}

// bubble runs f with a server of a fresh bus.
func bubble(t *testing.T, cfg router.Config, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, bus: gsb.New(gsb.Config{}), pipes: newPipes()}
		cfg.Session = router.NewLocal(w.bus)
		w.server, w.stop = serve(t, w.pipes, cfg)
		f(t, w)
	})
}

// raw connects without saying Hello.
func (w *world) raw() *raw {
	w.Helper()
	nc, err := w.pipes.Dial(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return newRaw(w, nc)
}

// rawHello connects and says Hello.
func (w *world) rawHello(instance byte) *raw {
	w.Helper()
	r := w.raw()
	r.hello(strings.Repeat(string(rune(instance)), 16))
	synctest.Wait()
	return r
}

// client connects a Client.
func (w *world) client(cfg router.ClientConfig) *router.Client {
	w.Helper()
	cfg.Dial = w.pipes.Dial
	c, err := router.NewClient(cfg)
	if err != nil {
		w.Fatal(err)
	}
	start(w, c.Run)
	if err := c.Ready(w.Context()); err != nil {
		w.Fatal(err)
	}
	return c
}

func TestRegister(t *testing.T) {
	bubble(t, router.Config{Limits: router.Limits{Services: 2}}, func(t *testing.T, w *world) {
		a, b := w.rawHello('a'), w.rawHello('b')
		a.send(register("/public/x"))
		a.expect(registered(gsbpb.RegisterReply_OK, ""))
		a.send(register("/public/x"))
		a.expect(registered(gsbpb.RegisterReply_CONFLICT, `bus address "/public/x" is bound already`))
		a.send(register("nonsense"))
		a.expect(registered(gsbpb.RegisterReply_BAD_REQUEST, `bus address "nonsense": want /a/b/c`))
		a.send(register("/net/0x0000000000000000000000000000000000000001/x"))
		a.expect(registered(gsbpb.RegisterReply_BAD_REQUEST, `bus address "/net/0x0000000000000000000000000000000000000001/x" belongs to the network`))
		a.send(register("/public/y"))
		a.expect(registered(gsbpb.RegisterReply_OK, ""))
		a.send(register("/public/z"))
		a.expect(registered(gsbpb.RegisterReply_BAD_REQUEST, "more than 2 services on one connection"))
		b.send(unregister("/public/x"))
		b.expect(unregistered(gsbpb.UnregisterReply_NOT_REGISTERED))
		a.send(unregister("/public/x"))
		a.expect(unregistered(gsbpb.UnregisterReply_OK))
		b.send(register("/public/x"))
		b.expect(registered(gsbpb.RegisterReply_OK, ""))
	})
}

func TestRegisterTakesOverFromTheDead(t *testing.T) {
	bubble(t, router.Config{PingInterval: time.Hour, PingTimeout: time.Hour}, func(t *testing.T, w *world) {
		a, b := w.rawHello('a'), w.rawHello('b')
		a.send(register("/public/x"))
		a.expect(registered(gsbpb.RegisterReply_OK, ""))
		b.send(register("/public/x"))
		a.expect(ping())
		a.send(pong())
		b.expect(registered(gsbpb.RegisterReply_CONFLICT, `bus address "/public/x" is bound already`))

		b.send(register("/public/x"))
		a.expect(ping()) // and no answer
		b.expect(registered(gsbpb.RegisterReply_OK, ""))
		a.expectEnd()
	})
}

// TestPingsOfTheDeaf has a connection send signs of life without end and read
// none of the answers, which must not pile up.
func TestPingsOfTheDeaf(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, w *world) {
		const pings, buffered = 5000, 1000 // what newRaw reads ahead
		a := w.rawHello('a')
		for range pings {
			a.send(ping())
		}
		answers := 0
		for synctest.Wait(); len(a.in) > 0; synctest.Wait() {
			for len(a.in) > 0 {
				<-a.in
				answers++
			}
		}
		if answers == 0 || answers > 2*buffered {
			t.Errorf("%d answers to %d pings; %d are read", answers, pings, buffered)
		}
	})
}

func TestHello(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, w *world) {
		a := w.rawHello('a')
		a.send(register("/public/x"))
		a.expect(registered(gsbpb.RegisterReply_OK, ""))
		again := w.rawHello('a')
		a.expectEnd()
		again.send(register("/public/x"))
		again.expect(registered(gsbpb.RegisterReply_OK, ""))
		again.send(&gsbpb.Packet{Packet: &gsbpb.Packet_Hello{Hello: &gsbpb.Hello{InstanceId: []byte(strings.Repeat("c", 16))}}})
		again.expectEnd()

		short := w.raw()
		short.hello("too short")
		short.expectEnd()

		silent := w.raw() // upstream serves those who have not said Hello
		silent.next()
		silent.send(register("/public/x"))
		silent.expect(registered(gsbpb.RegisterReply_OK, ""))
	})
}

func TestCallBus(t *testing.T) {
	const me = "0x00000000000000000000000000000000000000aa"
	bubble(t, router.Config{}, func(t *testing.T, w *world) {
		bind(w, w.bus, "/local/echo", echo)
		bind(w, w.bus, "/local/who", func(_ context.Context, r gsb.Request, reply func(gsb.Reply) error) error {
			return reply(gsb.Reply{Body: fmt.Appendf(nil, "%v %v %v", r.Caller, r.Trust, r.Addr), Last: true})
		})
		bind(w, w.bus, "/local/count", func(_ context.Context, _ gsb.Request, reply func(gsb.Reply) error) error {
			return errors.Join(reply(gsb.Reply{Body: []byte("1")}), reply(gsb.Reply{Body: []byte("2")}))
		})
		bind(w, w.bus, "/local/fail", func(_ context.Context, r gsb.Request, reply func(gsb.Reply) error) error {
			switch string(r.Body) {
			case "bad":
				return golem.Errorf(golem.ErrInvalid, "bad request")
			case "late":
				return errors.Join(reply(gsb.Reply{Body: []byte("1")}), golem.Errorf(golem.ErrUnavailable, "late"))
			case "cancelled":
				return context.Canceled
			case "long":
				return reply(gsb.Reply{Body: make([]byte, p2p.MaxBody+1)})
			case "twice":
				return errors.Join(reply(gsb.Reply{Last: true}), reply(gsb.Reply{Body: []byte("more")}))
			}
			return errors.New("secret of the implementation")
		})
		a := w.rawHello('a')
		tests := []struct {
			name, addr, body string
			want             []*gsbpb.Packet
		}{
			{"unary", "/local/echo/X", "hi", []*gsbpb.Packet{full("7", "hi")}},
			{"stream ended by the handler's return", "/local/count/X", "", []*gsbpb.Packet{partial("7", "1"), partial("7", "2"), full("7", "")}},
			{"nobody", "/local/none", "", []*gsbpb.Packet{failed("7", 400, "endpoint address not found")}},
			{"no path", "echo", "", []*gsbpb.Packet{failed("7", 400, `bus address "echo": want /a/b/c`)}},
			{"refused", "/local/fail", "bad", []*gsbpb.Packet{failed("7", 400, "bad request")}},
			{"failed later", "/local/fail", "late", []*gsbpb.Packet{partial("7", "1"), failed("7", 500, "late")}},
			{"cancelled", "/local/fail", "cancelled", []*gsbpb.Packet{failed("7", 500, "request canceled")}},
			{"broken", "/local/fail", "", []*gsbpb.Packet{failed("7", 500, "internal error")}},
			{"long", "/local/fail", "long", []*gsbpb.Packet{failed("7", 400, "reply of 8388609 bytes, at most 8388608")}},
			{"reply after the last", "/local/fail", "twice", []*gsbpb.Packet{full("7", "")}},
		}
		for _, tt := range tests {
			a.send(request("7", tt.addr, tt.body))
			for i, want := range tt.want {
				if got := a.next(); !proto.Equal(got, want) {
					t.Errorf("%s: reply %d is %v, want %v", tt.name, i, got, want)
				}
			}
		}
		p := request("8", "/local/who/X", "")
		p.GetCallRequest().Caller = me // not an identity of this node
		a.send(p)
		a.expect(full("8", golem.NodeID{}.String()+" local /local/who/X"))
		p = request("9", "/local/echo/X", "")
		p.GetCallRequest().NoReply = true
		a.send(p)
		a.send(ping())
		a.expect(ping()) // no answer before it, and Ping for Ping as upstream
	})
}

func TestForward(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, w *world) {
		a, b := w.rawHello('a'), w.rawHello('b')
		b.send(register("/public/b"))
		b.next()
		a.send(request("1", "/public/b/X", "first"))
		first := b.next().GetCallRequest()
		a.send(request("2", "/public/b/Y", "second"))
		second := b.next().GetCallRequest()
		if first.Address != "/public/b/X" || string(second.Data) != "second" || first.RequestId == second.RequestId {
			t.Fatalf("got %v and %v", first, second)
		}
		b.send(full("no such call", "x"))
		b.send(partial(second.RequestId, "s1"))
		b.send(full(first.RequestId, "f"))
		b.send(full(first.RequestId, "more than asked"))
		b.send(full(second.RequestId, ""))
		got := map[string]string{} // the order between calls is open
		for range 3 {
			r := a.next().GetCallReply()
			got[r.GetRequestId()] += fmt.Sprintf("%v %s;", r.GetReplyType(), r.GetData())
		}
		if got["1"] != "FULL f;" || got["2"] != "PARTIAL s1;FULL ;" {
			t.Fatalf("got %v", got)
		}

		a.send(request("3", "/public/b/X", ""))
		b.send(failed(b.next().GetCallRequest().RequestId, 400, "Bad request: endpoint address not found"))
		a.expect(failed("3", 400, "Bad request: endpoint address not found"))

		a.send(request("4", "/public/b/X", ""))
		b.send(partial(b.next().GetCallRequest().RequestId, "half"))
		a.expect(partial("4", "half"))
		b.nc.Close()
		a.expect(failed("4", 500, "lost connection"))
		synctest.Wait()
		a.send(request("5", "/public/b/X", ""))
		a.expect(failed("5", 400, "endpoint address not found"))
	})
}

func TestCallerGoesAway(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, w *world) {
		ended := make(chan error, 1)
		bind(w, w.bus, "/local/wait", func(ctx context.Context, _ gsb.Request, _ func(gsb.Reply) error) error {
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		})
		a := w.rawHello('a')
		a.send(request("1", "/local/wait", ""))
		synctest.Wait()
		a.nc.Close()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		b := w.rawHello('b')
		b.send(request("1", "/local/wait", ""))
		b.send(&gsbpb.Packet{Packet: &gsbpb.Packet_CallCancel{CallCancel: &gsbpb.CallCancel{RequestId: "1"}}})
		<-ended
		b.send(ping())
		b.expect(ping()) // a cancelled call is not answered
	})
}

func TestKeepalive(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, w *world) {
		began := time.Now()
		a := w.rawHello('a')
		for range 3 { // lively: pinged, never dropped
			a.expect(ping())
			a.send(pong())
		}
		if d := time.Since(began); d != 30*time.Second {
			t.Fatalf("three pings took %v", d)
		}
		a.expect(ping())
		a.expect(ping())
		a.expectEnd()
		if d := time.Since(began); d != 60*time.Second { // 30 s silent at the next look
			t.Fatalf("dropped after %v", d)
		}
	})
}

func TestNoise(t *testing.T) {
	tests := []struct {
		name  string
		bytes string
		ends  bool
	}{
		{"unknown packet", "\x00\x00\x00\x03\xa2\x1f\x00", false},
		{"empty packet", "\x00\x00\x00\x00", false},
		{"reply that nobody waits for", "\x00\x00\x00\x05\x3a\x03\x0a\x01\x37", false},
		{"registration nobody asked for", "\x00\x00\x00\x02\x1a\x00", false},
		{"not protobuf", "\x00\x00\x00\x02\xff\xff", true},
		{"too long", "\x7f\x00\x00\x00", true},
		{"text that is not UTF-8", "\x00\x00\x00\x06\x12\x04\x0a\x02\xff\xfe", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, router.Config{}, func(t *testing.T, w *world) {
				a := w.rawHello('a')
				a.write([]byte(tt.bytes))
				if tt.ends {
					a.expectEnd()
					return
				}
				a.send(ping())
				a.expect(ping())
			})
		})
	}
}

func TestTopics(t *testing.T) {
	bubble(t, router.Config{}, func(t *testing.T, w *world) {
		a, b, c := w.rawHello('a'), w.rawHello('b'), w.rawHello('c')
		for _, r := range []*raw{a, a, b} { // twice is fine
			r.send(subscribe("news"))
			r.expect(subscribed())
		}
		heard := &gsbpb.Packet{Packet: &gsbpb.Packet_BroadcastRequest{BroadcastRequest: &gsbpb.BroadcastRequest{Topic: "news", Data: []byte("hi"), Trust: uint32(p2p.TrustLocal)}}}
		c.send(broadcast("news", "hi"))
		c.expect(broadcasted())
		a.expect(heard)
		b.expect(heard)

		unsubscribe := &gsbpb.Packet{Packet: &gsbpb.Packet_UnsubscribeRequest{UnsubscribeRequest: &gsbpb.UnsubscribeRequest{Topic: "news"}}}
		a.send(unsubscribe)
		a.expect(&gsbpb.Packet{Packet: &gsbpb.Packet_UnsubscribeReply{UnsubscribeReply: &gsbpb.UnsubscribeReply{}}})
		a.send(unsubscribe)
		a.expect(&gsbpb.Packet{Packet: &gsbpb.Packet_UnsubscribeReply{UnsubscribeReply: &gsbpb.UnsubscribeReply{Code: 404}}})
		c.send(broadcast("news", "hi"))
		c.expect(broadcasted())
		b.expect(heard)
		a.send(ping())
		a.expect(ping())
		c.send(broadcast("", "no topic"))
		if r := c.next().GetBroadcastReply(); r.GetCode() != gsbpb.BroadcastReply_BAD_REQUEST {
			t.Fatalf("got %v", r)
		}
	})
}

// A subscriber that does not read loses broadcasts, and nobody waits for it.
func TestLaggard(t *testing.T) {
	bubble(t, router.Config{Limits: router.Limits{Broadcasts: 1000}}, func(t *testing.T, w *world) {
		lag, err := w.pipes.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer lag.Close()
		if _, err := readRaw(lag); err != nil { // the server's Hello
			t.Fatal(err)
		}
		b, _ := proto.Marshal(subscribe("news"))
		lag.Write(append([]byte{0, 0, 0, byte(len(b))}, b...))
		synctest.Wait()
		c := w.rawHello('c')
		refused := 0
		for range 1010 {
			c.send(broadcast("news", strings.Repeat("x", 1000)))
			if c.next().GetBroadcastReply().Code != gsbpb.BroadcastReply_OK {
				refused++
			}
		}
		if refused != 10 {
			t.Fatalf("%d refused, want those over the limit", refused)
		}
		got := 0
		lag.SetReadDeadline(time.Now().Add(time.Second))
		for {
			if _, err := readRaw(lag); err != nil {
				break
			}
			got++
		}
		if got < 16 || got > 200 {
			t.Fatalf("the laggard got %d of 1000", got)
		}
	})
}

func TestStalledCallee(t *testing.T) {
	bubble(t, router.Config{ForwardTimeout: 5 * time.Second}, func(t *testing.T, w *world) {
		nc, err := w.pipes.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		readRaw(nc)
		b, _ := proto.Marshal(register("/public/stuck"))
		nc.Write(append([]byte{0, 0, 0, byte(len(b))}, b...))
		readRaw(nc) // and nothing more
		a := w.rawHello('a')
		began := time.Now()
		for i := range 100 {
			a.send(request(fmt.Sprint(i), "/public/stuck", ""))
		}
		for range 100 {
			r := a.next().GetCallReply()
			if text := string(r.GetData()); r.GetCode() != 500 || text != "stalled connection" && text != "lost connection" {
				t.Fatalf("got %v", r)
			}
		}
		if d := time.Since(began); d > 10*time.Second {
			t.Fatalf("took %v", d)
		}
	})
}

func TestLimits(t *testing.T) {
	bubble(t, router.Config{Connections: 2, Limits: router.Limits{Calls: 2, Topics: 1}}, func(t *testing.T, w *world) {
		bind(w, w.bus, "/local/wait", func(ctx context.Context, _ gsb.Request, _ func(gsb.Reply) error) error {
			<-ctx.Done()
			return ctx.Err()
		})
		a := w.rawHello('a')
		a.send(request("1", "/local/wait", ""))
		a.send(request("2", "/local/wait", ""))
		a.send(request("3", "/local/wait", ""))
		a.expect(failed("3", 500, "too many calls in flight"))
		a.send(subscribe("x"))
		a.expect(subscribed())
		a.send(subscribe("y"))
		if r := a.next().GetSubscribeReply(); r.GetCode() != gsbpb.SubscribeReply_BAD_REQUEST {
			t.Fatalf("got %v", r)
		}
		w.rawHello('b')
		w.raw().expectEnd()
		if n := w.server.Connections(); n != 2 {
			t.Fatalf("%d connections", n)
		}
	})
}

func TestThrottle(t *testing.T) {
	bubble(t, router.Config{Limits: router.Limits{Messages: 10}}, func(t *testing.T, w *world) {
		bind(w, w.bus, "/local/echo", echo)
		a := w.rawHello('a')
		began := time.Now()
		for i := range 110 {
			a.send(request(fmt.Sprint(i), "/local/echo", ""))
			for a.next().GetCallReply() == nil {
			}
		}
		if d := time.Since(began).Round(time.Second); d != 10*time.Second {
			t.Fatalf("110 messages took %v", d)
		}
	})
}

// flaky is a listener that fails now and then, as one out of descriptors does.
type flaky struct {
	net.Listener
	n int
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.n++; f.n%2 == 1 {
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}

func TestServe(t *testing.T) {
	if _, err := router.NewServer(router.Config{}); !errors.Is(err, golem.ErrInvalid) {
		t.Fatalf("no session: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		bus, p := gsb.New(gsb.Config{}), newPipes()
		_, stop := serve(t, &flaky{Listener: p}, router.Config{Session: router.NewLocal(bus)})
		w := &world{T: t, bus: bus, pipes: p}
		a, b := w.rawHello('a'), w.rawHello('b')
		stop()
		a.expectEnd()
		b.expectEnd()
	})
	synctest.Test(t, func(t *testing.T) {
		s, err := router.NewServer(router.Config{Session: router.NewLocal(gsb.New(gsb.Config{}))})
		if err != nil {
			t.Fatal(err)
		}
		p := newPipes()
		p.Close()
		if err := s.Serve(t.Context(), p); !errors.Is(err, golem.ErrUnavailable) {
			t.Fatalf("closed under it: %v", err)
		}
	})
}
