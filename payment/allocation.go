package payment

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golem-go/golem"
)

// NewAllocation is what an agent wants to set aside.
type NewAllocation struct {
	Platform golem.Platform
	Address  golem.Address // zero: that of the caller's identity
	Total    golem.Amount
	Timeout  time.Time // zero: the node's default
	Deposit  *golem.Deposit
}

// AllocationChange is how an agent wants to amend an Allocation; nil and zero
// leave things as they are.
type AllocationChange struct {
	Total   *golem.Amount
	Timeout time.Time
	Deposit *golem.Deposit // only its Validate may differ
}

// Problems an [AllocationError] names, after upstream's URIs (spec rest-api.md §6.2).
const (
	InsufficientAccountFunds = "insufficient-account-funds"
	InsufficientDepositFunds = "insufficient-deposit-funds"
	TimeoutExceedsDeposit    = "timeout-exceeds-deposit"
	TimeoutPassed            = "timeout-passed"
	MalformedDepositContract = "malformed-deposit-contract"
	MalformedDepositID       = "malformed-deposit-id"
	NoDeposit                = "no-deposit"
	DepositReused            = "deposit-reused"
	DepositSpenderMismatch   = "deposit-spender-mismatch"
	DepositValidationError   = "deposit-validation-error"
	AccountNotRegistered     = "account-not-registered"
)

// AllocationError says why an Allocation cannot be made, with the figures.
type AllocationError struct {
	Problem          string // one of the constants above
	Platform         golem.Platform
	Address          golem.Address
	Requested        golem.Amount // of funds problems
	Available        golem.Amount
	Reserved         golem.Amount
	RequestedTimeout time.Time
	DepositTimeout   time.Time
	DepositID        string
	DepositSpender   golem.Address
	Conflict         golem.AllocationID // that uses the deposit already
	err              error
}

// Error returns the text for the caller.
func (e *AllocationError) Error() string { return e.err.Error() }

// Unwrap returns the kinded error.
func (e *AllocationError) Unwrap() error { return e.err }

// Allocate sets tokens aside. Balance and reservations are compared in the
// transaction that makes the Allocation, so that no two are made from the same
// tokens. Errors are an *AllocationError where more than ErrInvalid is known.
func (s *Service) Allocate(ctx context.Context, who golem.NodeID, n NewAllocation) (golem.Allocation, error) {
	al := golem.Allocation{
		ID: golem.NewAllocationID(), Owner: who, Platform: n.Platform, Address: n.Address, Total: n.Total,
		State: golem.AllocationActive, Timeout: n.Timeout.UTC().Truncate(time.Microsecond), Deposit: n.Deposit,
	}
	if al.Address.IsZero() {
		al.Address = who.Address()
	}
	if n.Timeout.IsZero() {
		al.Timeout = s.now().Add(s.cfg.AllocationTimeout)
	}
	if err := s.prepare(ctx, &al); err != nil {
		return al, err
	}
	err := s.reserve(ctx, &al, al.Total, func(w *sheet) error {
		al.Created, al.Updated = w.now, w.now
		if err := w.unusedDeposit(&al); err != nil {
			return err
		}
		w.allocations.add(al.ID, al)
		return nil
	})
	if err == nil {
		s.trace.allocated(al)
	}
	return al, err
}

// prepare checks what can be checked without the books.
func (s *Service) prepare(ctx context.Context, al *golem.Allocation) error {
	if s.drivers[al.Platform] == nil {
		return golem.Errorf(golem.ErrInvalid, "payment platform %s is not known to this node: there are %s", al.Platform, s.list())
	}
	if err := sane(al.Total); err != nil {
		return err
	}
	if err := s.timely(al); err != nil {
		return err
	}
	err := s.usable(ctx, al.Address)
	if d, ok := s.drivers[al.Platform].(Initializer); ok && err == nil {
		err = d.Init(ctx, al.Platform, al.Address)
	}
	if err != nil {
		return &AllocationError{Problem: AccountNotRegistered, Platform: al.Platform, Address: al.Address, err: err}
	}
	return s.checkDeposit(ctx, al)
}

