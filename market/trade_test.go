package market_test

import (
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p/p2ptest"
)

// offerOf publishes the usual Offer, demandOf the usual Demand.
func (n *node) offerOf() golem.SubscriptionID {
	n.w.t.Helper()
	id, err := n.PublishOffer(n.w.t.Context(), n.id, offer)
	if err != nil {
		n.w.t.Fatal(err)
	}
	return id
}

func (n *node) demandOf() golem.SubscriptionID {
	n.w.t.Helper()
	id, err := n.PublishDemand(n.w.t.Context(), n.id, demand)
	if err != nil {
		n.w.t.Fatal(err)
	}
	return id
}

// next collects one event of a subscription of n.
func (n *node) next(sub golem.SubscriptionID, kind market.EventKind) market.News {
	n.w.t.Helper()
	c := n.collect(sub, time.Minute, 1)
	if len(c.News) != 1 || c.News[0].Kind != kind {
		n.w.t.Fatalf("collected %+v, want one %s", c.News, kind)
	}
	if err := c.Delivered(n.w.t.Context()); err != nil {
		n.w.t.Fatal(err)
	}
	return c.News[0]
}

// collect collects events of an Offer or a Demand.
func (n *node) collect(sub golem.SubscriptionID, d time.Duration, max int) *market.Collection {
	n.w.t.Helper()
	ctx := within(n.w.t, d)
	c, err := n.CollectDemand(ctx, n.id, sub, max)
	if golem.KindOf(err) == golem.ErrNotFound {
		c, err = n.CollectOffer(ctx, n.id, sub, max)
	}
	if err != nil {
		n.w.t.Fatal(err)
	}
	return c
}

// pair is an Offer and a Demand that negotiate.
type pair struct {
	p, r          *node
	offer, demand golem.SubscriptionID
}

// meet publishes an Offer at p and a Demand at r.
func meet(p, r *node) pair {
	p.w.t.Helper()
	return pair{p, r, p.offerOf(), r.demandOf()}
}

// negotiate leads the pair from the match to the Provider's counter-proposal and
// returns its id at the Requestor.
func (x pair) negotiate() golem.ProposalID {
	t := x.p.w.t
	t.Helper()
	initial := x.r.next(x.demand, market.EventProposal)
	if _, err := x.r.Counter(t.Context(), x.r.id, x.demand, initial.Proposal, demand); err != nil {
		t.Fatal(err)
	}
	received := x.p.next(x.offer, market.EventProposal)
	if _, err := x.p.Counter(t.Context(), x.p.id, x.offer, received.Proposal, offer); err != nil {
		t.Fatal(err)
	}
	return x.r.next(x.demand, market.EventProposal).Proposal
}

// propose leads the pair to a confirmed Agreement.
func (x pair) propose() golem.AgreementID {
	t := x.p.w.t
	t.Helper()
	return x.confirm(x.negotiate())
}

// confirm makes a Proposal a confirmed Agreement.
func (x pair) confirm(proposal golem.ProposalID) golem.AgreementID {
	t := x.p.w.t
	t.Helper()
	id, err := x.r.ProposeAgreement(t.Context(), x.r.id, proposal, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := x.r.Confirm(t.Context(), x.r.id, id, "session-r"); err != nil {
		t.Fatal(err)
	}
	if e := x.p.next(x.offer, market.EventAgreement); e.Agreement.ID != id {
		t.Fatalf("got agreement %s, want %s", e.Agreement.ID, id)
	}
	return id
}

// approve leads the pair to an approved Agreement.
func (x pair) approve() golem.AgreementID {
	t := x.p.w.t
	t.Helper()
	id := x.propose()
	if err := x.p.Approve(t.Context(), x.p.id, id, "session-p", 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := x.r.WaitForApproval(within(t, time.Minute), x.r.id, id); err != nil {
		t.Fatal(err)
	}
	return id
}

// state returns the state of an Agreement at n.
func (n *node) state(id golem.AgreementID) golem.AgreementState {
	n.w.t.Helper()
	for _, who := range n.ids {
		if a, err := n.Agreement(n.w.t.Context(), who, id); err == nil {
			return a.State
		}
	}
	n.w.t.Fatalf("no agreement %s", id)
	return ""
}

func TestTrade(t *testing.T) {
	bubble(t, p2ptest.Config{Latency: 20 * time.Millisecond}, func(t *testing.T, w *world) {
		p, r := w.node("p", nil), w.node("r", nil)
		x := meet(p, r)
		id := x.approve()
		for _, n := range []*node{p, r} {
			a, err := n.Agreement(t.Context(), n.id, id)
			if err != nil {
				t.Fatal(err)
			}
			if a.State != golem.AgreementApproved || a.Approved.IsZero() || a.Signatures.Committed == "" || a.Signatures.Committed == golem.NoSignature {
				t.Errorf("got %+v", a)
			}
		}
		if err := r.Terminate(t.Context(), r.id, id, golem.NewReason("done", golem.ReasonRequestorCode, "Success")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := p.state(id); got != golem.AgreementTerminated {
			t.Errorf("provider: %s", got)
		}
		e, err := p.Termination(t.Context(), p.id, id)
		if err != nil || e.By != golem.Requestor || e.Reason.Code() != "Success" {
			t.Errorf("got %+v, %v", e, err)
		}
		again := r.next(x.demand, market.EventProposal)
		if again.Exchange.State != golem.ProposalInitial {
			t.Errorf("got %+v, want a fresh match", again)
		}
	})
}
