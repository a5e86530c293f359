// Package devnet runs a whole Golem network on one machine: a hub, one node that
// buys and any number that sell, each a process of its own, as they would be on
// many machines. Everything listens on loopback only.
//
// A directory holds the state of all nodes; started again with the same
// directory the network goes on where it was. The processes live exactly as long
// as the one that started them, however that one ends.
package devnet
