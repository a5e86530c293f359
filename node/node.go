package node

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
	"github.com/golem-go/golem/identity"
	"github.com/golem-go/golem/internal/dirlock"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/p2p/central"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/rest"
	"github.com/golem-go/golem/sqlite"
	"github.com/golem-go/golem/wire"
)

// Node is one node.
type Node struct {
	cfg     Config
	log     *slog.Logger
	started time.Time

	lock     *os.File // on the directory: two nodes would not know of each other's money
	db       *sqlite.DB
	ownsDB   bool
	network  p2p.Network
	bus      *gsb.Bus
	identity *identity.Service
	market   *market.Service
	activity *activity.Service
	payment  *payment.Service
	api      *rest.Server
	features features
	gates    gates

	apiListener net.Listener // nil where the API is served by its Handler alone
	gsbListener net.Listener // nil for none
	gsbURL      string
}

// New constructs a node: it opens the database and the sockets, so that what is
// wrong with them is said at once. Close must be called, also after Run.
func New(ctx context.Context, cfg Config) (n *Node, err error) {
	n = &Node{cfg: cfg, log: cfg.Log, started: time.Now().UTC()}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	if err := n.build(context.WithoutCancel(ctx)); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// open opens what the node keeps outside of this process.
func (n *Node) open(ctx context.Context) (err error) {
	if n.db = n.cfg.DB; n.db != nil {
		return nil // a simulation, which brings its own network too
	}
	if n.cfg.Dir, err = filepath.Abs(n.cfg.Dir); err != nil {
		return err
	}
	if n.lock, err = dirlock.Lock(n.cfg.Dir, "node"); err != nil {
		return err
	}
	if n.db, err = sqlite.Open(ctx, filepath.Join(n.cfg.Dir, "node.db")); err != nil {
		return err
	}
	n.ownsDB = true
	if n.apiListener, err = listenAPI(n.cfg.API); err != nil {
		return err
	}
	return n.openGSB(ctx)
}

func (n *Node) openGSB(ctx context.Context) (err error) {
	switch n.gsbURL = n.cfg.GSB; n.gsbURL {
	case noGSB:
		n.gsbURL = ""
		return nil
	case "":
		if n.gsbURL, err = gsbURL(n.cfg.Dir); err != nil {
			return err
		}
	}
	if err := localOnly(n.gsbURL); err != nil {
		return err
	}
	n.gsbListener, err = router.Listen(ctx, n.gsbURL)
	if err == nil && n.gsbListener.Addr().Network() == "tcp" {
		n.gsbURL = "tcp://" + n.gsbListener.Addr().String() // where port 0 was asked for
	}
	return err
}

// build constructs the services, each from those above it.
func (n *Node) build(ctx context.Context) (err error) {
	seeds := newSeeds(n.cfg.Seed)
	keys := &keyRing{} // the network signs with keys that are only read once the bus exists
	ledger := n.cfg.Ledger
	if n.network = n.cfg.Network; n.network == nil {
		overlay, err := central.New(central.Config{Hub: n.cfg.Hub, Signer: keys, Rand: seeds.next(), Log: n.log.With("part", "net")})
		if err != nil {
			return err
		}
		n.network = overlay
		ledger = local.NewRemote(overlay.HubCaller())
	}
	n.bus = gsb.New(gsb.Config{Network: n.network, Identities: keys.ids})
	n.features.bus = n.bus

	if n.identity, err = identity.New(ctx, identity.Config{
		Store: n.db.Identity(), Bus: n.bus, OnChange: n.network.SetIdentities,
		AutoconfSecret: n.cfg.AutoconfSecret, AutoconfAppKey: n.cfg.AutoconfAppKey,
		Trace: n.identityTrace(), Alive: n.gates.alive,
	}); err != nil {
		return err
	}
	keys.identity = n.identity

	if n.market, err = market.New(market.Config{
		Store: n.db.Market(), Bus: n.bus, Identities: n.identity.IDs, Rand: seeds.next(),
		Signer: n.identity, Verifier: n.identity, Features: n.features.of,
		OnApproved: n.cfg.OnApproved, OnTerminated: func(a *golem.Agreement) { n.agreementTerminated(ctx, a) },
		Trace: n.marketTrace(), Alive: n.gates.alive,
		Policy: n.cfg.Policy, Timing: n.cfg.Market, Limits: n.cfg.Limits,
	}); err != nil {
		return err
	}
	if n.activity, err = activity.New(activity.Config{
		Store: n.db.Activity(), Bus: n.tradeBus(), Agreements: n.market, Limits: n.cfg.Activity,
		Rand: seeds.next(), Alive: n.gates.alive, Trace: n.activityTrace(),
	}); err != nil {
		return err
	}
	if n.payment, err = payment.New(payment.Config{
		Store: n.db.Payment(), Bus: n.tradeBus(), Agreements: n.market, Activities: activities{n.activity},
		Signer: n.identity, Verifier: n.identity,
		Drivers:  []payment.Driver{local.New(local.Config{Ledger: ledger, Signer: n.identity, Verifier: n.identity, Alive: n.gates.alive})},
		PayDelay: n.cfg.Payment.PayDelay, Backoff: n.cfg.Payment.Backoff, MaxBackoff: n.cfg.Payment.MaxBackoff, SyncDelay: n.cfg.Payment.SyncDelay,
		Rand: seeds.next(), Trace: n.paymentTrace(), Alive: n.gates.alive,
	}); err != nil {
		return err
	}
	n.api = rest.New(rest.Config{
		Log: n.log.With("part", "rest"), AllowOrigins: n.cfg.AllowOrigins, Release: golem.Release{Name: "golem-go " + n.cfg.Version},
		Services: rest.Services{Identity: n.identity, Market: n.market, Activity: n.activity, Payment: n.payment, Status: n.Status},
	})
	return n.serveInfo()
}

// serveInfo answers other nodes who ask what this one is.
func (n *Node) serveInfo() error {
	info := wire.NodeInfoReply{Version: "golem-go " + n.cfg.Version, Features: []string{wire.FeatureSignedAgreements}}
	_, err := wire.NodeInfo.Handle(n.bus, func(context.Context, gsb.Peer, struct{}) (wire.NodeInfoReply, error) { return info, nil })
	if err != nil {
		return err
	}
	_, err = wire.RemotePing.Handle(n.bus, func(context.Context, gsb.Peer, struct{}) (struct{}, error) { return struct{}{}, nil })
	return err
}

// Run serves until ctx ends, and returns nil then, or the first error that makes
// going on pointless.
func (n *Node) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, run := range []func(context.Context) error{
		n.network.Run, n.identity.Run, n.market.Run, n.activity.Run, n.payment.Run, n.serveGSB, n.serveAPI,
	} {
		g.Go(func() error { return run(ctx) })
	}
	err := g.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (n *Node) serveGSB(ctx context.Context) error {
	if n.gsbListener == nil {
		return nil
	}
	s, err := router.NewServer(router.Config{Session: router.NewLocal(n.bus, wire.SignDigest.Service, wire.CreateAppKey.Service), Name: "golem", Log: n.log.With("part", "gsb")})
	if err != nil {
		return err
	}
	return s.Serve(ctx, n.gsbListener)
}

// apiGrace is how long requests may take to end after the node was told to.
const apiGrace = 2 * time.Second

func (n *Node) serveAPI(ctx context.Context) error {
	if n.apiListener == nil {
		return nil
	}
	srv := &http.Server{
		Handler: n.api, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx }, // long polls end with the node
		ErrorLog:    slog.NewLogLogger(n.log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), apiGrace)
		defer cancel()
		stopped <- errors.Join(srv.Shutdown(grace), srv.Close())
	}()
	if err := srv.Serve(n.apiListener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-stopped
	return nil
}

