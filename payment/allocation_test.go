package payment_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/payment/local"
)

// exact compares amounts by their value.
var exact = cmpopts.EquateComparable(golem.Amount{})

func (n *node) allocate(who golem.NodeID, a payment.NewAllocation) (golem.Allocation, error) {
	if a.Platform.IsZero() {
		a.Platform = local.Platform
	}
	return n.Allocate(n.w.t.Context(), who, a)
}

// problem returns what an AllocationError names.
func problem(err error) string {
	var ae *payment.AllocationError
	if errors.As(err, &ae) {
		return ae.Problem
	}
	return fmt.Sprint(err)
}

func TestAllocationsStayWithinBalance(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(2, nil)
		half := payment.NewAllocation{Total: tokens(500)}
		first, err := n.allocate(n.id, half)
		w.must(err)
		_, err = n.allocate(n.id, half)
		w.must(err)
		_, err = n.allocate(n.id, payment.NewAllocation{Total: golem.Units(1)})
		var ae *payment.AllocationError
		if !errors.As(err, &ae) || ae.Problem != payment.InsufficientAccountFunds || ae.Requested != golem.Units(1) || !ae.Available.IsZero() || ae.Reserved != tokens(1000) {
			t.Fatalf("third: %+v", err)
		}
		if !errors.Is(err, golem.ErrInvalid) || !strings.Contains(err.Error(), "yagna payment release-allocations") {
			t.Errorf("third: %v", err)
		}
		// Another identity cannot reserve the same tokens either.
		if _, err := n.allocate(n.ids[1], payment.NewAllocation{Total: tokens(1), Address: n.id.Address()}); problem(err) != payment.InsufficientAccountFunds {
			t.Errorf("of another identity: %v", err)
		}
		w.must(n.Release(t.Context(), n.id, first.ID))
		_, err = n.allocate(n.id, half)
		w.must(err)
		count, err := n.ReleaseAll(t.Context(), n.id)
		if err != nil || count != 2 {
			t.Errorf("released %d, %v", count, err)
		}
		all, err := n.Allocations(t.Context(), n.id, payment.Page{})
		if err != nil || len(all) != 0 {
			t.Errorf("left %+v, %v", all, err)
		}
		w.audit(n)
	})
}

// TestPromisesStayReserved shows that what is accepted and not yet paid cannot be
// allocated again, though the tokens are still in the account.
func TestPromisesStayReserved(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, func(c *payment.Config) { c.PayDelay = time.Hour }), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(600))
		w.must(d.acceptInvoice(d.invoice(tokens(600)), tokens(600), al))
		w.must(r.Release(t.Context(), r.id, al))
		if _, err := r.allocate(r.id, payment.NewAllocation{Total: tokens(401)}); problem(err) != payment.InsufficientAccountFunds {
			t.Fatalf("over what is promised: %v", err)
		}
		_, err := r.allocate(r.id, payment.NewAllocation{Total: tokens(400)})
		w.must(err)
		time.Sleep(2 * time.Hour)
		w.holds(r.id.Address(), tokens(400))
		if _, err := r.allocate(r.id, payment.NewAllocation{Total: golem.Units(1)}); problem(err) != payment.InsufficientAccountFunds {
			t.Fatalf("after paying: %v", err)
		}
		w.audit(r, p)
	})
}

func TestAllocationsRace(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(1, nil)
		var made atomic.Int64
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				if _, err := n.allocate(n.id, payment.NewAllocation{Total: tokens(100)}); err == nil {
					made.Add(1)
				} else if problem(err) != payment.InsufficientAccountFunds {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if made.Load() != 10 {
			t.Fatalf("%d allocations of 100 from a balance of 1000", made.Load())
		}
	})
}

