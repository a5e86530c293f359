package sqlite

import (
	"encoding/json"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
)

const (
	columnsDocument = "owner, role, kind, id, peer, agreement, activity, activities, payee, payer, platform, previous," +
		" amount, usage, due, timestamp, status, rejection, updated"

	sqlPutDocument = "INSERT INTO pay_document (" + columnsDocument + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" +
		" ON CONFLICT (owner, role, kind, id) DO UPDATE SET status = excluded.status, rejection = excluded.rejection, updated = excluded.updated"
	sqlDocument       = "SELECT " + columnsDocument + " FROM pay_document WHERE owner = ? AND role = ? AND kind = ? AND id = ?"
	sqlDocumentsAfter = "SELECT " + columnsDocument + " FROM pay_document WHERE owner = ? AND kind = ? AND timestamp > ? ORDER BY timestamp LIMIT ?"
	sqlDocumentsOf    = "SELECT " + columnsDocument + " FROM pay_document WHERE owner = ? AND role = ? AND agreement = ? ORDER BY seq"
	sqlInvoicesOf     = "SELECT " + columnsDocument + " FROM pay_document WHERE owner = ? AND role = ? AND agreement = ? AND kind = 'Invoice' ORDER BY seq"
	sqlOpenDocuments  = "SELECT " + columnsDocument + " FROM pay_document INDEXED BY pay_document_open" +
		" WHERE owner = ? AND role = ? AND agreement = ? AND status NOT IN ('SETTLED', 'CANCELLED') ORDER BY seq"
	sqlNotesOf  = "SELECT " + columnsDocument + " FROM pay_document WHERE owner = ? AND role = ? AND activity = ? ORDER BY seq"
	sqlLastNote = "SELECT " + columnsDocument + " FROM pay_document WHERE owner = ? AND role = ? AND activity = ? ORDER BY seq DESC LIMIT 1"
	sqlWaiting  = "SELECT DISTINCT owner, peer FROM pay_document INDEXED BY pay_document_waiting" +
		" WHERE owner > '' AND role = 'Provider' AND status IN ('ISSUED', 'RECEIVED', 'ACCEPTED') ORDER BY owner, peer"
)

func scanDocument(r row) (d payment.Document, err error) {
	var usage *string
	err = r.Scan(into(&d.Owner), &d.Role, &d.Kind, &d.ID, into(&d.Peer), &d.Agreement, nullable[golem.ActivityID]{&d.Activity},
		fromJSON{&d.Activities}, into(&d.Payee), into(&d.Payer), into(&d.Platform), nullable[golem.DebitNoteID]{&d.Previous},
		into(&d.Amount), &usage, into(&d.Due), into(&d.Timestamp), &d.Status, fromJSON{&d.Rejection}, into(&d.Updated))
	if usage != nil {
		d.Usage = json.RawMessage(*usage)
	}
	return d, err
}

func (t *Tx) putDocument(d *payment.Document) error {
	var activities any
	if d.Kind == payment.Invoice {
		activities = asJSON[[]golem.ActivityID]{&d.Activities}
	}
	_, err := t.exec(sqlPutDocument, text{d.Owner}, d.Role, d.Kind, d.ID, text{d.Peer}, d.Agreement, orNull(d.Activity),
		activities, text{d.Payee}, text{d.Payer}, text{d.Platform}, orNull(d.Previous),
		text{d.Amount}, orNull(string(d.Usage)), at(d.Due), at(d.Timestamp), d.Status, asJSON[golem.Rejection]{d.Rejection}, at(d.Updated))
	return err
}

// Document implements payment.DocumentReader.
func (b books) Document(k payment.DocumentKey) (payment.Document, error) {
	return one(b.q, scanDocument, sqlDocument, text{k.Owner}, k.Role, k.Kind, k.ID)
}

// DocumentsAfter implements payment.DocumentReader.
func (b books) DocumentsAfter(owner golem.NodeID, kind payment.DocumentKind, p payment.Page) ([]payment.Document, error) {
	return all(b.q, scanDocument, sqlDocumentsAfter, text{owner}, kind, since(p.After), limit(p.Limit))
}

// DocumentsOf implements payment.DocumentReader.
func (b books) DocumentsOf(k payment.AgreementKey) ([]payment.Document, error) {
	return all(b.q, scanDocument, sqlDocumentsOf, text{k.Owner}, k.Role, k.ID)
}

// InvoicesOf implements payment.DocumentReader.
func (b books) InvoicesOf(k payment.AgreementKey) ([]payment.Document, error) {
	return all(b.q, scanDocument, sqlInvoicesOf, text{k.Owner}, k.Role, k.ID)
}

// OpenDocumentsOf implements payment.DocumentReader.
func (b books) OpenDocumentsOf(k payment.AgreementKey) ([]payment.Document, error) {
	return all(b.q, scanDocument, sqlOpenDocuments, text{k.Owner}, k.Role, k.ID)
}

// NotesOf implements payment.DocumentReader.
func (b books) NotesOf(k payment.ActivityKey) ([]payment.Document, error) {
	return all(b.q, scanDocument, sqlNotesOf, text{k.Owner}, k.Role, k.ID)
}

// LastNote implements payment.DocumentReader.
func (b books) LastNote(k payment.ActivityKey) (payment.Document, error) {
	return one(b.q, scanDocument, sqlLastNote, text{k.Owner}, k.Role, k.ID)
}

// Waiting implements payment.DocumentReader.
func (b books) Waiting() ([]payment.Correspondent, error) {
	return all(b.q, scanCorrespondent, sqlWaiting)
}

func scanCorrespondent(r row) (c payment.Correspondent, err error) {
	return c, r.Scan(into(&c.Owner), into(&c.Peer))
}
