package node

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

// How long an answer about a peer's features is believed. A peer that announces
// nothing may be one that is being upgraded.
const (
	featuresKnown   = 10 * time.Minute
	featuresUnknown = time.Minute
	featuresTimeout = 5 * time.Second
	maxPeers        = 10_000
	maxFeatures     = 64 // of one peer
	maxFeature      = 64 // bytes of one's name
)

// features knows what peers announce.
type features struct {
	bus *gsb.Bus

	mu    sync.Mutex
	peers map[golem.NodeID]announced
}

type announced struct {
	features []string
	until    time.Time
}

// of returns what a node announces; a node without the question, as upstream's
// are, announces nothing.
func (f *features) of(ctx context.Context, node golem.NodeID) ([]string, error) {
	now := time.Now()
	f.mu.Lock()
	known, ok := f.peers[node]
	f.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.features, nil
	}
	ctx, cancel := context.WithTimeout(ctx, featuresTimeout)
	defer cancel()
	info, err := wire.NodeInfo.Call(ctx, f.bus, golem.NodeID{}, node, struct{}{})
	switch {
	case errors.Is(err, gsb.ErrNoEndpoint):
		known = announced{nil, now.Add(featuresUnknown)}
	case err != nil:
		return nil, err
	default:
		known = announced{someOf(info.Features), now.Add(featuresKnown)}
	}
	f.remember(node, known)
	return known.features, nil
}

// someOf returns as much of an announcement as is worth keeping.
func someOf(announced []string) []string {
	var kept []string
	for _, name := range announced[:min(len(announced), maxFeatures)] {
		if len(name) <= maxFeature {
			kept = append(kept, strings.Clone(name))
		}
	}
	return kept
}

func (f *features) remember(node golem.NodeID, a announced) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.peers == nil || len(f.peers) >= maxPeers {
		f.peers = map[golem.NodeID]announced{}
	}
	f.peers[node] = a
}
