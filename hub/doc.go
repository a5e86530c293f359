// Package hub is the middle of a central network: nodes connect to it, register
// as /net/<node>, and reach each other through it. It is a router (package
// gsb/router) that trusts nobody, and to upstream's nodes one of upstream's
// (spec net.md §3.6). Package p2p/central is the node's side.
//
// # Who is who
//
// A node proves its identities when it joins: it asks for a nonce and signs it
// with the key of each (wire.HubChallenge, wire.HubProve). Only who has proven an
// identity may register it, and may call and broadcast in its name; the receiver
// gets p2p.TrustRelay, that is, our word.
//
// Upstream's nodes prove nothing. On a hub that admits them (Config.AllowUnproven)
// a connection may speak for what it registered, and receivers get
// p2p.TrustClaim. Who proves an identity takes it from one who claims it.
//
// # What it never does
//
// It keeps nothing on disk, repeats nothing, and looks into no message. Calls are
// handed over at most once; broadcasts reach who is subscribed and keeps up.
//
// Services of the hub itself are bound on [Hub.Bus] below /hub. Nodes may call
// them before they have proven anything, in nobody's name.
package hub
