package sqlite

import (
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

const (
	columnsMessage = "owner, peer, kind, ref, attempts, refusals, next, problem, created"

	sqlAddMessage = "INSERT INTO pay_message (" + columnsMessage + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)" +
		" ON CONFLICT (owner, peer, kind, ref) DO UPDATE SET next = excluded.next, refusals = excluded.refusals"
	sqlSetMessage   = "UPDATE pay_message SET attempts = ?, refusals = ?, next = ?, problem = ? WHERE seq = ?"
	sqlDropMessage  = "DELETE FROM pay_message WHERE seq = ?"
	sqlMessage      = "SELECT seq, " + columnsMessage + " FROM pay_message WHERE seq = ?"
	sqlMessageFor   = "SELECT seq, " + columnsMessage + " FROM pay_message WHERE owner = ? AND peer = ? AND kind = ? AND ref = ?"
	sqlAddressees   = "SELECT owner, peer FROM pay_message INDEXED BY pay_message_next WHERE next <= ? GROUP BY owner, peer ORDER BY min(next), min(seq)"
	sqlOutbox       = "SELECT seq, " + columnsMessage + " FROM pay_message WHERE owner = ? AND peer = ? AND next <= ? ORDER BY next, seq LIMIT ?"
	sqlNextMessage  = "SELECT min(next) FROM pay_message WHERE next > ?"
	sqlMessagesTo   = "SELECT seq, " + columnsMessage + " FROM pay_message WHERE peer = ? ORDER BY seq"
	sqlMessagesKind = "SELECT seq, " + columnsMessage + " FROM pay_message WHERE kind = ? ORDER BY seq"
	sqlUndelivered  = "SELECT count(*), count(CASE WHEN refusals > 0 THEN 1 END) FROM pay_message WHERE owner = ?"
)

func scanMessage(r row) (m payment.Message, err error) {
	err = r.Scan(&m.Seq, into(&m.Owner), into(&m.Peer), &m.Kind, &m.Ref, &m.Attempts, &m.Refusals, into(&m.Next), &m.Problem, into(&m.Created))
	return m, err
}

// putMessage adds a message, or changes the one of the same Seq.
func (t *Tx) putMessage(m *payment.Message) error {
	if m.Seq != 0 {
		_, err := t.exec(sqlSetMessage, m.Attempts, m.Refusals, at(m.Next), m.Problem, m.Seq)
		return err
	}
	_, err := t.exec(sqlAddMessage, text{m.Owner}, text{m.Peer}, m.Kind, m.Ref, m.Attempts, m.Refusals, at(m.Next), m.Problem, at(m.Created))
	return err
}

func (t *Tx) dropMessage(seq *int64) error {
	_, err := t.exec(sqlDropMessage, *seq)
	return err
}

// Message implements payment.MessageReader.
func (b books) Message(seq int64) (payment.Message, error) {
	return one(b.q, scanMessage, sqlMessage, seq)
}

// MessageFor implements payment.MessageReader.
func (b books) MessageFor(c payment.Correspondent, kind payment.MessageKind, ref string) (payment.Message, error) {
	return one(b.q, scanMessage, sqlMessageFor, text{c.Owner}, text{c.Peer}, kind, ref)
}

// Addressees implements payment.MessageReader.
func (b books) Addressees(now time.Time) ([]payment.Correspondent, error) {
	return all(b.q, scanCorrespondent, sqlAddressees, at(now))
}

// Outbox implements payment.MessageReader.
func (b books) Outbox(c payment.Correspondent, now time.Time, n int) ([]payment.Message, error) {
	return all(b.q, scanMessage, sqlOutbox, text{c.Owner}, text{c.Peer}, at(now), n)
}

// NextMessage implements payment.MessageReader.
func (b books) NextMessage(now time.Time) (time.Time, error) {
	return one(b.q, maybeTime, sqlNextMessage, at(now))
}

// MessagesTo implements payment.MessageReader.
func (b books) MessagesTo(peer golem.NodeID) ([]payment.Message, error) {
	return all(b.q, scanMessage, sqlMessagesTo, text{peer})
}

// MessagesOf implements payment.MessageReader.
func (b books) MessagesOf(kind payment.MessageKind) ([]payment.Message, error) {
	return all(b.q, scanMessage, sqlMessagesKind, kind)
}

// Undelivered implements payment.MessageReader.
func (b books) Undelivered(owner golem.NodeID) (int, int, error) {
	n, err := one(b.q, func(r row) (n [2]int, err error) { return n, r.Scan(&n[0], &n[1]) }, sqlUndelivered, text{owner})
	return n[0], n[1], err
}
