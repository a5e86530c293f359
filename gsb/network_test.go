package gsb_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/p2p/p2ptest"
)

var (
	alice = golem.NodeID{19: 0xaa}
	bob   = golem.NodeID{19: 0xbb}
	carol = golem.NodeID{19: 0xcc}
)

var greet = gsb.Method[string, string]{Service: "/public/greeting", Name: "Greet"}

// node returns the bus of a running node.
func node(t *testing.T, sw *p2ptest.Switch, ids ...golem.NodeID) *gsb.Bus {
	t.Helper()
	n := sw.Node()
	bus := gsb.New(gsb.Config{Network: n, Identities: func() []golem.NodeID { return ids }})
	if err := n.SetIdentities(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return bus
}

// greets answers with who asked.
func greets(_ context.Context, from gsb.Peer, name string) (string, error) {
	return strings.Join([]string{"hello", name, from.Node.String()[38:], from.Trust.String()}, " "), nil
}

func TestBetweenNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw := p2ptest.NewSwitch(p2ptest.Config{})
		a, b := node(t, sw, alice, carol), node(t, sw, bob)
		for _, bus := range []*gsb.Bus{a, b} {
			if _, err := greet.Handle(bus, greets); err != nil {
				t.Fatal(err)
			}
		}
		tests := []struct {
			name     string
			from, to golem.NodeID
			want     string
			err      error
		}{
			{"default identity", golem.NodeID{}, bob, "hello x 00aa key", nil},
			{"named identity", carol, bob, "hello x 00cc key", nil},
			{"foreign identity", bob, bob, "", golem.ErrForbidden},
			{"itself", golem.NodeID{}, alice, "hello x 00aa local", nil},
			{"its other self", carol, alice, "hello x 00cc local", nil},
			{"nobody", golem.NodeID{}, golem.NodeID{19: 1}, "", golem.ErrUnavailable},
			{"this process", golem.NodeID{}, golem.NodeID{}, "hello x 0000 local", nil},
		}
		for _, tt := range tests {
			got, err := greet.Call(t.Context(), a, tt.from, tt.to, "x")
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%s: got %q, %v, want %q, %v", tt.name, got, err, tt.want, tt.err)
			}
		}
		if _, err := double.Handle(b, func(_ context.Context, _ gsb.Peer, n int) (int, error) { return 2 * n, nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := double.Call(t.Context(), a, golem.NodeID{}, bob, 1); !errors.Is(err, gsb.ErrNoEndpoint) {
			t.Errorf("a local service of another node: got %v, want ErrNoEndpoint", err)
		}
	})
}

func TestRemoteAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw := p2ptest.NewSwitch(p2ptest.Config{})
		a, b := node(t, sw, alice), node(t, sw, bob)
		got := make(chan gsb.Request, 1)
		if _, err := b.Bind("/public/x", func(_ context.Context, r gsb.Request, w func(gsb.Reply) error) error {
			got <- r
			return w(gsb.Reply{Last: true})
		}); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct{ addr, want string }{
			{"/net/" + bob.String() + "/x/Y", "/public/x/Y"},
			{"/net/" + strings.ToUpper(bob.String()[2:3]) + bob.String(), ""},
			{"/transfer/net/" + bob.String() + "/x/Y/Z", "/public/x/Y/Z"},
			{"/udp/net/" + bob.String() + "/x", "/public/x"},
			{"/from/" + alice.String() + "/to/" + bob.String() + "/x/Y", "/public/x/Y"},
			{"/udp/from/" + alice.String() + "/to/" + bob.String() + "/x/Y", "/public/x/Y"},
			{"/from/" + bob.String() + "/to/" + bob.String() + "/x/Y", ""},
			{"/net/" + bob.String(), ""},
			{"/net/" + bob.String() + "/", ""},
			{"/net/" + bob.String() + "/y", ""},
			{"/net/0x12/x/Y", ""},
			{"net/" + bob.String() + "/x", ""},
			{"", ""},
		} {
			err := a.Call(t.Context(), gsb.Request{Addr: tt.addr}, func(gsb.Reply) error { return nil })
			if (err == nil) != (tt.want != "") {
				t.Errorf("%q: %v", tt.addr, err)
				continue
			}
			if tt.want != "" {
				if r := <-got; r.Addr != tt.want || r.Caller != alice {
					t.Errorf("%q arrived as %+v", tt.addr, r)
				}
			}
		}
	})
}

func TestNoNetwork(t *testing.T) {
	ids := []golem.NodeID{alice}
	bus := gsb.New(gsb.Config{Identities: func() []golem.NodeID { return ids }})
	if _, err := greet.Call(t.Context(), bus, golem.NodeID{}, bob, "x"); !errors.Is(err, golem.ErrUnavailable) {
		t.Errorf("no network: got %v, want ErrUnavailable", err)
	}
	ids = nil
	if _, err := greet.Call(t.Context(), bus, golem.NodeID{}, bob, "x"); !errors.Is(err, golem.ErrUnavailable) {
		t.Errorf("no identity: got %v, want ErrUnavailable", err)
	}
	if err := news.Publish(t.Context(), bus, alice, "x"); !errors.Is(err, golem.ErrUnavailable) {
		t.Errorf("no network: got %v, want ErrUnavailable", err)
	}
}

