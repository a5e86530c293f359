package golem

import (
	"context"
	"errors"
	"fmt"
)

// Kind is the class of an error: what a program may decide on. Kinds are
// compared with [errors.Is], travel by name between processes and nodes, and
// come back as the same value.
type Kind string

// The kinds. The catalogue below says how each is shown to the outside.
const (
	ErrInvalid      Kind = "invalid"      // the caller's input is wrong; repeating it cannot help
	ErrUnauthorized Kind = "unauthorized" // no identity, or not the identity the object belongs to
	ErrForbidden    Kind = "forbidden"    // identity known, action not allowed
	ErrNotFound     Kind = "not-found"    // no such object, or not visible to the caller
	ErrTimeout      Kind = "timeout"      // waiting for one thing took too long
	ErrConflict     Kind = "conflict"     // the object is in a state that does not allow this
	ErrExpired      Kind = "expired"      // the object was valid once and is not any more
	ErrTooLarge     Kind = "too-large"    // over a documented limit
	ErrInternal     Kind = "internal"     // our fault
	ErrUnsupported  Kind = "unsupported"  // known, and not offered here
	ErrUnavailable  Kind = "unavailable"  // a peer, endpoint or resource cannot be used at the moment
	ErrNoAnswer     Kind = "no-answer"    // a peer was reached and did not answer in time
	ErrExhausted    Kind = "exhausted"    // a budget, allocation or resource limit is used up
	ErrCancelled    Kind = "cancelled"    // given up on request
)

// Error returns the name of the kind.
func (k Kind) Error() string { return string(k) }

// catalogue is the one table of what the outside sees of a kind: the status of
// the REST API (upstream's, spec rest-api.md §1.5, §4.5, §5.1, §6.4), the variant of the bus error
// enumeration (net.md §5, RpcMessageError), whether repeating the call unchanged may
// help, and what to do.
var catalogue = []struct {
	kind   Kind
	status int
	bus    string
	retry  bool
	hint   string
}{
	{ErrInvalid, 400, "badRequest", false, "correct the request"},
	{ErrUnauthorized, 401, "forbidden", false, "use an app-key of the identity that owns the object"},
	{ErrForbidden, 403, "forbidden", false, "ask the owner of the object"},
	{ErrNotFound, 404, "notFound", false, "check the id; the object may have ended"},
	{ErrTimeout, 408, "timeout", true, "ask again"},
	{ErrConflict, 409, "badRequest", false, "read the object's state first"},
	{ErrExpired, 410, "badRequest", false, "start again with a new one"},
	{ErrTooLarge, 413, "badRequest", false, "send less at a time"},
	{ErrInternal, 500, "service", true, "see the node's log"},
	{ErrUnsupported, 501, "service", false, "see docs for what this node offers"},
	{ErrUnavailable, 500, "service", true, "try again later; golem status tells what is wrong"},
	{ErrNoAnswer, 504, "timeout", true, "the other node does not answer; try again later"},
	{ErrExhausted, 400, "usageLimitExceeded", false, "raise the limit or release what is not needed"},
	{ErrCancelled, 500, "service", true, ""},
}

// Status returns the HTTP status the REST API answers for the kind.
func (k Kind) Status() int {
	for _, c := range catalogue {
		if c.kind == k {
			return c.status
		}
	}
	return 500
}

// BusName returns the variant of the bus error enumeration that carries the kind.
func (k Kind) BusName() string {
	for _, c := range catalogue {
		if c.kind == k {
			return c.bus
		}
	}
	return "service"
}

// Retryable reports whether repeating the call unchanged may help.
func (k Kind) Retryable() bool {
	for _, c := range catalogue {
		if c.kind == k {
			return c.retry
		}
	}
	return false
}

// Hint returns what a person can do about an error of the kind, or "".
func (k Kind) Hint() string {
	for _, c := range catalogue {
		if c.kind == k {
			return c.hint
		}
	}
	return ""
}

// Kinds returns all kinds in the order of the catalogue.
func Kinds() []Kind {
	ks := make([]Kind, len(catalogue))
	for i, c := range catalogue {
		ks[i] = c.kind
	}
	return ks
}

// ParseKind returns the kind of the given name and whether there is one.
func ParseKind(name string) (Kind, bool) {
	for _, c := range catalogue {
		if string(c.kind) == name {
			return c.kind, true
		}
	}
	return ErrInternal, false
}

// KindOfStatus returns the kind a REST status stands for when nothing more
// exact is known, the inverse of [Kind.Status] where that is unique.
func KindOfStatus(status int) Kind {
	for _, c := range catalogue {
		if c.status == status {
			return c.kind
		}
	}
	return ErrInternal
}

// KindOfBus returns the kind a variant of the bus error enumeration stands for.
func KindOfBus(variant string) Kind {
	switch variant {
	case "badRequest":
		return ErrInvalid
	case "notFound":
		return ErrNotFound
	case "forbidden":
		return ErrForbidden
	case "timeout":
		return ErrTimeout
	case "usageLimitExceeded":
		return ErrExhausted
	}
	return ErrInternal
}

// kinded is an error with a kind and a text that the caller may read.
type kinded struct {
	kind Kind
	err  error // from fmt.Errorf; keeps what %w wrapped
}

func (e *kinded) Error() string   { return e.err.Error() }
func (e *kinded) Unwrap() []error { return []error{e.kind, e.err} }

// Errorf returns an error of the given kind whose text is meant for the caller.
// Arguments of %w are wrapped, and the outermost kind decides.
func Errorf(kind Kind, format string, args ...any) error {
	return &kinded{kind, fmt.Errorf(format, args...)}
}

// KindOf returns the kind of err: the outermost one in its chain, [ErrTimeout]
// or [ErrCancelled] for the errors of a context, else [ErrInternal]. The kind
// of nil is "".
func KindOf(err error) Kind {
	var k Kind
	switch {
	case err == nil:
		return ""
	case errors.As(err, &k):
		return k
	case errors.Is(err, context.DeadlineExceeded):
		return ErrTimeout
	case errors.Is(err, context.Canceled):
		return ErrCancelled
	}
	return ErrInternal
}

// Public returns what a stranger may be told about err: its text where somebody
// gave it a kind, else no more than "internal error", "timeout" or "cancelled",
// since such texts name files, addresses and statements.
func Public(err error) string {
	if _, ok := errors.AsType[Kind](err); ok {
		return err.Error()
	}
	if kind := KindOf(err); kind != ErrInternal {
		return string(kind)
	}
	return "internal error"
}
