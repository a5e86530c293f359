package sim

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/p2p/p2ptest"
	"github.com/golem-go/golem/payment/local"
)

// weather lets things go wrong, one after the other, until ctx ends. Everybody is
// alive then.
func (w *world) weather(ctx context.Context) {
	d := w.dice("weather")
	for rest(ctx, d, 15*time.Second) {
		m := w.machines[d.IntN(len(w.machines))]
		switch d.IntN(7) {
		case 0:
			w.say(m.name, "is cut off")
			w.sw.Isolate(m.port)
			rest(ctx, d, 30*time.Second)
			w.sw.Heal()
		case 1:
			w.partition(d)
			rest(ctx, d, 30*time.Second)
			w.sw.Heal()
		case 2:
			w.say("world", "the bank is on strike")
			w.bank.strike.Store(true)
			rest(ctx, d, 30*time.Second)
			w.bank.strike.Store(false)
		case 3:
			s := w.sellers[d.IntN(len(w.sellers))]
			s.stop()
			w.pause(d, 10*time.Second)
			s.start()
		case 4:
			w.say(m.name, "has a full disk")
			l := m.alive()
			l.full.Store(true)
			rest(ctx, d, 20*time.Second)
			l.full.Store(false)
		default:
			w.crash(ctx, d, m)
		}
		w.say("world", "goes on")
	}
}

// partition cuts the network in two.
func (w *world) partition(d *rand.Rand) {
	some := w.machines[d.IntN(len(w.machines))]
	side := []*p2ptest.Node{some.port}
	for _, m := range w.machines {
		if m != some && chance(d, 0.3) {
			side = append(side, m.port)
		}
	}
	w.say("world", "is cut in two: %d machines and the others", len(side))
	w.sw.Partition(side)
}

// crash kills a node at one of its next changes, or where it makes none, some time
// later. An agent on the machine may die with it.
func (w *world) crash(ctx context.Context, d *rand.Rand, m *machine) {
	timer := time.NewTimer(upTo(d, 20*time.Second))
	defer timer.Stop()
	select {
	case <-m.alive().doomed(1+d.IntN(8), chance(d, 0.7)):
	case <-timer.C:
	}
	var agents sync.WaitGroup
	for _, s := range w.sellers {
		if s.machine == m && chance(d, 0.5) {
			agents.Go(s.stop)
		}
	}
	m.kill()
	agents.Wait()
	w.pause(d, 20*time.Second)
	m.boot()
	w.pause(d, time.Second)
	for _, s := range w.sellers {
		s.start()
	}
}

// bank is a ledger that is not always there, and does not always say what it has
// done.
type bank struct {
	*local.Book
	store  local.Store
	strike atomic.Bool

	mu   sync.Mutex
	dice *rand.Rand
}

var errStrike = golem.Errorf(golem.ErrUnavailable, "the bank does not answer")

// Transfer implements [local.Ledger].
func (b *bank) Transfer(ctx context.Context, o local.Order) (local.Entry, error) {
	if b.strike.Load() {
		return local.Entry{}, errStrike
	}
	e, err := b.Book.Transfer(ctx, o)
	b.mu.Lock()
	defer b.mu.Unlock()
	if chance(b.dice, 0.1) {
		return local.Entry{}, errStrike
	}
	return e, err
}

// Entry implements [local.Ledger].
func (b *bank) Entry(ctx context.Context, seq uint64) (local.Entry, error) {
	if b.strike.Load() {
		return local.Entry{}, errStrike
	}
	return b.Book.Entry(ctx, seq)
}
