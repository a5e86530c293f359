package provider

import (
	"context"
	"slices"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
)

// keepUnbilled is for how long after it was made an Agreement is looked at again.
const keepUnbilled = 30 * 24 * time.Hour

// resume finishes what a former process of this Agent has left: its Offers are
// withdrawn, and its Agreements, whose ExeUnits died with it, are terminated and
// billed. work is for that.
func (a *Agent) resume(ctx, work context.Context, me golem.NodeID) {
	var left []golem.AgreementID
	var bills map[golem.AgreementID]golem.Invoice
	err := a.retry(ctx, "look for former agreements", quickly, func(ctx context.Context) (err error) {
		if bills, err = a.formerBills(ctx, me); err == nil {
			left, err = a.unfinished(ctx, bills)
		}
		return err
	})
	if err == nil {
		err = a.retry(ctx, "withdraw former offers", quickly, a.withdrawFormer)
	}
	if err != nil && ctx.Err() == nil {
		a.log.Error("cannot find out what a former process has left", "err", err)
	}
	for _, id := range left {
		err := a.retry(ctx, "finish a former agreement", quickly, func(ctx context.Context) error {
			return a.recover(ctx, work, id, bills[id])
		})
		if err != nil && ctx.Err() == nil {
			a.log.Error("a former agreement cannot be finished", "agreement", id, "err", err)
		}
	}
}

// formerBills returns the invoices of this node, by Agreement.
func (a *Agent) formerBills(ctx context.Context, me golem.NodeID) (map[golem.AgreementID]golem.Invoice, error) {
	all, err := a.node.Invoices(ctx, a.now().Add(-2*keepUnbilled), 0)
	if err != nil {
		return nil, err
	}
	bills := map[golem.AgreementID]golem.Invoice{}
	for _, i := range all {
		if i.Issuer == me && i.Status != golem.DocumentCancelled {
			bills[i.Agreement] = i
		}
	}
	return bills, nil
}

// unfinished returns the Agreements of this session that are approved, or are
// terminated and their invoice is not made or not delivered.
func (a *Agent) unfinished(ctx context.Context, bills map[golem.AgreementID]golem.Invoice) (left []golem.AgreementID, err error) {
	for _, state := range []golem.AgreementState{golem.AgreementApproved, golem.AgreementTerminated} {
		es, err := a.node.Agreements(ctx, state, a.session)
		if err != nil {
			return nil, err
		}
		for _, e := range es {
			bill, billed := bills[e.ID]
			switch {
			case e.Role != golem.Provider || a.now().Sub(e.Created) > keepUnbilled:
			case state == golem.AgreementApproved || !billed || bill.Status == golem.DocumentIssued:
				left = append(left, e.ID)
				if billed {
					a.awaitPayment(bill)
				}
			case bill.Status == golem.DocumentReceived || bill.Status == golem.DocumentAccepted:
				a.awaitPayment(bill)
			}
		}
	}
	return left, nil
}

// recover finishes a former Agreement.
func (a *Agent) recover(ctx, work context.Context, id golem.AgreementID, former golem.Invoice) error {
	ag, err := a.node.Agreement(ctx, id)
	if err != nil {
		return err
	}
	t, err := readAgreed(ag, a.cfg.Terms.NoteInterval)
	if err != nil {
		return err
	}
	ids, err := a.node.Activities(ctx, id)
	if err != nil {
		return err
	}
	a.log.Info("finishing an agreement of a former process", "agreement", id, "activities", len(ids), "state", ag.State)
	d := newDeal(a, t, nil)
	d.state = dealBroken
	d.end = ending{code: codeShutdown, message: "The Provider's agent was restarted.", theirs: ag.State == golem.AgreementTerminated}
	d.former = former.ID
	if !d.end.theirs {
		a.occupy(d)
	}
	a.begin(d, func() {
		d.prepare(work)
		if former.ID == "" {
			d.recover(work, ids)
		}
		d.finish(work)
	})
	return nil
}

// occupy sets aside what a former Agreement had, until the node knows that it has
// ended. There may be less now than there was then.
func (a *Agent) occupy(d *deal) {
	if err := a.capacity.reserve(d.id, a.slice); err != nil {
		a.log.Warn("a former agreement has more than there is", "agreement", d.id, "err", err)
	}
}

// recover ends and bills the Activities of a former process.
func (d *deal) recover(ctx context.Context, ids []golem.ActivityID) {
	slices.Sort(ids)
	for _, id := range ids {
		w := newWork(d, id, "")
		d.works = append(d.works, w)
		w.tellEnd(ctx, "the Provider's agent was restarted")
		w.close(ctx)
	}
}

// withdrawFormer takes the Offers of a former process off the market, whose
// Demands nobody would answer: they are those of the same name.
func (a *Agent) withdrawFormer(ctx context.Context) error {
	offers, err := a.node.Offers(ctx)
	if err != nil {
		return err
	}
	for _, o := range offers {
		ps, err := property.ParseSet(o.Properties)
		if err != nil {
			continue
		}
		if name, _ := ps.String(propNodeName); name == a.cfg.Name {
			a.withdraw(ctx, &sale{id: o.ID})
		}
	}
	return nil
}
