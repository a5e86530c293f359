package wire

import (
	"fmt"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/flexbuffers"
)

// Why is the cause of a [Refusal].
type Why string

// The causes, by the names of upstream's variants (spec market.md §14.2).
const (
	WhyNotFound            Why = "NotFound"            // no such Proposal or Agreement, for the sender
	WhyExpired             Why = "Expired"             // the Agreement's time has passed
	WhyCancelled           Why = "Cancelled"           // of a commitment: the Requestor has cancelled
	WhyInvalidState        Why = "InvalidState"        // the Agreement is in Refusal.State
	WhyInvalidID           Why = "InvalidId"           // the id is not the hash of what it names
	WhyAlreadyCountered    Why = "AlreadyCountered"    // a Proposal is countered once
	WhyNoSubscription      Why = "NoSubscription"      // no such Offer or Demand
	WhyUnsubscribed        Why = "Unsubscribed"        // the Offer or Demand was withdrawn
	WhySubscriptionExpired Why = "SubscriptionExpired" // the time of the Offer or Demand has passed
	WhyNotMatching         Why = "NotMatching"         // constraints are not met, as Refusal.Text says
	WhyOwnProposal         Why = "OwnProposal"         // the sender refers to a Proposal of its own
	WhyUnauthorized        Why = "Unauthorized"        // the sender is not the other party
	WhyNoNegotiations      Why = "NoNegotiations"      // an Agreement needs counter-proposals
	WhyNoPrevious          Why = "NoPrevious"          // a counter-proposal to nothing
	WhyNotSigned           Why = "NotSigned"           // the signature is missing or wrong
	WhyTimeout             Why = "Timeout"             // the receiver gave up
	WhyUnexpected          Why = "Unexpected"          // anything else, as Refusal.Text says
)

// Refusal is a receiver's answer that it does not do what a message of the
// market asks for. It is final: repeating the message changes nothing unless the
// receiver's state changes. It has the kind of its cause.
type Refusal struct {
	Why   Why
	ID    string               // of what the refusal is about
	State golem.AgreementState // with WhyInvalidState
	Node  golem.NodeID         // with WhyUnauthorized
	Text  string
}

// Error returns what a person needs to know.
func (r *Refusal) Error() string {
	switch r.Why {
	case WhyNotFound:
		return fmt.Sprintf("[%s] not found.", r.ID)
	case WhyExpired:
		return fmt.Sprintf("Agreement [%s] expired.", r.ID)
	case WhyCancelled:
		return "Cancelled"
	case WhyInvalidState:
		return fmt.Sprintf("Agreement [%s] is in state %s.", r.ID, r.State)
	case WhyAlreadyCountered:
		return fmt.Sprintf("Proposal [%s] already has counter proposal. Can't counter for the second time.", r.ID)
	case WhyNoSubscription:
		return fmt.Sprintf("Subscription [%s] not found. Could be unsubscribed.", r.ID)
	case WhyUnsubscribed:
		return fmt.Sprintf("Subscription [%s] unsubscribed.", r.ID)
	case WhySubscriptionExpired:
		return fmt.Sprintf("Subscription [%s] expired.", r.ID)
	case WhyNotSigned:
		return fmt.Sprintf("Agreement [%s] is not signed by who proposes, approves or commits it.", r.ID)
	case WhyOwnProposal:
		return fmt.Sprintf("Can't react to own Proposal [%s].", r.ID)
	}
	if r.Text != "" {
		return r.Text
	}
	return fmt.Sprintf("%s [%s]", r.Why, r.ID)
}

// Unwrap returns the kind of the refusal.
func (r *Refusal) Unwrap() error {
	switch r.Why {
	case WhyNotFound, WhyNoPrevious:
		return golem.ErrNotFound
	case WhyExpired, WhyCancelled, WhySubscriptionExpired, WhyAlreadyCountered, WhyInvalidState:
		return golem.ErrExpired
	case WhyUnauthorized:
		return golem.ErrUnauthorized
	case WhyTimeout:
		return golem.ErrTimeout
	case WhyUnexpected:
		return golem.ErrUnavailable
	}
	return golem.ErrInvalid
}

