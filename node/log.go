package node

import (
	"log/slog"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/identity"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/payment"
)

// The contexts have no loggers. Here it is decided which of what they tell
// becomes a line, and how loud: Info is a change that a user would recognise,
// Warn works but deserves a look, Debug is each message.

// whenMoved returns how a change is logged: quietly where the state stays what it
// was.
func whenMoved(log *slog.Logger, moved bool) func(string, ...any) {
	if moved {
		return log.Info
	}
	return log.Debug
}

func (n *Node) identityTrace() identity.Trace {
	log := n.log.With("part", "identity")
	return identity.Trace{
		Identity: func(c identity.Change, i golem.Identity) { log.Info("identity "+string(c), "node", i.ID) },
		AppKey:   func(c identity.Change, name string) { log.Info("app-key "+string(c), "name", name) },
		NotTold:  func(err error) { log.Warn("identities not announced yet", "err", err) },
	}
}

func (n *Node) marketTrace() market.Trace {
	log := n.log.With("part", "market")
	return market.Trace{
		Published: func(s golem.Subscription, kind golem.Role) { log.Info("published", "subscription", s.ID, "as", kind) },
		Withdrawn: func(id golem.SubscriptionID, node golem.NodeID) {
			log.Debug("withdrawn", "subscription", id, "node", node)
		},
		Expired: func(s golem.Subscription) { log.Debug("subscription expired", "subscription", s.ID) },
		Heard:   func(from golem.NodeID, ids int) { log.Debug("offers heard of", "peer", from, "count", ids) },
		Broadcast: func(topic string, ids int, err error) {
			log.Debug("broadcast", "topic", topic, "count", ids, "err", err)
		},
		Fetched: func(from golem.NodeID, asked, got int, err error) {
			log.Debug("offers fetched", "peer", from, "asked", asked, "got", got, "err", err)
		},
		Refused: func(from golem.NodeID, what string, err error) {
			log.Warn("refused", "peer", from, "what", what, "err", err)
		},
		Hidden: func(offer golem.SubscriptionID, why error) {
			log.Warn("offer kept from the agent", "subscription", offer, "err", why)
		},
		Proposal: func(p *golem.Proposal, _ *golem.Negotiation) {
			log.Debug("proposal", "proposal", p.ID, "issuer", p.Issuer)
		},
		Rejected: func(id golem.ProposalID, by golem.Issuer, reason *golem.Reason) {
			log.Info("proposal rejected", "proposal", id, "by", by, "reason", reason.Text())
		},
		Agreement: func(h *market.Handshake, from golem.AgreementState) {
			whenMoved(log, from != h.State)("agreement", "agreement", h.ID, "state", h.State, "from", from, "role", h.Role, "peer", h.Peer())
		},
		Told: func(e *market.Errand, took time.Duration, err error) {
			if err != nil {
				log.Warn("peer not told yet", "peer", e.Peer, "what", e.Telling, "agreement", e.ID, "attempts", e.Attempts, "took", took, "err", err)
			}
		},
		Background: func(loop string, err error) { log.Warn("loop goes on after an error", "loop", loop, "err", err) },
	}
}

func (n *Node) activityTrace() activity.Trace {
	log := n.log.With("part", "activity")
	return activity.Trace{
		Created: func(a golem.Activity) {
			log.Info("activity created", "activity", a.ID, "agreement", a.Agreement, "role", a.Role)
		},
		Moved: func(a golem.Activity, from golem.StatePair) {
			moved := a.Status.State.Current != from.Current
			whenMoved(log, moved)("activity", "activity", a.ID, "state", a.Status.State.Current, "from", from.Current, "reason", a.Status.Reason)
		},
		Destroying: func(a golem.Activity, why string) {
			log.Info("activity is being destroyed", "activity", a.ID, "why", why)
		},
		Sent: func(a golem.Activity, b golem.BatchID, err error) {
			log.Debug("batch sent", "activity", a.ID, "batch", b, "err", err)
		},
		Retry:  func(a golem.Activity, err error) { log.Warn("provider not told yet", "activity", a.ID, "err", err) },
		Failed: func(loop string, err error) { log.Warn("loop goes on after an error", "loop", loop, "err", err) },
	}
}

func (n *Node) paymentTrace() *payment.Trace {
	log := n.log.With("part", "payment")
	document := func(text string) func(payment.Document) {
		return func(d payment.Document) {
			log.Info(text, "kind", d.Kind, "id", d.ID, "agreement", d.Agreement, "amount", d.Amount, "status", d.Status, "peer", d.Peer)
		}
	}
	return &payment.Trace{
		Allocated: func(a golem.Allocation) {
			log.Info("allocation", "allocation", a.ID, "state", a.State, "total", a.Total, "platform", a.Platform)
		},
		Issued:   document("document issued"),
		Received: document("document received"),
		Accepted: document("document accepted"),
		Decided:  document("document decided"),
		Settled:  func(o payment.OrderRecord) { log.Info("paid", "order", o.ID, "amount", o.Amount, "transfer", o.Ref) },
		Credited: func(p payment.Payment) {
			log.Info("payment received", "payment", p.ID, "amount", p.Amount, "peer", p.Payer)
		},
		Told: func(m payment.Message) { log.Debug("peer told", "peer", m.Peer, "what", m.Kind) },
		Untold: func(m payment.Message, err error) {
			line := log.Info // of a peer that restarts, which mends itself
			if m.Attempts > 1 {
				line = log.Warn
			}
			line("peer not told yet", "peer", m.Peer, "what", m.Kind, "attempts", m.Attempts, "err", err)
		},
		Failed: func(what string, err error) { log.Warn("payment goes on after an error", "what", what, "err", err) },
	}
}
