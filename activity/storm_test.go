package activity_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/p2p/p2ptest"
)

// In a network that loses, doubles and reorders messages, between nodes that
// restart, a command is executed at most once, one that was acknowledged is
// executed, and in the end nothing is left alive that the Requestor does not know.
func TestStorm(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				cryptotest.SetGlobalRandom(t, seed)
				w.net.Change(func(c *p2ptest.Config) { c.Loss, c.Duplicate, c.Reorder = 0.1, 0.1, 0.1 })
				w.startAgent()
				var jobs sync.WaitGroup
				for job := range 6 {
					jobs.Go(func() {
						time.Sleep(time.Duration(job) * 1700 * time.Millisecond)
						w.jobInStorm(t, job)
					})
				}
				jobs.Wait()
				w.requestor.stop()
				w.requestor.start(t)
				time.Sleep(time.Minute)
				w.net.Change(func(c *p2ptest.Config) { c.Loss, c.Duplicate, c.Reorder = 0, 0, 0 })
				time.Sleep(4 * time.Minute)
				wantQuiet(t, w)
				if evs := eventNames(w.events(t)); len(evs) == 0 || len(evs)%2 != 0 {
					t.Errorf("not every activity was created and destroyed: %v", evs)
				}
			})
		})
	}
}

// jobInStorm does what it can with one Activity.
func (w *world) jobInStorm(t *testing.T, job int) {
	ctx, who := t.Context(), w.requestor.id
	id, err := w.requestor.Create(ctx, who, w.agreement, activity.Creation{Timeout: 5 * time.Second})
	if err != nil {
		return
	}
	acknowledged := []string{}
	script := []golem.Command{deploy, start}
	for n := range 10 {
		if _, err := w.requestor.Exec(ctx, who, id, script, 5*time.Second); err == nil && len(script) == 1 {
			acknowledged = append(acknowledged, fmt.Sprintf("echo %d %d", job, n-1))
		}
		script = []golem.Command{program("echo", fmt.Sprint(job), fmt.Sprint(n))}
		time.Sleep(3 * time.Second)
	}
	executed := w.agent.ExeUnit(id).Executed()
	for i, c := range executed {
		if slices.Contains(executed[:i], c) {
			t.Errorf("executed twice: %s in %q", c, executed)
		}
	}
	for _, c := range acknowledged {
		if slices.Contains(executed, "start") && !slices.Contains(executed, c) {
			t.Errorf("acknowledged and not executed: %s in %q", c, executed)
		}
	}
	w.requestor.Destroy(ctx, who, id, 5*time.Second)
}
