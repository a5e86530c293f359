package drivertest

import (
	"context"
	"sync"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

// Faulty is a driver that misbehaves: every n-th call of a kind goes wrong. Zero
// never does.
type Faulty struct {
	payment.Driver

	LosePay     int  // Pay says yes and forgets the order
	FailPay     int  // Pay fails after having taken the order over
	FailConfirm int  // Confirm cannot say anything
	FailBalance int  // Balance cannot say anything
	Twice       bool // every settlement is reported twice
	Lie         bool // every settlement is first reported with another amount, proof, and for an unknown order

	mu    sync.Mutex
	count map[string]int
	lies  []error
}

// turn reports whether it is the turn of a call to go wrong.
func (f *Faulty) turn(what string, n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == nil {
		f.count = map[string]int{}
	}
	f.count[what]++
	return n > 0 && f.count[what]%n == 0
}

// Believed returns how the books have answered lies; nil is a lie that was taken.
func (f *Faulty) Believed() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]error(nil), f.lies...)
}

// Pay implements payment.Driver.
func (f *Faulty) Pay(ctx context.Context, o payment.Order) error {
	if f.turn("lose", f.LosePay) {
		return nil
	}
	err := f.Driver.Pay(ctx, o)
	if err == nil && f.turn("pay", f.FailPay) {
		err = golem.Errorf(golem.ErrUnavailable, "faulty: the answer got lost")
	}
	return err
}

// Confirm implements payment.Driver.
func (f *Faulty) Confirm(ctx context.Context, p golem.Platform, proof []byte) (payment.Transfer, error) {
	if f.turn("confirm", f.FailConfirm) {
		return payment.Transfer{}, golem.Errorf(golem.ErrUnavailable, "faulty: no connection")
	}
	return f.Driver.Confirm(ctx, p, proof)
}

// Balance implements payment.Driver.
func (f *Faulty) Balance(ctx context.Context, p golem.Platform, a golem.Address) (payment.Balance, error) {
	if f.turn("balance", f.FailBalance) {
		return payment.Balance{}, golem.Errorf(golem.ErrUnavailable, "faulty: no connection")
	}
	return f.Driver.Balance(ctx, p, a)
}

// Run implements payment.Driver.
func (f *Faulty) Run(ctx context.Context, settled func(context.Context, payment.Settlement) error) error {
	return f.Driver.Run(ctx, func(ctx context.Context, s payment.Settlement) error {
		if f.Lie {
			f.lie(ctx, s, settled)
		}
		err := settled(ctx, s)
		if err == nil && f.Twice {
			err = settled(ctx, s)
		}
		return err
	})
}

// lie reports things that are not so and notes the answers.
func (f *Faulty) lie(ctx context.Context, s payment.Settlement, settled func(context.Context, payment.Settlement) error) {
	more, other, unknown := s, s, s
	more.Amount = s.Amount.Add(golem.Units(1))
	other.Proof = nil
	unknown.Order = "0123456789abcdef0123456789abcdef"
	for _, l := range []payment.Settlement{more, other, unknown} {
		err := settled(ctx, l)
		f.mu.Lock()
		f.lies = append(f.lies, err)
		f.mu.Unlock()
	}
}
