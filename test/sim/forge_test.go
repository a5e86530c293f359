package sim

import (
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/payment/local"
)

// peaceful returns a state in which all is well: an Agreement that was used, billed
// and paid.
func peaceful() (s *state, r, p *disk) {
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	r, p = &disk{name: "r", id: golem.NodeID{1}}, &disk{name: "p", id: golem.NodeID{2}, slots: 1, most: 1}
	for _, d := range []*disk{r, p} {
		role, peer := golem.Requestor, p
		if d == p {
			role, peer = golem.Provider, r
		}
		h := &market.Handshake{Role: role}
		h.ID, h.State, h.Approved = "agreement", golem.AgreementTerminated, at(10)
		h.Demand.Node, h.Offer.Node = r.id, p.id
		d.handshakes = append(d.handshakes, h)
		d.news = append(d.news, market.AgreementEvent{Agreement: h.ID, Type: golem.AgreementApprovedEvent, At: at(10)},
			market.AgreementEvent{Agreement: h.ID, Type: golem.AgreementTerminatedEvent, At: at(30)})
		a := &activity.Record{Confirmed: true}
		a.ID, a.Agreement, a.Role, a.Owner, a.Peer, a.Created = "activity", h.ID, role, d.id, peer.id, at(20)
		a.Status.State.Current = golem.ActivityTerminated
		d.activities = append(d.activities, a)
		side := payment.Side{Owner: d.id, Role: role}
		d.books = append(d.books, payment.Agreement{
			Side: side, ID: h.ID, Peer: peer.id, Payee: p.id.Address(), Payer: r.id.Address(),
			Totals: payment.Totals{Accepted: golem.Tokens(3), Paid: golem.Tokens(3)},
		})
		d.documents = append(d.documents, payment.Document{
			Side: side, Kind: payment.Invoice, ID: "invoice", Peer: peer.id, Agreement: h.ID, Amount: golem.Tokens(3), Status: golem.DocumentSettled,
		})
	}
	r.allocations = []golem.Allocation{{ID: "allocation", Owner: r.id, Total: golem.Tokens(5), Spent: golem.Tokens(3)}}
	r.orders = []payment.OrderRecord{{Owner: r.id, Settled: at(40)}}
	entry := local.Entry{Payer: r.id.Address(), Payee: p.id.Address(), Amount: golem.Tokens(3)}
	return &state{disks: []*disk{r, p}, entries: []local.Entry{entry}}, r, p
}

// TestChecksFail breaks each rule on purpose, and wants that to be noticed.
func TestChecksFail(t *testing.T) {
	if s, _, _ := peaceful(); len(s.violations()) > 0 || len(s.unsettled()) > 0 {
		t.Fatalf("peace is wrong: %q, %q", s.violations(), s.unsettled())
	}
	tests := map[string]struct {
		forge func(s *state, r, p *disk)
		want  string
	}{
		"agreement of one party alone": {func(_ *state, _, p *disk) { p.handshakes[0].State = golem.AgreementRejected }, "not with the provider"},
		"agreement nobody else knows":  {func(_ *state, _, p *disk) { p.handshakes = nil }, "not with the provider"},
		"parties that disagree":        {func(_ *state, r, _ *disk) { r.handshakes[0].State = golem.AgreementApproved }, `Approved at r, "Terminated" with the other party`},
		"agreement in force":           {func(_ *state, r, p *disk) { r.handshakes[0].State, p.handshakes[0].State = "Approved", "Approved" }, "Approved at p"},
		"something to tell":            {func(_ *state, r, _ *disk) { r.handshakes[0].Telling = market.TellTerminate }, "still tells terminate"},
		"agent told twice":             {func(_ *state, r, _ *disk) { r.news = append(r.news, r.news[1]) }, "told AgreementTerminatedEvent 2 times"},
		"agent not told":               {func(_ *state, _, p *disk) { p.news = p.news[1:] }, "told AgreementApprovedEvent 0 times"},
		"errand left":                  {func(_ *state, _, p *disk) { p.errand = time.Unix(50, 0) }, "p has something to tell"},
		"activity without agreement":   {func(_ *state, _, p *disk) { p.activities[0].Agreement = "other" }, "p has no approved agreement"},
		"activity too early":           {func(_ *state, _, p *disk) { p.activities[0].Created = time.Unix(9, 0) }, "before the agreement was approved"},
		"activity too late":            {func(_ *state, _, p *disk) { p.activities[0].Created = time.Unix(31, 0) }, "after the agreement had ended"},
		"activity that goes on":        {func(_ *state, _, p *disk) { p.activities[0].Status.State.Current = golem.ActivityReady }, "at p, as Provider"},
		"activity of nobody":           {func(_ *state, _, p *disk) { p.activities = nil }, "r has it, the provider does not"},
		"too many ExeUnits":            {func(_ *state, _, p *disk) { p.most = 2 }, "p runs 2 agreements at a time"},
		"too many agreements":          {func(_ *state, _, p *disk) { p.handshakes = append(p.handshakes, p.handshakes[0]) }, "p has 2 agreements in force"},
		"allocation overspent":         {func(_ *state, r, _ *disk) { r.allocations[0].Total = golem.Tokens(2) }, "of an allocation of 2"},
		"accepted for nothing":         {func(_ *state, r, _ *disk) { r.books[0].Accepted = golem.Tokens(4) }, "accepted 4, spent 3"},
		"paid more than accepted":      {func(_ *state, r, _ *disk) { r.books[0].Paid = golem.Tokens(4) }, "has paid 4 for agreement"},
		"paid twice":                   {func(s *state, _, _ *disk) { s.entries = append(s.entries, s.entries[0]) }, "r has sent 6"},
		"paid on paper":                {func(s *state, _, _ *disk) { s.entries = nil }, "has booked 3 as paid"},
		"booked and not paid":          {func(_ *state, _, p *disk) { p.books[0].Paid = golem.Tokens(4) }, "p was paid 4"},
		"paid and not booked":          {func(_ *state, _, p *disk) { p.books[0].Paid = golem.Tokens(2) }, "p knows of 3 and 2"},
		"bill nobody got":              {func(_ *state, r, _ *disk) { r.documents = nil }, "the requestor does not know it"},
		"bill nobody made":             {func(_ *state, _, p *disk) { p.documents = nil }, "r has it, the provider does not"},
		"bill both see otherwise":      {func(_ *state, _, p *disk) { p.documents[0].Status = golem.DocumentReceived }, "RECEIVED 3 at p, SETTLED 3 at r"},
		"bill accepted and not paid":   {func(_ *state, r, p *disk) { r.documents[0].Status, p.documents[0].Status = "ACCEPTED", "ACCEPTED" }, "is accepted and not paid"},
		"message left":                 {func(_ *state, r, _ *disk) { r.untold = 1 }, "1 messages"},
		"order left":                   {func(_ *state, r, _ *disk) { r.orders[0].Settled = time.Time{} }, "is not settled"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, r, p := peaceful()
			tt.forge(s, r, p)
			if all := strings.Join(append(s.violations(), s.unsettled()...), "\n"); !strings.Contains(all, tt.want) {
				t.Errorf("got %q, want %q", all, tt.want)
			}
		})
	}
}
