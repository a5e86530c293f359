package sim

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/golem-go/golem/node"
	"github.com/golem-go/golem/p2p/p2ptest"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/sqlite"
)

// The times of a run.
const (
	tradeTime = 3 * time.Minute // in which everything goes wrong
	watchStep = 40 * time.Second
	quietTime = 40 * time.Minute // after which all must be settled
	quietStep = 20 * time.Second
)

// world is all there is in a run.
type world struct {
	t        testing.TB
	seed     uint64
	ctx      context.Context
	sw       *p2ptest.Switch
	bank     *bank
	machines []*machine
	sellers  []*seller
	shoppers []shopper
	closers  []func()

	mu         sync.Mutex
	begin      time.Time
	transcript []string
	streams    map[string]uint64
}

// shopper is somebody who buys, until ctx ends.
type shopper interface{ buy(ctx context.Context) }

// play plays one seed and returns its transcript, which is logged where loud is set.
// What is wrong is reported to t.
func play(t *testing.T, seed uint64, loud bool) (transcript []string) {
	synctest.Test(t, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, seed)
		ctx, cancel := context.WithCancel(context.Background())
		w := &world{t: t, seed: seed, ctx: ctx, begin: time.Now(), streams: map[string]uint64{}}
		defer func() {
			if transcript = w.transcript; loud {
				t.Log("\n" + strings.Join(transcript, "\n"))
			}
		}()
		defer cancel()
		defer w.close()
		w.open()
		w.trade()
		w.settle()
	})
	return transcript
}

// open makes the network and everybody on it.
func (w *world) open() {
	d := w.dice("world")
	w.sw = p2ptest.NewSwitch(p2ptest.Config{
		Seed: w.seed, Latency: 20 * time.Millisecond, Jitter: 20 * time.Millisecond, Detect: 3 * time.Second,
		Loss: 0.1 * d.Float64(), Duplicate: 0.1 * d.Float64(), Reorder: 0.1 * d.Float64(), Trace: w.delivered,
	})
	vault := w.db().Ledger()
	book, err := local.Open(w.ctx, local.BookConfig{Store: vault, Verifier: node.Verifier})
	w.must(err)
	w.bank = &bank{Book: book, store: vault, dice: w.dice("bank")}
	for i := range 2 {
		w.pause(d, time.Second)
		w.sellers = append(w.sellers, w.seller(fmt.Sprintf("p%d", i+1), 1+d.IntN(2)))
	}
	for i := range 1 + d.IntN(2) {
		w.pause(d, time.Second)
		if name := fmt.Sprintf("r%d", i+1); chance(d, 0.5) {
			w.shoppers = append(w.shoppers, w.buyer(name))
		} else {
			w.shoppers = append(w.shoppers, w.customer(name))
		}
	}
}

func (w *world) close() {
	for i := len(w.closers) - 1; i >= 0; i-- {
		w.closers[i]()
	}
}

// trade lets everybody trade in bad weather, then ends that.
func (w *world) trade() {
	ctx, cancel := context.WithTimeout(w.ctx, tradeTime)
	defer cancel()
	var all sync.WaitGroup
	for _, s := range w.shoppers {
		all.Go(func() { s.buy(ctx) })
	}
	all.Go(func() { w.weather(ctx) })
	all.Go(func() { w.watch(ctx) })
	all.Wait()
	w.say("world", "is fine again")
	w.sw.Heal()
	w.bank.strike.Store(false)
	w.sw.Change(func(c *p2ptest.Config) { c.Loss, c.Duplicate, c.Reorder = 0, 0, 0 })
}

// watch looks at the disks now and then, until ctx ends.
func (w *world) watch(ctx context.Context) {
	d := w.dice("watch")
	for rest(ctx, d, watchStep) {
		s, err := w.look()
		if errors.Is(err, errDead) {
			continue
		}
		if w.must(err); err == nil {
			w.wrong(s.violations())
		}
	}
}

// settle waits until nothing is left to do, and wants everybody to agree then.
func (w *world) settle() {
	d := w.dice("settle")
	var open []string
	for began := time.Now(); time.Since(began) < quietTime; {
		w.pause(d, quietStep)
		w.wrong(w.audit())
		s, err := w.look()
		if w.must(err); err != nil {
			return
		}
		w.wrong(s.violations())
		if open = s.unsettled(); len(open) == 0 {
			w.must(w.bank.Audit(w.ctx))
			return
		}
	}
	w.wrong(open)
}

// wrong reports what is wrong.
func (w *world) wrong(what []string) {
	for _, text := range what {
		w.say("world", "WRONG: %s", text)
		w.t.Errorf("seed %d: %s", w.seed, text)
	}
}

func (w *world) db() *sqlite.DB {
	w.t.Helper()
	db, err := sqlite.Open(w.ctx, sqlite.Memory)
	w.must(err)
	w.closers = append(w.closers, func() { w.must(db.Close()) })
	return db
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Errorf("seed %d: %v", w.seed, err)
	}
}

// dice returns the randomness of somebody, a different one each time.
func (w *world) dice(who string) *rand.Rand {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.streams[who]++
	return rand.New(rand.NewPCG(w.seed, hash(who)+w.streams[who]))
}

func hash(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}

// moment returns less than a millisecond, which is another one for each text.
func moment(text string) time.Duration { return time.Duration(1 + hash(text)%1_000_000) }

func upTo(d *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(d.Int64N(int64(most))) + 1
}

// chance reports true with a probability.
func chance(d *rand.Rand, p float64) bool { return d.Float64() < p }

// pause lets some time pass, at most a given one.
func (w *world) pause(d *rand.Rand, most time.Duration) { time.Sleep(upTo(d, most)) }

// rest is a pause that ends with ctx, which it reports.
func rest(ctx context.Context, d *rand.Rand, most time.Duration) bool {
	timer := time.NewTimer(upTo(d, most))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// say adds a line to the transcript.
func (w *world) say(who, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := fmt.Sprintf("%14.9f %-3s ", time.Since(w.begin).Seconds(), who) + fmt.Sprintf(format, args...)
	w.transcript = append(w.transcript, line)
}

// delivered is the trace of the network.
func (w *world) delivered(d p2ptest.Delivery) {
	what := d.Lost
	if d.Copy {
		what += " copy"
	}
	w.say("net", "%s %.6s>%.6s %s %d %s", d.Kind, d.From, d.To, d.Addr, d.Bytes, what)
}

// chronicle is a log that becomes part of the transcript. The dead say nothing.
type chronicle struct {
	w    *world
	who  string
	dead *atomic.Bool
}

func (c *chronicle) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (c *chronicle) WithAttrs([]slog.Attr) slog.Handler           { return c }
func (c *chronicle) WithGroup(string) slog.Handler                { return c }

func (c *chronicle) Handle(_ context.Context, r slog.Record) error {
	if c.dead.Load() {
		return nil
	}
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&b, " %s=%v", a.Key, a.Value.Resolve()); return true })
	c.w.say(c.who, "%s", b.String())
	return nil
}
