package market_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p/p2ptest"
	"github.com/golem-go/golem/wire"
)

// why wants an error to be a refusal for a reason.
func why(t *testing.T, what string, err error, want wire.Why) {
	t.Helper()
	var r *wire.Refusal
	if !errors.As(err, &r) || r.Why != want {
		t.Errorf("%s: got %v, want %s", what, err, want)
	}
}

// say calls a method of another node in the name of o.
func say[Req, Resp any](o *outsider, m gsb.Method[Req, Resp], to *node, req Req) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := m.Call(ctx, o.bus, o.id, to.id, req)
	return err
}

// TestStrangers wants whatever belongs to two nodes not to exist for a third.
func TestStrangers(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		p, r, o := w.node("p", nil), w.node("r", nil), w.outsider("o")
		x := meet(p, r)
		proposal := x.negotiate()
		content := o.content(x.offer, x.demand, demandProperties)
		why(t, "counter to provider", say(o, wire.CounterToProvider, p, wire.ProposalReceived{Prev: proposal, Proposal: content}), wire.WhyNotFound)
		why(t, "counter to requestor", say(o, wire.CounterToRequestor, r, wire.ProposalReceived{Prev: proposal, Proposal: content}), wire.WhyNotFound)
		why(t, "reject to provider", say(o, wire.RejectionToProvider, p, wire.ProposalRejected{Proposal: proposal}), wire.WhyNotFound)
		why(t, "reject to requestor", say(o, wire.RejectionToRequestor, r, wire.ProposalRejected{Proposal: proposal}), wire.WhyNotFound)
		created := time.Now()
		forged := golem.NewAgreementID(x.offer, x.demand, created)
		why(t, "propose", say(o, wire.ProposeAgreement, p, wire.AgreementReceived{
			Proposal: proposal, Agreement: forged.For(golem.Requestor), Created: created, ValidTo: created.Add(time.Hour),
		}), wire.WhyNotFound)

		agreement := x.confirm(proposal)
		id := agreement.For(golem.Requestor)
		why(t, "approve", say(o, wire.ApproveAgreement, r, wire.AgreementApproved{Agreement: id, At: time.Now()}), wire.WhyNotFound)
		why(t, "reject", say(o, wire.RejectAgreement, r, wire.AgreementRejected{Agreement: id}), wire.WhyNotFound)
		why(t, "cancel", say(o, wire.CancelAgreement, p, wire.AgreementCancelled{Agreement: id}), wire.WhyNotFound)
		why(t, "commit", say(o, wire.CommitAgreement, p, wire.AgreementCommitted{Agreement: id}), wire.WhyNotFound)
		why(t, "terminate", say(o, wire.TerminateToProvider, p, wire.AgreementTerminated{Agreement: id}), wire.WhyNotFound)
		kind(t, say(o, wire.GetAgreement, p, wire.AgreementQuery{Agreement: string(id), Role: golem.Provider}), golem.ErrNotFound)
		entries, err := wire.ListAgreements.Call(t.Context(), o.bus, o.id, p.id, wire.AgreementsQuery{})
		if err != nil || len(entries) != 0 {
			t.Errorf("a stranger lists %v, %v", entries, err)
		}
		if p.state(agreement) != golem.AgreementPending || r.state(agreement) != golem.AgreementPending {
			t.Error("a stranger changed an agreement")
		}

		// The party may read it, and services of the node itself.
		a, err := wire.GetAgreement.Call(t.Context(), r.bus, r.id, p.id, wire.AgreementQuery{Agreement: string(id), Role: golem.Provider})
		if err != nil || a.Requestor() != r.id || a.Offer.Properties == "" || a.Session != "" {
			t.Errorf("the party reads %+v, %v", a, err)
		}
		entries, err = wire.ListAgreements.Call(t.Context(), r.bus, r.id, p.id, wire.AgreementsQuery{})
		if err != nil || len(entries) != 1 || entries[0].Role != golem.Provider {
			t.Errorf("the party lists %v, %v", entries, err)
		}
		entries, err = wire.ListAgreements.Call(t.Context(), p.bus, golem.NodeID{}, golem.NodeID{}, wire.AgreementsQuery{})
		if err != nil || len(entries) != 1 {
			t.Errorf("the node lists %v, %v", entries, err)
		}
	})
}

