package p2p

import (
	"context"
	"time"

	"github.com/golem-go/golem"
)

// MaxBody is the most bytes a request or a single reply may have. Longer data
// travels in pieces on the Transfer channel.
const MaxBody = 8 << 20

// Channel is the class of traffic a call belongs to.
type Channel uint8

// The channels.
const (
	Reliable   Channel = iota // messages between services
	Transfer                  // bulk data, with flow control of its own
	Unreliable                // datagrams, never replied to
)

// String returns the name of the channel.
func (c Channel) String() string {
	return [...]string{"reliable", "transfer", "unreliable"}[min(c, Unreliable)]
}

// Trust says how well it is established who sent a request. Higher is better.
type Trust uint8

// The levels of trust.
const (
	TrustClaim   Trust = iota // the sender says so
	TrustRelay                // proven to a hub or relay, on whose word we rely
	TrustSession              // proven to this node when the session began
	TrustKey                  // each message is authenticated by a key bound to the node
	TrustLocal                // this node itself
)

// String returns the name of the level.
func (t Trust) String() string {
	return [...]string{"claim", "relay", "session", "key", "local"}[min(t, TrustLocal)]
}

// Request is a call from one node to another.
type Request struct {
	From, To golem.NodeID
	Addr     string // below the node, without a leading slash: "market/protocol/mk1/…/Get"
	Channel  Channel
	NoReply  bool   // the caller does not wait for, or want, any reply
	Trust    Trust  // set by the overlay on arrival
	Body     []byte // owned by the receiver of the Request
}

// Reply is one answer to a Request. A unary call has one, with Last set. A
// stream has any number; its end may be a Reply with Last and no Body.
type Reply struct {
	Body []byte
	Last bool
}

// Handler answers requests of other nodes. It may call w any number of times,
// not concurrently, and returns after the last reply, or with an error that is
// told to the caller by its text. w fails when the caller is gone.
type Handler func(ctx context.Context, r Request, w func(Reply) error) error

// BroadcastHandler receives broadcasts of other nodes. It must not block.
type BroadcastHandler func(ctx context.Context, from golem.NodeID, trust Trust, topic string, body []byte)

// Network is an overlay. Serve is called once, before Run; the other methods
// may be called from any goroutine and, before Run has connected, wait or fail
// with ErrUnavailable.
type Network interface {
	// Run connects the node and keeps it connected until ctx ends. It returns
	// nil then, or the first error that makes going on pointless.
	Run(ctx context.Context) error

	// Serve sets who answers requests and broadcasts.
	Serve(h Handler, b BroadcastHandler)

	// Call sends r and passes each reply to w, in order, until the last one. An
	// error of w ends the call and is returned. The peer's own errors are
	// ErrUnavailable with its text; nobody there is ErrUnavailable.
	Call(ctx context.Context, r Request, w func(Reply) error) error

	// Broadcast tells others on a best-effort basis. It does not wait for them.
	Broadcast(ctx context.Context, from golem.NodeID, topic string, body []byte) error

	// SetIdentities makes the node reachable as exactly these nodes, the
	// default one first. The overlay signs what it must with the keys of ids.
	SetIdentities(ctx context.Context, ids []golem.NodeID) error

	// Status says how the node is connected.
	Status() Status
}

// Subscriber is the optional ability of a Network that only receives broadcasts
// on topics it has asked for.
type Subscriber interface {
	// Subscribe makes broadcasts on a topic reach this node until release is
	// called. It may be called more than once for a topic, and before Run.
	Subscribe(topic string) (release func())
}

// Status is how a node is connected to an overlay.
type Status struct {
	Overlay   string         `json:"overlay"`            // "central", "libp2p", …
	Connected bool           `json:"connected"`          //
	Since     time.Time      `json:"since,omitzero"`     // of the present connection, or of its loss
	Problem   string         `json:"problem,omitempty"`  // why not connected
	Listen    string         `json:"listenIp,omitempty"` // ip:port
	Public    string         `json:"publicIp,omitempty"` // ip:port, where known
	Peers     int            `json:"sessions"`           // sessions with peers, hub or relay
	IDs       []golem.NodeID `json:"identities"`         // default first
	Calls     int            `json:"callsInFlight"`      //
	Dropped   uint64         `json:"droppedMessages"`    // lost to full queues, by contract
	LastHeard time.Time      `json:"lastHeard,omitzero"` // of any traffic
	RTT       time.Duration  `json:"rttNanos,omitempty"` // to hub or relay
}