func TestAllocationEnds(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(2, nil)
		start := time.Now()
		brief, err := n.allocate(n.id, payment.NewAllocation{Total: tokens(1), Timeout: start.Add(time.Minute)})
		w.must(err)
		long, err := n.allocate(n.id, payment.NewAllocation{Total: tokens(1)})
		w.must(err)
		if got := long.Timeout.Sub(start.UTC()).Round(time.Hour); got != 24*time.Hour {
			t.Errorf("default timeout %v", got)
		}
		gone := func(id golem.AllocationID, want golem.Kind) {
			t.Helper()
			if _, err := n.Allocation(t.Context(), n.id, id); !errors.Is(err, want) {
				t.Errorf("%v: %v, want %v", id, err, want)
			}
		}
		time.Sleep(59 * time.Second)
		if got, err := n.Allocation(t.Context(), n.id, brief.ID); err != nil || !cmp.Equal(got, brief, exact) {
			t.Errorf("before its end: %+v, %v", got, err)
		}
		// Amending moves the end, and the timer with it.
		moved, err := n.Amend(t.Context(), n.id, brief.ID, payment.AllocationChange{Timeout: start.Add(3 * time.Minute)})
		w.must(err)
		if !moved.Created.Equal(brief.Created) {
			t.Error("amending changes when it was created")
		}
		time.Sleep(2 * time.Minute)
		if _, err := n.Allocation(t.Context(), n.id, brief.ID); err != nil {
			t.Errorf("after its old end: %v", err)
		}
		n.kill() // the end passes while the node does not run
		time.Sleep(time.Hour)
		n.start()
		settle()
		gone(brief.ID, golem.ErrExpired)
		gone("nope", golem.ErrNotFound)
		if _, err := n.Allocation(t.Context(), n.ids[1], long.ID); !errors.Is(err, golem.ErrNotFound) {
			t.Errorf("of somebody else: %v", err)
		}
		w.must(n.Release(t.Context(), n.id, long.ID))
		if err := n.Release(t.Context(), n.id, long.ID); !errors.Is(err, golem.ErrExpired) {
			t.Errorf("released twice: %v", err)
		}
		if err := n.Release(t.Context(), n.id, "nope"); !errors.Is(err, golem.ErrNotFound) {
			t.Errorf("release of nothing: %v", err)
		}
		if _, err := n.Amend(t.Context(), n.id, long.ID, payment.AllocationChange{}); !errors.Is(err, golem.ErrExpired) {
			t.Errorf("amend what is released: %v", err)
		}
	})
}

func TestAmend(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(1, nil), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		w.must(d.acceptInvoice(d.invoice(tokens(4)), tokens(4), al))
		settle()
		set := func(n uint64) (golem.Allocation, error) {
			total := tokens(n)
			return r.Amend(t.Context(), r.id, al, payment.AllocationChange{Total: &total})
		}
		if _, err := set(3); !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("below what is spent: %v", err)
		}
		if got, err := set(4); err != nil || !got.Remaining().IsZero() {
			t.Errorf("to what is spent: %+v, %v", got, err)
		}
		if got, err := set(1000); err != nil || got.Remaining() != tokens(996) {
			t.Errorf("to all there is: %+v, %v", got, err)
		}
		if _, err := set(1001); problem(err) != payment.InsufficientAccountFunds {
			t.Errorf("above all there is: %v", err)
		}
		if _, err := r.Amend(t.Context(), r.id, al, payment.AllocationChange{Timeout: time.Now().Add(-time.Second)}); problem(err) != payment.TimeoutPassed {
			t.Errorf("timeout in the past: %v", err)
		}
		if _, err := r.Amend(t.Context(), r.id, al, payment.AllocationChange{Deposit: &golem.Deposit{}}); !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("add a deposit: %v", err)
		}
		w.audit(r, p)
	})
}

func TestAllocateRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(1, nil)
		for _, test := range []struct {
			name string
			a    payment.NewAllocation
			want string
		}{
			{"passed timeout", payment.NewAllocation{Total: tokens(1), Timeout: time.Now().Add(-time.Second)}, payment.TimeoutPassed},
			{"foreign address", payment.NewAllocation{Total: tokens(1), Address: golem.Address{1}}, payment.AccountNotRegistered},
			{"deposit", payment.NewAllocation{Total: tokens(1), Deposit: &golem.Deposit{ID: "ff", Contract: golem.Address{1}.String()}}, payment.NoDeposit},
			{"too much", payment.NewAllocation{Total: tokens(1001)}, payment.InsufficientAccountFunds},
			{"absurdly much", payment.NewAllocation{Total: tokens(2e9)}, "amount 2000000000 is above a billion tokens"},
			{"year 9999", payment.NewAllocation{Total: tokens(1), Timeout: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, "time in the year 9999"},
			{"platform", payment.NewAllocation{Total: tokens(1), Platform: golem.Platform{Driver: "a", Network: "b", Token: "c"}}, "payment platform a-b-c is not known to this node: there are local-devnet-tglm"},
		} {
			if _, err := n.allocate(n.id, test.a); problem(err) != test.want {
				t.Errorf("%s: %v, want %s", test.name, err, test.want)
			}
		}
		n.w.keys.lock(n.id, true)
		if _, err := n.allocate(n.id, payment.NewAllocation{Total: tokens(1)}); problem(err) != payment.AccountNotRegistered {
			t.Errorf("locked: %v", err)
		}
	})
}