// content is a well-formed Proposal for a pair.
func (o *outsider) content(of, d golem.SubscriptionID, properties string) wire.ProposalContent {
	now := time.Now().UTC()
	return wire.ProposalContent{
		ID: golem.NewProposalID(golem.Requestor, of, d, now), Properties: properties, Constraints: "()", Created: now, Expires: now.Add(time.Hour),
	}
}

// TestHostileProposals sends a Provider what nobody should.
func TestHostileProposals(t *testing.T) {
	d := golem.NewDemand(golem.NodeID{9}, "{}", "()", time.Unix(0, 0), time.Unix(9e9, 0)).ID
	for name, test := range map[string]struct {
		edit func(m *wire.InitialProposalReceived)
		want wire.Why
	}{
		"id of another time": {func(m *wire.InitialProposalReceived) { m.Proposal.Created = m.Proposal.Created.Add(time.Nanosecond) }, wire.WhyInvalidID},
		"id of another pair": {func(m *wire.InitialProposalReceived) { m.Demand = m.Offer }, wire.WhyInvalidID},
		"no id":              {func(m *wire.InitialProposalReceived) { m.Proposal.ID = "" }, wire.WhyInvalidID},
		"id is no id": {func(m *wire.InitialProposalReceived) {
			m.Proposal.ID = "R-" + golem.ProposalID(strings.Repeat("x", 64))
		}, wire.WhyInvalidID},
		"demand is no id":    {func(m *wire.InitialProposalReceived) { m.Demand = "d" }, wire.WhyNoSubscription},
		"properties broken":  {func(m *wire.InitialProposalReceived) { m.Proposal.Properties = "{" }, wire.WhyNotMatching},
		"constraints broken": {func(m *wire.InitialProposalReceived) { m.Proposal.Constraints = "(" }, wire.WhyNotMatching},
		"does not match":     {func(m *wire.InitialProposalReceived) { m.Proposal.Properties = "{}" }, wire.WhyNotMatching},
		"expires in 1000 a":  {func(m *wire.InitialProposalReceived) { m.Proposal.Expires = m.Proposal.Expires.AddDate(1000, 0, 0) }, ""},
		"as it should be":    {func(m *wire.InitialProposalReceived) {}, ""},
		"too large to be one": {func(m *wire.InitialProposalReceived) {
			m.Proposal.Properties = `{"a":"` + strings.Repeat("x", 70_000) + `"}`
		}, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
				p, o := w.node("p", nil), w.outsider("o")
				of := p.offerOf()
				m := wire.InitialProposalReceived{Proposal: o.content(of, d, demandProperties), Offer: of, Demand: d}
				test.edit(&m)
				err := say(o, wire.InitialProposal, p, m)
				switch test.want {
				case "":
					kind(t, err, "")
					kind(t, say(o, wire.InitialProposal, p, m), "") // again
				case "internal":
					kind(t, err, golem.ErrInternal)
				default:
					why(t, name, err, test.want)
				}
				events := len(p.collect(of, time.Second, 10).News)
				if want := map[bool]int{true: 1, false: 0}[test.want == ""]; events != want {
					t.Errorf("%d events, want %d", events, want)
				}
			})
		})
	}
}

