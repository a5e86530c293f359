package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/rest/client"
)

// buyer is a machine on which a program buys, without much patience and not always
// as one should.
type buyer struct {
	*machine
	api *client.Client

	mu         sync.Mutex
	allocation golem.AllocationID
}

func (w *world) buyer(name string) *buyer {
	m := w.machine(name)
	return &buyer{machine: m, api: m.client("buyer", nil)}
}

// buy implements [shopper]. What is billed is looked at until the end of the world.
func (b *buyer) buy(ctx context.Context) {
	paying, stop := context.WithCancel(b.w.ctx)
	var payments sync.WaitGroup
	payments.Go(func() { b.pay(paying) })
	b.w.closers = append(b.w.closers, func() { stop(); payments.Wait() })
	var rentals sync.WaitGroup
	for i := range 2 {
		d := b.w.dice(fmt.Sprintf("%s rents %d", b.name, i))
		rentals.Go(func() {
			for rest(ctx, d, 5*time.Second) {
				(&rental{buyer: b, dice: d}).run(ctx)
			}
		})
	}
	rentals.Wait()
}

// rental is an attempt to rent something.
type rental struct {
	*buyer
	dice   *rand.Rand
	demand golem.SubscriptionID
}

// insist calls f until it succeeds, for some time.
func (r *rental) insist(ctx context.Context, what string, f func(context.Context) error) bool {
	for range 5 {
		limit, cancel := context.WithTimeout(ctx, time.Minute)
		err := f(limit)
		cancel()
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		}
		r.w.say(r.name+"'", "%s: %v", what, err)
		if !golem.KindOf(err).Retryable() || !rest(ctx, r.dice, 4*time.Second) {
			return false
		}
	}
	return false
}

func (r *rental) run(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if !r.insist(ctx, "publish", r.publish) {
		return
	}
	defer func() {
		r.insist(context.WithoutCancel(ctx), "withdraw", func(ctx context.Context) error {
			return r.api.Withdraw(ctx, golem.Requestor, r.demand)
		})
	}()
	draft := r.negotiate(ctx)
	if draft == "" {
		return
	}
	var id golem.AgreementID
	if !r.insist(ctx, "propose", func(ctx context.Context) (err error) {
		id, err = r.api.ProposeAgreement(ctx, draft, time.Now().Add(10*time.Second+upTo(r.dice, time.Minute)))
		return err
	}) {
		return
	}
	if r.agree(ctx, id) {
		r.use(ctx, id)
	}
}

// publish puts a Demand on the market.
func (r *rental) publish(ctx context.Context) (err error) {
	p, err := r.publication()
	if err == nil {
		r.demand, err = r.api.Publish(ctx, golem.Requestor, p, 10*time.Minute)
	}
	return err
}

func (r *rental) publication() (client.Publication, error) {
	text, err := json.Marshal(map[string]any{
		"golem.node.debug.subnet":       "sim",
		"golem.srv.caps.multi-activity": true,
		golem.PropChosenPlatform:        local.Platform.String(),
		"golem.srv.comp.expiration":     r.w.begin.Add(20 * time.Minute).UnixMilli(),
		golem.PropAcceptTimeout:         30,
		golem.PropNoteInterval:          30,
		golem.PropPaymentTimeout:        60,
	})
	return client.Publication{Properties: text, Constraints: "(&(golem.runtime.name=sim)(golem.node.debug.subnet=sim))"}, err
}

// negotiate answers Proposals until there is one to agree on.
func (r *rental) negotiate(ctx context.Context) golem.ProposalID {
	for range 10 {
		limit, cancel := context.WithTimeout(ctx, 20*time.Second)
		es, err := r.api.MarketEvents(limit, golem.Requestor, r.demand, upTo(r.dice, 10*time.Second), 5)
		cancel()
		if err != nil && (!golem.KindOf(err).Retryable() || !rest(ctx, r.dice, 2*time.Second)) {
			return ""
		}
		for _, e := range es {
			switch {
			case e.Proposal == nil:
			case e.Proposal.State == golem.ProposalInitial:
				r.answer(ctx, e.Proposal.ID)
			default:
				return e.Proposal.ID
			}
		}
	}
	return ""
}

func (r *rental) answer(ctx context.Context, id golem.ProposalID) {
	r.insist(ctx, "counter", func(ctx context.Context) error {
		p, err := r.publication()
		if err == nil {
			_, err = r.api.Counter(ctx, golem.Requestor, r.demand, id, p)
		}
		return err
	})
}

// agree concludes an Agreement, and now and then thinks better of it.
func (r *rental) agree(ctx context.Context, id golem.AgreementID) bool {
	cancels := func() {
		r.insist(ctx, "cancel", func(ctx context.Context) error { return r.api.CancelAgreement(ctx, id, nil) })
	}
	if chance(r.dice, 0.05) {
		cancels()
	}
	if !r.insist(ctx, "confirm", func(ctx context.Context) error { return r.api.ConfirmAgreement(ctx, id, "") }) {
		return false
	}
	if chance(r.dice, 0.1) {
		rest(ctx, r.dice, 2*time.Second)
		cancels()
	}
	if r.insist(ctx, "wait for approval", func(ctx context.Context) error { return r.api.WaitForApproval(ctx, id, 15*time.Second) }) {
		return true
	}
	if chance(r.dice, 0.5) {
		cancels()
	}
	return false
}

