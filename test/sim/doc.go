// Package sim runs whole nodes, with real agents on their REST APIs, on a network
// in memory and in virtual time, and lets things go wrong: messages are lost,
// doubled and overtaken, nodes are cut off, processes are killed between what they
// write down and what they tell. Afterwards everybody must agree, and the books
// must be right.
//
// What happens follows from a seed alone. A failure prints it, and
//
//	go test ./test/sim -run TestSeeds -seed 17 -v
//
// plays the same again and prints the transcript.
//
// # What makes a run repeatable
//
// Each delivery has an instant of its own (package p2ptest), and everybody acts
// after pauses of a random number of nanoseconds, so that hardly ever two things
// happen at an instant. Ids come from crypto/rand, which is seeded too; that is
// global, so that seeds are played one after the other in a process. TestSeeds
// runs one process for each core.
package sim
