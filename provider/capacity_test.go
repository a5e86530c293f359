package provider

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/golem-go/golem"
)

func TestCapacity(t *testing.T) {
	c := newCapacity(Hardware{Threads: 4, Memory: 8, Storage: 20}, 3)
	steps := []struct {
		id   golem.AgreementID // released where need is zero
		need Hardware
		ok   bool
	}{
		{"a", Hardware{Threads: 2, Memory: 3, Storage: 5}, true},
		{"a", Hardware{Threads: 2, Memory: 3, Storage: 5}, true}, // has it already
		{"b", Hardware{Threads: 3, Memory: 1, Storage: 1}, false},
		{"b", Hardware{Threads: 1, Memory: 5.01, Storage: 1}, false},
		{"b", Hardware{Threads: 1, Memory: 1, Storage: 15.01}, false},
		{"b", Hardware{Threads: 1, Memory: 5, Storage: 15}, true},
		{"c", Hardware{Threads: 1}, true},
		{"d", Hardware{}, true}, // releases nothing
		{"e", Hardware{Threads: 0, Memory: 0.001}, false},
		{"b", Hardware{}, true},
		{"e", Hardware{Threads: 1, Memory: 5, Storage: 15}, true},
		{"f", Hardware{Threads: 0, Storage: 0.001}, false}, // three have something
	}
	for i, s := range steps {
		if s.need == (Hardware{}) {
			c.release(s.id)
			continue
		}
		if err := c.reserve(s.id, s.need); (err == nil) != s.ok {
			t.Errorf("step %d: %v", i, err)
		} else if err != nil && golem.KindOf(err) != golem.ErrExhausted {
			t.Errorf("step %d: kind of %v", i, err)
		}
	}
}

// TestCapacityIsNotOversold lets many negotiate at a time, and checks all the while
// what they have together.
func TestCapacityIsNotOversold(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		total := Hardware{Threads: 1 + random.IntN(8), Memory: 8 * random.Float64(), Storage: 100 * random.Float64()}
		c := newCapacity(total, 1+random.IntN(6))
		var mu sync.Mutex
		var have Hardware
		var holders int
		change := func(h Hardware, sign int) {
			mu.Lock()
			defer mu.Unlock()
			have.Threads += sign * h.Threads
			have.Memory += float64(sign) * h.Memory
			have.Storage += float64(sign) * h.Storage
			holders += sign
			const rounding = 1e-6
			if have.Threads > total.Threads || have.Memory > total.Memory+rounding || have.Storage > total.Storage+rounding || holders > c.most {
				t.Errorf("seed %d: %d have %+v of %+v", seed, holders, have, total)
			}
		}
		var all sync.WaitGroup
		for n := range 8 {
			mine := rand.New(rand.NewPCG(seed, uint64(n)+2))
			all.Go(func() {
				for i := range 200 {
					id := golem.AgreementID(fmt.Sprintf("%d-%d", n, i))
					need := Hardware{Threads: mine.IntN(4), Memory: 4 * mine.Float64(), Storage: 50 * mine.Float64()}
					if c.reserve(id, need) != nil {
						continue
					}
					change(need, +1)
					change(need, -1) // before it is free for others
					if !c.release(id) {
						t.Error("what was reserved is gone")
					}
				}
			})
		}
		all.Wait()
		if len(c.taken) != 0 {
			t.Errorf("seed %d: %d reservations are left", seed, len(c.taken))
		}
	}
}

// TestSlicesFit checks that as many Agreements as are allowed fit, each with what
// an Offer states.
func TestSlicesFit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := 1 + random.IntN(16)
		total := Hardware{Threads: n + random.IntN(64), Cores: 4, Memory: float64(n)/10 + 64*random.Float64(), Storage: float64(n)/10 + 1000*random.Float64()}
		slice := total.divide(n)
		c := newCapacity(total, n)
		for i := range n {
			if err := c.reserve(golem.AgreementID(fmt.Sprint(i)), slice); err != nil {
				t.Fatalf("agreement %d of %d with %+v of %+v: %v", i, n, slice, total, err)
			}
		}
	}
}
