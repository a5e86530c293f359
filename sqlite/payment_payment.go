package sqlite

import (
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

const (
	columnsPayment = "owner, role, recorded, ref, order_id, payment, signature, signed_bytes"
	columnsEvent   = "owner, role, kind, document, type, time, session, rejection"

	sqlPutPayment = "INSERT INTO pay_payment (" + columnsPayment + ", id, platform, parts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" +
		" ON CONFLICT (owner, role, id) DO UPDATE SET signature = excluded.signature, signed_bytes = excluded.signed_bytes"
	sqlPutAgreementPart = "INSERT INTO pay_payment_part (owner, role, agreement, activity, payment) VALUES (?, ?, ?, '', ?) ON CONFLICT DO NOTHING"
	sqlPutActivityPart  = "INSERT INTO pay_payment_part (owner, role, agreement, activity, payment)" +
		" SELECT owner, role, agreement, id, ? FROM pay_activity WHERE owner = ? AND role = ? AND id = ? ON CONFLICT DO NOTHING"
	sqlPayment  = "SELECT " + columnsPayment + " FROM pay_payment WHERE owner = ? AND role = ? AND id = ?"
	sqlPayments = "SELECT " + columnsPayment + " FROM pay_payment AS p WHERE owner = ?1 AND recorded > ?2 AND platform LIKE ?3 ESCAPE '\\'" +
		" AND (?4 = '' OR EXISTS (SELECT 1 FROM pay_payment_part AS l JOIN pay_agreement AS a ON a.owner = l.owner AND a.role = l.role AND a.id = l.agreement" +
		" WHERE l.owner = p.owner AND l.role = p.role AND l.payment = p.id AND a.session = ?4))" +
		" ORDER BY recorded LIMIT ?5"
	sqlPaymentsFor = "SELECT " + columnsPayment + " FROM pay_payment WHERE owner = ?1 AND role = ?2 AND id IN" +
		" (SELECT payment FROM pay_payment_part WHERE owner = ?1 AND role = ?2 AND agreement = ?3 AND (?4 = '' OR activity IN (?4, ''))) ORDER BY +recorded"
	sqlClaimed     = "SELECT parts FROM pay_payment WHERE platform = ? AND ref = ? AND role = 'Provider'"
	sqlLastPayment = "SELECT max(recorded) FROM pay_payment"

	sqlPutDocumentEvent = "INSERT INTO pay_event (" + columnsEvent + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
	sqlDocumentEvents   = "SELECT " + columnsEvent + " FROM pay_event WHERE owner = ?1 AND kind = ?2 AND time > ?3" +
		" AND (?4 = '' OR session = ?4) AND instr(?5, ' ' || role || ':' || type || ' ') > 0 ORDER BY time LIMIT ?6"
	sqlLastDocumentEvent = "SELECT max(time) FROM pay_event"
)

func scanPayment(r row) (p payment.Payment, err error) {
	err = r.Scan(into(&p.Owner), &p.Role, into(&p.Recorded), &p.Ref, nullable[payment.OrderID]{&p.Order},
		fromJSON{&p.Payment}, &p.Signature, &p.SignedBytes)
	return p, err
}

func (t *Tx) putPayment(p *payment.Payment) error {
	if _, err := t.exec(sqlPutPayment, text{p.Owner}, p.Role, at(p.Recorded), p.Ref, orNull(p.Order),
		asJSON[golem.Payment]{&p.Payment}, p.Signature, p.SignedBytes, p.ID, text{p.Platform}, text{p.Sum()}); err != nil {
		return err
	}
	for _, l := range p.Agreements {
		if _, err := t.exec(sqlPutAgreementPart, text{p.Owner}, p.Role, l.Agreement, p.ID); err != nil {
			return err
		}
	}
	for _, l := range p.Activities {
		if _, err := t.exec(sqlPutActivityPart, p.ID, text{p.Owner}, p.Role, l.Activity); err != nil {
			return err
		}
	}
	return nil
}

// Payment implements payment.PaymentReader.
func (b books) Payment(k payment.PaymentKey) (payment.Payment, error) {
	return one(b.q, scanPayment, sqlPayment, text{k.Owner}, k.Role, k.ID)
}

// Payments implements payment.PaymentReader.
func (b books) Payments(q payment.PaymentQuery) ([]payment.Payment, error) {
	return all(b.q, scanPayment, sqlPayments, text{q.Owner}, since(q.After), likePlatform(q.Driver, q.Network), q.Session, limit(q.Limit))
}

// likePlatform is the pattern of platforms of a driver and a network, where "" is any.
func likePlatform(driver, network string) string {
	part := func(s string) string {
		if s == "" {
			return "%"
		}
		return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(s)
	}
	return part(driver) + "-" + part(network) + "-%"
}

// PaymentsFor implements payment.PaymentReader.
func (b books) PaymentsFor(k payment.AgreementKey, activity golem.ActivityID) ([]payment.Payment, error) {
	return all(b.q, scanPayment, sqlPaymentsFor, text{k.Owner}, k.Role, k.ID, activity)
}

// Claimed implements payment.PaymentReader.
func (b books) Claimed(p golem.Platform, ref string) (golem.Amount, error) {
	parts, err := all(b.q, scanAmount, sqlClaimed, text{p}, ref)
	return golem.Sum(parts...), err
}

// LastPayment implements payment.PaymentReader.
func (b books) LastPayment() (time.Time, error) { return one(b.q, maybeTime, sqlLastPayment) }

func scanDocumentEvent(r row) (e payment.Event, err error) {
	err = r.Scan(into(&e.Owner), &e.Role, &e.Kind, &e.Document, &e.Type, into(&e.Time), &e.Session, fromJSON{&e.Rejection})
	return e, err
}

func (t *Tx) putDocumentEvent(e *payment.Event) error {
	_, err := t.exec(sqlPutDocumentEvent, text{e.Owner}, e.Role, e.Kind, e.Document, e.Type, at(e.Time), e.Session, asJSON[golem.Rejection]{e.Rejection})
	return err
}

// Events implements payment.PaymentReader.
func (b books) Events(q payment.EventQuery) ([]payment.Event, error) {
	var types strings.Builder
	for _, t := range q.Requestor {
		types.WriteString(" " + string(golem.Requestor) + ":" + string(t) + " ")
	}
	for _, t := range q.Provider {
		types.WriteString(" " + string(golem.Provider) + ":" + string(t) + " ")
	}
	return all(b.q, scanDocumentEvent, sqlDocumentEvents, text{q.Owner}, q.Kind, since(q.After), q.Session, types.String(), limit(q.Limit))
}

// LastEvent implements payment.PaymentReader.
func (b books) LastEvent() (time.Time, error) { return one(b.q, maybeTime, sqlLastDocumentEvent) }
