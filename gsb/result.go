package gsb

import (
	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb/flexbuffers"
	"github.com/golem-go/golem/p2p"
)

// ErrorForm maps errors to one of upstream's error enumerations and back.
type ErrorForm interface {
	// Encode returns what stands for err, which is not nil: anything that
	// flexbuffers can marshal.
	Encode(err error) any
	// Decode returns the error that v stands for, never nil: what cannot be
	// understood is ErrInternal with v in its text.
	Decode(v flexbuffers.Value) error
}

// Unit is the answer of a method that has nothing to say but that it succeeded.
type Unit = flexbuffers.Unit

// ServiceErrors is the error enumeration RpcMessageError, which the activity
// service and most others use: service, activity, badRequest,
// usageLimitExceeded, notFound, forbidden, each with a text, and timeout.
var ServiceErrors ErrorForm = serviceErrors{}

type serviceErrors struct{}

func (serviceErrors) Encode(err error) any {
	variant := golem.KindOf(err).BusName()
	if variant == "timeout" {
		return variant
	}
	return map[string]any{variant: golem.Public(err)}
}

func (serviceErrors) Decode(v flexbuffers.Value) error {
	name, content, err := v.Variant()
	if err != nil {
		return Garbled(v)
	}
	if name == "timeout" {
		return golem.Errorf(golem.ErrTimeout, "timeout")
	}
	text, err := content.Text()
	if err != nil {
		return Garbled(v)
	}
	return golem.Errorf(golem.KindOfBus(name), "%s", Heard(text))
}

// TextErrors writes an error as its text alone.
var TextErrors ErrorForm = textErrors{}

type textErrors struct{}

func (textErrors) Encode(err error) any { return golem.Public(err) }

func (textErrors) Decode(v flexbuffers.Value) error {
	text, err := v.Text()
	if err != nil {
		return Garbled(v)
	}
	return golem.Errorf(golem.ErrInternal, "%s", Heard(text))
}

// Garbled returns the error for an error value that cannot be understood.
func Garbled(v flexbuffers.Value) error {
	const most = 200
	text := "?"
	if b, err := v.MarshalJSON(); err == nil {
		text = string(b[:min(len(b), most)])
	}
	return golem.Errorf(golem.ErrInternal, "unknown error %s", text)
}

func encodeResult[T any](v T, err error, form ErrorForm) ([]byte, error) {
	if form == nil {
		form = ServiceErrors
	}
	var body []byte
	if err != nil {
		body, err = flexbuffers.Marshal(flexbuffers.Result[Unit, any]{Err: new(form.Encode(err))})
	} else {
		body, err = flexbuffers.Marshal(flexbuffers.Result[T, Unit]{Ok: &v})
	}
	if err == nil && len(body) > p2p.MaxBody {
		err = golem.Errorf(golem.ErrTooLarge, "answer of %d bytes, at most %d", len(body), p2p.MaxBody)
	}
	return body, err
}

func decodeResult[T any](body []byte, form ErrorForm) (v T, err error) {
	result, err := decodeBody[flexbuffers.Result[T, flexbuffers.Value]](body)
	switch {
	case err != nil:
		return v, golem.Errorf(golem.ErrUnavailable, "answer: %w", err)
	case result.Ok != nil:
		return *result.Ok, nil
	case form != nil:
		return v, form.Decode(*result.Err)
	}
	return v, ServiceErrors.Decode(*result.Err)
}
