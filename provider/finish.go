package provider

import (
	"context"
	"fmt"

	"github.com/golem-go/golem"
)

// finish brings a deal that has ended to its end: the ExeUnits stop, the Requestor is
// told, and gets the final documents. Each of those is tried by itself, so that one
// which is refused holds up no other. What the deal had is free again as soon as the
// node knows that the Agreement has ended.
func (d *deal) finish(ctx context.Context) {
	d.enough()
	d.running.Wait()
	d.mail.empty() // what the Requestor has begun meanwhile is refused
	chores := d.chores()
	deadline := d.a.now().Add(d.a.cfg.GiveUp)
	p := patiently
	for {
		chores = d.attempt(ctx, chores)
		if len(chores) == 0 || chores[0].name != terminating {
			d.a.release(d)
		}
		switch {
		case len(chores) == 0:
			d.log.Info(fmt.Sprintf("Agreement [%s] cleanup finished.", d.id))
		case ctx.Err() != nil || ended(d.a.stopping):
			d.log.Warn("the agreement is finished after the next start", "left", len(chores))
		case d.a.now().After(deadline):
			d.log.Error("the agreement cannot be finished, giving up", "left", len(chores))
		default:
			d.a.pauseUnless(ctx, p.next())
			d.mail.empty()
			continue
		}
		break
	}
	d.running.Wait()
}

// terminating is the name of the first chore.
const terminating = "terminate the agreement"

// chore is something to be done at the end of a deal.
type chore struct {
	name string
	do   func(ctx context.Context) error
}

// chores are what is to be done at the end of the deal, in the order in which the
// Requestor is best told: it may take no notes after the invoice.
func (d *deal) chores() []chore {
	var cs []chore
	if !d.end.theirs {
		cs = append(cs, chore{terminating, d.terminate})
	}
	for _, w := range d.works {
		if !w.delivered && !w.refused {
			cs = append(cs, chore{"send a final debit note", w.sendFinal})
		}
	}
	b := &bill{d: d, id: d.former}
	return append(cs, chore{"make the invoice", b.make}, chore{"send the invoice", b.send})
}

// attempt does what can be done of the chores, and returns what is left.
func (d *deal) attempt(ctx context.Context, cs []chore) (left []chore) {
	for _, c := range cs {
		err := c.do(ctx)
		switch {
		case err == nil:
		case permanent(err):
			d.log.Error("cannot "+c.name+", giving up", "err", err)
		default:
			d.log.Warn("cannot "+c.name+" yet", "err", err)
			left = append(left, c)
		}
	}
	return left
}

// terminate ends the Agreement, unless that has happened.
func (d *deal) terminate(ctx context.Context) error {
	err := d.a.node.TerminateAgreement(ctx, d.id, d.end.reason())
	switch golem.KindOf(err) {
	case "":
		d.log.Info(fmt.Sprintf("Agreement [%s] terminated by Provider", d.id), "reason", d.end.message, "code", d.end.code)
	case golem.ErrExpired, golem.ErrConflict: // it is not approved any more
		return nil
	}
	return err
}