// The error enumerations of the market's messages. All of them write a *Refusal
// in the place upstream has for it, and other errors as internal ones; all of
// them read any of upstream's variants.
var (
	CounterErrors   gsb.ErrorForm = refusals{counterError}
	RejectErrors    gsb.ErrorForm = refusals{rejectError}
	ProposeErrors   gsb.ErrorForm = refusals{proposeError}
	AgreementErrors gsb.ErrorForm = refusals{agreementError}
	TerminateErrors gsb.ErrorForm = refusals{agreementError} // the same variants for what we send
	CommitErrors    gsb.ErrorForm = refusals{commitError}
	DiscoveryErrors gsb.ErrorForm = refusals{discoveryError}
)

// refusals is the form of one enumeration: where in it a refusal goes.
type refusals struct{ place func(r *Refusal) any }

// Encode implements gsb.ErrorForm.
func (f refusals) Encode(err error) any {
	if r := refusalOf(err); r != nil {
		return f.place(r)
	}
	return f.place(&Refusal{Why: WhyUnexpected, Text: golem.Public(err)})
}

func refusalOf(err error) *Refusal {
	for ; err != nil; err = unwrapOne(err) {
		if r, ok := err.(*Refusal); ok {
			return r
		}
	}
	return nil
}

func unwrapOne(err error) error {
	switch x := err.(type) {
	case interface{ Unwrap() error }:
		return x.Unwrap()
	case interface{ Unwrap() []error }:
		for _, e := range x.Unwrap() {
			if r := refusalOf(e); r != nil {
				return r
			}
		}
	}
	return nil
}

// variant is an externally tagged variant with its content.
func variant[W ~string](name W, content any) any {
	return flexbuffers.Variant{Name: string(name), Content: content}
}

// unexpected is upstream's variant for everything else; its original message
// stays on the node.
func unexpected(text string) any {
	return variant(WhyUnexpected, map[string]any{"public_msg": text, "original_msg": ""})
}

// counterError places a refusal in CounterProposalError.
func counterError(r *Refusal) any {
	var remote any
	switch r.Why {
	case WhyNoPrevious:
		return variant(r.Why, r.ID)
	case WhyTimeout:
		return variant(r.Why, nil)
	case WhyNotFound, WhyAlreadyCountered:
		remote = variant(r.Why, r.ID)
	case WhyInvalidID:
		remote = variant(r.Why, []any{r.ID, hashOf(r.ID)})
	default:
		remote = variant("Validation", validation(r))
	}
	return variant("Remote", []any{remote, r.ID})
}

// validation places a refusal in ProposalValidationError.
func validation(r *Refusal) any {
	switch r.Why {
	case WhyNoSubscription, WhyUnsubscribed, WhySubscriptionExpired, WhyOwnProposal:
		return variant(r.Why, r.ID)
	case WhyNotMatching:
		return variant(r.Why, variant(r.Why, map[string]any{"new": r.ID, "prev": "", "mismatches": r.Text}))
	case WhyUnauthorized:
		return variant(r.Why, []any{r.ID, r.Node})
	}
	return variant("Internal", r.Error())
}

// rejectError places a refusal in RejectProposalError.
func rejectError(r *Refusal) any {
	if r.Why == WhyNotFound {
		return variant("Get", variant(r.Why, []any{r.ID, nil}))
	}
	return variant("Validation", validation(r))
}

// proposeError places a refusal in ProposeAgreementError.
func proposeError(r *Refusal) any {
	var remote any
	switch r.Why {
	case WhyNotSigned:
		return variant(r.Why, r.ID)
	case WhyNotFound, WhyNoNegotiations, WhyAlreadyCountered, WhyInvalidID:
		remote = variant(r.Why, r.ID)
	case WhyOwnProposal:
		remote = variant("RequestorOwn", r.ID)
	default:
		remote = unexpected(r.Error())
	}
	return variant("Remote", []any{remote, r.ID})
}

