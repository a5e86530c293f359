//go:build race

package sim

// usual is how many seeds TestSeeds plays.
const usual = 10 // which take a third as long as 200 without the race detector
