package local

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

// Config says what a Driver works with. Platform is [Platform] where it is zero.
type Config struct {
	Ledger   Ledger
	Signer   golem.Signer
	Verifier golem.Verifier
	Platform golem.Platform
	Alive    func(loop string) // called every few seconds while Run goes round
}

// Driver pays on a ledger. It keeps no state that matters: what is not settled is
// handed to it again after a start, and the ledger knows which orders it has.
type Driver struct {
	cfg  Config
	wake chan struct{}

	mu    sync.Mutex
	queue []*job
	id    *Hash // of the ledger, once known
}

var (
	_ payment.Driver = (*Driver)(nil)
	_ payment.Funder = (*Driver)(nil)
)

// job is an order on its way.
type job struct {
	payment.Order
	entry   *Entry    // once it is in the ledger
	next    time.Time // of the next attempt
	failed  int       // attempts in a row
	problem string    // a kind of payment.Problem, or ""
}

// New returns a driver for a ledger.
func New(cfg Config) *Driver {
	if cfg.Platform.IsZero() {
		cfg.Platform = Platform
	}
	return &Driver{cfg: cfg, wake: make(chan struct{}, 1)}
}

// Platforms implements [payment.Driver].
func (d *Driver) Platforms() []golem.Platform { return []golem.Platform{d.cfg.Platform} }

// Balance implements [payment.Driver].
func (d *Driver) Balance(ctx context.Context, p golem.Platform, a golem.Address) (payment.Balance, error) {
	if err := d.serves(p); err != nil {
		return payment.Balance{}, err
	}
	sum, err := d.cfg.Ledger.Balance(ctx, a)
	return payment.Balance{Amount: sum}, err
}

func (d *Driver) serves(p golem.Platform) error {
	if p != d.cfg.Platform {
		return golem.Errorf(golem.ErrUnsupported, "driver %s does not pay on %s", d.cfg.Platform.Driver, p)
	}
	return nil
}

// Fund implements [payment.Funder].
func (d *Driver) Fund(ctx context.Context, p golem.Platform, a golem.Address) (string, error) {
	if err := d.serves(p); err != nil {
		return "", err
	}
	e, err := d.cfg.Ledger.Fund(ctx, a)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("The devnet's ledger granted %s tGLM to %s (entry %d). It does so once for each address.", e.Amount, a, e.Seq), nil
}