// Close closes what New has opened. It is called after Run has returned.
func (n *Node) Close() error {
	var errs []error
	if n.apiListener != nil {
		n.apiListener.Close() // already closed after Run
	}
	if n.gsbListener != nil {
		n.gsbListener.Close()
	}
	if n.ownsDB {
		errs = append(errs, n.db.Close())
	}
	if n.lock != nil {
		errs = append(errs, n.lock.Close())
	}
	return errors.Join(errs...)
}

// Handler returns the REST API, for callers in the same process.
func (n *Node) Handler() http.Handler { return n.api }

// Bus returns the node's bus, for services in the same process.
func (n *Node) Bus() *gsb.Bus { return n.bus }

// ID returns the node's default identity.
func (n *Node) ID() golem.NodeID { return n.identity.Default().ID }

// GSB returns where other processes of this machine join the bus.
func (n *Node) GSB() string { return n.gsbURL }

// API returns the address of the REST API.
func (n *Node) API() string {
	if n.apiListener == nil {
		return ""
	}
	return "http://" + n.apiListener.Addr().String()
}

// Fund asks the payment driver for tokens for the node's default identity, where
// it hands out any.
func (n *Node) Fund(ctx context.Context) error {
	_, err := n.payment.Fund(ctx, local.Platform, n.ID().Address())
	return err
}

