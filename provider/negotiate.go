package provider

import (
	"context"
	"log/slog"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
	"github.com/golem-go/golem/rest/client"
)

// answer counters or rejects a Requestor's Proposal.
func (a *Agent) answer(ctx context.Context, s *sale, p *client.Proposal) {
	log := a.log.With("proposal", p.ID, "requestor", p.Issuer)
	offer, v := a.judge(ctx, s, p)
	if v.Rejection != nil {
		a.reject(ctx, s, p, v.Rejection, log)
		return
	}
	ps := propertiesOf(offer)
	for name, value := range v.Change {
		if ps[name] = value; value == nil {
			delete(ps, name)
		}
	}
	text, err := ps.text()
	if err == nil {
		log.Info("Decided to CounterProposal", "changes", len(v.Change))
		_, err = a.node.Counter(ctx, golem.Provider, s.id, p.ID, client.Publication{Properties: text, Constraints: s.constraints})
	}
	if err != nil && ctx.Err() == nil {
		log.Warn("cannot counter a proposal", "err", err)
	}
}

// judge applies the rules to a Proposal, and returns our Offer as we stated it
// last. What cannot be judged is rejected: no Requestor is left without answer.
func (a *Agent) judge(ctx context.Context, s *sale, p *client.Proposal) (*property.Set, Verdict) {
	demand, err := property.ParseSet(string(p.Properties))
	if err != nil {
		return nil, Verdict{Rejection: rejectFinally("Demand cannot be read: %s", golem.Public(err))}
	}
	offer, err := a.former(ctx, s, p)
	if err != nil {
		a.log.Warn("cannot read a former proposal", "proposal", p.Prev, "err", err)
		return nil, Verdict{Rejection: reject("Provider cannot continue this negotiation, begin another one")}
	}
	return offer, a.cfg.Terms.Judge(Case{
		Demand: demand, Offer: offer, Now: a.now(), Capacity: a.capacity.free(hardwareOf(offer)),
	})
}

// former returns our Proposal that p counters; the first is our Offer.
func (a *Agent) former(ctx context.Context, s *sale, p *client.Proposal) (*property.Set, error) {
	if p.Prev == "" {
		return s.offer, nil
	}
	var prev client.Proposal
	limit, cancel := context.WithTimeout(ctx, a.cfg.Approve)
	defer cancel()
	err := a.retry(limit, "read a proposal", quickly, func(ctx context.Context) (err error) {
		prev, err = a.node.Proposal(ctx, golem.Provider, s.id, p.Prev)
		return err
	})
	if err != nil {
		return nil, err
	}
	return property.ParseSet(string(prev.Properties))
}

func (a *Agent) reject(ctx context.Context, s *sale, p *client.Proposal, r *Rejection, log *slog.Logger) {
	log.Info("Decided to RejectProposal", "reason", r.Reason, "final", r.Final)
	reason := golem.NewReason(r.Reason, golem.ReasonIsFinal, r.Final)
	if err := a.node.Reject(ctx, golem.Provider, s.id, p.ID, reason); err != nil {
		if ctx.Err() == nil {
			log.Warn("cannot reject a proposal", "err", err)
		}
		return
	}
	if r.Full {
		a.postpone(postponed{s, p, a.now()})
	}
}

// postponed is a Proposal that was rejected because everything was in use.
type postponed struct {
	sale     *sale
	proposal *client.Proposal
	at       time.Time
}

const (
	mostPostponed = 64
	keepPostponed = time.Hour
)

func (a *Agent) postpone(p postponed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.postponed = append(a.postponed, p)
	if over := len(a.postponed) - mostPostponed; over > 0 {
		a.postponed = append([]postponed{}, a.postponed[over:]...)
	}
}

// takePostponed returns what is postponed, and forgets it.
func (a *Agent) takePostponed(now time.Time) (ps []postponed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.postponed {
		if now.Sub(p.at) < keepPostponed {
			ps = append(ps, p)
		}
	}
	a.postponed = nil
	return ps
}

// renegotiate answers again what was rejected because everything was in use, each
// time something is free. Countering a Proposal takes its rejection back.
func (a *Agent) renegotiate(ctx context.Context) {
	for {
		select {
		case <-a.freed:
		case <-ctx.Done():
			return
		}
		for _, p := range a.takePostponed(a.now()) {
			if ctx.Err() != nil {
				return
			}
			if a.capacity.free(hardwareOf(p.sale.offer)) != nil {
				a.postpone(p)
				continue
			}
			a.answer(ctx, p.sale, p.proposal)
		}
	}
}

// consider approves or rejects an Agreement that a Requestor proposes. work is for
// the deal.
func (a *Agent) consider(ctx, work context.Context, s *sale, ag *golem.Agreement) {
	if a.dealOf(ag.ID) != nil {
		return // told twice
	}
	log := a.log.With("agreement", ag.ID, "requestor", ag.Requestor())
	t, r := a.judgeAgreement(ag)
	if r == nil && t.runtime != s.product.runtime.Name {
		r = rejectFinally("Runtime %s is not what was offered", t.runtime)
	}
	if r == nil {
		if err := a.capacity.reserve(ag.ID, t.need); err != nil {
			r = &Rejection{Reason: err.Error()}
		}
	}
	if r != nil {
		log.Info("Decided to RejectAgreement", "reason", r.Reason, "final", r.Final)
		err := a.node.RejectAgreement(ctx, ag.ID, golem.NewReason(r.Reason, golem.ReasonIsFinal, r.Final))
		if err != nil && ctx.Err() == nil {
			log.Warn("cannot reject an agreement", "err", err)
		}
		return
	}
	log.Info("Decided to ApproveAgreement")
	d := newDeal(a, t, &s.product.runtime.Descriptor)
	a.begin(d, func() { d.run(work) })
}

// judgeAgreement applies the rules, none of which may want a change any more. What
// is free is looked at by who sets it aside.
func (a *Agent) judgeAgreement(ag *golem.Agreement) (*agreed, *Rejection) {
	t, err := readAgreed(ag, a.cfg.Terms.NoteInterval)
	if err != nil {
		return nil, rejectFinally("%s", golem.Public(err))
	}
	demand, err := property.ParseSet(ag.Demand.Properties)
	if err != nil {
		return nil, rejectFinally("%s", golem.Public(err))
	}
	offer, err := property.ParseSet(ag.Offer.Properties)
	if err != nil {
		return nil, rejectFinally("%s", golem.Public(err))
	}
	v := a.cfg.Terms.Judge(Case{Demand: demand, Offer: offer, Now: a.now()})
	if v.Rejection == nil && len(v.Change) > 0 {
		return nil, reject("Negotiations aren't finished.")
	}
	return t, v.Rejection
}
