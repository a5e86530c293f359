package longpoll

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaitSeesEveryWake(t *testing.T) {
	var h Hub[string]
	var n atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			got, found, err := Wait(t.Context(), &h, "a", func(context.Context) (int64, bool, error) {
				v := n.Load()
				return v, v == 1000, nil
			})
			if got != 1000 || !found || err != nil {
				t.Errorf("got %d, %t, %v", got, found, err)
			}
		})
	}
	for range 1000 {
		n.Add(1)
		h.Wake("a")
	}
	wg.Wait()
}

func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h Hub[string]
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, found, err := Wait(ctx, &h, "a", func(context.Context) (int, bool, error) { return 0, false, nil })
		if found || err != nil || time.Since(start) != time.Minute {
			t.Fatalf("found %t, err %v after %v", found, err, time.Since(start))
		}
	})
}

func TestNothingRemains(t *testing.T) {
	var h Hub[int]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for key := range 1000 {
		_, _, err := Wait(ctx, &h, key, func(context.Context) (int, bool, error) {
			if key%2 == 0 {
				return 0, false, errors.New("no such thing")
			}
			return 0, false, nil
		})
		if (err != nil) != (key%2 == 0) {
			t.Fatal(err)
		}
	}
	if n := len(h.waiting); n != 0 {
		t.Errorf("%d keys remain of those nobody waits for", n)
	}
}
