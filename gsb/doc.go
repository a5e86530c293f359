// Package gsb is the Golem Service Bus: typed calls between services, wherever
// they are. A service binds to an address; callers name the address and do not
// care whether it lives in this process, in another process on this machine or
// on another node.
//
// # Addresses
//
// An address is a slash path, the last element of which is the message's name:
// "/public/payment/SendInvoice". The longest bound prefix, by path element,
// answers (spec net.md §1.1).
//
//	/public/…              reachable from other nodes
//	/local/…               this node only
//	/net/<node>/X          X below /public of another node, reliable channel
//	/udp/net/<node>/X      the same, unreliable channel
//	/transfer/net/<node>/X the same, transfer channel
//	/from/<me>/to/<node>/X the same as /net, caller is <me>; also behind /udp and /transfer
//
// A call to one of the node's own identities loops back.
//
// # Messages
//
// The protocol is a list of values in package wire: a [Method] for a call with
// one answer, a [Stream] for one with many, a [Topic] for a broadcast. Both ends
// are checked by the compiler. Bodies are FlexBuffers (net.md §1.4), an answer
// is {"Ok": item} or {"Err": error}; an [ErrorForm] maps upstream's error
// enumerations to kinds of package golem.
//
// # Promises
//
// A call is handed over at most once. A handler may be called concurrently and
// more than once for what is the same message to its sender, since senders
// repeat what was not acknowledged. The [Peer] a handler is given is as good as
// its Trust says; TrustLocal is this machine.
//
// The socket other processes connect to, and the hub of a central network, are
// in gsb/router.
package gsb
