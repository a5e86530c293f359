package requestor

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/rest/client"
)

// DefaultSubnet is the part of the network everybody trades in.
const DefaultSubnet = "public"

// Config says which node buys, and for how much. The zero value of a field
// stands for the default named with it.
type Config struct {
	URL    string       // of the node's API; default [client.DefaultURL]
	AppKey golem.Secret // of the identity that buys; needed

	// Budget is the most that may be spent between Connect and Close, in tokens
	// of Platform. It is set aside when the first Order is placed, and needed then.
	Budget   golem.Amount
	Platform golem.Platform // default the node's first
	Subnet   string         // default [DefaultSubnet]

	// GSB is where processes join the node's bus, which files travel over;
	// default what the node says. Bus is used in place of it.
	GSB string
	Bus gsb.Binder

	// InvoicePatience is how long Close waits for the Provider's Invoice; default
	// 30 s. SettlePatience is how long it then waits for the payment; default not
	// at all, since the node pays without this program.
	InvoicePatience time.Duration
	SettlePatience  time.Duration

	HTTP *http.Client   // default one of its own
	Log  *slog.Logger   // default discard
	Rand *mathrand.Rand // for jitter, and between equal offers; default seeded at random
}

// Requestor buys in the name of one identity. Its methods may be called by many
// goroutines.
type Requestor struct {
	cfg     Config
	api     *client.Client
	log     *slog.Logger
	me      golem.NodeID
	account golem.Account // that pays
	session string        // marks the events of our Agreements

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	work   sync.WaitGroup
	files  files
	purse  purse

	mu      sync.Mutex
	rand    *mathrand.Rand
	ended   bool // nothing new is begun
	rentals map[golem.AgreementID]*Rental
	grudges map[golem.NodeID]grudge
}

// errClosed is why everything of a Requestor ends.
var errClosed = golem.Errorf(golem.ErrCancelled, "the requestor is closed")

// Connect returns a Requestor of the node at cfg.URL, after checking that the
// node is there, knows the app-key and can pay on the platform. Close must be
// called when it is not needed any more.
func Connect(ctx context.Context, cfg Config) (*Requestor, error) {
	cfg.URL = cmp.Or(cfg.URL, client.DefaultURL)
	cfg.Subnet = cmp.Or(cfg.Subnet, DefaultSubnet)
	cfg.InvoicePatience = cmp.Or(cfg.InvoicePatience, 30*time.Second)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	var seed [32]byte
	rand.Read(seed[:])
	if cfg.Rand == nil {
		cfg.Rand = mathrand.New(mathrand.NewChaCha8(seed))
	}
	if strings.ContainsAny(cfg.Subnet, "()*=\\") {
		return nil, golem.Errorf(golem.ErrInvalid, "subnet %q has characters with a meaning in constraints", cfg.Subnet)
	}
	r := &Requestor{
		cfg: cfg, log: cfg.Log, rand: cfg.Rand, session: hex.EncodeToString(seed[:16]),
		api:     client.New(cfg.URL, cfg.AppKey.Reveal(), cfg.HTTP),
		rentals: map[golem.AgreementID]*Rental{}, grudges: map[golem.NodeID]grudge{},
	}
	r.files.bus = cfg.Bus
	r.purse.init()
	if err := r.meet(ctx); err != nil {
		return nil, err
	}
	r.ctx, r.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return r, nil
}

// meet asks the node who we are and how we can pay.
func (r *Requestor) meet(ctx context.Context) error {
	var me client.Me
	var accounts []golem.Account
	asking, ctx := errgroup.WithContext(ctx)
	asking.Go(func() (err error) { me, err = r.api.Me(ctx); return err })
	asking.Go(func() (err error) { accounts, err = r.api.RequestorAccounts(ctx); return err })
	switch err := asking.Wait(); golem.KindOf(err) {
	case "":
	case golem.ErrUnavailable:
		return fmt.Errorf("%w; start one with golem node run, or a network of them with golem devnet", err)
	case golem.ErrUnauthorized:
		return fmt.Errorf("%w: node %s does not accept it; golem app-key create makes one", err, r.cfg.URL)
	default:
		return fmt.Errorf("node %s: %w", r.cfg.URL, err)
	}
	r.me = me.Identity
	accounts = slices.DeleteFunc(accounts, func(a golem.Account) bool { return !a.Send })
	i := slices.IndexFunc(accounts, func(a golem.Account) bool { return r.cfg.Platform.IsZero() || a.Platform == r.cfg.Platform })
	if i < 0 {
		return noAccount(r.cfg.Platform, accounts)
	}
	r.account = accounts[i]
	return nil
}

