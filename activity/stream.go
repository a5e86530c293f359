package activity

import (
	"context"
	"iter"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// StreamEvent is an event of a batch with its number, which counts from 0.
type StreamEvent struct {
	Number int
	golem.RuntimeEvent
}

// Stream follows a batch: it yields the events after the one numbered after; -1
// is from the beginning. It ends with the batch or with an error, after which
// the caller may go on from the last number it has.
//
// Our ExeUnits tell a batch from its beginning to whoever asks, and then end.
// Upstream's tell what happens from now on and never end; of theirs nothing is
// left out, and the numbers go on from after.
func (s *Service) Stream(ctx context.Context, who golem.NodeID, id golem.ActivityID, batch golem.BatchID, after int) iter.Seq2[StreamEvent, error] {
	return func(yield func(StreamEvent, error) bool) {
		r, err := s.batch(ctx, who, id, batch)
		if err != nil {
			yield(StreamEvent{}, err)
			return
		}
		req := wire.StreamBatchRequest{Activity: id, Batch: batch}
		n, first := 0, true
		for ev, err := range wire.StreamBatch.At(string(id)).Call(ctx, s.bus, r.Owner, r.Peer, req) {
			if err != nil {
				yield(StreamEvent{}, s.gone(ctx, r, err))
				return
			}
			if first && !beginning(&ev) {
				n = after + 1
			}
			first = false
			if n > after && !yield(StreamEvent{n, ev}, nil) {
				return
			}
			n++
		}
	}
}

// beginning reports whether ev is what a batch begins with.
func beginning(ev *golem.RuntimeEvent) bool { return ev.Index == 0 && ev.Kind.Started != nil }
