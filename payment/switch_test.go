package payment_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/p2p/p2ptest"
	"github.com/golem-go/golem/payment"
)

// play plays the story on a network with faults, and returns what happened when.
func play(t *testing.T, seed uint64) (log []string) {
	synctest.Test(t, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, seed) // ids are part of what the network looks at
		var mu sync.Mutex
		start := time.Now()
		note := func(n golem.NodeID, format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			log = append(log, fmt.Sprintf("%v %s ", time.Since(start), n.String()[:6])+fmt.Sprintf(format, args...))
		}
		w := newWorld(t)
		w.sw = p2ptest.NewSwitch(p2ptest.Config{Seed: seed, Latency: 20 * time.Millisecond, Jitter: 30 * time.Millisecond, Loss: 0.15, Duplicate: 0.15, Reorder: 0.15})
		config := func(c *payment.Config) {
			tr := c.Trace
			doc := func(what string) func(payment.Document) {
				return func(d payment.Document) { note(d.Owner, "%s %s of %s %s", what, d.Kind, d.Amount, d.Status) }
			}
			tr.Issued, tr.Received, tr.Accepted, tr.Decided = doc("issued"), doc("received"), doc("accepted"), doc("decided")
			tr.Settled = func(o payment.OrderRecord) { note(o.Owner, "settled order of %s", o.Amount) }
			tr.Credited = func(p payment.Payment) { note(p.Owner, "credited %s", p.Amount) }
			tr.Told = func(m payment.Message) { note(m.Owner, "told %s after %d attempts", m.Kind, m.Attempts) }
			tr.Untold = func(m payment.Message, err error) { note(m.Owner, "could not tell %s", m.Kind) }
		}
		st := &story{w: w, r: w.node(1, config), p: w.node(1, config), q: w.node(1, config)}
		wallet := w.keys.add(99).Address().String()
		st.d, st.e = w.agree(st.r, st.p, 2, terms{payee: wallet}), w.agree(st.r, st.q, 1, terms{payee: wallet})
		st.run()
	})
	return log
}

// TestBadNetwork plays the story on networks that lose, double and reorder, and
// shows that a seed decides everything that happens.
func TestBadNetwork(t *testing.T) {
	seeds := uint64(20)
	if stride > 1 {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			first := play(t, seed)
			if seed < 3 {
				if diff := cmp.Diff(first, play(t, seed)); diff != "" {
					t.Errorf("the same seed again: %s", diff)
				}
			}
		})
	}
}
