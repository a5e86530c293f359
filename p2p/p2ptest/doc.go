// Package p2ptest has what tests of overlays, and tests on overlays, need.
//
//   - [Run] is the suite that every overlay passes.
//   - [Switch] is an overlay in memory, with latency, loss, duplication,
//     reordering and partitions, for tests and simulations of whole nodes.
//   - [Faulty] makes any overlay misbehave by count: every n-th call fails.
//
// # Repeatability
//
// In a synctest bubble a run on a Switch is a function of its seed. Every
// delivery happens at an instant of its own, so that each is handled alone, and
// what happens to a message follows from the seed, the instant it is sent at, its
// ends and its content, not from the order in which goroutines get there.
//
// # The fault model
//
// A reliable call whose request or reply is lost fails with ErrUnavailable after
// Config.Detect, and may have been executed: that is what layers above must
// survive. A duplicated request is executed twice. A slow handler is no fault;
// nothing times out while both ends are up and can reach each other. Datagrams and
// broadcasts are lost in silence.
package p2ptest