func TestChoosePlatform(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(1, nil)
		for _, test := range []struct {
			c    payment.PlatformChoice
			want string
		}{
			{payment.PlatformChoice{}, "local-devnet-tglm"},
			{payment.PlatformChoice{Network: "devnet"}, "local-devnet-tglm"},
			{payment.PlatformChoice{Token: "tglm"}, "local-devnet-tglm"},
			{payment.PlatformChoice{Token: "tGLM"}, "Uppercase token names are not supported: use tglm"},
			{payment.PlatformChoice{Network: "rinkeby"}, "network rinkeby is no longer supported"},
			{payment.PlatformChoice{Network: "hoody"}, `no payment platform of this node fits driver "", network "hoody", token "": there are local-devnet-tglm`},
		} {
			p, err := n.Choose(test.c)
			got := p.String()
			if err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("%+v: %s, want %s", test.c, got, test.want)
			}
		}
		if _, err := n.ParsePlatform("dummy-glm"); !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("two parts: %v", err)
		}
	})
}

func TestDecorate(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(2, nil)
		a, err := n.allocate(n.id, payment.NewAllocation{Total: tokens(1)})
		w.must(err)
		b, err := n.allocate(n.id, payment.NewAllocation{Total: tokens(1)})
		w.must(err)
		got, err := n.Decorate(t.Context(), n.id, []golem.AllocationID{a.ID, b.ID})
		w.must(err)
		want := payment.Decoration{
			Properties: []payment.DecorationProperty{
				{Key: "golem.com.payment.platform.local-devnet-tglm.address", Value: n.id.String()},
				{Key: "golem.com.payment.protocol.version", Value: "3"},
			},
			Constraints: []string{"(golem.com.payment.platform.local-devnet-tglm.address=*)", "(golem.com.payment.protocol.version>1)"},
		}
		if diff := cmp.Diff(want, got, exact); diff != "" {
			t.Error(diff)
		}
		for _, ids := range [][]golem.AllocationID{{a.ID, "nope"}, {"nope"}} {
			if _, err := n.Decorate(t.Context(), n.id, ids); !errors.Is(err, golem.ErrNotFound) {
				t.Errorf("%v: %v", ids, err)
			}
		}
		if _, err := n.Decorate(t.Context(), n.ids[1], []golem.AllocationID{a.ID}); !errors.Is(err, golem.ErrNotFound) {
			t.Errorf("of somebody else: %v", err)
		}
	})
}

// escrow is a driver that pays from deposits, and delays payments.
type escrow struct {
	payment.Driver
	mu       sync.Mutex
	deposits map[string]payment.DepositStatus
	released []string
	delay    time.Duration
}

func (e *escrow) PayDelay(golem.Platform) time.Duration { return e.delay }

func (e *escrow) Deposit(_ context.Context, _ golem.Platform, d golem.Deposit) (payment.DepositStatus, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	st, ok := e.deposits[d.ID]
	switch {
	case !ok:
		return st, golem.Errorf(golem.ErrNotFound, "no such deposit")
	case d.Validate["fee"] == "wrong":
		return st, golem.Errorf(golem.ErrInvalid, "fee is wrong")
	}
	return st, nil
}

func (e *escrow) ReleaseDeposit(_ context.Context, _ golem.Platform, _ golem.Address, d golem.Deposit) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.released = append(e.released, d.ID)
	return nil
}

// given returns the deposits that were given back.
func (e *escrow) given() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.released)
}

func (e *escrow) Pay(ctx context.Context, o payment.Order) error {
	o.Deposit = nil // the ledger behind it knows none
	return e.Driver.Pay(ctx, o)
}

