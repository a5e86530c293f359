package sqlite

import (
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

const (
	columnsPayAgreement = "owner, role, id, peer, payee, payer, platform, session, due, accepted, scheduled, paid, created, updated"
	columnsPayActivity  = "owner, role, id, agreement, due, accepted, scheduled, paid, created, updated"

	sqlPutPayAgreement = "INSERT INTO pay_agreement (" + columnsPayAgreement + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" +
		" ON CONFLICT (owner, role, id) DO UPDATE SET due = excluded.due, accepted = excluded.accepted," +
		" scheduled = excluded.scheduled, paid = excluded.paid, updated = excluded.updated"
	sqlPayAgreement      = "SELECT " + columnsPayAgreement + " FROM pay_agreement WHERE owner = ? AND role = ? AND id = ?"
	sqlPayAgreements     = "SELECT " + columnsPayAgreement + " FROM pay_agreement WHERE owner = ? AND created > ? ORDER BY created LIMIT ?"
	sqlPayAgreementsFrom = "SELECT " + columnsPayAgreement + " FROM pay_agreement WHERE (owner, role, id) > (?, ?, ?) ORDER BY owner, role, id LIMIT ?"

	sqlPutPayActivity = "INSERT INTO pay_activity (" + columnsPayActivity + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" +
		" ON CONFLICT (owner, role, id) DO UPDATE SET due = excluded.due, accepted = excluded.accepted," +
		" scheduled = excluded.scheduled, paid = excluded.paid, updated = excluded.updated"
	sqlPayActivity     = "SELECT " + columnsPayActivity + " FROM pay_activity WHERE owner = ? AND role = ? AND id = ?"
	sqlPayActivities   = "SELECT " + columnsPayActivity + " FROM pay_activity WHERE owner = ? AND created > ? ORDER BY created LIMIT ?"
	sqlLastPayActivity = "SELECT max(created) FROM pay_activity WHERE owner = ?"
	sqlPayActivitiesOf = "SELECT " + columnsPayActivity + " FROM pay_activity INDEXED BY pay_activity_agreement WHERE owner = ? AND role = ? AND agreement = ?"
)

func scanPayAgreement(r row) (a payment.Agreement, err error) {
	err = r.Scan(into(&a.Owner), &a.Role, &a.ID, into(&a.Peer), into(&a.Payee), into(&a.Payer), into(&a.Platform), &a.Session,
		into(&a.Due), into(&a.Accepted), into(&a.Scheduled), into(&a.Paid), into(&a.Created), into(&a.Updated))
	return a, err
}

func scanPayActivity(r row) (a payment.Activity, err error) {
	err = r.Scan(into(&a.Owner), &a.Role, &a.ID, &a.Agreement,
		into(&a.Due), into(&a.Accepted), into(&a.Scheduled), into(&a.Paid), into(&a.Created), into(&a.Updated))
	return a, err
}

func (t *Tx) putBookAgreement(a *payment.Agreement) error {
	_, err := t.exec(sqlPutPayAgreement, text{a.Owner}, a.Role, a.ID, text{a.Peer}, text{a.Payee}, text{a.Payer}, text{a.Platform}, a.Session,
		text{a.Due}, text{a.Accepted}, text{a.Scheduled}, text{a.Paid}, at(a.Created), at(a.Updated))
	return err
}

func (t *Tx) putBookActivity(a *payment.Activity) error {
	_, err := t.exec(sqlPutPayActivity, text{a.Owner}, a.Role, a.ID, a.Agreement,
		text{a.Due}, text{a.Accepted}, text{a.Scheduled}, text{a.Paid}, at(a.Created), at(a.Updated))
	return err
}

// Agreement implements payment.BookReader.
func (b books) Agreement(k payment.AgreementKey) (payment.Agreement, error) {
	return one(b.q, scanPayAgreement, sqlPayAgreement, text{k.Owner}, k.Role, k.ID)
}

// Activity implements payment.BookReader.
func (b books) Activity(k payment.ActivityKey) (payment.Activity, error) {
	return one(b.q, scanPayActivity, sqlPayActivity, text{k.Owner}, k.Role, k.ID)
}

// ActivitiesOf implements payment.BookReader.
func (b books) ActivitiesOf(k payment.AgreementKey) ([]payment.Activity, error) {
	return all(b.q, scanPayActivity, sqlPayActivitiesOf, text{k.Owner}, k.Role, k.ID)
}

// Agreements implements payment.BookReader.
func (b books) Agreements(owner golem.NodeID, p payment.Page) ([]payment.Agreement, error) {
	return all(b.q, scanPayAgreement, sqlPayAgreements, text{owner}, since(p.After), limit(p.Limit))
}

// Activities implements payment.BookReader.
func (b books) Activities(owner golem.NodeID, p payment.Page) ([]payment.Activity, error) {
	return all(b.q, scanPayActivity, sqlPayActivities, text{owner}, since(p.After), limit(p.Limit))
}

// LastActivity implements payment.BookReader.
func (b books) LastActivity(owner golem.NodeID) (time.Time, error) {
	return one(b.q, maybeTime, sqlLastPayActivity, text{owner})
}

// AgreementsFrom implements payment.BookReader.
func (b books) AgreementsFrom(after payment.AgreementKey, n int) ([]payment.Agreement, error) {
	return all(b.q, scanPayAgreement, sqlPayAgreementsFrom, text{after.Owner}, after.Role, after.ID, n)
}
