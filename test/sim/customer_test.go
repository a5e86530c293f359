package sim

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/requestor"
)

// customer is a machine on which a program buys as one should, with package
// requestor.
type customer struct {
	*machine
}

func (w *world) customer(name string) *customer { return &customer{w.machine(name)} }

// buy implements [shopper].
func (c *customer) buy(ctx context.Context) {
	d := c.w.dice(c.name + " buys")
	for rest(ctx, d, 10*time.Second) {
		if err := c.visit(ctx, d); err != nil {
			c.w.say(c.name+"'", "visit: %v", err)
		}
	}
}

// visit rents once or twice at a time, and closes everything afterwards.
func (c *customer) visit(ctx context.Context, d *rand.Rand) error {
	life := c.alive()
	if life == nil {
		return errRefused
	}
	r, err := requestor.Connect(ctx, requestor.Config{
		URL: "http://node", AppKey: appKey, HTTP: &http.Client{Transport: transport{c.machine, "customer", nil}},
		Bus: life.node.Bus(), Subnet: "sim", Budget: golem.Tokens(100),
		Rand: rand.New(rand.NewPCG(d.Uint64(), d.Uint64())), Log: slog.New(&chronicle{w: c.w, who: c.name + "'", dead: new(atomic.Bool)}),
	})
	if err != nil {
		return err
	}
	defer func() { c.w.say(c.name+"'", "leaves: %v", r.Close()) }()
	var rentals sync.WaitGroup
	for i := range 1 + d.IntN(2) {
		own := c.w.dice(fmt.Sprintf("%s rents %d", c.name, i))
		rentals.Go(func() { c.rent(ctx, own, r) })
	}
	rentals.Wait()
	return nil
}

func (c *customer) rent(ctx context.Context, d *rand.Rand, r *requestor.Requestor) {
	c.w.pause(d, time.Second)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	rental, err := r.Rent(ctx, requestor.Order{Runtime: runtimes[0].Name, Timeout: 10 * time.Minute})
	if err != nil {
		c.w.say(c.name+"'", "rent: %v", err)
		return
	}
	for range 1 + d.IntN(2) {
		err := rental.Run(ctx, requestor.Process{Path: "sleep", Args: []string{fmt.Sprint(1 + d.IntN(60))}, Stdout: io.Discard})
		c.w.say(c.name+"'", "run: %v", err)
		if err != nil {
			break
		}
	}
	bill, err := rental.Close(ctx)
	c.w.say(c.name+"'", "bill of %s: %v", bill.Cost, err)
}