func (s *Service) timely(al *golem.Allocation) error {
	if al.Timeout.After(s.now()) {
		return dated(al.Timeout)
	}
	return &AllocationError{
		Problem: TimeoutPassed, Platform: al.Platform, Address: al.Address, RequestedTimeout: al.Timeout,
		err: golem.Errorf(golem.ErrInvalid, "requested timeout %s has passed", al.Timeout.Format(time.RFC3339)),
	}
}

// snapshots is how often a reservation is tried against a balance that changes
// under it.
const snapshots = 5

// reserve makes a change that sets amount more aside, if the account has that
// much. The balance is asked for before the transaction; if an order was settled
// meanwhile, so that it may be both paid and not counted any more, it is asked
// for again.
func (s *Service) reserve(ctx context.Context, al *golem.Allocation, amount golem.Amount, change func(*sheet) error) error {
	if al.Deposit != nil || s.cfg.SkipValidation || amount.IsZero() {
		return s.step(ctx, change)
	}
	account := Account{al.Platform, al.Address}
	for range snapshots {
		settled, err := s.ordersSettled(ctx, account)
		if err != nil {
			return err
		}
		balance, err := s.drivers[al.Platform].Balance(ctx, al.Platform, al.Address)
		if err != nil {
			return golem.Errorf(golem.ErrUnavailable, "balance of %s on %s: %w", al.Address, al.Platform, err)
		}
		err = s.step(ctx, func(w *sheet) error {
			if n, err := w.r.OrdersSettled(account); err != nil || n != settled {
				return errors.Join(err, errBalanceMoved)
			}
			if err := w.afford(al, amount, balance.Amount); err != nil {
				return err
			}
			return change(w)
		})
		if !errors.Is(err, errBalanceMoved) {
			return err
		}
	}
	return golem.Errorf(golem.ErrConflict, "the balance of %s on %s keeps changing; try again", al.Address, al.Platform)
}

var errBalanceMoved = errors.New("an order was settled")

func (s *Service) ordersSettled(ctx context.Context, a Account) (n int, err error) {
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		n, err = r.OrdersSettled(a)
		return err
	})
	return n, err
}

// afford checks that an account can set amount more aside: what it holds less
// what is reserved, and less what is promised and not yet paid.
func (w *sheet) afford(al *golem.Allocation, amount, balance golem.Amount) error {
	reserved, err := w.reserved(Account{al.Platform, al.Address})
	if err != nil {
		return err
	}
	if !balance.Less(reserved.Add(amount)) {
		return nil
	}
	return &AllocationError{
		Problem: InsufficientAccountFunds, Platform: al.Platform, Address: al.Address,
		Requested: amount, Available: balance.Excess(reserved), Reserved: reserved,
		err: golem.Errorf(golem.ErrInvalid, "Insufficient funds to make an allocation of %s on %s from %s: the balance is %s, of which %s is reserved. `yagna payment release-allocations` releases what is reserved and not needed",
			amount, al.Platform, al.Address, balance, reserved),
	}
}

// reserved returns what an account must keep: for active Allocations without a
// deposit, and for obligations.
func (w *sheet) reserved(a Account) (golem.Amount, error) {
	sum, err := w.r.Owed(a)
	if err != nil {
		return sum, err
	}
	active, err := w.r.AllocationsOn(a)
	for _, al := range active {
		if al.Deposit == nil {
			sum = sum.Add(al.Remaining())
		}
	}
	return sum, err
}

