package wire

import (
	"errors"
	"fmt"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/flexbuffers"
)

// The error enumerations of the payment service (spec payment.md §7.2).
// ServiceError and BadRequest carry a text, the others nothing.
var (
	// SendErrors is SendError: ServiceError or BadRequest.
	SendErrors gsb.ErrorForm = paymentErrors{}
	// AcceptErrors is AcceptRejectError, which adds ObjectNotFound and Forbidden.
	AcceptErrors gsb.ErrorForm = paymentErrors{golem.ErrNotFound: "ObjectNotFound", golem.ErrForbidden: "Forbidden"}
	// CancelErrors is CancelError: ServiceError, ObjectNotFound, Forbidden or Conflict.
	CancelErrors gsb.ErrorForm = paymentErrors{
		golem.ErrNotFound: "ObjectNotFound", golem.ErrForbidden: "Forbidden", golem.ErrConflict: "Conflict",
		golem.ErrInvalid: serviceError, // there is no BadRequest among them
	}
	// SyncErrors is PaymentSyncError: two lists, of SendError and of AcceptRejectError.
	SyncErrors gsb.ErrorForm = syncErrors{}
)

const (
	serviceError = "ServiceError"
	badRequest   = "BadRequest"
)

// paymentErrors are the variants of one enumeration beside the common two.
type paymentErrors map[golem.Kind]string

// Encode returns the variant for the kind of err; kinds the enumeration does not
// know are BadRequest where the caller is to blame.
func (p paymentErrors) Encode(err error) any {
	kind := golem.KindOf(err)
	switch variant, ok := p[kind]; {
	case ok && variant == serviceError:
		return map[string]any{serviceError: golem.Public(err)}
	case ok:
		return variant
	case kind.Retryable(), p[golem.ErrInvalid] == serviceError:
		return map[string]any{serviceError: golem.Public(err)}
	}
	return map[string]any{badRequest: golem.Public(err)}
}

// Decode returns the error of a variant. A ServiceError is ErrUnavailable: the
// peer may manage another time.
func (p paymentErrors) Decode(v flexbuffers.Value) error {
	name, content, err := v.Variant()
	if err != nil {
		return gsb.Garbled(v)
	}
	text := name
	if t, err := content.Text(); err == nil && t != "" {
		text = gsb.Heard(t)
	}
	kind, ok := paymentVariants[name]
	if !ok {
		return golem.Errorf(golem.ErrUnavailable, "%w", answer{gsb.Garbled(v).Error()})
	}
	return golem.Errorf(kind, "%w", answer{text})
}

var paymentVariants = map[string]golem.Kind{
	serviceError:     golem.ErrUnavailable,
	badRequest:       golem.ErrInvalid,
	"ObjectNotFound": golem.ErrNotFound,
	"Forbidden":      golem.ErrForbidden,
	"Conflict":       golem.ErrConflict,
}

// answer is an error that a payment service has answered.
type answer struct{ text string }

func (a answer) Error() string { return a.text }

// Answered reports whether err is what the other payment service has answered, as
// opposed to a failure on the way there.
func Answered(err error) bool {
	var a answer
	var parts *SyncError
	return errors.As(err, &a) || errors.As(err, &parts)
}

// SyncError says which parts of a [SyncPayments] were refused. Upstream does not
// say which error belongs to which part.
type SyncError struct {
	Payments    []error
	Acceptances []error
}

// Error returns the first texts: there may be thousands.
func (e *SyncError) Error() string {
	const most = 5
	all := append(e.Payments[:len(e.Payments):len(e.Payments)], e.Acceptances...)
	text := fmt.Sprintf("payment sync: %v", errors.Join(all[:min(len(all), most)]...))
	if more := len(all) - most; more > 0 {
		text += fmt.Sprintf("\nand %d more", more)
	}
	return text
}

// Unwrap makes the error ErrInvalid: the message arrived and was refused.
func (e *SyncError) Unwrap() error { return golem.ErrInvalid }

// syncErrorBody is the shape of PaymentSyncError.
type syncErrorBody struct {
	Payments    []any `flex:"payment_send_errors"`
	Acceptances []any `flex:"accept_errors"`
}

type syncErrors struct{}

// Encode writes a *SyncError, and any other error as one of a payment.
func (syncErrors) Encode(err error) any {
	var parts *SyncError
	if !errors.As(err, &parts) {
		parts = &SyncError{Payments: []error{err}}
	}
	body := syncErrorBody{Payments: []any{}, Acceptances: []any{}}
	for _, err := range parts.Payments {
		body.Payments = append(body.Payments, SendErrors.Encode(err))
	}
	for _, err := range parts.Acceptances {
		body.Acceptances = append(body.Acceptances, AcceptErrors.Encode(err))
	}
	return body
}

// Decode returns a *SyncError.
func (syncErrors) Decode(v flexbuffers.Value) error {
	var body struct {
		Payments    []flexbuffers.Value `flex:"payment_send_errors,default"`
		Acceptances []flexbuffers.Value `flex:"accept_errors,default"`
	}
	if err := v.Decode(&body); err != nil {
		return gsb.Garbled(v)
	}
	parts := &SyncError{}
	for _, v := range body.Payments {
		parts.Payments = append(parts.Payments, SendErrors.Decode(v))
	}
	for _, v := range body.Acceptances {
		parts.Acceptances = append(parts.Acceptances, AcceptErrors.Decode(v))
	}
	return parts
}
