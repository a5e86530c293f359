package p2ptest

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/p2p"
)

// Config says how a Switch treats messages. The zero value delivers everything,
// a few microseconds later.
type Config struct {
	Seed      uint64
	Latency   time.Duration // that every message takes
	Jitter    time.Duration // at most this is added; default 10 µs
	Loss      float64       // probability that a message is lost
	Duplicate float64       // that a request, datagram or broadcast comes twice
	Reorder   float64       // that it takes ten times as long, and others overtake it
	Detect    time.Duration // after which the loss of a message fails its call; default 5 s
	Claimed   bool          // senders are mere claims; otherwise they have TrustKey

	// Trace, where set, is told about each delivery, at its instant, one at a time.
	Trace func(Delivery)
}

// Delivery is what became of a message.
type Delivery struct {
	At       time.Time
	Kind     string // "request", "reply" or "broadcast"
	From, To golem.NodeID
	Channel  p2p.Channel
	Addr     string // or topic
	Bytes    int
	Last     bool   // of a reply
	Copy     bool   // the second of a duplicated message
	Lost     string // why it did not arrive: "loss", "partition", "down"; "" if it did
}

// Switch is an overlay network in memory. It is safe for concurrent use.
type Switch struct {
	cfg Config

	tracing sync.Mutex // held while Trace is called

	mu     sync.Mutex
	nodes  []*Node
	owners map[golem.NodeID]*Node
	side   map[*Node]int // of a partition; none: zero
	fates  fates
	booked map[int64]bool // instants of deliveries to come, Unix nanoseconds
}

// NewSwitch returns a Switch without nodes.
func NewSwitch(cfg Config) *Switch {
	cfg.Jitter = cmp.Or(cfg.Jitter, 10*time.Microsecond)
	cfg.Detect = cmp.Or(cfg.Detect, 5*time.Second)
	return &Switch{cfg: cfg, owners: map[golem.NodeID]*Node{}, side: map[*Node]int{}, booked: map[int64]bool{}}
}

// Node adds a node, which is up while its Run runs.
func (s *Switch) Node() *Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &Node{sw: s, index: len(s.nodes), since: time.Now()}
	s.nodes = append(s.nodes, n)
	return n
}

// Change changes how messages are treated from now on. The seed stays.
func (s *Switch) Change(f func(*Config)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seed, trace := s.cfg.Seed, s.cfg.Trace
	f(&s.cfg)
	s.cfg.Seed, s.cfg.Trace = seed, trace
}

// Partition cuts the network into the given groups and one of all other nodes.
// Messages between groups are lost, until [Switch.Heal].
func (s *Switch) Partition(groups ...[]*Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.side)
	for i, group := range groups {
		for _, n := range group {
			s.side[n] = i + 1
		}
	}
}

// Heal ends a partition.
func (s *Switch) Heal() { s.Partition() }

// Isolate cuts the cable of one node, in addition to other cuts, until
// [Switch.Heal].
func (s *Switch) Isolate(n *Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.side[n] = -1 - n.index
}

// obstacle returns why a message does not get from one node to another now.
func (s *Switch) obstacle(from, to *Node) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case to == nil || !to.up || !from.up:
		return "down"
	case s.side[from] != s.side[to]:
		return "partition"
	}
	return ""
}

// owner returns the node of an identity, nil for none.
func (s *Switch) owner(id golem.NodeID) *Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owners[id]
}

// others returns all nodes but n, in the order they were added.
func (s *Switch) others(n *Node) []*Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.nodes), func(o *Node) bool { return o == n })
}

// trace tells about a delivery, now.
func (s *Switch) trace(d Delivery) {
	trace := s.config().Trace
	if trace == nil {
		return
	}
	s.tracing.Lock()
	defer s.tracing.Unlock()
	d.At = time.Now()
	trace(d)
}

// config returns how messages are treated at the moment.
func (s *Switch) config() Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg
}

// trust returns how well a receiver knows the sender.
func (s *Switch) trust() p2p.Trust {
	if s.config().Claimed {
		return p2p.TrustClaim
	}
	return p2p.TrustKey
}
