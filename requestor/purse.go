package requestor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/internal/longpoll"
	"github.com/golem-go/golem/rest/client"
)

// purse is the money of a Requestor: one Allocation of the budget, and the
// accounts of all rentals, against which documents are judged.
type purse struct {
	turn chan struct{} // held while the Allocation is made or changed
	once sync.Once     // begins to follow events

	mu         sync.Mutex
	allocation golem.AllocationID // "" while there is none
	until      time.Time          // when it times out
	accounts   map[golem.AgreementID]*account
	billed     longpoll.Hub[golem.AgreementID] // wakes who waits for an Invoice
}

func (p *purse) init() {
	p.turn = make(chan struct{}, 1)
	p.accounts = map[golem.AgreementID]*account{}
}

// billSlack is how long after a rental its documents can be paid from the
// Allocation, which the node releases by itself then.
const billSlack = 15 * time.Minute

// allocate sets the budget aside, for rentals that end by the given time.
func (r *Requestor) allocate(ctx context.Context, until time.Time) error {
	if r.cfg.Budget.IsZero() {
		return golem.Errorf(golem.ErrInvalid, "set Config.Budget to the most %s that may be spent", r.account.Token)
	}
	p := &r.purse
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	until = until.Add(billSlack)
	id, have := p.current()
	if id == "" {
		return r.setAside(ctx, until)
	}
	if !have.Before(until) {
		return nil
	}
	// Half as long again saves doing this for each rental.
	until = until.Add(time.Until(until) / 2)
	_, err := r.api.AmendAllocation(ctx, id, client.AllocationChange{Timeout: until})
	switch golem.KindOf(err) {
	case "":
		p.set(id, until)
		return nil
	case golem.ErrExpired, golem.ErrNotFound: // nothing was rented for long
		return r.setAside(ctx, until)
	}
	return fmt.Errorf("budget: %w", err)
}

// setAside makes an Allocation of what is left of the budget.
func (r *Requestor) setAside(ctx context.Context, until time.Time) error {
	left := r.cfg.Budget.Excess(r.purse.spent())
	if left.IsZero() {
		return golem.Errorf(golem.ErrExhausted, "the budget of %s %s is used up", r.cfg.Budget, r.account.Token)
	}
	ctx, cancel := whole(ctx)
	defer cancel()
	a, err := r.api.Allocate(ctx, client.NewAllocation{Platform: r.account.Platform, Address: r.account.Address, Total: left, Timeout: until})
	if err != nil {
		return r.cannotAllocate(err)
	}
	r.purse.set(a.ID, until)
	r.purse.once.Do(r.followEvents)
	return nil
}

func (r *Requestor) cannotAllocate(err error) error {
	switch golem.KindOf(err) {
	case golem.ErrInvalid, golem.ErrExhausted:
		return fmt.Errorf("budget of %s %s: %w; golem payment status shows what there is, golem payment fund gets more on test networks", r.cfg.Budget, r.account.Platform, err)
	}
	return fmt.Errorf("budget: %w", err)
}

func (p *purse) current() (golem.AllocationID, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.allocation, p.until
}

func (p *purse) set(id golem.AllocationID, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allocation, p.until = id, until
}

// release gives back what was not spent.
func (p *purse) release(ctx context.Context, api *client.Client) error {
	id, _ := p.current()
	if id == "" {
		return nil
	}
	p.set("", time.Time{})
	err := api.ReleaseAllocation(ctx, id)
	if golem.KindOf(err) == golem.ErrExpired || golem.KindOf(err) == golem.ErrNotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the budget stays set aside until it ends by itself, unless it is given back with golem payment release-allocations: %w", err)
	}
	return nil
}

// spent returns what has been accepted so far.
func (p *purse) spent() (sum golem.Amount) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.accounts {
		sum = sum.Add(a.cost())
	}
	return sum
}

// open adds the account of a rental.
func (p *purse) open(a *account) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accounts[a.agreement] = a
}

// update changes the account of an Agreement, if it is ours, and wakes whoever
// waits for it.
func (p *purse) update(id golem.AgreementID, change func(*account)) bool {
	p.mu.Lock()
	a := p.accounts[id]
	if a != nil {
		change(a)
	}
	p.mu.Unlock()
	p.billed.Wake(id)
	return a != nil
}

// awaitBill waits until an Agreement's Invoice is dealt with, and returns its
// account.
func (p *purse) awaitBill(ctx context.Context, id golem.AgreementID) (account, bool) {
	a, found, _ := longpoll.Wait(ctx, &p.billed, id, func(context.Context) (account, bool, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		a := p.accounts[id]
		if a == nil {
			return account{}, false, errors.New("no account")
		}
		return *a, a.invoice != nil, nil
	})
	return a, found
}