func noAccount(wanted golem.Platform, accounts []golem.Account) error {
	if len(accounts) == 0 {
		return golem.Errorf(golem.ErrUnavailable, "the node has no account to pay from; see golem payment status")
	}
	names := make([]string, len(accounts))
	for i, a := range accounts {
		names[i] = a.Platform.String()
	}
	return golem.Errorf(golem.ErrInvalid, "the node cannot pay on %s, it has accounts on %s", wanted, strings.Join(names, ", "))
}

// Identity returns the identity that buys.
func (r *Requestor) Identity() golem.NodeID { return r.me }

// Account returns the account that pays.
func (r *Requestor) Account() golem.Account { return r.account }

// Node returns the client of the node, for whatever this package does not offer.
func (r *Requestor) Node() *client.Client { return r.api }

// closeTimeout bounds Close, except for giving the budget back.
const closeTimeout = 15 * time.Second

// Close ends all rentals that are not closed yet, without waiting for their
// Invoices, and gives back whatever is reserved: the budget that was not spent,
// published files, Demands. What has been accepted is paid by the node. Close
// needs no context: it works after an interrupt too, and takes 20 seconds at
// most.
func (r *Requestor) Close() error {
	r.mu.Lock()
	if r.ended {
		r.mu.Unlock()
		return nil
	}
	r.ended = true
	open := slices.Collect(maps.Values(r.rentals))
	r.mu.Unlock()
	r.cancel(errClosed)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), closeTimeout)
	defer cancel()
	var closing sync.WaitGroup
	for _, rental := range open {
		closing.Go(func() { rental.release(ctx) })
	}
	closing.Wait()
	r.work.Wait()
	// However long the rest took, the budget is given back.
	last, cancelLast := context.WithTimeout(context.WithoutCancel(r.ctx), callTime)
	defer cancelLast()
	return errors.Join(r.purse.release(last, r.api), r.files.close())
}

// enter notes that something begins that Close must wait for, until the returned
// function is called.
func (r *Requestor) enter() (leave func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil, errClosed
	}
	r.work.Add(1)
	return r.work.Done, nil
}

// spawn runs f beside the caller, unless the Requestor is closed; Close waits
// for it.
func (r *Requestor) spawn(f func()) bool {
	leave, err := r.enter()
	if err != nil {
		return false
	}
	go func() {
		defer leave()
		f()
	}()
	return true
}

// random returns a random number for choosing between equals.
func (r *Requestor) random() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rand.Uint64()
}

// jitter returns about d.
func (r *Requestor) jitter(d time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Duration(float64(d) * (0.75 + r.rand.Float64()/2))
}

// pause waits about as long as the n-th attempt in a row should, the first being
// 0, and reports false when ctx ends.
func (r *Requestor) pause(ctx context.Context, attempt int) bool {
	const first, longest = 100 * time.Millisecond, 10 * time.Second
	d := longest
	if attempt < 7 {
		d = min(longest, first<<attempt)
	}
	return sleep(ctx, r.jitter(d))
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// whole returns a context for a call that reserves something: it is not left in
// the middle when ctx ends, since nobody would know then what to give back.
func whole(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), callTime)
}

// grudge is what is remembered of a Provider that has failed.
type grudge struct {
	failures int
	until    time.Time
}

// resent makes a Provider the last choice for a while, a longer one each time.
func (r *Requestor) resent(id golem.NodeID) {
	const first, longest = 5 * time.Second, 10 * time.Minute
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.grudges[id]
	d := longest
	if g.failures < 7 {
		d = min(longest, first<<g.failures)
	}
	r.grudges[id] = grudge{g.failures + 1, time.Now().Add(d)}
}

// forgive forgets the failures of a Provider.
func (r *Requestor) forgive(id golem.NodeID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.grudges, id)
}

// avoided returns until when a Provider is the last choice.
func (r *Requestor) avoided(id golem.NodeID) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.grudges[id].until
}
