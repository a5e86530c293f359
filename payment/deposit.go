package payment

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/golem-go/golem"
)

// sameDeposit reports whether two deposits are one, whatever its validation.
func sameDeposit(a, b *golem.Deposit) bool {
	return strings.EqualFold(a.ID, b.ID) && strings.EqualFold(a.Contract, b.Contract)
}

// checkDeposit compares an Allocation with the deposit behind it, if any (spec
// payment.md §5).
func (s *Service) checkDeposit(ctx context.Context, al *golem.Allocation) error {
	if al.Deposit == nil {
		return nil
	}
	fail := &AllocationError{Platform: al.Platform, Address: al.Address, DepositID: al.Deposit.ID}
	if _, err := golem.ParseAddress(al.Deposit.Contract); err != nil {
		return fail.as(MalformedDepositContract, "deposit contract: %w", err)
	}
	if id := strings.TrimPrefix(al.Deposit.ID, "0x"); id == "" || strings.Trim(id, "0123456789abcdefABCDEF") != "" {
		return fail.as(MalformedDepositID, "deposit id %.80q: want hex digits", al.Deposit.ID)
	}
	driver, ok := s.drivers[al.Platform].(Depositor)
	if !ok {
		return fail.as(NoDeposit, "there are no deposits on %s", al.Platform)
	}
	status, err := driver.Deposit(ctx, al.Platform, *al.Deposit)
	switch {
	case errors.Is(err, golem.ErrNotFound):
		return fail.as(NoDeposit, "deposit %s: %w", al.Deposit.ID, err)
	case errors.Is(err, golem.ErrInvalid):
		return fail.as(DepositValidationError, "deposit %s: %w", al.Deposit.ID, err)
	case err != nil:
		return err
	}
	return fail.compare(al, status)
}

func (e *AllocationError) compare(al *golem.Allocation, d DepositStatus) error {
	switch {
	case d.Spender != al.Address:
		e.DepositSpender = d.Spender
		return e.as(DepositSpenderMismatch, "deposit %s may be spent by %s, not by %s", al.Deposit.ID, d.Spender, al.Address)
	case d.Amount.Less(al.Total):
		e.Requested, e.Available = al.Total, d.Amount
		return e.as(InsufficientDepositFunds, "deposit %s holds %s, requested are %s", al.Deposit.ID, d.Amount, al.Total)
	case al.Timeout.After(d.ValidTo):
		e.RequestedTimeout, e.DepositTimeout = al.Timeout, d.ValidTo
		return e.as(TimeoutExceedsDeposit, "deposit %s is valid until %s, the allocation until %s",
			al.Deposit.ID, d.ValidTo.Format(time.RFC3339), al.Timeout.Format(time.RFC3339))
	}
	return nil
}

// as returns the error as one of a kind of problem.
func (e *AllocationError) as(problem, format string, args ...any) error {
	e.Problem, e.err = problem, golem.Errorf(golem.ErrInvalid, format, args...)
	return e
}

// unusedDeposit checks that no Allocation, active or not, has the same deposit.
func (w *sheet) unusedDeposit(al *golem.Allocation) error {
	if al.Deposit == nil {
		return nil
	}
	with, err := w.r.AllocationsWith(*al.Deposit)
	if err != nil || len(with) == 0 {
		return err
	}
	fail := &AllocationError{Platform: al.Platform, Address: al.Address, DepositID: al.Deposit.ID, Conflict: with[0].ID}
	return fail.as(DepositReused, "deposit %s is used by allocation %s", al.Deposit.ID, with[0].ID)
}