// use lets a Provider work. Some Agreements are just left.
func (r *rental) use(ctx context.Context, id golem.AgreementID) {
	for range 1 + r.dice.IntN(2) {
		r.work(ctx, id)
	}
	if chance(r.dice, 0.2) {
		return
	}
	ctx = context.WithoutCancel(ctx)
	r.insist(ctx, "terminate", func(ctx context.Context) error {
		return r.api.TerminateAgreement(ctx, id, golem.NewReason("done", golem.ReasonRequestorCode, "Success"))
	})
}

// work makes an Activity and lets it execute something.
func (r *rental) work(ctx context.Context, id golem.AgreementID) {
	act, err := r.api.CreateActivity(ctx, id, nil, upTo(r.dice, 20*time.Second))
	if err != nil {
		r.w.say(r.name+"'", "create: %v", err)
		return
	}
	sleep := &golem.RunCommand{EntryPoint: "sleep", Args: []string{fmt.Sprint(1 + r.dice.IntN(80))}}
	script := []golem.Command{{Deploy: &golem.DeployCommand{}}, {Start: &golem.StartCommand{}}, {Run: sleep}}
	var batch golem.BatchID
	if r.insist(ctx, "exec", func(ctx context.Context) (err error) {
		batch, err = r.api.Exec(ctx, act, script, 10*time.Second)
		return err
	}) {
		_, err := r.api.CommandResult(ctx, act, batch, 2, upTo(r.dice, 80*time.Second))
		r.w.say(r.name+"'", "result: %v", err)
	}
	if chance(r.dice, 0.1) {
		return
	}
	r.insist(ctx, "destroy", func(ctx context.Context) error {
		return r.api.DestroyActivity(ctx, act, upTo(r.dice, 10*time.Second))
	})
}

// payTime is for how long a bill is looked at.
const payTime = 4 * time.Minute

// pay looks at what is billed until ctx ends.
func (b *buyer) pay(ctx context.Context) {
	d := b.w.dice(b.name + " pays")
	for rest(ctx, d, 8*time.Second) {
		recent := time.Now().Add(-payTime)
		notes, err := b.api.DebitNotes(ctx, recent, 0)
		if err != nil {
			continue
		}
		for _, n := range notes {
			if n.Status == golem.DocumentReceived {
				b.judge(ctx, bill{string(n.ID), n.Total, func(a golem.Acceptance) error { return b.api.AcceptDebitNote(ctx, n.ID, a) },
					func(x golem.Rejection) error { return b.api.RejectDebitNote(ctx, n.ID, x) }})
			}
		}
		invoices, err := b.api.Invoices(ctx, recent, 0)
		if err != nil {
			continue
		}
		for _, i := range invoices {
			if i.Status == golem.DocumentReceived {
				b.judge(ctx, bill{string(i.ID), i.Amount, func(a golem.Acceptance) error { return b.api.AcceptInvoice(ctx, i.ID, a) },
					func(x golem.Rejection) error { return b.api.RejectInvoice(ctx, i.ID, x) }})
			}
		}
	}
}

// bill is a document that waits for an answer.
type bill struct {
	id     string
	amount golem.Amount
	accept func(golem.Acceptance) error
	reject func(golem.Rejection) error
}

// judge answers a bill. What it thinks of it does not change.
func (b *buyer) judge(ctx context.Context, x bill) {
	d := rand.New(rand.NewPCG(b.w.seed, hash(x.id)))
	switch opinion := d.Float64(); {
	case opinion < 0.05:
		return // it is not answered
	case opinion < 0.1:
		if err := x.reject(golem.Rejection{Reason: golem.BadService}); err != nil {
			b.w.say(b.name+"'", "reject: %v", err)
		}
		return
	}
	err := x.accept(golem.Acceptance{Amount: x.amount, Allocation: b.purse()})
	switch golem.KindOf(err) {
	case "":
	case golem.ErrExhausted, golem.ErrExpired, golem.ErrInvalid, golem.ErrNotFound:
		b.allocate(ctx)
		fallthrough
	default:
		b.w.say(b.name+"'", "accept: %v", err)
	}
}

func (b *buyer) purse() golem.AllocationID {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.allocation
}

// allocate gives the former Allocation back and makes another one.
func (b *buyer) allocate(ctx context.Context) {
	if former := b.purse(); former != "" {
		b.api.ReleaseAllocation(ctx, former) // or it ends by itself
	}
	a, err := b.api.Allocate(ctx, client.NewAllocation{Platform: local.Platform, Total: golem.Tokens(5)})
	if err != nil {
		b.w.say(b.name+"'", "allocate: %v", err)
		return
	}
	b.mu.Lock()
	b.allocation = a.ID
	b.mu.Unlock()
}