// TestFlood wants a Requestor to be stopped from beginning Negotiations without
// end.
func TestFlood(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		p, o := w.node("p", func(c *market.Config) { c.Negotiations = 10 }), w.outsider("o")
		of := p.offerOf()
		failed := 0
		for i := range 20 {
			d := golem.NewDemand(o.id, "{}", "()", time.Now().Add(time.Duration(i)), time.Now().Add(time.Hour)).ID
			if say(o, wire.InitialProposal, p, wire.InitialProposalReceived{Proposal: o.content(of, d, demandProperties), Offer: of, Demand: d}) != nil {
				failed++
			}
		}
		if failed != 10 {
			t.Errorf("%d were refused, want 10", failed)
		}
	})
}

// TestHostileProvider answers a Requestor with what nobody should.
func TestHostileProvider(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		r, o := w.node("r", nil), w.outsider("o")
		b := o.body(offerProperties, time.Hour)
		o.hands(b)
		var received []wire.InitialProposalReceived
		if _, err := wire.InitialProposal.Handle(o.bus, func(_ context.Context, _ gsb.Peer, m wire.InitialProposalReceived) (gsb.Unit, error) {
			received = append(received, m)
			return gsb.Unit{}, nil
		}); err != nil {
			t.Fatal(err)
		}
		o.announce(b.ID)
		d := r.demandOf()
		initial := r.next(d, market.EventProposal)
		if _, err := r.Counter(t.Context(), r.id, d, initial.Proposal, demand); err != nil {
			t.Fatal(err)
		}
		prev := received[0].Proposal.ID
		answer := func(properties string) error {
			c := o.content(b.ID, d, properties)
			c.ID = c.ID.For(golem.Provider)
			time.Sleep(time.Millisecond)
			return say(o, wire.CounterToRequestor, r, wire.ProposalReceived{Prev: prev, Proposal: c})
		}
		why(t, "an answer to the match itself", say(o, wire.CounterToRequestor, r, wire.ProposalReceived{Prev: initial.Proposal, Proposal: o.content(b.ID, d, offerProperties)}), wire.WhyOwnProposal)
		why(t, "pricing an SDK dies of", answer(strings.Replace(offerProperties, "[0.0,0.1,0.0]", "[0.1]", 1)), wire.WhyNotMatching)
		why(t, "another runtime", answer(strings.Replace(offerProperties, `"vm"`, `"wasm"`, 1)), wire.WhyNotMatching)
		kind(t, answer(offerProperties), "")
		why(t, "a second answer", answer(offerProperties), wire.WhyAlreadyCountered)
		if n := len(r.collect(d, time.Second, 10).News); n != 1 {
			t.Errorf("%d events, want 1", n)
		}
	})
}

// TestForgedSignatures wants every step to be signed by who takes it.
func TestForgedSignatures(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		p := w.node("p", nil)
		// The Requestor signs with another key than its own.
		r := w.node("r", func(c *market.Config) { c.Signer = wrongSigner{} })
		x := pair{p, r, p.offerOf(), ""}
		// Its own Offers and withdrawals are not needed, only Agreements.
		x.demand = r.demandOf()
		id, err := r.ProposeAgreement(t.Context(), r.id, x.negotiate(), time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		why(t, "confirm", r.Confirm(t.Context(), r.id, id, ""), wire.WhyNotSigned)
		if got := r.state(id); got != golem.AgreementProposal {
			t.Errorf("state %s", got)
		}
	})
}

type wrongSigner struct{}

func (wrongSigner) Sign(context.Context, golem.NodeID, [32]byte) (golem.Signature, error) {
	return golem.Signature{1, 2, 3}, nil
}

