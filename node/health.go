package node

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golem-go/golem"
)

// stallAfter is the silence after which a loop counts as stalled. Loops report
// every five seconds, also when they have nothing to do. People hear of it within
// ten.
const stallAfter = 8 * time.Second

// gates keeps when each core loop was last seen going round.
type gates struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// alive is called by the loops.
func (g *gates) alive(loop string) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seen == nil {
		g.seen = map[string]time.Time{}
	}
	g.seen[loop] = now
}

// status returns all loops that have ever reported, by name.
func (g *gates) status(now time.Time) []golem.LoopStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	loops := make([]golem.LoopStatus, 0, len(g.seen))
	for name, seen := range g.seen {
		loops = append(loops, golem.LoopStatus{Name: name, Seen: seen.UTC(), Stalled: now.Sub(seen) > stallAfter})
	}
	slices.SortFunc(loops, func(a, b golem.LoopStatus) int { return strings.Compare(a.Name, b.Name) })
	return loops
}
