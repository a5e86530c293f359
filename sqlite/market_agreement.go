package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/market"
)

const (
	sqlMarketAddAgreement = `INSERT OR IGNORE INTO market_agreement
		(id, role, offer, demand, provider, requestor, offer_proposal, demand_proposal,
		offer_properties, offer_constraints, demand_properties, demand_constraints,
		state, created, valid_to, proposed_signature, changed)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	sqlMarketAccept = `UPDATE market_proposal SET state = 'Accepted', telling = NULL, due = NULL WHERE id = ?1 AND state = 'Draft'
		AND NOT EXISTS (SELECT 1 FROM market_proposal WHERE prev = ?1)`
	sqlMarketChange = `UPDATE market_agreement SET state = ?, approved = ?, session = ?,
		proposed_signature = ?, approved_signature = ?, committed_signature = ?,
		deadline = ?, reason = ?, telling = ?, attempts = ?, due = ?, changed = ?, revision = revision + 1
		WHERE id = ? AND role = ? AND revision = ?`

	marketAgreement = `SELECT id, role, offer, demand, provider, requestor, offer_proposal, demand_proposal,
		offer_properties, offer_constraints, demand_properties, demand_constraints,
		state, created, valid_to, approved, session, proposed_signature, approved_signature, committed_signature,
		deadline, reason, telling, attempts, due, revision FROM market_agreement `
	sqlMarketAgreement = marketAgreement + `WHERE id = ? AND role = ?`

	marketEntry  = `SELECT id, role, created, CASE WHEN state IN ('Approved', 'Terminated') THEN approved END AS approved FROM market_agreement WHERE `
	marketFilter = `(?1 = '' OR state = ?1 OR ?1 = 'Pending' AND state = 'Approving')
		AND (?2 = '' OR created < ?2) AND (?3 = '' OR created > ?3) AND (?4 = '' OR session = ?4)`
	sqlMarketAgreements   = marketEntry + marketFilter + ` ORDER BY created, id, role`
	sqlMarketAgreementsOf = marketEntry + `requestor = ?5 AND role = ?6 AND ` + marketFilter + ` UNION ALL ` +
		marketEntry + `provider = ?5 AND role = ?7 AND ` + marketFilter + ` ORDER BY created, id, role`
	sqlMarketLate = marketAgreement + `WHERE state IN ('Proposal', 'Pending') AND telling IS NULL AND valid_to < ? ORDER BY valid_to LIMIT ?`
	sqlMarketDead = marketAgreement + `WHERE state = 'Approving' AND role = 'Provider' AND deadline < ? ORDER BY deadline LIMIT ?`

	sqlMarketLastNews = `SELECT max(at) FROM market_agreement_event`
	sqlMarketAddNews  = `INSERT INTO market_agreement_event (agreement, role, owner, session, type, by, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	sqlMarketNews     = `SELECT agreement, type, by, reason, at FROM market_agreement_event
		WHERE owner = ?1 AND at > ?2 AND (?3 = '' OR session = ?3) ORDER BY at LIMIT ?4`
	sqlMarketTermination = `SELECT agreement, type, by, reason, at FROM market_agreement_event
		WHERE agreement = ? AND role = ? AND type = 'AgreementTerminatedEvent'`
)

// Propose implements market.AgreementStore.
func (m *Market) Propose(ctx context.Context, h *market.Handshake) error {
	return m.db.Write(ctx, func(tx *Tx) error { return tx.addAgreement(h) })
}

// ReceiveAgreement implements market.AgreementStore.
func (m *Market) ReceiveAgreement(ctx context.Context, h *market.Handshake, e market.Event) error {
	return m.db.Write(ctx, func(tx *Tx) error {
		if err := tx.addAgreement(h); err != nil {
			return err
		}
		return tx.addEvent(&e)
	})
}

func (t *Tx) addAgreement(h *market.Handshake) error {
	if err := t.change(errFaster, sqlMarketAccept, h.OfferProposal); err != nil {
		return fmt.Errorf("proposal %s: %w", h.OfferProposal, err)
	}
	o, d := &h.Offer, &h.Demand
	err := t.change(errFaster, sqlMarketAddAgreement, h.ID, h.Role, o.ID, d.ID, text{o.Node}, text{d.Node}, h.OfferProposal, h.DemandProposal,
		o.Properties, o.Constraints, d.Properties, d.Constraints,
		h.State, at(h.Created), at(h.ValidTo), orNull(h.Signatures.Proposed), at(h.Created))
	if err != nil {
		return fmt.Errorf("agreement %s: %w", h.ID, err)
	}
	return nil
}

// Handshake implements market.AgreementStore.
func (m *Market) Handshake(ctx context.Context, role golem.Role, id golem.AgreementID) (*market.Handshake, error) {
	return readOne(ctx, m.db, scanHandshake, sqlMarketAgreement, id, role)
}

func scanHandshake(r row) (*market.Handshake, error) {
	var h market.Handshake
	o, d, s := &h.Offer, &h.Demand, &h.Signatures
	err := r.Scan(&h.ID, &h.Role, &o.ID, &d.ID, into(&o.Node), into(&d.Node), &h.OfferProposal, &h.DemandProposal,
		&o.Properties, &o.Constraints, &d.Properties, &d.Constraints,
		&h.State, into(&h.Created), into(&h.ValidTo), into(&h.Approved), nullable[string]{&h.Session},
		nullable[string]{&s.Proposed}, nullable[string]{&s.Approved}, nullable[string]{&s.Committed},
		into(&h.Deadline), reasonInto{&h.Reason}, nullable[market.Telling]{&h.Telling}, &h.Attempts, into(&h.Due), &h.Revision)
	o.Created, d.Created = h.Created, h.Created
	return &h, err
}

// Agreements implements market.AgreementStore.
func (m *Market) Agreements(ctx context.Context, q market.AgreementQuery) ([]market.AgreementEntry, error) {
	filter := []any{q.State, orEmpty(q.Before), orEmpty(q.After), q.Session}
	switch {
	case !q.Owner.IsZero():
		return readAll(ctx, m.db, scanMarketEntry, sqlMarketAgreementsOf, append(filter, text{q.Owner}, golem.Requestor, golem.Provider)...)
	case !q.Peer.IsZero():
		return readAll(ctx, m.db, scanMarketEntry, sqlMarketAgreementsOf, append(filter, text{q.Peer}, golem.Provider, golem.Requestor)...)
	}
	return readAll(ctx, m.db, scanMarketEntry, sqlMarketAgreements, filter...)
}

func scanMarketEntry(r row) (e market.AgreementEntry, err error) {
	var approved time.Time
	if err = r.Scan(&e.ID, &e.Role, into(&e.Created), into(&approved)); !approved.IsZero() {
		e.Approved = &approved
	}
	return e, err
}

// orEmpty writes the zero time as "".
func orEmpty(t time.Time) any {
	if t.IsZero() {
		return ""
	}
	return at(t)
}

// Overdue implements market.AgreementStore.
func (m *Market) Overdue(ctx context.Context, now time.Time, limit int) ([]*market.Handshake, error) {
	late, err := readAll(ctx, m.db, scanHandshake, sqlMarketLate, at(now), limit)
	if err != nil {
		return nil, err
	}
	dead, err := readAll(ctx, m.db, scanHandshake, sqlMarketDead, at(now), limit)
	return append(late, dead...), err
}

// Change implements market.AgreementStore.
func (m *Market) Change(ctx context.Context, c market.Change) error {
	h, s := c.Handshake, &c.Handshake.Signatures
	return m.db.Write(ctx, func(tx *Tx) error {
		err := tx.change(errFaster, sqlMarketChange, h.State, at(h.Approved), orNull(h.Session),
			orNull(s.Proposed), orNull(s.Approved), orNull(s.Committed),
			at(h.Deadline), reasonText(h.Reason), orNull(h.Telling), h.Attempts, at(h.Due), at(c.Now),
			h.ID, h.Role, h.Revision)
		if err != nil {
			return fmt.Errorf("agreement %s: %w", h.ID, err)
		}
		if err := tx.addNews(&c); err != nil || c.Fresh == nil {
			return err
		}
		_, err = tx.open(c.Fresh, c.Now)
		return err
	})
}

// addNews adds events with times later than any before.
func (t *Tx) addNews(c *market.Change) error {
	if len(c.News) == 0 {
		return nil
	}
	last, err := one(t, func(r row) (t time.Time, err error) {
		err = r.Scan(into(&t))
		return t, err
	}, sqlMarketLastNews)
	if err != nil {
		return err
	}
	when := c.Now
	for _, n := range c.News {
		if !when.After(last) {
			when = last.Add(time.Microsecond)
		}
		last = when
		if _, err := t.exec(sqlMarketAddNews, n.Agreement, c.Handshake.Role, text{c.Owner}, orNull(c.Handshake.Session), n.Type, n.By, reasonText(n.Reason), at(when)); err != nil {
			return err
		}
	}
	return nil
}

// AgreementEvents implements market.AgreementStore.
func (m *Market) AgreementEvents(ctx context.Context, q market.EventQuery) ([]market.AgreementEvent, error) {
	return readAll(ctx, m.db, scanNews, sqlMarketNews, text{q.Owner}, orEmpty(q.After), q.Session, q.Max)
}

func scanNews(r row) (e market.AgreementEvent, err error) {
	err = r.Scan(&e.Agreement, &e.Type, &e.By, reasonInto{&e.Reason}, into(&e.At))
	return e, err
}

// Termination implements market.AgreementStore.
func (m *Market) Termination(ctx context.Context, role golem.Role, id golem.AgreementID) (*market.AgreementEvent, error) {
	e, err := readOne(ctx, m.db, scanNews, sqlMarketTermination, id, role)
	return &e, err
}
