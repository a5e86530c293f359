package provider

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
	"github.com/golem-go/golem/rest/client"
)

// Times of publishing.
const (
	usualTTL     = time.Hour
	overlap      = 5 * time.Minute // for which an Offer and its successor are both on the market
	watchPresets = 2 * time.Second
)

// sale is an Offer on the market.
type sale struct {
	product     *product
	id          golem.SubscriptionID
	offer       *property.Set
	constraints string
}

// counter collects how many of the products were published once.
type counter struct {
	mu    sync.Mutex
	open  map[*product]bool
	ready func()
}

func newCounter(products []*product, ready func()) *counter {
	c := &counter{open: map[*product]bool{}, ready: ready}
	for _, pr := range products {
		c.open[pr] = true
	}
	return c
}

func (c *counter) published(pr *product) {
	c.mu.Lock()
	last := c.open[pr] && len(c.open) == 1
	delete(c.open, pr)
	c.mu.Unlock()
	if last && c.ready != nil {
		c.ready()
	}
}

// selling is what is being sold.
type selling struct {
	a       *Agent
	first   *counter
	running map[string]*seller // by name of the preset
}

// seller keeps Offers of a product on the market.
type seller struct {
	product *product
	stop    func() // returns when the Offers are off the market
}

func newSelling(a *Agent, first *counter) *selling {
	return &selling{a, first, map[string]*seller{}}
}

// offer sells the given products and no others, until ctx ends. What is sold
// already stays as it is. work is for what has begun.
func (s *selling) offer(ctx, work context.Context, products []*product) {
	wanted := map[string]*product{}
	for _, pr := range products {
		wanted[pr.preset.Name] = pr
	}
	for name, sl := range s.running {
		if pr := wanted[name]; pr == nil || !pr.same(sl.product) {
			sl.stop()
			delete(s.running, name)
		}
	}
	for _, pr := range products {
		if s.running[pr.preset.Name] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		running.Go(func() { s.a.keepOffered(ctx, work, pr, s.first) })
		s.running[pr.preset.Name] = &seller{pr, func() { cancel(); running.Wait() }}
	}
}

// keepOffered publishes the Offer of a product, again before it runs out, until
// ctx ends. What is left on the market then is withdrawn.
func (a *Agent) keepOffered(ctx, work context.Context, pr *product, first *counter) {
	var collecting sync.WaitGroup
	defer collecting.Wait()
	p := quickly
	for ctx.Err() == nil {
		begin := a.now()
		s, err := a.publish(ctx, pr)
		if err != nil {
			if ctx.Err() == nil {
				a.log.Error("cannot offer", "preset", pr.preset.Name, "err", err)
				a.pause(ctx, steadily.first*6)
			}
			continue
		}
		first.published(pr)
		gone := make(chan struct{})
		collecting.Go(func() {
			defer close(gone)
			a.collect(ctx, work, s)
			a.withdraw(work, s)
		})
		timer := time.NewTimer(a.republishAfter())
		select {
		case <-gone:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if a.now().Sub(begin) > quickly.most {
			p = quickly
		} else if ctx.Err() == nil {
			a.pause(ctx, p.next()) // somebody takes it off the market
		}
	}
}

func (a *Agent) republishAfter() time.Duration {
	ttl := a.cfg.TTL
	if ttl == 0 {
		ttl = usualTTL
	}
	return ttl - min(overlap, ttl/4)
}

// publish puts an Offer on the market.
func (a *Agent) publish(ctx context.Context, pr *product) (*sale, error) {
	s := &sale{product: pr}
	err := a.retry(ctx, "publish an Offer", quickly, func(ctx context.Context) error {
		c, err := a.circumstances(ctx)
		if err != nil {
			return err
		}
		p, err := pr.offer(c, a.now())
		if err != nil {
			return err
		}
		if s.offer, err = property.ParseSet(string(p.Properties)); err != nil {
			return golem.Errorf(golem.ErrInvalid, "offer: %w", err)
		}
		s.constraints = p.Constraints
		s.id, err = a.node.Publish(ctx, golem.Provider, p, a.cfg.TTL)
		return err
	})
	if err == nil {
		a.log.Info("Subscribed offer", "preset", pr.preset.Name, "runtime", pr.runtime.Name, "offer", s.id)
	}
	return s, err
}

// withdraw takes an Offer off the market, unless it is not there any more.
func (a *Agent) withdraw(ctx context.Context, s *sale) {
	err := a.node.Withdraw(ctx, golem.Provider, s.id)
	if err != nil && !offMarket(err) && ctx.Err() == nil {
		a.log.Warn("cannot withdraw an Offer", "offer", s.id, "err", err)
	}
}

// offMarket reports whether err says that a subscription is not on the market.
func offMarket(err error) bool {
	return errors.Is(err, golem.ErrNotFound) || errors.Is(err, golem.ErrExpired)
}

const (
	collectAtOnce = 5
	answering     = 16          // events of an Offer at a time
	slow          = time.Second // after which an event does not hold up the next one
)

// collect deals with the events of an Offer until that is off the market or ctx
// ends.
func (a *Agent) collect(ctx, work context.Context, s *sale) {
	var busy sync.WaitGroup
	defer busy.Wait()
	slots := make(chan struct{}, answering)
	p := quickly
	for ctx.Err() == nil {
		begin := a.now()
		events, err := a.node.MarketEvents(ctx, golem.Provider, s.id, a.cfg.Poll, collectAtOnce)
		switch {
		case ctx.Err() != nil:
			return
		case offMarket(err):
			a.log.Info("offer is not on the market any more", "offer", s.id)
			return
		case err != nil:
			a.log.Warn("cannot collect the events of an Offer", "offer", s.id, "err", err)
			a.pause(ctx, p.next())
			continue
		case len(events) == 0 && a.now().Sub(begin) < quickly.first:
			a.pause(ctx, quickly.first)
		}
		p = quickly
		for i := range events {
			slots <- struct{}{}
			done := make(chan struct{})
			busy.Go(func() {
				defer func() { <-slots; close(done) }()
				a.onMarketEvent(ctx, work, s, &events[i])
			})
			// One after the other, unless a peer takes its time.
			select {
			case <-done:
			case <-time.After(slow):
			}
		}
	}
}

func (a *Agent) onMarketEvent(ctx, work context.Context, s *sale, e *client.MarketEvent) {
	switch {
	case e.Type == client.ProposalEvent && e.Proposal != nil:
		a.answer(ctx, s, e.Proposal)
	case e.Type == client.ProposalRejectedEvent:
		a.log.Debug("proposal rejected by the Requestor", "proposal", e.Rejected, "reason", e.Reason.Text())
	case e.Type == client.AgreementEvent && e.Agreement != nil:
		a.consider(ctx, work, s, e.Agreement)
	}
}