// TestSameNode trades between two identities of one node.
func TestSameNode(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		n := w.node("n", nil, "other")
		x := pair{p: n, r: n, offer: n.offerOf()}
		var err error
		r := n.ids[1]
		if x.demand, err = n.PublishDemand(t.Context(), r, demand); err != nil {
			t.Fatal(err)
		}
		c, err := n.CollectDemand(within(t, time.Minute), r, x.demand, 1)
		if err != nil || len(c.News) != 1 {
			t.Fatalf("got %+v, %v", c, err)
		}
		if _, err := n.Counter(t.Context(), r, x.demand, c.News[0].Proposal, demand); err != nil {
			t.Fatal(err)
		}
		kind(t, c.Delivered(t.Context()), "")
		received := n.next(x.offer, market.EventProposal)
		if _, err := n.Counter(t.Context(), n.id, x.offer, received.Proposal, offer); err != nil {
			t.Fatal(err)
		}
		if c, err = n.CollectDemand(within(t, time.Minute), r, x.demand, 1); err != nil || len(c.News) != 1 {
			t.Fatalf("got %+v, %v", c, err)
		}
		id, err := n.ProposeAgreement(t.Context(), r, c.News[0].Proposal, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		kind(t, n.Confirm(t.Context(), r, id, "r"), "")
		kind(t, n.Approve(t.Context(), n.id, id, "p", time.Second), "")
		for _, who := range n.ids {
			time.Sleep(time.Second)
			a, err := n.Agreement(t.Context(), who, id)
			if err != nil || a.State != golem.AgreementApproved {
				t.Errorf("%s: %+v, %v", who, a, err)
			}
			es, err := n.AgreementEvents(within(t, time.Second), market.EventQuery{Owner: who, Session: map[bool]string{true: "r", false: "p"}[who == r], Max: 9})
			if err != nil || len(es) != 1 {
				t.Errorf("%s: %+v, %v", who, es, err)
			}
		}
		_, err = n.Agreement(t.Context(), golem.NodeID{1}, id)
		kind(t, err, golem.ErrNotFound)
		hs, err := n.Agreements(t.Context(), market.AgreementQuery{Owner: r})
		if err != nil || len(hs) != 1 || hs[0].Role != golem.Requestor {
			t.Errorf("got %+v, %v", hs, err)
		}
	})
}

// TestCallbacks wants those who depend on Agreements to be told once.
func TestCallbacks(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		var mu sync.Mutex
		var told []string
		watch := func(name string) func(*market.Config) {
			return func(c *market.Config) {
				c.OnApproved = func(a *golem.Agreement) {
					mu.Lock()
					defer mu.Unlock()
					told = append(told, fmt.Sprint(name, " ", a.State))
				}
				c.OnTerminated = c.OnApproved
			}
		}
		p, r := w.node("p", watch("p")), w.node("r", watch("r"))
		id := meet(p, r).approve()
		time.Sleep(time.Second)
		kind(t, p.Terminate(t.Context(), p.id, id, nil), "")
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		if got := strings.Join(told, ", "); got != "p Approved, r Approved, p Terminated, r Terminated" {
			t.Errorf("told %s", got)
		}
	})
}

// TestClean wants what is over to go, and what is not to stay.
func TestClean(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		edit := func(c *market.Config) {
			c.CleanCycle, c.KeepEvents, c.KeepAgreements = 10*time.Minute, 2*time.Hour, 3*time.Hour
		}
		p, r := w.node("p", edit), w.node("r", edit)
		x := meet(p, r)
		over := x.approve()
		kind(t, r.Terminate(t.Context(), r.id, over, nil), "")
		time.Sleep(time.Second)
		going := x.approve()
		time.Sleep(3 * time.Hour)
		for _, n := range []*node{p, r} {
			if n.state(over) != golem.AgreementTerminated || n.state(going) != golem.AgreementApproved {
				t.Error("agreements went too early")
			}
			now := time.Now()
			left, err := n.db.Market().Clean(t.Context(), market.Retention{Subscriptions: now, Events: now}, 1000)
			if err != nil || left != 0 {
				t.Errorf("%d rows are left of what has expired, %v", left, err)
			}
		}
		time.Sleep(2 * time.Hour)
		for _, n := range []*node{p, r} {
			if n.state(going) != golem.AgreementApproved {
				t.Error("an agreement that is not over went")
			}
			_, err := n.Agreement(t.Context(), n.id, over)
			kind(t, err, golem.ErrNotFound)
		}
	})
}