func TestBind(t *testing.T) {
	far := "/net/" + bob.String() + "/x"
	for _, tt := range []struct {
		addr string
		hub  bool
		err  error
	}{
		{"/public/a", false, nil},
		{"/public/a", true, nil},
		{"public/a", false, golem.ErrInvalid},
		{"/public/a/", false, golem.ErrInvalid},
		{"", false, golem.ErrInvalid},
		{far, false, golem.ErrForbidden},
		{"/udp" + far, false, golem.ErrForbidden},
		{far, true, nil},
	} {
		bus := gsb.New(gsb.Config{Hub: tt.hub})
		release, err := bus.Bind(tt.addr, func(_ context.Context, _ gsb.Request, w func(gsb.Reply) error) error { return w(gsb.Reply{Last: true}) })
		if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("bind %q, hub %v: got %v, want %v", tt.addr, tt.hub, err, tt.err)
		}
		if err != nil {
			continue
		}
		if _, err := bus.Bind(tt.addr, nil); !errors.Is(err, golem.ErrConflict) {
			t.Errorf("bind %q again: got %v, want ErrConflict", tt.addr, err)
		}
		if err := bus.Call(t.Context(), gsb.Request{Addr: tt.addr + "/Y"}, func(gsb.Reply) error { return nil }); err != nil {
			t.Errorf("call below %q: %v", tt.addr, err)
		}
		release()
		if _, err := bus.Bind(tt.addr, nil); err != nil {
			t.Errorf("bind %q after release: %v", tt.addr, err)
		}
		release() // of what is not bound any more
		if _, err := bus.Bind(tt.addr, nil); !errors.Is(err, golem.ErrConflict) {
			t.Errorf("an old release released %q: %v", tt.addr, err)
		}
	}
}

var news = gsb.Topic[string]{Name: "news"}

// attentive is a network that must be told which topics are wanted.
type attentive struct {
	p2p.Network
	wanted []string
}

func (a *attentive) Subscribe(topic string) func() {
	a.wanted = append(a.wanted, topic)
	return func() { a.wanted = slices.DeleteFunc(a.wanted, func(s string) bool { return s == topic }) }
}

func TestTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw := p2ptest.NewSwitch(p2ptest.Config{})
		a, b := node(t, sw, alice), node(t, sw, bob)
		heard := make(chan string, 10)
		listen := func() func() {
			return news.Subscribe(b, func(_ context.Context, from gsb.Peer, v string) { heard <- v + " " + from.Node.String()[38:] })
		}
		first, second := listen(), listen()
		say := func(want int) {
			t.Helper()
			if err := news.Publish(t.Context(), a, alice, "hi"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if len(heard) != want {
				t.Fatalf("heard %d times, want %d", len(heard), want)
			}
			for range want {
				if s := <-heard; s != "hi 00aa" {
					t.Fatalf("heard %q", s)
				}
			}
		}
		say(2)
		first()
		say(1)
		first()
		say(1)
		second()
		say(0)
	})
}

func TestTopicTellsNetwork(t *testing.T) {
	net := &attentive{Network: p2ptest.NewSwitch(p2ptest.Config{}).Node()}
	bus := gsb.New(gsb.Config{Network: net})
	release := news.Subscribe(bus, func(context.Context, gsb.Peer, string) {})
	if !slices.Equal(net.wanted, []string{"news"}) {
		t.Fatalf("wanted %v", net.wanted)
	}
	release()
	if len(net.wanted) != 0 {
		t.Fatalf("released, and wanted %v", net.wanted)
	}
}

func TestPeerError(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		none       bool
	}{
		{"endpoint address not found", "endpoint address not found", true},
		{"Bad request: Bad request: endpoint address not found", "Bad request: Bad request: endpoint address not found", true},
		{"lost connection", "lost connection", false},
		{"", "refused without a reason", false},
		{"\xff\xfe", "?", false},
		{strings.Repeat("x", 5000), strings.Repeat("x", 1000), false},
	} {
		err := gsb.PeerError(tt.text)
		if err.Error() != tt.want || errors.Is(err, gsb.ErrNoEndpoint) != tt.none || golem.KindOf(err) != golem.ErrUnavailable {
			t.Errorf("%.40q: got %.40q, %v", tt.text, err, golem.KindOf(err))
		}
	}
}

// FuzzAddress calls any address; none panics, and none that is not below /public
// reaches another node's services.
func FuzzAddress(f *testing.F) {
	for _, addr := range []string{"/public/x", "/net/" + bob.String() + "/x", "/udp/from/" + alice.String() + "/to/" + bob.String() + "/x", "//", "/net//", "/from/to/"} {
		f.Add(addr)
	}
	bus := gsb.New(gsb.Config{Identities: func() []golem.NodeID { return []golem.NodeID{alice} }})
	if _, err := bus.Bind("/local", func(_ context.Context, r gsb.Request, _ func(gsb.Reply) error) error {
		if !strings.HasPrefix(r.Addr, "/local") {
			panic(r.Addr)
		}
		return nil
	}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, addr string) {
		_ = bus.Call(t.Context(), gsb.Request{Addr: addr}, func(gsb.Reply) error { return nil })
		if release, err := bus.Bind(addr, nil); err == nil {
			release()
		}
	})
}
