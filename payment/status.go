package payment

import (
	"context"
	"time"

	"github.com/golem-go/golem"
)

// Status is how an account of an identity stands, on one platform.
type Status struct {
	Platform    golem.Platform `json:"platform"`
	Address     golem.Address  `json:"address"`
	Balance     *golem.Amount  `json:"balance"`             // null: cannot be known at the moment
	Problem     string         `json:"problem,omitempty"`   // why not
	Gas         *Gas           `json:"gas,omitempty"`       //
	BalanceTime time.Time      `json:"balanceTs,omitzero"`  // of the state the balance is taken from
	Allocated   golem.Amount   `json:"allocated"`           // remaining in active allocations of the identity
	Reserved    golem.Amount   `json:"reserved"`            // allocations and unpaid obligations of all identities
	Outgoing    Summary        `json:"outgoing"`            // as a Requestor
	Incoming    Summary        `json:"incoming"`            // as a Provider
	Problems    []Problem      `json:"problems"`            // of the driver
	Undelivered int            `json:"undeliveredMessages"` // of the identity, on all platforms
	Refused     int            `json:"refusedMessages"`     //
}

// Summary adds up the books of one role.
type Summary struct {
	Due        golem.Amount `json:"due"`
	Accepted   golem.Amount `json:"accepted"`
	Scheduled  golem.Amount `json:"scheduled"`
	Paid       golem.Amount `json:"paid"`
	Agreements int          `json:"agreementsCount"`
}

// Status returns how the accounts of who stand. A balance that cannot be had
// does not keep the rest from being told.
func (s *Service) Status(ctx context.Context, who golem.NodeID) ([]Status, error) {
	all := []Status{}
	for _, p := range s.known {
		st := Status{Platform: p, Address: who.Address(), Problems: []Problem{}}
		if err := s.cfg.Store.View(ctx, func(r Reader) error { return st.read(r, who, s.now()) }); err != nil {
			return nil, err
		}
		st.ask(ctx, s.drivers[p])
		all = append(all, st)
	}
	return all, nil
}

// balanceTimeout is how long a status waits for a balance.
const balanceTimeout = 5 * time.Second

func (st *Status) ask(ctx context.Context, d Driver) {
	limit, cancel := context.WithTimeout(ctx, balanceTimeout)
	defer cancel()
	b, err := d.Balance(limit, st.Platform, st.Address)
	if err != nil {
		st.Problem = golem.Public(err)
	} else {
		st.Balance, st.Gas, st.BalanceTime = &b.Amount, b.Gas, b.Time
	}
	for _, p := range d.Problems(ctx) {
		if p.Network == st.Platform.Network && (p.Address == "" || p.Address == st.Address.String()) {
			st.Problems = append(st.Problems, p)
		}
	}
}

func (st *Status) read(r Reader, who golem.NodeID, now time.Time) (err error) {
	account := Account{st.Platform, st.Address}
	if st.Reserved, err = newSheet(r, now).reserved(account); err != nil {
		return err
	}
	active, err := r.Allocations(who, Page{})
	if err != nil {
		return err
	}
	for _, al := range active {
		if al.Platform == st.Platform {
			st.Allocated = st.Allocated.Add(al.Remaining())
		}
	}
	books, err := r.Agreements(who, Page{})
	if err != nil {
		return err
	}
	for _, a := range books {
		switch {
		case a.Platform != st.Platform:
		case a.Role == golem.Requestor:
			st.Outgoing.add(&a)
		default:
			st.Incoming.add(&a)
		}
	}
	st.Undelivered, st.Refused, err = r.Undelivered(who)
	return err
}

func (m *Summary) add(a *Agreement) {
	m.Due = m.Due.Add(a.Due)
	m.Accepted = m.Accepted.Add(a.Accepted)
	m.Scheduled = m.Scheduled.Add(a.Scheduled)
	m.Paid = m.Paid.Add(a.Paid)
	m.Agreements++
}
