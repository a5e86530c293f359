package exeunit

import (
	"fmt"
	"time"

	"github.com/golem-go/golem"
)

const gib = 1 << 30

// counters measures what the Activity uses (spec exeunit.md §11).
type counters struct {
	vector  []string
	begun   time.Time
	runtime Runtime
	storage *storage
}

// value returns the present value of a counter. Those that are not known here
// are set by runtimes in service mode and stay 0.
func (c *counters) value(name string) float64 {
	switch name {
	case golem.UsageDuration:
		return time.Since(c.begun).Seconds()
	case golem.UsageCPU:
		return c.runtime.Resources().CPU.Seconds()
	case golem.UsageMemory:
		return float64(c.runtime.Resources().Memory) / gib
	case golem.UsageStorage:
		return float64(c.storage.size()) / gib
	}
	return 0
}

// usage returns all counters in the order of the Agreement.
func (c *counters) usage() golem.Usage {
	u := golem.Usage{Current: make([]float64, len(c.vector)), Timestamp: time.Now().Unix()}
	for i, name := range c.vector {
		u.Current[i] = c.value(name)
	}
	return u
}

// limits is what an Activity may use; zero is no limit.
type limits struct {
	memory   float64 // GiB
	storage  float64 // GiB
	cpu      time.Duration
	duration time.Duration
	until    time.Time
}

// check returns what is over its limit, as ErrExhausted or ErrExpired, or nil.
func (c *counters) check(l limits, now time.Time) error {
	if !l.until.IsZero() && now.After(l.until) {
		return golem.Errorf(golem.ErrExpired, "Usage limit exceeded: the agreement expired at %s", l.until.Format(time.RFC3339))
	}
	if err := c.storage.failure(); err != nil {
		return golem.Errorf(golem.ErrExhausted, "Usage limit exceeded: %w", err)
	}
	for _, over := range []struct {
		name string
		most float64
	}{
		{golem.UsageMemory, l.memory},
		{golem.UsageStorage, l.storage},
		{golem.UsageCPU, l.cpu.Seconds()},
		{golem.UsageDuration, l.duration.Seconds()},
	} {
		if over.most > 0 && c.value(over.name) > over.most {
			return golem.Errorf(golem.ErrExhausted, "Usage limit exceeded: %q exceeded the value of %s", over.name, fmt.Sprint(over.most))
		}
	}
	return nil
}
