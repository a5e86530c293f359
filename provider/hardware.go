package provider

import (
	"cmp"
	"math"
	"runtime"

	"github.com/golem-go/golem"
)

// Hardware is an amount of what is sold: of a machine, or for one Agreement.
type Hardware struct {
	Threads int
	Cores   int     // physical ones; what is sold is threads
	Memory  float64 // GiB
	Storage float64 // GiB
}

// The shares of a machine that are sold unless somebody says otherwise, as
// upstream has them; one thread is kept.
const (
	memoryShare  = 0.7
	storageShare = 0.8
)

// smallest is what no Offer is below.
var smallest = Hardware{Threads: 1, Cores: 1, Memory: 0.1, Storage: 0.1}

// Detect returns what of this machine may be sold: most of it. dir is where
// activities keep their files.
func Detect(dir string) (Hardware, error) {
	h, err := machine(dir)
	if err != nil {
		return h, golem.Errorf(golem.ErrUnavailable, "hardware: %w", err)
	}
	h.Threads--
	h.Memory *= memoryShare
	h.Storage *= storageShare
	return h.atLeast(smallest), nil
}

func (h Hardware) atLeast(least Hardware) Hardware {
	return Hardware{
		max(h.Threads, least.Threads), max(h.Cores, least.Cores),
		max(h.Memory, least.Memory), max(h.Storage, least.Storage),
	}
}

// or returns h with what is zero in it from other.
func (h Hardware) or(other Hardware) Hardware {
	return Hardware{
		cmp.Or(h.Threads, other.Threads), cmp.Or(h.Cores, other.Cores),
		cmp.Or(h.Memory, other.Memory), cmp.Or(h.Storage, other.Storage),
	}
}

// divide returns the n-th part of h as it can be stated in an Offer: sizes have
// two decimals. n parts together are not more than h, unless h is that small.
func (h Hardware) divide(n int) Hardware {
	part := func(gib float64) float64 { return math.Floor(gib/float64(n)*100) / 100 }
	d := Hardware{Threads: h.Threads / n, Cores: h.Cores, Memory: part(h.Memory), Storage: part(h.Storage)}.atLeast(smallest)
	d.Cores = min(d.Cores, d.Threads)
	return d
}

// check finds what cannot be sold.
func (h Hardware) check() error {
	bad := func(gib float64) bool { return !(gib >= 0 && gib < 1<<20) }
	if h.Threads < 0 || h.Threads > 1<<16 || h.Cores < 0 || bad(h.Memory) || bad(h.Storage) {
		return golem.Errorf(golem.ErrInvalid, "hardware %+v is out of range", h)
	}
	return nil
}

// bytesOf is the exact form of a size, for sums.
func bytesOf(gib float64) int64 { return int64(math.Round(gib * (1 << 30))) }

// architecture returns the name Offers have for what this program was built for.
func architecture() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return runtime.GOARCH
}
