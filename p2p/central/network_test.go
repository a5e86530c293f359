package central_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router/gsbpb"
	"github.com/golem-go/golem/hub"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/p2p/central"
	"github.com/golem-go/golem/wire"
)

// certify makes a certificate that nobody else has signed.
func certify(t testing.TB) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hub"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestTLS(t *testing.T) {
	certificate := certify(t)
	h, address := listen(t, hub.Config{Certificate: certificate})
	keys := newRing()
	from, to := keys.identity(t), keys.identity(t)
	a := connect(t, central.Config{Hub: h.Pin() + "@" + address, Signer: keys}, from)
	connect(t, central.Config{Hub: h.Pin() + "@" + address, Signer: keys}, to)
	if got, err := ask(t, a, from, to, "hi"); err != nil || got != from.String()+" relay hi" {
		t.Fatalf("got %q, %v", got, err)
	}
	for name, place := range map[string]string{"another pin": strings.Repeat("ab", 28) + "@" + address, "no TLS": address} {
		n, err := central.New(central.Config{Hub: place, Signer: keys})
		if err != nil {
			t.Fatal(err)
		}
		start(t, n.Run)
		await(t, name, func() bool { s := n.Status(); return !s.Connected && s.Problem != "" })
		if name == "another pin" && !strings.Contains(n.Status().Problem, "has certificate "+h.Pin()) {
			t.Errorf("problem %q", n.Status().Problem)
		}
	}
}

func TestNew(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  central.Config
		ok   bool
	}{
		{"plain", central.Config{Hub: "hub.example.org", Signer: newRing()}, true},
		{"pinned", central.Config{Hub: strings.Repeat("0f", 28) + "@hub.example.org:1", Signer: newRing()}, true},
		{"unix", central.Config{Hub: "unix:/tmp/hub.sock", Signer: newRing()}, true},
		{"no signer", central.Config{Hub: "hub.example.org"}, false},
		{"no hub", central.Config{Signer: newRing()}, false},
		{"short pin", central.Config{Hub: "0f0f@hub.example.org", Signer: newRing()}, false},
		{"pin that is not hex", central.Config{Hub: strings.Repeat("xy", 28) + "@hub.example.org", Signer: newRing()}, false},
	} {
		if _, err := central.New(tt.cfg); (err == nil) != tt.ok || err != nil && !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// modest hides what the hub says of itself, as upstream's hub would not say it.
type modest struct {
	net.Conn
	rest io.Reader
}

func (m *modest) Read(b []byte) (int, error) {
	if m.rest == nil {
		var header [4]byte
		if _, err := io.ReadFull(m.Conn, header[:]); err != nil {
			return 0, err
		}
		frame := make([]byte, binary.BigEndian.Uint32(header[:]))
		if _, err := io.ReadFull(m.Conn, frame); err != nil {
			return 0, err
		}
		var p gsbpb.Packet
		if err := proto.Unmarshal(frame, &p); err != nil {
			return 0, err
		}
		p.GetHello().Extensions = 0
		frame, _ = proto.Marshal(&p)
		m.rest = io.MultiReader(strings.NewReader(string(binary.BigEndian.AppendUint32(nil, uint32(len(frame))))+string(frame)), m.Conn)
	}
	return m.rest.Read(b)
}

// On an upstream hub nothing is proven, and nothing is believed.
func TestUpstreamHub(t *testing.T) {
	_, address := listen(t, hub.Config{AllowUnproven: true})
	keys := newRing()
	from, to := keys.identity(t), keys.identity(t)
	dial := func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		nc, err := d.DialContext(ctx, "tcp", address)
		return &modest{Conn: nc}, err
	}
	proven := connect(t, central.Config{Hub: address, Signer: keys}, from)
	unproven := connect(t, central.Config{Dial: dial, Signer: newRing()}, to) // cannot sign, need not
	if got, err := ask(t, unproven, to, from, "hi"); err != nil || got != to.String()+" claim hi" {
		t.Fatalf("a claimant, through our hub: %q, %v", got, err)
	}
	if got, err := ask(t, proven, from, to, "hi"); err != nil || got != from.String()+" claim hi" {
		t.Fatalf("anybody, through a hub that says nothing: %q, %v", got, err)
	}
}

