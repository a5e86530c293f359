package payment

import (
	"encoding/json"
	"time"

	"github.com/golem-go/golem"
)

// DocumentKind tells debit notes and invoices apart where they are treated alike.
type DocumentKind string

// The kinds of documents.
const (
	DebitNote DocumentKind = "DebitNote"
	Invoice   DocumentKind = "Invoice"
)

// DocumentKey names a document in the books of one side.
type DocumentKey struct {
	Side
	Kind DocumentKind
	ID   string
}

// Document is a DebitNote or an Invoice as one side has it. All but Status,
// Rejection and Updated stays as it was issued.
type Document struct {
	Side
	Kind       DocumentKind
	ID         string
	Peer       golem.NodeID
	Agreement  golem.AgreementID
	Activity   golem.ActivityID   // of a DebitNote
	Activities []golem.ActivityID // of an Invoice
	Payee      golem.Address
	Payer      golem.Address
	Platform   golem.Platform
	Previous   golem.DebitNoteID
	Amount     golem.Amount    // total of a DebitNote, cumulative; amount of an Invoice
	Usage      json.RawMessage // of a DebitNote
	Due        time.Time       // zero: none
	Timestamp  time.Time       // of issue, by the issuer's clock
	Status     golem.DocumentStatus
	Rejection  *golem.Rejection // the last one
	Updated    time.Time
}

// Limits of what another node may send.
const (
	maxID         = 128
	maxUsage      = 16 << 10
	maxActivities = 1000
	maxInvoices   = 100      // of an Agreement: each one is compared with all
	maxSigned     = 2 << 20  // bytes of what a payer signs
	maxProof      = 16 << 10 // characters of a proof
)

// Key returns the name of the document.
func (d *Document) Key() DocumentKey { return DocumentKey{d.Side, d.Kind, d.ID} }

// Provider returns the node that issued the document.
func (d *Document) Provider() golem.NodeID {
	if d.Role == golem.Provider {
		return d.Owner
	}
	return d.Peer
}

// Requestor returns the node that the document asks for payment.
func (d *Document) Requestor() golem.NodeID {
	if d.Role == golem.Requestor {
		return d.Owner
	}
	return d.Peer
}

// DebitNote returns the document in the form agents and other nodes know.
func (d *Document) DebitNote() golem.DebitNote {
	n := golem.DebitNote{
		ID: golem.DebitNoteID(d.ID), Issuer: d.Provider(), Recipient: d.Requestor(),
		Payee: d.Payee, Payer: d.Payer, Platform: d.Platform, Previous: d.Previous,
		Timestamp: d.Timestamp, Agreement: d.Agreement, Activity: d.Activity,
		Total: d.Amount, Usage: d.Usage, Status: d.Status,
	}
	if !d.Due.IsZero() {
		n.Due = &d.Due
	}
	return n
}

// Invoice returns the document in the form agents and other nodes know.
func (d *Document) Invoice() golem.Invoice {
	activities := d.Activities
	if activities == nil {
		activities = []golem.ActivityID{} // [] in JSON, as upstream has it
	}
	return golem.Invoice{
		ID: golem.InvoiceID(d.ID), Issuer: d.Provider(), Recipient: d.Requestor(),
		Payee: d.Payee, Payer: d.Payer, Platform: d.Platform,
		Timestamp: d.Timestamp, Agreement: d.Agreement, Activities: activities,
		Amount: d.Amount, Due: d.Due, Status: d.Status,
	}
}

// received returns the Requestor's copy of a DebitNote.
func receivedNote(n golem.DebitNote) Document {
	d := Document{
		Side: Side{n.Recipient, golem.Requestor}, Kind: DebitNote, ID: string(n.ID), Peer: n.Issuer,
		Agreement: n.Agreement, Activity: n.Activity, Payee: n.Payee, Payer: n.Payer, Platform: n.Platform,
		Previous: n.Previous, Amount: n.Total, Usage: n.Usage, Timestamp: n.Timestamp, Status: golem.DocumentReceived,
	}
	if n.Due != nil {
		d.Due = *n.Due
	}
	return d
}

// receivedInvoice returns the Requestor's copy of an Invoice.
func receivedInvoice(i golem.Invoice) Document {
	return Document{
		Side: Side{i.Recipient, golem.Requestor}, Kind: Invoice, ID: string(i.ID), Peer: i.Issuer,
		Agreement: i.Agreement, Activities: i.Activities, Payee: i.Payee, Payer: i.Payer, Platform: i.Platform,
		Amount: i.Amount, Due: i.Due, Timestamp: i.Timestamp, Status: golem.DocumentReceived,
	}
}

// same reports whether d and o are the same document, whatever has become of it.
func (d *Document) same(o *Document) bool {
	if d.Kind != o.Kind {
		return false
	}
	if d.Kind == DebitNote {
		n, m := d.DebitNote(), o.DebitNote()
		return n.Same(&m)
	}
	i, j := d.Invoice(), o.Invoice()
	return i.Same(&j)
}

// validate checks what another node has sent for size and form.
func (d *Document) validate() error {
	if err := named(d.ID); err != nil {
		return err
	}
	if d.Previous != "" {
		if err := named(string(d.Previous)); err != nil {
			return err
		}
	}
	switch {
	case len(d.Activity) > maxID, len(d.Agreement) > maxID:
		return golem.Errorf(golem.ErrInvalid, "an id is longer than %d characters", maxID)
	case len(d.Usage) > maxUsage:
		return golem.Errorf(golem.ErrInvalid, "usage vector of %d bytes, at most %d", len(d.Usage), maxUsage)
	case len(d.Activities) > maxActivities:
		return golem.Errorf(golem.ErrInvalid, "invoice for %d activities, at most %d", len(d.Activities), maxActivities)
	}
	for _, id := range d.Activities {
		if id == "" || len(id) > maxID {
			return golem.Errorf(golem.ErrInvalid, "activity id of %d characters, want 1 to %d", len(id), maxID)
		}
	}
	if err := dated(d.Timestamp); err != nil {
		return err
	}
	if !d.Due.IsZero() {
		if err := dated(d.Due); err != nil {
			return err
		}
	}
	return sane(d.Amount)
}

// named checks an id that another node has made up. Agents put it into paths of
// the API, where "../" or "?" would lead them to something else.
func named(id string) error {
	if id == "" || len(id) > maxID {
		return golem.Errorf(golem.ErrInvalid, "id of %d characters, want 1 to %d", len(id), maxID)
	}
	for _, c := range []byte(id) {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return golem.Errorf(golem.ErrInvalid, "id %q: want letters, digits, - and _ only", id)
		}
	}
	return nil
}

// dated refuses times that no clock shows, some of which cannot be written down.
func dated(t time.Time) error {
	if y := t.UTC().Year(); y < 1970 || y > 9000 {
		return golem.Errorf(golem.ErrInvalid, "time in the year %d", y)
	}
	return nil
}

// sane refuses amounts so large that sums of them could not be paid, or written
// down, any more: more than a billion tokens.
func sane(a golem.Amount) error {
	if golem.Tokens(1e9).Less(a) {
		return golem.Errorf(golem.ErrInvalid, "amount %s is above a billion tokens", a)
	}
	return nil
}