func TestDeposits(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := &escrow{deposits: map[string]payment.DepositStatus{}, delay: time.Hour}
		r := w.node(1, func(c *payment.Config) {
			e.Driver = c.Drivers[0]
			c.Drivers = []payment.Driver{e}
		})
		p := w.node(1, nil)
		end := time.Now().Add(48 * time.Hour)
		good := payment.DepositStatus{Spender: r.id.Address(), Amount: tokens(50), ValidTo: end}
		e.deposits["0xa1"], e.deposits["0xa2"], e.deposits["0xa3"] = good, good, good
		e.deposits["0xb0"] = payment.DepositStatus{Spender: golem.Address{1}, Amount: tokens(50), ValidTo: end}
		contract := golem.Address{7}.String()
		deposit := func(id string) *golem.Deposit { return &golem.Deposit{ID: id, Contract: contract} }
		for _, test := range []struct {
			name string
			a    payment.NewAllocation
			want string
		}{
			{"contract", payment.NewAllocation{Total: tokens(1), Deposit: &golem.Deposit{ID: "0xa1", Contract: "0x12"}}, payment.MalformedDepositContract},
			{"id", payment.NewAllocation{Total: tokens(1), Deposit: deposit("ho")}, payment.MalformedDepositID},
			{"none", payment.NewAllocation{Total: tokens(1), Deposit: deposit("0xff")}, payment.NoDeposit},
			{"spender", payment.NewAllocation{Total: tokens(1), Deposit: deposit("0xb0")}, payment.DepositSpenderMismatch},
			{"amount", payment.NewAllocation{Total: tokens(51), Deposit: deposit("0xa1")}, payment.InsufficientDepositFunds},
			{"timeout", payment.NewAllocation{Total: tokens(1), Timeout: end.Add(time.Second), Deposit: deposit("0xa1")}, payment.TimeoutExceedsDeposit},
			{"validation", payment.NewAllocation{Total: tokens(1), Deposit: &golem.Deposit{ID: "0xa1", Contract: contract, Validate: map[string]string{"fee": "wrong"}}}, payment.DepositValidationError},
			{"good", payment.NewAllocation{Total: tokens(50), Deposit: deposit("0xa1")}, "<nil>"},
			{"reused", payment.NewAllocation{Total: tokens(1), Deposit: &golem.Deposit{ID: "0xa1", Contract: contract, Validate: map[string]string{"fee": "1"}}}, payment.DepositReused},
		} {
			if _, err := r.allocate(r.id, test.a); problem(err) != test.want {
				t.Errorf("%s: %v, want %s", test.name, err, test.want)
			}
		}
		// The account's own tokens are not reserved by a deposit.
		_, err := r.allocate(r.id, payment.NewAllocation{Total: tokens(1000)})
		w.must(err)
		// A deposit with nothing to pay is given back at once, one with a promise after it is kept.
		idle, err := r.allocate(r.id, payment.NewAllocation{Total: tokens(5), Deposit: deposit("0xa2")})
		w.must(err)
		busy, err := r.allocate(r.id, payment.NewAllocation{Total: tokens(5), Deposit: deposit("0xa3")})
		w.must(err)
		dec, err := r.Decorate(t.Context(), r.id, []golem.AllocationID{busy.ID})
		if err != nil || dec.Constraints[1] != "(golem.com.payment.protocol.version>2)" {
			t.Errorf("decoration %+v, %v", dec, err)
		}
		d := w.agree(r, p, 1, terms{})
		w.must(d.acceptInvoice(d.invoice(tokens(2)), tokens(2), busy.ID))
		w.must(r.Release(t.Context(), r.id, idle.ID))
		w.must(r.Release(t.Context(), r.id, busy.ID))
		settle()
		if diff := cmp.Diff([]string{"0xa2"}, e.given()); diff != "" {
			t.Errorf("released: %s", diff)
		}
		time.Sleep(4 * time.Hour)
		if diff := cmp.Diff([]string{"0xa2", "0xa3"}, e.given()); diff != "" {
			t.Errorf("released: %s", diff)
		}
		w.holds(p.id.Address(), tokens(1002))
		w.audit(r, p)
	})
}

func TestExpenditures(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(2, func(c *payment.Config) { c.PayDelay = time.Hour }), w.node(1, nil)
		d := w.agree(r, p, 1, terms{})
		al := d.allocate(tokens(10))
		w.must(d.acceptNote(d.note(0, tokens(1)), tokens(1), al))
		w.must(d.acceptNote(d.note(0, tokens(2)), tokens(2), al))
		time.Sleep(2 * time.Hour)
		w.must(d.acceptInvoice(d.invoice(tokens(5)), tokens(5), al))
		got, err := r.Expenditures(t.Context(), r.id, al)
		w.must(err)
		want := []payment.Expenditure{
			{Allocation: al, Agreement: d.id, Activity: d.activities[0], Accepted: tokens(2), Scheduled: tokens(2)},
			{Allocation: al, Agreement: d.id, Accepted: tokens(3)},
		}
		if diff := cmp.Diff(want, got, exact); diff != "" {
			t.Error(diff)
		}
		if _, err := r.Expenditures(t.Context(), r.ids[1], al); !errors.Is(err, golem.ErrNotFound) {
			t.Errorf("of somebody else: %v", err)
		}
	})
}