func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newRing()
		me, you := keys.identity(t), keys.identity(t)
		var p atomic.Pointer[pipes]
		dial := func(ctx context.Context) (net.Conn, error) { return p.Load().Dial(ctx) }
		late := func(ctx context.Context) (net.Conn, error) {
			time.Sleep(2 * time.Second) // longer than the jitter of the other
			return dial(ctx)
		}
		var greeted atomic.Int64
		bus := func(cfg central.Config, id golem.NodeID) (*central.Network, *gsb.Bus) {
			n, err := central.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			b := gsb.New(gsb.Config{Network: n, Identities: func() []golem.NodeID { return []golem.NodeID{id} }})
			if err := n.SetIdentities(t.Context(), []golem.NodeID{id}); err != nil {
				t.Fatal(err)
			}
			return n, b
		}
		a, mine := bus(central.Config{Dial: dial, Signer: keys}, me)
		b, yours := bus(central.Config{Dial: late, Signer: keys}, you)
		release := wire.NewNeighbour.Subscribe(mine, func(_ context.Context, from gsb.Peer, _ gsb.Unit) {
			if from.Node == you && from.Trust == p2p.TrustRelay {
				greeted.Add(1)
			}
		})
		defer release()
		if _, err := wire.RemotePing.Handle(yours, func(context.Context, gsb.Peer, struct{}) (struct{}, error) { return struct{}{}, nil }); err != nil {
			t.Fatal(err)
		}
		if s := a.Status(); s.Connected || s.Overlay != "central" || len(s.IDs) != 1 {
			t.Fatalf("status %+v", s)
		}
		if _, err := wire.RemotePing.Call(t.Context(), mine, golem.NodeID{}, you, struct{}{}); !errors.Is(err, golem.ErrUnavailable) {
			t.Fatalf("not connected: %v", err)
		}
		for round := range 3 {
			serving := newPipes()
			p.Store(serving)
			h, err := hub.New(hub.Config{Verifier: verifier{}})
			if err != nil {
				t.Fatal(err)
			}
			stop := start(t, func(ctx context.Context) error { return h.Serve(ctx, serving) })
			if round == 0 {
				start(t, a.Run)
				start(t, b.Run)
			}
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if _, err := wire.RemotePing.Call(t.Context(), mine, golem.NodeID{}, you, struct{}{}); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			if len(h.Nodes()) != 2 {
				t.Fatalf("round %d: nodes %v", round, h.Nodes())
			}
			if s := a.Status(); !s.Connected || s.Peers != 1 || s.LastHeard.IsZero() || s.Problem != "" {
				t.Fatalf("round %d: status %+v", round, s)
			}
			stop()
		}
		if n := greeted.Load(); n != 3 {
			t.Fatalf("greeted %d times", n)
		}
	})
}

// An identity that cannot sign is not reachable until it can; the others are.
func TestLockedIdentity(t *testing.T) {
	h, address := listen(t, hub.Config{})
	keys := newRing()
	open, locked, other := keys.identity(t), keys.identity(t), keys.identity(t)
	keys.lock(locked, true)
	a := connect(t, central.Config{Hub: address, Signer: keys}, open, locked)
	b := connect(t, central.Config{Hub: address, Signer: keys}, other)
	if _, err := ask(t, b, other, open, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t, b, other, locked, ""); !errors.Is(err, golem.ErrUnavailable) {
		t.Fatalf("locked: got %v", err)
	}
	if s := a.Status(); !strings.Contains(s.Problem, "not proven") {
		t.Fatalf("status %+v", s)
	}
	if err := a.SetIdentities(t.Context(), []golem.NodeID{open, locked}); !errors.Is(err, golem.ErrUnavailable) {
		t.Fatalf("still locked: got %v", err)
	}
	keys.lock(locked, false)
	if err := a.SetIdentities(t.Context(), []golem.NodeID{open, locked}); err != nil {
		t.Fatal(err)
	}
	await(t, "the registration", func() bool { return len(h.Nodes()) == 3 })
	if got, err := ask(t, b, other, locked, "hi"); err != nil || got != other.String()+" relay hi" {
		t.Fatalf("unlocked: %q, %v", got, err)
	}
}

// An identity that is connected from elsewhere is not ours on this network.
func TestConflict(t *testing.T) {
	_, address := listen(t, hub.Config{})
	keys := newRing()
	one, two := keys.identity(t), keys.identity(t)
	connect(t, central.Config{Hub: address, Signer: keys}, one)
	b := connect(t, central.Config{Hub: address, Signer: keys}, two)
	if err := b.SetIdentities(t.Context(), []golem.NodeID{two, one}); !errors.Is(err, golem.ErrConflict) {
		t.Fatalf("got %v, want ErrConflict", err)
	}
	if ids := b.Status().IDs; len(ids) != 1 || ids[0] != two {
		t.Fatalf("identities %v", ids)
	}
}

func TestHubCaller(t *testing.T) {
	h, address := listen(t, hub.Config{})
	service := gsb.Method[string, string]{Service: "/hub/test", Name: "Who"}
	if _, err := service.Handle(h.Bus(), func(_ context.Context, from gsb.Peer, s string) (string, error) {
		return from.Node.String() + " " + from.Trust.String() + " " + s, nil
	}); err != nil {
		t.Fatal(err)
	}
	keys := newRing()
	me := keys.identity(t)
	n := connect(t, central.Config{Hub: address, Signer: keys}, me)
	var nobody golem.NodeID
	if got, err := service.Call(t.Context(), n.HubCaller(), nobody, nobody, "hi"); err != nil || got != me.String()+" relay hi" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := service.Call(t.Context(), n.HubCaller(), keys.identity(t), nobody, "hi"); !errors.Is(err, golem.ErrForbidden) {
		t.Fatalf("in the name of another: %v", err)
	}
	elsewhere := gsb.Method[string, string]{Service: "/local/test", Name: "Who"}
	if _, err := elsewhere.Call(t.Context(), n.HubCaller(), nobody, nobody, "hi"); !errors.Is(err, golem.ErrInvalid) {
		t.Fatalf("not a service of the hub: %v", err)
	}
}

// A hub that wants something else signed than a nonce is refused.
func TestHostileHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		start(t, func(ctx context.Context) error { return serveHostile(ctx, p) })
		keys := newRing()
		n, err := central.New(central.Config{Dial: p.Dial, Signer: keys})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.SetIdentities(t.Context(), []golem.NodeID{keys.identity(t)}); err != nil {
			t.Fatal(err)
		}
		start(t, n.Run)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := n.Status(); s.Connected || !strings.Contains(s.Problem, "nonce of 3 bytes") {
			t.Fatalf("status %+v", s)
		}
	})
}
