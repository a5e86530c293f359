package activity

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

// DefaultTimeout is how long the calls of this package wait for another node
// where the caller does not say.
const DefaultTimeout = 5 * time.Second

// Creation says how an Activity shall be created.
type Creation struct {
	PublicKey []byte        // for ExeUnits in enclaves, passed on as it is
	Timeout   time.Duration // for the ExeUnit to be initialized
}

// Create creates an Activity under an approved Agreement of which who is the
// Requestor, and returns when the ExeUnit is initialized. If it returns an error
// there is no Activity, or there will soon be none: what the Provider may have
// made of the request is destroyed.
func (s *Service) Create(ctx context.Context, who golem.NodeID, agreement golem.AgreementID, c Creation) (golem.ActivityID, error) {
	a, err := s.agreements.Agreement(ctx, who, agreement)
	if err != nil {
		return "", err
	}
	switch {
	case a.Requestor() != who:
		return "", golem.Errorf(golem.ErrNotFound, "agreement %s not found", a.ID)
	case a.State != golem.AgreementApproved:
		return "", golem.Errorf(golem.ErrConflict, "agreement %s is %s, it must be Approved", a.ID, a.State.Public())
	}
	r := newRecord(golem.NewActivityID(), a, golem.Requestor, now())
	if err := s.store.AddActivity(ctx, r, math.MaxInt, nil); err != nil {
		return "", err
	}
	id, err := s.request(ctx, r, c)
	if err == nil {
		id, err = s.confirm(ctx, r, id)
	}
	if err != nil {
		s.disown(context.WithoutCancel(ctx), r, err)
	}
	return id, err
}

// newRecord returns the Record of an Activity in which this node has the given role.
func newRecord(id golem.ActivityID, a *golem.Agreement, role golem.Role, at time.Time) *Record {
	r := &Record{Activity: golem.Activity{
		ID: id, Agreement: a.ID, Role: role, Owner: a.Party(role), Peer: a.Party(role.Other()),
		Status:  golem.ActivityStatus{State: golem.StatePair{Current: golem.ActivityNew}},
		Created: at, Updated: at,
	}, Reported: at}
	if role == golem.Provider {
		r.Session, r.Confirmed, r.Usage.Timestamp = a.Session, true, at.Unix()
	}
	return r
}

// request asks the Provider's node for the Activity and returns the id it has
// there: the one proposed, or another one from upstream's nodes.
func (s *Service) request(ctx context.Context, r *Record, c Creation) (golem.ActivityID, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout+slack)
	defer cancel()
	reply, err := wire.CreateActivity.Call(ctx, s.bus, r.Owner, r.Peer, wire.CreateActivityRequest{
		Provider: r.Peer, Agreement: r.Agreement, Timeout: wireSeconds(c.Timeout), PublicKey: c.PublicKey, Proposed: r.ID,
	})
	if err != nil {
		return "", err
	}
	if !wellFormed(reply.Activity) {
		return "", golem.Errorf(golem.ErrUnavailable, "provider %s: activity id %q is malformed", r.Peer, clip(string(reply.Activity), 64))
	}
	return reply.Activity, nil
}

// wellFormed reports whether an id chosen by another node can be used in bus
// addresses and URLs.
func wellFormed(id golem.ActivityID) bool {
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return len(id) >= 16 && len(id) <= 64
}

func (s *Service) confirm(ctx context.Context, r *Record, id golem.ActivityID) (golem.ActivityID, error) {
	r, err := s.change(ctx, r.ID, golem.Requestor, func(r *Record) (*golem.ProviderEvent, error) {
		if r.Ended() {
			return nil, ended(r.ID) // with its Agreement, meanwhile
		}
		r.ID, r.Confirmed, r.Updated = id, true, now()
		r.Status.State.Current = golem.ActivityInitialized
		return nil, nil
	})
	if err != nil {
		return "", err
	}
	s.trace.created(r)
	return r.ID, nil
}

// disown settles that an Activity whose creation failed is not wanted. Where the
// Provider has refused, or was not there, it does not exist.
func (s *Service) disown(ctx context.Context, r *Record, why error) {
	kind, err := golem.KindOf(why), error(nil)
	switch {
	case kind == golem.ErrInvalid, kind == golem.ErrNotFound, kind == golem.ErrForbidden, kind == golem.ErrExhausted,
		errors.Is(why, gsb.ErrNoEndpoint):
		_, err = s.change(ctx, r.ID, golem.Requestor, func(r *Record) (*golem.ProviderEvent, error) {
			r.Status.State.Current, r.Updated = golem.ActivityTerminated, now()
			return nil, nil
		})
	default:
		_, err = s.order(ctx, r, "its creation was not acknowledged")
	}
	if err != nil {
		s.trace.failed("create", err)
	}
}

// Destroy ends an Activity of the Requestor who. It returns when the Provider
// says that it has ended. An error does not take back the wish: the Provider is
// told until it has heard.
func (s *Service) Destroy(ctx context.Context, who golem.NodeID, id golem.ActivityID, timeout time.Duration) error {
	r, err := s.find(ctx, who, id, golem.Requestor)
	if err != nil {
		return err
	}
	if r, err = s.order(ctx, r, "the Requestor has destroyed it"); err != nil || r.Ended() {
		return err
	}
	return s.tellDestroy(ctx, r, timeout)
}

// order settles that an Activity is to end. The first time this makes the event
// for the Provider's agent, or for the resending loop to tell the Provider.
func (s *Service) order(ctx context.Context, r *Record, why string) (*Record, error) {
	at, first := now(), false
	r, err := s.change(ctx, r.ID, r.Role, func(r *Record) (*golem.ProviderEvent, error) {
		if r.Ended() || !r.Destroying.IsZero() {
			return nil, nil
		}
		first, r.Destroying, r.Updated = true, at, at
		if r.Role == golem.Requestor {
			return nil, nil
		}
		return &golem.ProviderEvent{Type: golem.ProviderEventType{Destroy: &golem.DestroyActivityEvent{}}, Date: at}, nil
	})
	if first && err == nil {
		s.trace.destroying(r, why)
	}
	return r, err
}

// Activity returns an Activity of who with the state and usage known here.
func (s *Service) Activity(ctx context.Context, who golem.NodeID, id golem.ActivityID) (golem.Activity, error) {
	r, err := s.find(ctx, who, id, golem.Provider, golem.Requestor)
	if err != nil {
		return golem.Activity{}, err
	}
	return r.shown(), nil
}

// Activities returns those of who, in both roles, oldest first; agreement "" is
// all. What has ended is among them until it is forgotten.
func (s *Service) Activities(ctx context.Context, who golem.NodeID, agreement golem.AgreementID) ([]golem.Activity, error) {
	rs, err := s.store.OwnedActivities(ctx, who, agreement)
	if err != nil {
		return nil, err
	}
	as := make([]golem.Activity, 0, len(rs))
	for _, r := range rs {
		if r.Confirmed {
			as = append(as, r.shown())
		}
	}
	return as, nil
}

// OnAgreementTerminated destroys what is still alive under an Agreement that has
// ended. The node calls it; what it could not tell because of a crash, Run finds
// out by itself.
func (s *Service) OnAgreementTerminated(ctx context.Context, id golem.AgreementID) error {
	for _, role := range []golem.Role{golem.Provider, golem.Requestor} {
		rs, err := s.store.AliveActivities(ctx, role)
		if err != nil {
			return err
		}
		for _, r := range rs {
			if r.Agreement != id {
				continue
			}
			if _, err := s.order(ctx, r, "the Agreement has ended"); err != nil {
				return err
			}
		}
	}
	return nil
}