// Amend changes an Allocation. Only what is added to it is checked against the
// balance.
func (s *Service) Amend(ctx context.Context, who golem.NodeID, id golem.AllocationID, c AllocationChange) (golem.Allocation, error) {
	old, err := s.Allocation(ctx, who, id)
	if err != nil {
		return old, err
	}
	al, err := amended(old, c)
	if err != nil {
		return al, err
	}
	if err := s.prepare(ctx, &al); err != nil {
		return al, err
	}
	err = s.reserve(ctx, &al, al.Total.Excess(old.Total), func(w *sheet) error {
		row, err := w.allocations.get(id, w.r.Allocation)
		if err != nil {
			return err
		}
		if row.State.Final() || row.Total != old.Total {
			return golem.Errorf(golem.ErrConflict, "allocation %s has changed meanwhile", id)
		}
		if al.Total.Less(row.Spent) {
			return golem.Errorf(golem.ErrInvalid, "allocation %s: %s is spent already, so its total cannot become %s", id, row.Spent, al.Total)
		}
		row.Total, row.Timeout, row.Deposit, row.Updated = al.Total, al.Timeout, al.Deposit, w.now
		al = *row
		return nil
	})
	return al, err
}

// amended returns what an Allocation becomes by a change.
func amended(al golem.Allocation, c AllocationChange) (golem.Allocation, error) {
	if c.Total != nil {
		al.Total = *c.Total
	}
	if !c.Timeout.IsZero() {
		al.Timeout = c.Timeout.UTC().Truncate(time.Microsecond)
	}
	if c.Deposit == nil {
		return al, nil
	}
	if al.Deposit == nil || !sameDeposit(al.Deposit, c.Deposit) && (c.Deposit.ID != "" || c.Deposit.Contract != "") {
		return al, golem.Errorf(golem.ErrInvalid, "allocation %s: its deposit cannot be replaced, and none can be added", al.ID)
	}
	deposit := *al.Deposit
	deposit.Validate = c.Deposit.Validate
	al.Deposit = &deposit
	return al, nil
}

// Allocation returns an active Allocation of who. It returns ErrNotFound for an
// unknown one and ErrExpired for one that has ended.
func (s *Service) Allocation(ctx context.Context, who golem.NodeID, id golem.AllocationID) (al golem.Allocation, err error) {
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		al, err = ownAllocation(r, who, id)
		return err
	})
	return al, err
}

func ownAllocation(r Reader, who golem.NodeID, id golem.AllocationID) (golem.Allocation, error) {
	al, err := r.Allocation(id)
	switch {
	case errors.Is(err, golem.ErrNotFound), err == nil && al.Owner != who:
		return al, golem.Errorf(golem.ErrNotFound, "Allocation %s not found", id)
	case err != nil:
		return al, err
	case al.State.Final():
		return al, golem.Errorf(golem.ErrExpired, "Allocation %s is released", id)
	}
	return al, nil
}

// Allocations lists the active Allocations of who by time of creation.
func (s *Service) Allocations(ctx context.Context, who golem.NodeID, p Page) (as []golem.Allocation, err error) {
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		as, err = r.Allocations(who, p)
		return err
	})
	return as, err
}

// Release ends an Allocation. What was accepted against it is paid all the same.
func (s *Service) Release(ctx context.Context, who golem.NodeID, id golem.AllocationID) error {
	return s.step(ctx, func(w *sheet) error {
		if _, err := ownAllocation(w.r, who, id); err != nil {
			return err
		}
		al, err := w.allocations.get(id, w.r.Allocation)
		if err != nil {
			return err
		}
		return w.end(al, golem.AllocationRelease)
	})
}

// ReleaseAll ends all Allocations of who and returns how many.
func (s *Service) ReleaseAll(ctx context.Context, who golem.NodeID) (n int, err error) {
	err = s.step(ctx, func(w *sheet) error {
		all, err := w.r.Allocations(who, Page{})
		if err != nil {
			return err
		}
		n = len(all)
		return w.endAll(all, golem.AllocationRelease)
	})
	return n, err
}

func (w *sheet) endAll(all []golem.Allocation, e golem.AllocationEvent) error {
	for _, al := range all {
		if err := w.end(w.allocations.loaded(al.ID, al), e); err != nil {
			return err
		}
	}
	return nil
}

