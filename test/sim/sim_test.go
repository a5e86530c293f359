package sim

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Int64("seed", -1, "play this seed alone and print its transcript")
	seedsFlag = flag.Uint64("seeds", 200, "how many seeds to play")
)

// TestSeeds plays many worlds.
func TestSeeds(t *testing.T) {
	if *seedFlag >= 0 {
		play(t, uint64(*seedFlag), true)
		return
	}
	for seed := range *seedsFlag {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			start := time.Now()
			lines := play(t, seed, false)
			t.Log(time.Since(start), len(lines))
			if t.Failed() {
				t.Logf("replay with: go test ./test/sim -run TestSeeds -seed %d -v", seed)
			}
		})
	}
}
