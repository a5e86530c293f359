package payment

import (
	"context"
	"errors"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/internal/longpoll"
)

// Reject tells the Provider that a document will not be paid. Nothing of what was
// accepted before is taken back, and the document may still be accepted later.
// Rejecting again is no error. It returns ErrNotFound for a document who has not
// received and ErrInvalid for one that is accepted, paid or cancelled.
func (s *Service) Reject(ctx context.Context, who golem.NodeID, kind DocumentKind, id string, r golem.Rejection) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if len(r.Message) > maxMessage {
		return golem.Errorf(golem.ErrInvalid, "message of %d bytes, at most %d", len(r.Message), maxMessage)
	}
	return s.step(ctx, func(w *sheet) error {
		d, err := w.document(DocumentKey{Side{who, golem.Requestor}, kind, id})
		if err != nil {
			return noSuchDocument(err, kind, id)
		}
		if d.Status == golem.DocumentRejected {
			return nil
		}
		d.Rejection = &r
		if err := w.move(d, golem.DocumentReject, golem.RejectedEvent); err != nil {
			return golem.Errorf(golem.ErrInvalid, "%s %s: %w", kind, id, err)
		}
		if err := w.unpaid(d); err != nil {
			return err
		}
		w.tell(d.Owner, d.Peer, messagesAbout[kind][golem.DocumentReject], id)
		return nil
	})
}

// unpaid returns ErrInvalid for a document that what was paid covers: for its
// Provider it may be settled already.
func (w *sheet) unpaid(d *Document) error {
	a, err := w.agreement(AgreementKey{d.Side, d.Agreement})
	if err != nil || d.Amount.IsZero() {
		return err
	}
	covered, err := w.covered(a, d)
	if err == nil && covered {
		err = golem.Errorf(golem.ErrInvalid, "%s %s is paid already, with what was accepted before: accept it", d.Kind, d.ID)
	}
	return err
}

// maxMessage bounds the text of a rejection.
const maxMessage = 4 << 10

// Cancel withdraws a document that the Requestor has not accepted. The
// Requestor's node decides: it is asked until it answers, also after a restart,
// and Cancel waits for that up to wait. It returns nil when the document is
// cancelled, ErrConflict when it is accepted, and ErrNoAnswer when the Requestor
// has not answered so far.
func (s *Service) Cancel(ctx context.Context, who golem.NodeID, kind DocumentKind, id string, wait time.Duration) error {
	key := DocumentKey{Side{who, golem.Provider}, kind, id}
	if err := s.step(ctx, func(w *sheet) error { return w.withdraw(key) }); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	status, decided, err := longpoll.Wait(limit, &s.news, topic{"document", who, id}, func(context.Context) (golem.DocumentStatus, bool, error) {
		return s.cancelled(ctx, key)
	})
	switch {
	case err != nil:
		return err
	case !decided:
		return golem.Errorf(golem.ErrNoAnswer, "%s %s: the requestor has not answered; it will be asked again until it does", kind, id)
	case status != golem.DocumentCancelled:
		return golem.Errorf(golem.ErrConflict, "%s %s is %s and cannot be cancelled any more", kind, id, status)
	}
	return nil
}

// withdraw writes down that a document is to be cancelled.
func (w *sheet) withdraw(key DocumentKey) error {
	d, err := w.document(key)
	if err != nil {
		return noSuchDocument(err, key.Kind, key.ID)
	}
	if d.Status == golem.DocumentCancelled {
		return nil
	}
	if _, err := d.Status.Next(golem.DocumentCancel); err != nil {
		return golem.Errorf(golem.ErrConflict, "%s %s: %w", key.Kind, key.ID, err)
	}
	w.tell(d.Owner, d.Peer, messagesAbout[d.Kind][golem.DocumentCancel], d.ID)
	return nil
}

// cancelled reports whether a cancellation is decided, and the status then.
func (s *Service) cancelled(ctx context.Context, key DocumentKey) (status golem.DocumentStatus, decided bool, err error) {
	err = s.cfg.Store.View(ctx, func(r Reader) error {
		d, err := r.Document(key)
		if err != nil {
			return err
		}
		status = d.Status
		_, err = r.MessageFor(Correspondent{d.Owner, d.Peer}, messagesAbout[d.Kind][golem.DocumentCancel], d.ID)
		decided = errors.Is(err, golem.ErrNotFound)
		if decided {
			err = nil
		}
		return err
	})
	return status, decided, err
}

// cancel books that a document is cancelled, on either side.
func (w *sheet) cancel(d *Document) error {
	if err := w.move(d, golem.DocumentCancel, golem.CancelledEvent); err != nil {
		return err
	}
	a, err := w.agreement(AgreementKey{d.Side, d.Agreement})
	if err != nil {
		return err
	}
	if d.Kind == DebitNote {
		if err := w.lower(a, d); err != nil {
			return err
		}
	}
	if err := w.reckon(a, nil); err != nil || d.Role == golem.Provider {
		return err
	}
	return w.forget(d.Owner, d.Peer, messagesAbout[d.Kind][golem.DocumentReject], d.ID) // it has no object any more
}

// lower takes a cancelled note out of what is due of its Activity.
func (w *sheet) lower(a *Agreement, cancelled *Document) error {
	act, err := w.activity(a, cancelled.Activity)
	if err != nil {
		return err
	}
	notes, err := w.documentsOf(a, func(AgreementKey) ([]Document, error) { return w.r.NotesOf(act.Key()) })
	if err != nil {
		return err
	}
	due := act.Accepted
	for _, n := range notes {
		if n.Kind == DebitNote && n.Activity == act.ID && n.Status != golem.DocumentCancelled {
			due = due.Max(n.Amount)
		}
	}
	act.Due, act.Updated = due, w.now
	return nil
}
