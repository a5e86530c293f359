package sqlite

import (
	"errors"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

const (
	columnsObligation = "owner, kind, document, agreement, activity, allocation, peer, payer, payee, platform, amount, due, pay_at, state, order_id"
	columnsOrder      = "id, owner, platform, payer, payee, amount, due, deposit, created, settled, proof, ref"

	sqlPutObligation = "INSERT INTO pay_obligation (" + columnsObligation + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" +
		" ON CONFLICT (owner, kind, document) DO UPDATE SET state = excluded.state, order_id = excluded.order_id"
	sqlOwed             = "SELECT amount FROM pay_obligation INDEXED BY pay_obligation_unpaid WHERE platform = ? AND payer = ? AND state <> 'paid'"
	sqlPayable          = "SELECT DISTINCT owner, platform, payer FROM pay_obligation INDEXED BY pay_obligation_payable WHERE state = 'open' AND pay_at <= ?"
	sqlNextPayable      = "SELECT min(pay_at) FROM pay_obligation WHERE state = 'open'"
	sqlOpenObligations  = "SELECT " + columnsObligation + " FROM pay_obligation WHERE owner = ? AND platform = ? AND payer = ? AND state = 'open' ORDER BY seq LIMIT ?"
	sqlObligationsOf    = "SELECT " + columnsObligation + " FROM pay_obligation WHERE order_id = ? ORDER BY seq"
	sqlObligationsOn    = "SELECT " + columnsObligation + " FROM pay_obligation WHERE allocation = ? ORDER BY seq"
	sqlObligationsUnder = "SELECT " + columnsObligation + " FROM pay_obligation WHERE owner = ? AND agreement = ? ORDER BY seq"

	sqlPutOrder = "INSERT INTO pay_order (" + columnsOrder + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" +
		" ON CONFLICT (id) DO UPDATE SET settled = excluded.settled, proof = excluded.proof, ref = excluded.ref"
	sqlOrder         = "SELECT " + columnsOrder + " FROM pay_order WHERE id = ?"
	sqlOrders        = "SELECT " + columnsOrder + " FROM pay_order WHERE owner = ? AND created > ? ORDER BY created LIMIT ?"
	sqlLastOrder     = "SELECT max(created) FROM pay_order WHERE owner = ?"
	sqlOrdersFrom    = "SELECT " + columnsOrder + " FROM pay_order WHERE id > ? ORDER BY id LIMIT ?"
	sqlOrdersSettled = "SELECT count(*) FROM pay_order WHERE platform = ? AND payer = ? AND settled IS NOT NULL"
)

func scanObligation(r row) (o payment.Obligation, err error) {
	o.Document.Role = golem.Requestor
	err = r.Scan(into(&o.Document.Owner), &o.Document.Kind, &o.Document.ID, &o.Agreement, nullable[golem.ActivityID]{&o.Activity}, &o.Allocation,
		into(&o.Peer), into(&o.Payer), into(&o.Payee), into(&o.Platform), into(&o.Amount), into(&o.Due), into(&o.PayAt), &o.State,
		nullable[payment.OrderID]{&o.Order})
	return o, err
}

func (t *Tx) putObligation(o *payment.Obligation) error {
	_, err := t.exec(sqlPutObligation, text{o.Document.Owner}, o.Document.Kind, o.Document.ID, o.Agreement, orNull(o.Activity), o.Allocation,
		text{o.Peer}, text{o.Payer}, text{o.Payee}, text{o.Platform}, text{o.Amount}, at(o.Due), at(o.PayAt), o.State, orNull(o.Order))
	return err
}

func scanOrder(r row) (o payment.OrderRecord, err error) {
	err = r.Scan(&o.ID, into(&o.Owner), into(&o.Platform), into(&o.Payer), into(&o.Payee), into(&o.Amount), into(&o.Due),
		fromJSON{&o.Deposit}, into(&o.Created), into(&o.Settled), &o.Proof, nullable[string]{&o.Ref})
	return o, err
}

func (t *Tx) putOrder(o *payment.OrderRecord) error {
	_, err := t.exec(sqlPutOrder, o.ID, text{o.Owner}, text{o.Platform}, text{o.Payer}, text{o.Payee}, text{o.Amount}, at(o.Due),
		asJSON[golem.Deposit]{o.Deposit}, at(o.Created), at(o.Settled), o.Proof, orNull(o.Ref))
	return err
}

// Owed implements payment.OrderReader.
func (b books) Owed(a payment.Account) (sum golem.Amount, err error) {
	amounts, err := all(b.q, scanAmount, sqlOwed, text{a.Platform}, text{a.Address})
	return golem.Sum(amounts...), err
}

func scanAmount(r row) (a golem.Amount, err error) { return a, r.Scan(into(&a)) }

// Payable implements payment.OrderReader.
func (b books) Payable(now time.Time) ([]payment.Purse, error) {
	return all(b.q, scanPurse, sqlPayable, at(now))
}

func scanPurse(r row) (p payment.Purse, err error) {
	return p, r.Scan(into(&p.Owner), into(&p.Platform), into(&p.Address))
}

// NextPayable implements payment.OrderReader.
func (b books) NextPayable() (time.Time, error) { return one(b.q, maybeTime, sqlNextPayable) }

// OpenObligations implements payment.OrderReader.
func (b books) OpenObligations(p payment.Purse, n int) ([]payment.Obligation, error) {
	return all(b.q, scanObligation, sqlOpenObligations, text{p.Owner}, text{p.Platform}, text{p.Address}, n)
}

// ObligationsOf implements payment.OrderReader.
func (b books) ObligationsOf(id payment.OrderID) ([]payment.Obligation, error) {
	return all(b.q, scanObligation, sqlObligationsOf, id)
}

// ObligationsOn implements payment.OrderReader.
func (b books) ObligationsOn(id golem.AllocationID) ([]payment.Obligation, error) {
	return all(b.q, scanObligation, sqlObligationsOn, id)
}

// ObligationsUnder implements payment.OrderReader.
func (b books) ObligationsUnder(owner golem.NodeID, id golem.AgreementID) ([]payment.Obligation, error) {
	return all(b.q, scanObligation, sqlObligationsUnder, text{owner}, id)
}

// Order implements payment.OrderReader.
func (b books) Order(id payment.OrderID) (payment.OrderRecord, error) {
	return one(b.q, scanOrder, sqlOrder, id)
}

// Orders implements payment.OrderReader.
func (b books) Orders(owner golem.NodeID, p payment.Page) ([]payment.OrderRecord, error) {
	return all(b.q, scanOrder, sqlOrders, text{owner}, since(p.After), limit(p.Limit))
}

// LastOrder implements payment.OrderReader.
func (b books) LastOrder(owner golem.NodeID) (time.Time, error) {
	return one(b.q, maybeTime, sqlLastOrder, text{owner})
}

// OrdersFrom implements payment.OrderReader.
func (b books) OrdersFrom(after payment.OrderID, n int) ([]payment.OrderRecord, error) {
	return all(b.q, scanOrder, sqlOrdersFrom, after, n)
}

// OrdersSettled implements payment.OrderReader.
func (b books) OrdersSettled(a payment.Account) (int, error) {
	n, err := one(b.q, scalar[int], sqlOrdersSettled, text{a.Platform}, text{a.Address})
	if errors.Is(err, errNoRow) {
		err = nil
	}
	return n, err
}