// end ends an Allocation; a deposit behind it is given back in due course.
func (w *sheet) end(al *golem.Allocation, e golem.AllocationEvent) error {
	next, err := al.State.Next(e)
	if err != nil {
		return err
	}
	al.State, al.Updated = next, w.now
	if al.Deposit != nil {
		w.tell(al.Owner, golem.NodeID{}, ReleaseDepositMessage, string(al.ID))
	}
	return nil
}

// expire ends the Allocations whose time is over, and returns when the next one
// ends.
func (s *Service) expire(ctx context.Context) (next time.Time, err error) {
	const some = 100
	err = s.step(ctx, func(w *sheet) error {
		soon, err := w.r.Expiring(some)
		if err != nil {
			return err
		}
		over := slices.IndexFunc(soon, func(al golem.Allocation) bool { return al.Timeout.After(w.now) })
		next = time.Time{}
		switch {
		case over >= 0:
			next, soon = soon[over].Timeout, soon[:over]
		case len(soon) == some:
			next = w.now // there are more
		}
		return w.endAll(soon, golem.AllocationExpire)
	})
	return next, err
}

// Expenditures returns what an Allocation, active or not, was charged for each
// Agreement, and for each Activity by debit notes.
func (s *Service) Expenditures(ctx context.Context, who golem.NodeID, id golem.AllocationID) ([]Expenditure, error) {
	es := []Expenditure{}
	err := s.cfg.Store.View(ctx, func(r Reader) error {
		al, err := r.Allocation(id)
		if errors.Is(err, golem.ErrNotFound) || err == nil && al.Owner != who {
			return golem.Errorf(golem.ErrNotFound, "Allocation %s not found", id)
		}
		if err != nil {
			return err
		}
		obligations, err := r.ObligationsOn(id)
		for _, o := range obligations {
			es = spend(es, &o)
		}
		return err
	})
	return es, err
}

func spend(es []Expenditure, o *Obligation) []Expenditure {
	i := slices.IndexFunc(es, func(e Expenditure) bool { return e.Agreement == o.Agreement && e.Activity == o.Activity })
	if i < 0 {
		i = len(es)
		es = append(es, Expenditure{Allocation: o.Allocation, Agreement: o.Agreement, Activity: o.Activity})
	}
	es[i].Accepted = es[i].Accepted.Add(o.Amount)
	if o.State != ObligationOpen {
		es[i].Scheduled = es[i].Scheduled.Add(o.Amount)
	}
	return es
}

// Decoration is what a Demand says about paying.
type Decoration struct {
	Properties  []DecorationProperty `json:"properties"`
	Constraints []string             `json:"constraints"`
}

// DecorationProperty is a property of a Demand; the value is text.
type DecorationProperty struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Decorate returns the properties and constraints by which a Demand asks for
// Providers that can be paid from the given Allocations (spec payment.md §5).
func (s *Service) Decorate(ctx context.Context, who golem.NodeID, ids []golem.AllocationID) (Decoration, error) {
	var d Decoration
	var addresses []string
	version := "1"
	err := s.cfg.Store.View(ctx, func(r Reader) error {
		for _, id := range ids {
			al, err := ownAllocation(r, who, id)
			if err != nil {
				return golem.Errorf(golem.ErrNotFound, "%w", err)
			}
			key := golem.PropPlatformAddress(al.Platform)
			if al.Deposit != nil {
				version = "2"
			}
			if c := "(" + key + "=*)"; !slices.Contains(addresses, c) {
				addresses = append(addresses, c)
				d.Properties = append(d.Properties, DecorationProperty{key, al.Address.String()})
			}
		}
		return nil
	})
	if err == nil && len(addresses) == 0 {
		err = golem.Errorf(golem.ErrInvalid, "no allocation named")
	}
	if err != nil {
		return d, err
	}
	d.Properties = append(d.Properties, DecorationProperty{golem.PropProtocolVersion, "3"})
	platforms := addresses[0]
	if len(addresses) > 1 {
		platforms = "(|\n  " + strings.Join(addresses, "\n  ") + "\n)"
	}
	d.Constraints = []string{platforms, "(" + golem.PropProtocolVersion + ">" + version + ")"}
	return d, nil
}
