package market_test

import (
	"context"
	"crypto/sha3"
	"encoding/hex"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/identity"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p/p2ptest"
	"github.com/golem-go/golem/sqlite"
	"github.com/golem-go/golem/wire"
)

// The Offer and Demand that most tests trade with.
const (
	offerProperties = `{"golem.runtime.name":"vm","golem.inf.mem.gib":4.0,"golem.node.debug.subnet":"test","golem.node.id.name":"p",` +
		`"golem.com.pricing.model":"linear","golem.com.usage.vector":["golem.usage.duration_sec","golem.usage.cpu_sec"],"golem.com.pricing.model.linear.coeffs":[0.0,0.1,0.0]}`
	offerConstraints  = `(golem.node.debug.subnet=test)`
	demandProperties  = `{"golem.node.debug.subnet":"test","golem.srv.comp.expiration":1999999999000}`
	demandConstraints = `(&(golem.runtime.name=vm)(golem.inf.mem.gib>=0.5)(golem.com.pricing.model=linear))`
)

var (
	offer  = market.Publication{Properties: []byte(offerProperties), Constraints: offerConstraints}
	demand = market.Publication{Properties: []byte(demandProperties), Constraints: demandConstraints}
)

// world is a network of nodes with markets.
type world struct {
	t      testing.TB
	sw     *p2ptest.Switch
	nodes  []*node
	others []func() // stop what else runs
	real   bool     // outside of a bubble
}

// bubble runs f with a world in a bubble and closes it afterwards.
func bubble(t *testing.T, cfg p2ptest.Config, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, cfg.Seed)
		w := &world{t: t, sw: p2ptest.NewSwitch(cfg)}
		defer w.close()
		f(t, w)
	})
}

func (w *world) close() {
	for _, stop := range w.others {
		stop()
	}
	for _, n := range w.nodes {
		n.stop()
		if err := n.db.Close(); err != nil {
			w.t.Error(err)
		}
	}
}

// node is one node of a world.
type node struct {
	*market.Service
	w    *world
	id   golem.NodeID
	ids  []golem.NodeID
	keys signer
	net  *p2ptest.Node
	bus  *gsb.Bus
	db   *sqlite.DB
	edit func(*market.Config)
	stop func()
	mu   sync.Mutex // held while restarting, by tests that do so beside others
}

// node adds a running node with one identity for each name.
func (w *world) node(name string, edit func(*market.Config), aliases ...string) *node {
	w.t.Helper()
	n := &node{w: w, keys: signer{}, edit: edit}
	for _, name := range append([]string{name}, aliases...) {
		n.ids = append(n.ids, n.keys.add(w.t, name))
	}
	n.id = n.ids[0]
	path := sqlite.Memory
	if w.real {
		path = filepath.Join(w.t.TempDir(), name+".db")
	}
	var err error
	if n.db, err = sqlite.Open(w.t.Context(), path); err != nil {
		w.t.Fatal(err)
	}
	w.nodes = append(w.nodes, n)
	n.start()
	return n
}

// config returns the configuration of the market of n.
func (n *node) config() market.Config {
	seed := sha3.Sum256(n.id[:])
	cfg := market.Config{
		Store: n.db.Market(), Bus: n.bus, Identities: func() []golem.NodeID { return n.ids },
		Rand: rand.New(rand.NewChaCha8(seed)), Signer: n.keys, Verifier: n.keys,
		Features: func(context.Context, golem.NodeID) ([]string, error) {
			return []string{wire.FeatureSignedAgreements}, nil
		},
	}
	if n.edit != nil {
		n.edit(&cfg)
	}
	return cfg
}

// start runs the node on its database.
func (n *node) start() {
	n.w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	n.net = n.w.sw.Node()
	n.bus = gsb.New(gsb.Config{Network: n.net, Identities: func() []golem.NodeID { return n.ids }})
	s, err := market.New(n.config())
	if err != nil {
		n.w.t.Fatal(err)
	}
	n.Service = s
	var running sync.WaitGroup
	run := func(f func(context.Context) error) {
		running.Go(func() {
			if err := f(ctx); err != nil {
				n.w.t.Error(err)
			}
		})
	}
	run(n.net.Run)
	run(s.Run)
	n.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	if _, err := s.Offers(ctx); err != nil { // returns when the market is open
		n.w.t.Fatal(err)
	}
	if !n.w.real {
		synctest.Wait()
	}
	if err := n.net.SetIdentities(ctx, n.ids); err != nil {
		n.w.t.Fatal(err)
	}
}

// restart stops the node and starts it on the same database.
func (n *node) restart() {
	n.w.t.Helper()
	n.stop()
	n.start()
}

// signer signs with keys made of names.
type signer map[golem.NodeID]*identity.Key

func (s signer) add(t testing.TB, name string) golem.NodeID {
	t.Helper()
	sum := sha3.Sum256([]byte(name))
	key, err := identity.ParseKey(golem.Secret(hex.EncodeToString(sum[:])))
	if err != nil {
		t.Fatal(err)
	}
	s[key.ID()] = key
	return key.ID()
}

func (s signer) Sign(ctx context.Context, id golem.NodeID, digest [32]byte) (golem.Signature, error) {
	key := s[id]
	if key == nil {
		return golem.Signature{}, golem.Errorf(golem.ErrNotFound, "no key of %s", id)
	}
	return key.Sign(ctx, id, digest)
}

func (s signer) Recover(digest [32]byte, sig golem.Signature) (golem.NodeID, error) {
	return identity.Recover(digest, sig)
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
