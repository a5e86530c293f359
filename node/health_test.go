package node

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem"
)

// TestStall wants a loop that does not go round to be named within ten seconds.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gates
		for range 4 {
			g.alive("pay")
			g.alive("match")
			time.Sleep(5 * time.Second)
		}
		g.alive("pay") // and never again match
		time.Sleep(4 * time.Second)
		g.alive("pay")
		s := golem.NodeStatus{Network: golem.NetworkStatus{Connected: true}, Loops: g.status(time.Now())}
		if problems := s.Problems(); len(problems) != 1 || problems[0] != "loop match has stalled since 2000-01-01T00:00:15Z" {
			t.Errorf("got %q", problems)
		}
		g.alive("match")
		s.Loops = g.status(time.Now())
		if problems := s.Problems(); len(problems) != 0 || len(s.Loops) != 2 {
			t.Errorf("after it went on: %q, %d loops", problems, len(s.Loops))
		}
	})
}
