package longpoll

import (
	"context"
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
