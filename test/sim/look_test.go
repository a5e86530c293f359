package sim

import (
	"context"
	"errors"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/payment/local"
)

// state is what all disks of a world hold at an instant.
type state struct {
	disks   []*disk
	entries []local.Entry // of the bank
}

// disk is what one node has written down.
type disk struct {
	name  string
	id    golem.NodeID
	slots int // Agreements that may run at a time; 0 where nobody sells
	most  int // that were seen to run

	handshakes  []*market.Handshake
	news        []market.AgreementEvent
	errand      time.Time // when the market tells something next, zero for never
	activities  []*activity.Record
	books       []payment.Agreement
	allocations []golem.Allocation
	orders      []payment.OrderRecord
	documents   []payment.Document
	untold      int // messages about payments
}

// all is more than there is of anything.
const all = 1_000_000

// look reads all disks, at one instant. It returns errDead where a process that is
// being killed has not let go of its disk.
func (w *world) look() (*state, error) {
	s := &state{}
	for _, m := range w.machines {
		d := &disk{name: m.name, id: m.id}
		if err := errors.Join(d.readMarket(w.ctx, m), d.readPayment(w.ctx, m)); err != nil {
			return nil, err
		}
		s.disks = append(s.disks, d)
		for _, seller := range w.sellers {
			if seller.machine == m {
				d.slots, d.most = seller.slots, seller.sold.highest()
			}
		}
	}
	return s, w.bank.store.View(w.ctx, func(r local.Reader) (err error) {
		s.entries, err = r.Entries(1, all)
		return err
	})
}

func (d *disk) readMarket(ctx context.Context, m *machine) error {
	list, err := m.disk.Market().Agreements(ctx, market.AgreementQuery{})
	if err != nil {
		return err
	}
	for _, e := range list {
		h, err := m.disk.Market().Handshake(ctx, e.Role, e.ID)
		if err != nil {
			return err
		}
		d.handshakes = append(d.handshakes, h)
	}
	if d.news, err = m.disk.Market().AgreementEvents(ctx, market.EventQuery{Owner: d.id, Max: all}); err != nil {
		return err
	}
	if d.errand, err = m.disk.Market().NextErrand(ctx); err != nil {
		return err
	}
	d.activities, err = m.disk.Activity().OwnedActivities(ctx, d.id, "")
	return err
}

func (d *disk) readPayment(ctx context.Context, m *machine) error {
	return m.disk.Payment().View(ctx, func(r payment.Reader) (err error) {
		var errs [5]error
		d.books, errs[0] = r.Agreements(d.id, payment.Page{})
		d.allocations, errs[1] = r.AllocationsFrom("", all)
		d.orders, errs[2] = r.OrdersFrom("", all)
		for i, kind := range []payment.DocumentKind{payment.DebitNote, payment.Invoice} {
			var some []payment.Document
			some, errs[3+i] = r.DocumentsAfter(d.id, kind, payment.Page{})
			d.documents = append(d.documents, some...)
		}
		d.untold, _, err = r.Undelivered(d.id)
		return errors.Join(err, errors.Join(errs[:]...))
	})
}

// audit lets each node add up its own books.
func (w *world) audit() (f findings) {
	for _, m := range w.machines {
		report, err := m.client("audit", nil).Audit(w.ctx)
		w.must(err)
		for _, text := range report.Findings {
			f.add("%s: audit: %s", m.name, text)
		}
	}
	return f
}

// handshake returns an Agreement in one role, nil where the disk does not have it.
func (d *disk) handshake(role golem.Role, id golem.AgreementID) *market.Handshake {
	for _, h := range d.handshakes {
		if h.Role == role && h.ID == id {
			return h
		}
	}
	return nil
}

// disk returns that of a node.
func (s *state) disk(id golem.NodeID) *disk {
	for _, d := range s.disks {
		if d.id == id {
			return d
		}
	}
	return &disk{name: "nobody"}
}

// told counts what the agent of a party was told about an Agreement.
func (d *disk) told(id golem.AgreementID, t golem.AgreementEventType) (n int) {
	for _, e := range d.news {
		if e.Agreement == id && e.Type == t {
			n++
		}
	}
	return n
}

// ended returns when an Agreement was terminated, as its party knows; zero where it
// was not.
func (d *disk) ended(id golem.AgreementID) time.Time {
	for _, e := range d.news {
		if e.Agreement == id && e.Type == golem.AgreementTerminatedEvent {
			return e.At
		}
	}
	return time.Time{}
}