// Pay implements [payment.Driver].
func (d *Driver) Pay(_ context.Context, o payment.Order) error {
	if err := d.serves(o.Platform); err != nil {
		return err
	}
	switch {
	case o.Deposit != nil:
		return golem.Errorf(golem.ErrUnsupported, "order %s: a devnet's ledger has no deposits", o.ID)
	case o.ID == "" || len(o.ID) > maxKey || o.Amount.IsZero() || o.Payer.IsZero() || o.Payee.IsZero():
		return golem.Errorf(golem.ErrInvalid, "order %q: id, amount, payer or payee is missing", o.ID)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, j := range d.queue {
		if j.ID == o.ID {
			if j.Payer != o.Payer || j.Payee != o.Payee || j.Amount != o.Amount {
				return golem.Errorf(golem.ErrConflict, "order %s is known with other contents", o.ID)
			}
			return nil
		}
	}
	d.queue = append(d.queue, &job{Order: o})
	select {
	case d.wake <- struct{}{}:
	default:
	}
	return nil
}

// proofSize is the length of a proof: the number of an entry and its hash.
const proofSize = 8 + len(Hash{})

func proofOf(e *Entry) []byte {
	return append(binary.BigEndian.AppendUint64(nil, e.Seq), e.Hash[:]...)
}

// Confirm implements [payment.Driver].
func (d *Driver) Confirm(ctx context.Context, p golem.Platform, proof []byte) (payment.Transfer, error) {
	none := payment.Transfer{}
	if err := d.serves(p); err != nil {
		return none, err
	}
	if len(proof) != proofSize {
		return none, golem.Errorf(golem.ErrInvalid, "proof of %d bytes, want %d", len(proof), proofSize)
	}
	seq, hash := binary.BigEndian.Uint64(proof), Hash(proof[8:])
	e, err := d.cfg.Ledger.Entry(ctx, seq)
	if err != nil {
		return none, err
	}
	if e.Seq != seq || e.Hash != hash || hashOf(&e) != hash {
		return none, golem.Errorf(golem.ErrInvalid, "entry %d of the ledger is not the one proven", seq)
	}
	id, err := d.ledger(ctx)
	if err != nil {
		return none, err
	}
	o := order(&e)
	if err := verify(d.cfg.Verifier, id, &o); err != nil {
		return none, fmt.Errorf("entry %d: %w", seq, err)
	}
	return payment.Transfer{Ref: hash.String(), Payer: e.Payer, Payee: e.Payee, Amount: e.Amount, Time: e.Time}, nil
}

// ledger returns the name of the ledger, asking for it until it is known.
func (d *Driver) ledger(ctx context.Context) (Hash, error) {
	d.mu.Lock()
	known := d.id
	d.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	info, err := d.cfg.Ledger.Info(ctx)
	if err != nil {
		return Hash{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.id = &info.ID
	return info.ID, nil
}

// Problems implements [payment.Driver].
func (d *Driver) Problems(context.Context) []payment.Problem {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ps []payment.Problem
	for _, j := range d.queue {
		if j.problem == "" {
			continue
		}
		i := slices.IndexFunc(ps, func(p payment.Problem) bool { return p.Kind == j.problem && p.Address == j.Payer.String() })
		if i < 0 {
			i = len(ps)
			ps = append(ps, payment.Problem{Kind: j.problem, Driver: d.cfg.Platform.Driver, Network: d.cfg.Platform.Network, Address: j.Payer.String()})
		}
		if j.problem == payment.InsufficientToken {
			if ps[i].NeededToken == nil {
				ps[i].NeededToken = new(golem.Amount)
			}
			*ps[i].NeededToken = ps[i].NeededToken.Add(j.Amount)
		}
	}
	return ps
}

const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
	beat       = 2 * time.Second
)

// Run implements [payment.Driver]. Orders are carried out one after the other in
// the order they came; one that cannot be does not hold up the others.
func (d *Driver) Run(ctx context.Context, settled func(context.Context, payment.Settlement) error) error {
	for ctx.Err() == nil {
		next := d.round(ctx, settled)
		d.rest(ctx, next)
	}
	return context.Cause(ctx)
}

// rest waits until next, a new order, or the end of ctx.
func (d *Driver) rest(ctx context.Context, next time.Time) {
	wait := time.Duration(-1)
	if !next.IsZero() {
		wait = max(0, time.Until(next))
	}
	if d.cfg.Alive != nil {
		d.cfg.Alive("payment-local")
		if wait < 0 || wait > beat {
			wait = beat
		}
	}
	var due <-chan time.Time
	if wait >= 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-ctx.Done():
	case <-d.wake:
	case <-due:
	}
}

// round tries every order whose time has come, and returns when the next one's
// comes.
func (d *Driver) round(ctx context.Context, settled func(context.Context, payment.Settlement) error) (next time.Time) {
	d.mu.Lock()
	jobs := slices.Clone(d.queue)
	d.mu.Unlock()
	for _, j := range jobs {
		if ctx.Err() != nil {
			return next
		}
		if !j.next.After(now()) {
			err := d.carryOut(ctx, j, settled)
			if ctx.Err() != nil {
				return next
			}
			d.note(j, err)
			if err == nil {
				continue
			}
		}
		if next.IsZero() || j.next.Before(next) {
			next = j.next
		}
	}
	return next
}

// note removes an order that is done, and puts off one that is not.
func (d *Driver) note(j *job, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.queue = slices.DeleteFunc(d.queue, func(k *job) bool { return k == j })
		return
	}
	j.next = now().Add(min(firstRetry<<min(j.failed, 10), lastRetry))
	j.failed++
	j.problem = problem(j, err)
	if errors.Is(err, golem.ErrInvalid) {
		d.id = nil // it may be another ledger by now
	}
}

// problem names what err means to whoever looks for a reason.
func problem(j *job, err error) string {
	var locked signError
	switch {
	case j.entry != nil:
		return "" // paid; the books will have it
	case errors.As(err, &locked):
		return payment.CantSign
	case errors.Is(err, golem.ErrExhausted):
		return payment.InsufficientToken
	case errors.Is(err, golem.ErrInvalid), errors.Is(err, golem.ErrConflict):
		return payment.TxStuck
	}
	return payment.RPCError
}

type signError struct{ error }

func (e signError) Unwrap() error { return e.error }

// carryOut makes the transfer of an order and reports it.
func (d *Driver) carryOut(ctx context.Context, j *job, settled func(context.Context, payment.Settlement) error) error {
	if j.entry == nil {
		e, err := d.transfer(ctx, &j.Order)
		if err != nil {
			return err
		}
		j.entry = &e
	}
	return settled(ctx, payment.Settlement{Order: j.ID, Amount: j.entry.Amount, Proof: proofOf(j.entry), Ref: j.entry.Hash.String()})
}

func (d *Driver) transfer(ctx context.Context, po *payment.Order) (Entry, error) {
	id, err := d.ledger(ctx)
	if err != nil {
		return Entry{}, err
	}
	o := Order{Key: string(po.ID), Payer: po.Payer, Payee: po.Payee, Amount: po.Amount}
	sig, err := d.cfg.Signer.Sign(ctx, golem.NodeID(o.Payer), transferDigest(id, &o))
	if err != nil {
		return Entry{}, signError{err}
	}
	o.Signature = sig[:]
	e, err := d.cfg.Ledger.Transfer(ctx, o)
	if err != nil {
		return e, err
	}
	if e.Key != o.Key || e.Payer != o.Payer || e.Payee != o.Payee || e.Amount != o.Amount || e.Hash != hashOf(&e) {
		return e, golem.Errorf(golem.ErrInvalid, "order %s: the ledger answers with another entry", o.Key)
	}
	return e, nil
}
