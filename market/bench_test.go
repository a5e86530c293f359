package market_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p/p2ptest"
)

// BenchmarkNegotiation makes whole negotiations between two nodes, each with a
// durable database: publish, match, counter, counter, agreement, confirm,
// approve, commit, terminate.
func BenchmarkNegotiation(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("agents=%d", n), func(b *testing.B) {
			w := &world{t: b, sw: p2ptest.NewSwitch(p2ptest.Config{}), real: true}
			defer w.close()
			edit := func(c *market.Config) {
				c.BroadcastDelay, c.Negotiations, c.OffersPerNode = time.Millisecond, 1<<30, 1<<30
			}
			p, r := w.node("p", edit), w.node("r", edit)
			jobs := make(chan int)
			var agents sync.WaitGroup
			for range n {
				agents.Go(func() {
					for i := range jobs {
						if err := bargain(b.Context(), p, r, i); err != nil {
							b.Error(err)
						}
					}
				})
			}
			i := 0
			for b.Loop() {
				jobs <- i
				i++
			}
			close(jobs)
			agents.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "negotiations/s")
		})
	}
}

// bargain makes one negotiation, between an Offer and a Demand that fit each
// other only.
func bargain(ctx context.Context, p, r *node, i int) error {
	o := market.Publication{Properties: []byte(fmt.Sprintf(`{"n":"%d",%s`, i, offerProperties[1:])), Constraints: fmt.Sprintf("(&(n=%d)%s)", i, offerConstraints)}
	d := market.Publication{Properties: []byte(fmt.Sprintf(`{"n":"%d",%s`, i, demandProperties[1:])), Constraints: fmt.Sprintf("(&(n=%d)%s)", i, demandConstraints)}
	offer, err := p.PublishOffer(ctx, p.id, o)
	if err != nil {
		return err
	}
	demand, err := r.PublishDemand(ctx, r.id, d)
	if err != nil {
		return err
	}
	take := func(c *market.Collection, err error) (market.News, error) {
		if err != nil {
			return market.News{}, err
		}
		if len(c.News) != 1 {
			return market.News{}, fmt.Errorf("%d events", len(c.News))
		}
		return c.News[0], c.Delivered(ctx)
	}
	e, err := take(r.CollectDemand(ctx, r.id, demand, 1))
	if err != nil {
		return err
	}
	if _, err = r.Counter(ctx, r.id, demand, e.Proposal, d); err != nil {
		return err
	}
	if e, err = take(p.CollectOffer(ctx, p.id, offer, 1)); err != nil {
		return err
	}
	if _, err = p.Counter(ctx, p.id, offer, e.Proposal, o); err != nil {
		return err
	}
	if e, err = take(r.CollectDemand(ctx, r.id, demand, 1)); err != nil {
		return err
	}
	id, err := r.ProposeAgreement(ctx, r.id, e.Proposal, time.Now().Add(time.Hour))
	if err != nil {
		return err
	}
	if err := r.Confirm(ctx, r.id, id, ""); err != nil {
		return err
	}
	if _, err = take(p.CollectOffer(ctx, p.id, offer, 1)); err != nil {
		return err
	}
	if err := p.Approve(ctx, p.id, id, "", time.Minute); err != nil {
		return err
	}
	if err := r.WaitForApproval(ctx, r.id, id); err != nil {
		return err
	}
	return r.Terminate(ctx, r.id, id, golem.NewReason("done", "", nil))
}
