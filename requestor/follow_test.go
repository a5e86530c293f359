package requestor

import (
	"context"
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
				polls, handled := 0, 0
				h := happening{time.Now(), func(context.Context) error { handled++; return nil }}
				f := &follower{poll: func(context.Context, time.Time) ([]happening, error) {
					polls++
					return []happening{h}[:news], nil
				}}
				for begun := time.Now(); time.Since(begun) < 10*time.Second && polls < 100; {
					if err := f.round(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if polls > 11 || handled != polls*news {
					t.Errorf("polled %d times in 10 s, handled %d", polls, handled)
				}
			})
		})
	}
}
