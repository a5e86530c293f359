package router

import (
	"errors"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router/gsbpb"
)

// Failures of the way between a caller and a service. Their texts are upstream's.
var (
	errLost     = golem.Errorf(golem.ErrUnavailable, "lost connection")
	errStalled  = golem.Errorf(golem.ErrUnavailable, "stalled connection")
	errCanceled = golem.Errorf(golem.ErrCancelled, "request canceled")
	errBusy     = golem.Errorf(golem.ErrUnavailable, "too many calls in flight")
)

// failure returns how an error of a call is told to the caller: 400 where the
// request was at fault, 500 otherwise.
func failure(err error) (gsbpb.CallReply_Code, string) {
	if errors.Is(err, gsb.ErrNoEndpoint) {
		return gsbpb.CallReply_BAD_REQUEST, golem.Public(err)
	}
	switch golem.KindOf(err) {
	case golem.ErrInvalid, golem.ErrForbidden, golem.ErrUnauthorized, golem.ErrTooLarge, golem.ErrNotFound:
		return gsbpb.CallReply_BAD_REQUEST, golem.Public(err)
	case golem.ErrCancelled:
		return gsbpb.CallReply_SERVICE_FAILURE, errCanceled.Error()
	}
	return gsbpb.CallReply_SERVICE_FAILURE, golem.Public(err)
}
