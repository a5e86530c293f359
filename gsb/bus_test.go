package gsb_test

import (
	"context"
	"errors"
	"testing"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
)

var (
	double = gsb.Method[int, int]{Service: "/local/math", Name: "Double"}
	count  = gsb.Stream[int, int]{Service: "/local/math", Name: "Count"}
)

func TestMethod(t *testing.T) {
	bus := gsb.New(gsb.Config{})
	if _, err := double.Call(t.Context(), bus, golem.NodeID{}, golem.NodeID{}, 4); !errors.Is(err, gsb.ErrNoEndpoint) {
		t.Fatalf("nobody bound: got %v, want ErrNoEndpoint", err)
	}
	release, err := double.Handle(bus, func(_ context.Context, _ gsb.Peer, n int) (int, error) {
		if n < 0 {
			return 0, golem.Errorf(golem.ErrInvalid, "%d is negative", n)
		}
		return 2 * n, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := double.Call(t.Context(), bus, golem.NodeID{}, golem.NodeID{}, 4); err != nil || got != 8 {
		t.Fatalf("got %d, %v", got, err)
	}
	_, err = double.Call(t.Context(), bus, golem.NodeID{}, golem.NodeID{}, -4)
	if !errors.Is(err, golem.ErrInvalid) || err.Error() != "-4 is negative" {
		t.Fatalf("got %v", err)
	}
	release()
	if _, err := double.Call(t.Context(), bus, golem.NodeID{}, golem.NodeID{}, 4); !errors.Is(err, gsb.ErrNoEndpoint) {
		t.Fatalf("released: got %v, want ErrNoEndpoint", err)
	}
}

func TestStream(t *testing.T) {
	bus := gsb.New(gsb.Config{})
	boom := golem.Errorf(golem.ErrExhausted, "out of numbers")
	if _, err := count.Handle(bus, func(_ context.Context, _ gsb.Peer, n int, send func(int) error) error {
		for i := range n {
			if err := send(i); err != nil {
				return err
			}
		}
		return boom
	}); err != nil {
		t.Fatal(err)
	}
	var got []int
	var last error
	for i, err := range count.Call(t.Context(), bus, golem.NodeID{}, golem.NodeID{}, 3) {
		if err != nil {
			last = err
			break
		}
		got = append(got, i)
	}
	if len(got) != 3 || !errors.Is(last, golem.ErrExhausted) {
		t.Fatalf("got %v, %v", got, last)
	}
	for range count.Call(t.Context(), bus, golem.NodeID{}, golem.NodeID{}, 3) {
		break // leaving early must not disturb anybody
	}
}
