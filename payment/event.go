package payment

import (
	"context"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/internal/longpoll"
)

// Event is a change of a document that agents are told. No two events of a node
// have the same Time, and later ones have later times.
type Event struct {
	Side
	Kind      DocumentKind
	Document  string
	Type      golem.DocumentEventType
	Time      time.Time
	Session   string           // of the Agreement
	Rejection *golem.Rejection // of a RejectedEvent
}

// EventQuery says which events somebody wants to hear of.
type EventQuery struct {
	Owner     golem.NodeID
	Kind      DocumentKind
	Session   string // "" for all
	Requestor []golem.DocumentEventType
	Provider  []golem.DocumentEventType
	Page
}

// The events agents hear of unless they ask for others (spec rest-api.md §6.5).
var (
	RequestorEvents = []golem.DocumentEventType{golem.ReceivedEvent, golem.CancelledEvent}
	ProviderEvents  = []golem.DocumentEventType{golem.AcceptedEvent, golem.RejectedEvent, golem.SettledEvent, golem.CancelledEvent}
)

// Events returns the events after q.After, waiting up to wait for the first. It
// returns none when there are none in that time.
func (s *Service) Events(ctx context.Context, q EventQuery, wait time.Duration) ([]Event, error) {
	return await(ctx, s, wait, eventsOf(q.Owner), func(r Reader) ([]Event, error) { return r.Events(q) })
}

// topic is something agents wait for.
type topic struct {
	what  string
	owner golem.NodeID
	id    string
}

func eventsOf(owner golem.NodeID) topic   { return topic{"events", owner, ""} }
func paymentsOf(owner golem.NodeID) topic { return topic{"payments", owner, ""} }

// await reads a list until there is something in it.
func await[T any](ctx context.Context, s *Service, wait time.Duration, key topic, read func(Reader) ([]T, error)) ([]T, error) {
	limit, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	list, _, err := longpoll.Wait(limit, &s.news, key, func(context.Context) (ts []T, found bool, err error) {
		err = s.cfg.Store.View(ctx, func(r Reader) (err error) { // not limit: one look is always taken
			ts, err = read(r)
			return err
		})
		return ts, len(ts) > 0, err
	})
	return list, err
}
