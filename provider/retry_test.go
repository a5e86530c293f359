package provider

import (
	"context"
	"log/slog"
	mathrand "math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// TestFollowStubbornNode follows nodes that do not wait for news, or tell the same
// again and again: neither may keep a processor busy.
func TestFollowStubbornNode(t *testing.T) {
	for name, news := range map[string]int{"it does not wait": 0, "it tells the same again": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &Agent{log: slog.New(slog.DiscardHandler), rand: mathrand.New(mathrand.NewPCG(1, 2))}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				calls, at := 0, time.Now()
				follow(ctx, a, "events", func(context.Context, time.Time) ([]int, error) {
					if calls++; calls > 100 {
						cancel()
					}
					return make([]int, news), nil
				}, func(int) time.Time { return at })
				if calls < 7 || calls > 20 {
					t.Errorf("asked %d times in 10 s", calls)
				}
			})
		})
	}
}
