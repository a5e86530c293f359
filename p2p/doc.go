// Package p2p defines what an overlay network is: calls between nodes on one
// of three channels, and broadcasts. It contains no network of its own. The
// overlays are its sub-packages; each passes the suite of p2ptest.
//
// The unit is a call of the service bus: an address below a node, a body, and
// one or more replies. What bodies mean is decided above; which datagrams or
// connections carry them is decided below.
//
// # Promises of every overlay
//
//   - A request is handed over only if To is one of this node's identities.
//   - From is as good as Trust says. An overlay refuses a request whose From is
//     not the peer that was proven to it; it never passes a mere claim off as more.
//   - Bodies are at most MaxBody long; longer ones are ErrTooLarge before anything is sent.
//   - Replies arrive in order. Writing a reply blocks while the peer does not keep up.
//   - A call ends with its last reply, an error, or its context.
//   - Reliable and Transfer calls are delivered at most once; Unreliable ones may
//     also be lost, doubled or overtaken. Broadcasts are lossy: who must be heard repeats itself.
package p2p
