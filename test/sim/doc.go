// Package sim runs whole nodes, with real agents on their REST APIs, on a network
// in memory and in virtual time, and lets things go wrong: messages are lost,
// doubled and overtaken, nodes are cut off, disks are full, the bank is on strike,
// processes are killed between what they write down and what they tell. Then the
// weather clears, and everybody must come to agree.
//
// What happens follows from a seed alone. A failure prints it, and
//
//	go test ./test/sim -run TestSeeds -seed 17 -v
//
// plays the same again and prints the transcript. -seeds 2000 plays more of them,
// -first 5000 others.
//
// # Who is there
//
// A world has two Providers with the agent of package provider, and one or two
// Requestors: a customer buys as one should, with package requestor, a buyer buys
// without much patience or manners. ExeUnits are those of package activitytest.
// Each node is a node.Node on a database in memory, which outlives it.
//
// # What is checked
//
// At any time (check_test.go):
//
//   - what a Requestor takes for an Agreement its Provider has concluded;
//   - an Activity has an Agreement that is in force when it begins;
//   - no more Agreements are in force, and ExeUnits run, than there is room for;
//   - paid ≤ accepted ≤ allocated, no transfer without an acceptance, none twice,
//     and nobody books what was not paid.
//
// When the weather has cleared the books of each node are right by its own audit,
// and when everybody has had time:
//
//   - both parties agree on each Agreement, its documents and its totals, and what
//     was accepted is paid;
//   - every Activity has ended;
//   - each agent was told once what became of its Agreements;
//   - nothing waits to be told or paid.
//
// # What makes a run repeatable
//
// Each delivery has an instant of its own (package p2ptest), calls of the API take
// a time that follows from what they say, and everybody acts after pauses of a
// random number of nanoseconds, so that hardly ever two things happen at an
// instant; goroutines run one at a time. Ids come from crypto/rand, which is seeded
// too. That is global: seeds are played one after the other in a process, and
// TestSeeds runs one process for each core.
package sim
