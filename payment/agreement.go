package payment

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/golem-go/golem"
)

// Agreements knows the Agreements of this node's identities.
type Agreements interface {
	// Agreement returns an Agreement who is a party of, or ErrNotFound.
	Agreement(ctx context.Context, who golem.NodeID, id golem.AgreementID) (*golem.Agreement, error)
}

// Activities knows the Activities of this node's identities.
type Activities interface {
	// AgreementOf returns the Agreement of an Activity that who buys or sells, or
	// ErrNotFound.
	AgreementOf(ctx context.Context, who golem.NodeID, id golem.ActivityID) (golem.AgreementID, error)
}

// terms returns the books of side for an Agreement: as they are, or as they are
// opened with the first document. It is called before the step that writes.
func (s *Service) terms(ctx context.Context, side Side, id golem.AgreementID) (a Agreement, err error) {
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		a, err = r.Agreement(AgreementKey{side, id})
		return err
	})
	if !errors.Is(err, golem.ErrNotFound) {
		return a, err
	}
	g, err := s.cfg.Agreements.Agreement(ctx, side.Owner, id)
	if err != nil {
		return a, err
	}
	return termsOf(g, side)
}

// termsOf reads what payment must know from an Agreement (spec payment.md §1).
func termsOf(g *golem.Agreement, side Side) (Agreement, error) {
	none := Agreement{}
	if g.Party(side.Role) != side.Owner {
		return none, golem.Errorf(golem.ErrUnauthorized, "%s is not the %s of agreement %s", side.Owner, side.Role, g.ID)
	}
	switch g.State {
	case golem.AgreementApproving, golem.AgreementApproved, golem.AgreementTerminated:
	default:
		return none, golem.Errorf(golem.ErrInvalid, "agreement %s is %s and was never approved", g.ID, g.State)
	}
	demand, offer := propertyTexts(g.Demand.Properties), propertyTexts(g.Offer.Properties)
	if demand[golem.PropChosenPlatform] == "" {
		return none, golem.Errorf(golem.ErrInvalid, "agreement %s: Missing %s", g.ID, golem.PropChosenPlatform)
	}
	platform, err := golem.ParsePlatform(demand[golem.PropChosenPlatform])
	if err != nil {
		return none, golem.Errorf(golem.ErrInvalid, "agreement %s: %w", g.ID, err)
	}
	payer, err1 := wallet(demand, platform, g.Requestor())
	payee, err2 := wallet(offer, platform, g.Provider())
	if err := errors.Join(err1, err2); err != nil {
		return none, golem.Errorf(golem.ErrInvalid, "agreement %s: %w", g.ID, err)
	}
	return Agreement{
		Side: side, ID: g.ID, Peer: g.Party(side.Role.Other()), Payee: payee, Payer: payer,
		Platform: platform, Session: g.Session,
	}, nil
}

// wallet returns the address a party uses on p: the one it names, or its node id.
func wallet(properties map[string]string, p golem.Platform, node golem.NodeID) (golem.Address, error) {
	if text := properties[golem.PropPlatformAddress(p)]; text != "" {
		return golem.ParseAddress(text)
	}
	return node.Address(), nil
}

// propertyTexts returns the payment properties of flat property JSON that are
// texts.
func propertyTexts(flat string) map[string]string {
	var raw map[string]json.RawMessage
	texts := map[string]string{}
	if json.Unmarshal([]byte(flat), &raw) != nil {
		return texts
	}
	for name, value := range raw {
		var text string
		if strings.HasPrefix(name, "golem.com.payment.") && json.Unmarshal(value, &text) == nil {
			texts[name] = text
		}
	}
	return texts
}

// matches reports an error where a document does not say what was agreed on.
func (a *Agreement) matches(d *Document) error {
	switch {
	case d.Platform != a.Platform:
		return golem.Errorf(golem.ErrInvalid, "payment platform is %s, agreed on was %s", d.Platform, a.Platform)
	case d.Payee != a.Payee:
		return golem.Errorf(golem.ErrInvalid, "payee address is %s, agreed on was %s", d.Payee, a.Payee)
	case d.Payer != a.Payer:
		return golem.Errorf(golem.ErrInvalid, "payer address is %s, agreed on was %s", d.Payer, a.Payer)
	}
	return nil
}

// belongs checks that Activities are known to belong to the Agreement.
func (s *Service) belongs(ctx context.Context, who golem.NodeID, id golem.AgreementID, activities ...golem.ActivityID) error {
	for _, act := range activities {
		of, err := s.cfg.Activities.AgreementOf(ctx, who, act)
		switch {
		case errors.Is(err, golem.ErrNotFound):
			return golem.Errorf(golem.ErrInvalid, "Activity not found: %s", act)
		case err != nil:
			return err
		case of != id:
			return golem.Errorf(golem.ErrInvalid, "activity %s does not belong to agreement %s", act, id)
		}
	}
	return nil
}
