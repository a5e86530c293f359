// Package central is the overlay of a central network: all calls and broadcasts
// go through a hub (package hub, or upstream's router; spec net.md §3.6). It is
// for devnets, and for mixed networks with upstream's nodes.
//
// It implements p2p.Network on a router.Client. Every identity of the node is
// registered on the hub as /net/<node>. All three channels are the same one, but
// that datagrams are dropped where a reliable call would wait. Towards our hubs
// the node proves its identities each time it connects.
//
// # What is hidden here
//
// How well the hub knows a sender comes with each message: p2p.TrustRelay for a
// proven identity, p2p.TrustClaim for a claimed one, and for all that comes through
// an upstream hub. Only the hub itself can say so: it says in its Hello that it
// does, and replaces what others say.
//
// With a hub's certificate pinned in its address (sha224hex@host:port) the
// connection is TLS; otherwise it is plain, and whoever is on the way can read and
// change everything. Use that on one machine or a network of your own.
package central
