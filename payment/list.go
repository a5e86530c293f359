package payment

import (
	"context"
	"errors"

	"github.com/golem-go/golem"
)

// Document returns a document that who has issued or received.
func (s *Service) Document(ctx context.Context, who golem.NodeID, kind DocumentKind, id string) (d Document, err error) {
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		d, err = r.Document(DocumentKey{Side{who, golem.Requestor}, kind, id})
		if errors.Is(err, golem.ErrNotFound) {
			d, err = r.Document(DocumentKey{Side{who, golem.Provider}, kind, id})
		}
		return err
	})
	return d, noSuchDocument(err, kind, id)
}

// Documents lists the documents who has issued or received, by time of issue.
func (s *Service) Documents(ctx context.Context, who golem.NodeID, kind DocumentKind, p Page) ([]Document, error) {
	return list(ctx, s, func(r Reader) ([]Document, error) { return r.DocumentsAfter(who, kind, p) })
}

// PaymentsFor returns the payments that pay for a document, among others.
func (s *Service) PaymentsFor(ctx context.Context, who golem.NodeID, kind DocumentKind, id string) ([]Payment, error) {
	d, err := s.Document(ctx, who, kind, id)
	if err != nil {
		return nil, err
	}
	return list(ctx, s, func(r Reader) ([]Payment, error) {
		return r.PaymentsFor(AgreementKey{d.Side, d.Agreement}, d.Activity)
	})
}

// Agreements lists the books of who's Agreements by time of opening.
func (s *Service) Agreements(ctx context.Context, who golem.NodeID, p Page) ([]Agreement, error) {
	return list(ctx, s, func(r Reader) ([]Agreement, error) { return r.Agreements(who, p) })
}

// Activities lists the books of who's Activities by time of opening.
func (s *Service) Activities(ctx context.Context, who golem.NodeID, p Page) ([]Activity, error) {
	return list(ctx, s, func(r Reader) ([]Activity, error) { return r.Activities(who, p) })
}

// Agreement returns who's books of an Agreement.
func (s *Service) Agreement(ctx context.Context, who golem.NodeID, id golem.AgreementID) (a Agreement, err error) {
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		a, err = r.Agreement(AgreementKey{Side{who, golem.Requestor}, id})
		if errors.Is(err, golem.ErrNotFound) {
			a, err = r.Agreement(AgreementKey{Side{who, golem.Provider}, id})
		}
		return err
	})
	if errors.Is(err, golem.ErrNotFound) {
		err = golem.Errorf(golem.ErrNotFound, "no books of agreement %s", id)
	}
	return a, err
}

// Activity returns who's books of an Activity.
func (s *Service) Activity(ctx context.Context, who golem.NodeID, id golem.ActivityID) (a Activity, err error) {
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		a, err = r.Activity(ActivityKey{Side{who, golem.Requestor}, id})
		if errors.Is(err, golem.ErrNotFound) {
			a, err = r.Activity(ActivityKey{Side{who, golem.Provider}, id})
		}
		return err
	})
	if errors.Is(err, golem.ErrNotFound) {
		err = golem.Errorf(golem.ErrNotFound, "no books of activity %s", id)
	}
	return a, err
}

// ActivitiesOf returns the books of the Activities of an Agreement.
func (s *Service) ActivitiesOf(ctx context.Context, k AgreementKey) ([]Activity, error) {
	return list(ctx, s, func(r Reader) ([]Activity, error) { return r.ActivitiesOf(k) })
}

// DocumentsOf returns the documents of an Agreement in the order they came.
func (s *Service) DocumentsOf(ctx context.Context, k AgreementKey) ([]Document, error) {
	return list(ctx, s, func(r Reader) ([]Document, error) { return r.DocumentsOf(k) })
}

// Orders lists the orders who pays, by time of making.
func (s *Service) Orders(ctx context.Context, who golem.NodeID, p Page) ([]OrderRecord, error) {
	return list(ctx, s, func(r Reader) ([]OrderRecord, error) { return r.Orders(who, p) })
}

// Order returns an order of who, with the obligations it pays.
func (s *Service) Order(ctx context.Context, who golem.NodeID, id OrderID) (o OrderRecord, os []Obligation, err error) {
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		o, err = r.Order(id)
		if errors.Is(err, golem.ErrNotFound) || err == nil && o.Owner != who {
			return golem.Errorf(golem.ErrNotFound, "order %s not found", id)
		}
		if err != nil {
			return err
		}
		os, err = r.ObligationsOf(id)
		return err
	})
	return o, os, err
}

// ObligationsOn returns what is charged to an Allocation of who.
func (s *Service) ObligationsOn(ctx context.Context, who golem.NodeID, id golem.AllocationID) ([]Obligation, error) {
	return list(ctx, s, func(r Reader) ([]Obligation, error) {
		al, err := r.Allocation(id)
		if errors.Is(err, golem.ErrNotFound) || err == nil && al.Owner != who {
			return nil, golem.Errorf(golem.ErrNotFound, "Allocation %s not found", id)
		}
		if err != nil {
			return nil, err
		}
		return r.ObligationsOn(id)
	})
}

// ObligationsUnder returns what who has promised to pay for an Agreement.
func (s *Service) ObligationsUnder(ctx context.Context, who golem.NodeID, id golem.AgreementID) ([]Obligation, error) {
	return list(ctx, s, func(r Reader) ([]Obligation, error) { return r.ObligationsUnder(who, id) })
}

// list reads a list that is never nil.
func list[T any](ctx context.Context, s *Service, read func(Reader) ([]T, error)) ([]T, error) {
	ts := []T{}
	err := s.cfg.Store.View(ctx, func(r Reader) error {
		found, err := read(r)
		ts = append(ts, found...)
		return err
	})
	return ts, err
}
