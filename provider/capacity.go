package provider

import (
	"sync"

	"github.com/golem-go/golem"
)

// capacity is what there is to sell, and who has it.
type capacity struct {
	total Hardware
	most  int // Agreements at a time

	mu    sync.Mutex
	taken map[golem.AgreementID]Hardware
}

func newCapacity(total Hardware, most int) *capacity {
	return &capacity{total: total, most: most, taken: map[golem.AgreementID]Hardware{}}
}

// reserve sets need aside for an Agreement, or returns ErrExhausted. What an
// Agreement has it keeps.
func (c *capacity) reserve(id golem.AgreementID, need Hardware) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.taken[id]; ok {
		return nil
	}
	if err := c.fits(need); err != nil {
		return err
	}
	c.taken[id] = need
	return nil
}

// release frees what an Agreement has, and reports whether it had anything.
func (c *capacity) release(id golem.AgreementID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, had := c.taken[id]
	delete(c.taken, id)
	return had
}

// free returns nil where need could be set aside at the moment.
func (c *capacity) free(need Hardware) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fits(need)
}

// fits is called with mu held.
func (c *capacity) fits(need Hardware) error {
	if len(c.taken) >= c.most {
		return golem.Errorf(golem.ErrExhausted, "No capacity available. Reached Agreements limit: %d", c.most)
	}
	threads, memory, storage := need.Threads, bytesOf(need.Memory), bytesOf(need.Storage)
	for _, h := range c.taken {
		threads += h.Threads
		memory += bytesOf(h.Memory)
		storage += bytesOf(h.Storage)
	}
	if threads > c.total.Threads || memory > bytesOf(c.total.Memory) || storage > bytesOf(c.total.Storage) {
		return golem.Errorf(golem.ErrExhausted, "No capacity available. Other Agreements use what is offered")
	}
	return nil
}