// agreementError places a refusal in AgreementProtocolError and
// TerminateAgreementError.
func agreementError(r *Refusal) any {
	switch r.Why {
	case WhyNotSigned, WhyTimeout:
		return variant(r.Why, r.ID)
	case WhyNotFound, WhyExpired:
		return variant("Remote", variant(r.Why, r.ID))
	case WhyInvalidState:
		return variant("Remote", variant(r.Why, []any{r.ID, string(r.State)}))
	}
	return variant("Remote", variant("InternalError", r.ID))
}

// commitError places a refusal in CommitAgreementError.
func commitError(r *Refusal) any {
	var remote any
	switch r.Why {
	case WhyNotSigned:
		return variant(r.Why, r.ID)
	case WhyNotFound, WhyExpired, WhyCancelled:
		remote = variant(r.Why, nil)
	case WhyInvalidState:
		remote = variant(r.Why, string(r.State))
	default:
		remote = unexpected(r.Error())
	}
	return variant("Remote", []any{remote, r.ID})
}

// discoveryError places a refusal in DiscoveryRemoteError.
func discoveryError(r *Refusal) any { return variant("InternalError", r.Error()) }

// hashOf returns the id without the letter of its role.
func hashOf(id string) string { return golem.ProposalID(id).Hash() }

// nesting are the variants that only say where the cause is.
var nesting = map[string]bool{"Remote": true, "RemoteInternal": true, "Validation": true, "Get": true, "ChangeState": true}

// Decode implements gsb.ErrorForm: it goes down to the innermost variant it
// knows, whatever the enumeration.
func (f refusals) Decode(v flexbuffers.Value) error {
	r := &Refusal{}
	for depth := 0; depth < 8; depth++ {
		name, content, err := v.Variant()
		if err != nil {
			break
		}
		r.Why = causes[name]
		if !nesting[name] && !(r.Why == WhyNotMatching && content.Kind() == flexbuffers.KindMap && content.Len() == 1) {
			r.fill(name, content)
			break
		}
		v = content
		if v.Kind() == flexbuffers.KindVector {
			if id, err := text(v, 1); err == nil {
				r.ID = id
			}
			if v, err = v.At(0); err != nil {
				break
			}
		}
	}
	if r.Why == "" {
		return gsb.Garbled(v)
	}
	return r
}

// causes are the variants that are a cause.
var causes = func() map[string]Why {
	m := map[string]Why{"RequestorOwn": WhyOwnProposal, "MatchingFailed": WhyNotMatching}
	for _, w := range []Why{
		WhyNotFound, WhyExpired, WhyCancelled, WhyInvalidState, WhyInvalidID, WhyAlreadyCountered, WhyNoSubscription,
		WhyUnsubscribed, WhySubscriptionExpired, WhyNotMatching, WhyOwnProposal, WhyUnauthorized, WhyNoNegotiations,
		WhyNoPrevious, WhyNotSigned, WhyTimeout, WhyUnexpected,
	} {
		m[string(w)] = w
	}
	return m
}()

// fill reads what the innermost variant says.
func (r *Refusal) fill(name string, content flexbuffers.Value) {
	switch content.Kind() {
	case flexbuffers.KindString:
		s, _ := content.Text()
		r.put(s)
	case flexbuffers.KindVector:
		if id, err := text(content, 0); err == nil {
			r.ID = id
		}
		if s, err := text(content, 1); err == nil && r.Why == WhyInvalidState {
			r.put(s)
		}
	case flexbuffers.KindMap:
		for _, key := range []string{"public_msg", "mismatches", "error"} {
			if x, ok, err := content.Lookup(key); ok && err == nil {
				said, _ := x.Text()
				r.Text = gsb.Heard(said)
			}
		}
	}
}

// put takes a variant's only text: a state or an id.
func (r *Refusal) put(s string) {
	if r.Why != WhyInvalidState {
		r.ID = s
		return
	}
	if state, err := golem.ParseAgreementState(s); err == nil {
		r.State = state
	}
}

// text returns element i of a vector, if it is a string.
func text(v flexbuffers.Value, i int) (string, error) {
	x, err := v.At(i)
	if err != nil {
		return "", err
	}
	return x.Text()
}