// AppKey returns an app-key of the default identity with the given name, which
// is made where there is none.
func (n *Node) AppKey(ctx context.Context, name string) (golem.AppKey, error) {
	return n.identity.CreateAppKey(ctx, golem.AppKey{Name: name, Identity: n.ID(), Role: golem.RoleManager})
}

// Status returns how the node is doing.
func (n *Node) Status() golem.NodeStatus {
	net := n.network.Status()
	return golem.NodeStatus{
		Node: n.ID(), Version: n.cfg.Version, Started: n.started, API: n.API(), GSB: n.gsbURL,
		Network: golem.NetworkStatus{
			Overlay: net.Overlay, Connected: net.Connected, Problem: net.Problem,
			Listen: net.Listen, Public: net.Public, Peers: net.Peers,
		},
		Loops: n.gates.status(time.Now()),
	}
}

// agreementTerminated ends what runs under an Agreement that has ended.
func (n *Node) agreementTerminated(ctx context.Context, a *golem.Agreement) {
	if err := n.activity.OnAgreementTerminated(ctx, a.ID); err != nil {
		n.log.Error("activities of a terminated agreement", "agreement", a.ID, "err", err)
	}
}

// keyRing is the identities of the node, for what is constructed before them.
type keyRing struct{ identity *identity.Service }

// Sign implements golem.Signer.
func (k *keyRing) Sign(ctx context.Context, id golem.NodeID, digest [32]byte) (golem.Signature, error) {
	return k.identity.Sign(ctx, id, digest)
}

func (k *keyRing) ids() []golem.NodeID { return k.identity.IDs() }

// activities lets the payment service ask the activity service.
type activities struct{ *activity.Service }

// AgreementOf implements payment.Activities.
func (a activities) AgreementOf(ctx context.Context, who golem.NodeID, id golem.ActivityID) (golem.AgreementID, error) {
	act, err := a.Activity(ctx, who, id)
	return act.Agreement, err
}

// seeds gives each service its own source of jitter.
type seeds struct{ rng *rand.Rand }

func newSeeds(seed uint64) seeds {
	if seed == 0 {
		var b [8]byte
		crand.Read(b[:]) // never fails, as documented
		seed = binary.LittleEndian.Uint64(b[:])
	}
	return seeds{rand.New(rand.NewPCG(seed, 0))}
}

func (s seeds) next() *rand.Rand { return rand.New(rand.NewPCG(s.rng.Uint64(), s.rng.Uint64())) }
