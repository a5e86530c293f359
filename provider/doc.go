// Package provider is the agent that sells: it puts Offers on the market,
// negotiates, starts an ExeUnit for each Activity, and bills what was used.
//
// # The life of a deal
//
// Each active [Preset] of a runtime that works is an Offer, published anew before
// it runs out. A Demand that meets it is judged by rules in a fixed order; the
// answer is a counter-proposal or a rejection that says why. Demands that come
// while everything is in use are kept, and countered when something is free.
//
// Before an Agreement is approved, what it may use is set aside. From then on it
// is a deal, with a state machine of its own:
//
//	New ─ start → Initialized ─ compute → Computing ⇄ Idle ─→ Closed
//	                                                      └─→ Broken
//
// A deal is Closed when the Requestor terminates it, or when the one Activity of
// an Agreement for one Activity has ended. It is Broken when it expires, is idle
// for too long, or is not paid for as agreed. Either way its ExeUnit is stopped,
// what it used is free again, and a final debit note and one Invoice are sent.
//
// # Who calls it, and whom it calls
//
// The Agent is a plain client of a node's REST API, a process of its own as a
// rule. It starts ExeUnits by a [Launcher], which is [Processes] except in
// simulations.
//
// # Promises
//
// It never sells more at a time than it has. What it bills for an Activity never
// decreases, and is computed exactly from the usage its node knows and the prices
// agreed on. Every wait has an end, every repetition a pause that grows, and what
// cannot succeed is given up with a line in the log.
//
// It keeps no state of its own. After a restart it asks the node for the
// Agreements of its session; their ExeUnits died with the former process, so it
// bills what they have used and terminates them.
//
// When told to end it withdraws its Offers, breaks its deals, and sends what is
// to be sent, within [Config].Grace.
//
// # What it never does
//
// It never runs what a Requestor sent; that is the ExeUnit's. It sells nothing to
// Demands with a payload manifest, whose signatures nobody here verifies.
package provider
