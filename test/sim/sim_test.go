package sim

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

var (
	seedFlag  = flag.Int64("seed", -1, "play this seed alone and print its transcript")
	seedsFlag = flag.Uint64("seeds", usual, "how many seeds TestSeeds plays")
	firstFlag = flag.Uint64("first", 0, "the first of them")
	aloneFlag = flag.Bool("alone", false, "play all seeds in this process")
)

// TestMain makes goroutines run one at a time, so that two that are awake at an
// instant take their turns in the same order each time.
func TestMain(m *testing.M) {
	flag.Parse()
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// TestSeeds plays many worlds, in one process for each core.
func TestSeeds(t *testing.T) {
	seeds := *seedsFlag
	if testing.Short() {
		seeds = min(seeds, 20)
	}
	switch {
	case *seedFlag >= 0:
		play(t, uint64(*seedFlag), true)
	case *aloneFlag:
		for seed := *firstFlag; seed < *firstFlag+seeds; seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, seed, false) })
		}
	default:
		share := (seeds + uint64(runtime.NumCPU()) - 1) / uint64(runtime.NumCPU())
		for first := uint64(0); first < seeds; first += share {
			t.Run(fmt.Sprintf("from %d", first), func(t *testing.T) {
				t.Parallel()
				playApart(t, *firstFlag+first, min(share, seeds-first))
			})
		}
	}
}

// wrong is a line of a process that says what is wrong.
var wrong = regexp.MustCompile(`(?m)^.*(seed \d+: |panic: |DATA RACE|deadlock).*$`)

// playApart plays seeds in a process of their own.
func playApart(t *testing.T, first, seeds uint64) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), self, "-test.run=^TestSeeds$", "-test.timeout=0", "-alone",
		fmt.Sprint("-first=", first), fmt.Sprint("-seeds=", seeds)).CombinedOutput()
	if err == nil {
		return
	}
	lines := wrong.FindAllString(string(out), 40)
	t.Errorf("%v\n%s\nreplay one with: go test ./test/sim -run TestSeeds -v -seed N", err, strings.Join(lines, "\n"))
	if len(lines) == 0 {
		t.Logf("%s", out)
	}
}

// TestReplay wants what happens to be a function of the seed.
func TestReplay(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			first, second := play(t, seed, false), play(t, seed, false)
			slices.Sort(first) // what is logged at one instant may be so in any order
			slices.Sort(second)
			for i := range min(len(first), len(second)) {
				if first[i] != second[i] {
					t.Fatalf("line %d of %d and %d differs:\n%s\n%s", i, len(first), len(second), first[i], second[i])
				}
			}
			if len(first) != len(second) {
				t.Errorf("%d lines and %d lines", len(first), len(second))
			}
		})
	}
}
