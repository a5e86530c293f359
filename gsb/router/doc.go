// Package router is the socket of the service bus: processes connect to a
// [Server] over a unix socket or TCP, bind services there and call those of
// others. A hub of a central network is the same thing with other manners (package
// hub). A [Client] is the other end, for ExeUnits, agents, tools, and nodes that
// join a hub.
//
// # Protocol
//
// The protocol is upstream's (spec net.md §1.2): frames of a big-endian uint32
// length and a protobuf Packet, which package gsbpb describes. Both sides say
// Hello at once. Registrations are answered in order, without ids; calls have
// ids chosen by the caller; a stream is any number of PARTIAL replies ended by a
// FULL one. What fails on the way is a reply with a code and one of these texts,
// which others look for: "endpoint address not found", "request canceled", "lost
// connection", "stalled connection".
//
// Two extensions are used between our own ends, who announce them in Hello.
// Requests that a Server passes on say how well it knows the caller, which lets a
// node that joins a hub tell what was proven from what was claimed; and a caller
// that leaves says so, so that the service can stop.
//
// # Promises
//
//   - A call is handed over at most once. When a connection is lost its calls in
//     flight fail with ErrUnavailable and may have been executed.
//   - Queues are bounded, in packets and in bytes. Senders of calls and replies
//     wait while the other side does not read; broadcasts are lost instead.
//   - A connection that has not read for ForwardTimeout is closed. A reader of one
//     call that holds up the others of its connection loses that call.
//   - Memory is given for what has arrived, within Limits, never for what was promised.
//
// # Oddities hidden here
//
// A router answers a Ping with a Ping. Registering an address whose holder is
// dead succeeds after three seconds, because the holder is asked for a sign of
// life. Upstream has no word for an abandoned call and goes on answering it.
package router
