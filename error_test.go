package golem_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/golem-go/golem"
)

func TestErrorf(t *testing.T) {
	cause := errors.New("cause")
	err := golem.Errorf(golem.ErrNotFound, "agreement %s: %w", "a1", cause)
	if err.Error() != "agreement a1: cause" {
		t.Errorf("text is %q", err)
	}
	for _, target := range []error{golem.ErrNotFound, cause} {
		if !errors.Is(err, target) {
			t.Errorf("%v is not %v", err, target)
		}
	}
	if errors.Is(err, golem.ErrConflict) {
		t.Error("the error is of another kind too")
	}
}

func TestKindOf(t *testing.T) {
	inner := golem.Errorf(golem.ErrConflict, "inner")
	deadline, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	tests := []struct {
		name string
		err  error
		want golem.Kind
	}{
		{"none", nil, ""},
		{"a kind itself", golem.ErrExpired, golem.ErrExpired},
		{"kinded", inner, golem.ErrConflict},
		{"in context", fmt.Errorf("outer: %w", inner), golem.ErrConflict},
		{"the outermost counts", golem.Errorf(golem.ErrUnavailable, "outer: %w", inner), golem.ErrUnavailable},
		{"the outermost below plain ones", fmt.Errorf("a: %w", fmt.Errorf("b: %w", golem.Errorf(golem.ErrInvalid, "%w", inner))), golem.ErrInvalid},
		{"joined", errors.Join(errors.New("x"), inner), golem.ErrConflict},
		{"kind over a context's end", golem.Errorf(golem.ErrNoAnswer, "%w", context.DeadlineExceeded), golem.ErrNoAnswer},
		{"deadline", fmt.Errorf("x: %w", deadline.Err()), golem.ErrTimeout},
		{"cancelled", context.Canceled, golem.ErrCancelled},
		{"anything else", fs.ErrNotExist, golem.ErrInternal},
	}
	for _, tt := range tests {
		if got := golem.KindOf(tt.err); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestPublic checks what strangers get to read.
func TestPublic(t *testing.T) {
	secret := errors.New("open /home/me/node.db: permission denied")
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"kinded", golem.Errorf(golem.ErrInvalid, "no platform"), "no platform"},
		{"in context", fmt.Errorf("offer: %w", golem.Errorf(golem.ErrInvalid, "no platform")), "offer: no platform"},
		{"internal on purpose", golem.Errorf(golem.ErrInternal, "disk is full"), "disk is full"},
		{"a kind alone", golem.ErrNotFound, "not-found"},
		{"plain", secret, "internal error"},
		{"deadline", fmt.Errorf("%w: %w", secret, context.DeadlineExceeded), "timeout"},
		{"cancelled", fmt.Errorf("%w: %w", secret, context.Canceled), "cancelled"},
	}
	for _, tt := range tests {
		if got := golem.Public(tt.err); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestCatalogue checks that kinds survive the ways they travel, as far as each
// way can tell them apart.
func TestCatalogue(t *testing.T) {
	seen := map[golem.Kind]bool{}
	for _, k := range golem.Kinds() {
		if seen[k] {
			t.Errorf("%s is listed twice", k)
		}
		seen[k] = true
		if back, ok := golem.ParseKind(string(k)); !ok || back != k {
			t.Errorf("%s comes back as %s by name", k, back)
		}
		if back := golem.KindOfStatus(k.Status()); back.Status() != k.Status() {
			t.Errorf("%s is %d, which is %s, which is %d", k, k.Status(), back, back.Status())
		}
		if back := golem.KindOfBus(k.BusName()); back.BusName() != k.BusName() {
			t.Errorf("%s is %s on the bus, which is %s, which is %s", k, k.BusName(), back, back.BusName())
		}
		if k.Status() < 400 || k.Status() > 599 {
			t.Errorf("%s is status %d", k, k.Status())
		}
		if k.Hint() == "" && k != golem.ErrCancelled {
			t.Errorf("%s has no hint", k)
		}
		if k.Error() != string(k) {
			t.Errorf("%s prints as %s", k, k.Error())
		}
	}
	if len(seen) != 14 {
		t.Errorf("%d kinds", len(seen))
	}
	unique := map[golem.Kind]int{
		golem.ErrInvalid: 400, golem.ErrUnauthorized: 401, golem.ErrForbidden: 403, golem.ErrNotFound: 404, golem.ErrTimeout: 408,
		golem.ErrConflict: 409, golem.ErrExpired: 410, golem.ErrTooLarge: 413, golem.ErrInternal: 500, golem.ErrUnsupported: 501, golem.ErrNoAnswer: 504,
	}
	for k, status := range unique {
		if k.Status() != status || golem.KindOfStatus(status) != k {
			t.Errorf("%s is %d, and %d is %s", k, k.Status(), status, golem.KindOfStatus(status))
		}
	}
	for _, k := range []golem.Kind{golem.ErrTimeout, golem.ErrUnavailable, golem.ErrNoAnswer} {
		if !k.Retryable() {
			t.Errorf("%s is not retryable", k)
		}
	}
	for _, k := range []golem.Kind{golem.ErrInvalid, golem.ErrExhausted, golem.ErrForbidden} {
		if k.Retryable() {
			t.Errorf("%s is retryable", k)
		}
	}
}

func TestUnknownKind(t *testing.T) {
	const odd = golem.Kind("odd")
	if odd.Status() != 500 || odd.BusName() != "service" || odd.Retryable() || odd.Hint() != "" {
		t.Error("a kind that is not in the catalogue is not treated as internal")
	}
	if k, ok := golem.ParseKind("odd"); ok || k != golem.ErrInternal {
		t.Errorf("got %s, %v", k, ok)
	}
	if golem.KindOfStatus(418) != golem.ErrInternal || golem.KindOfBus("odd") != golem.ErrInternal {
		t.Error("what is not known is not internal")
	}
}
