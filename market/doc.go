// Package market is where Requestors and Providers find each other and agree.
//
// # The life of an Offer and a Demand
//
// A Provider's agent publishes an Offer, a Requestor's a Demand. Offers spread:
// every node tells others which it knows and asks for those it does not. Demands
// stay at home, so that matching happens on the Requestor's node: whatever
// comes second, Offer or Demand, is held against everything on the other side,
// once. A match opens a Negotiation with the Offer as its first Proposal, which
// the agent collects as an event.
//
// By countering it the Requestor tells the Provider's node of its Demand. The
// two counter each other's Proposals, each Proposal once, until the Requestor
// makes the Provider's last one an Agreement and the two nodes shake hands on
// it (see [Handshake]). From then on the Agreement belongs to package activity
// and package payment, until either party terminates it; then the pair, if both
// are still on the market, may negotiate anew.
//
//	Offer ─┐                       ┌─ Rejected
//	       ├─ match ─ Initial ─ Draft ─ Draft … ─ Accepted ─ Agreement
//	Demand ┘
//
// # Who calls it, and whom it calls
//
// Agents through package rest; other nodes through the messages of package wire;
// activity and payment by [Service.Agreement]. It calls other nodes over the
// bus, its [Store], and the callbacks of [Config].
//
// # What it promises
//
// What it answered is in the store, and survives a restart: negotiations under
// way, events not collected, and everything a peer has not acknowledged yet.
// Changes are decided, committed with their events, and then told; whatever was
// not acknowledged is told again, with growing pauses, until it is.
//
// Events reach an agent at least once; those of one kind come by turns of the
// peers, so that nobody fills the queue. Events of Agreements have unique times
// and never overtake each other.
//
// Calls of agents block for as long as their context allows. Messages of peers
// are answered as soon as the change is committed.
//
// # What it never does
//
// It adds nothing to Offers and Demands and changes nothing in them, not even
// the form of a number. It believes nothing another node says about a third
// one: Offers must hash to their id and, if signed, be signed by their owner;
// withdrawals come from the owner; a peer sees only what it is a party of.
package market
