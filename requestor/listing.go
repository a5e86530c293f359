package requestor

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
)

// listing is a Demand on the market, and the negotiations under it. Offers that
// suit become leads; those worth asking are countered, the best first; what
// their Providers answer are drafts. Its tender's mu guards it.
type listing struct {
	ctx    context.Context // ends when the Demand is not looked after any more
	cancel context.CancelFunc

	demand     golem.SubscriptionID
	properties map[string]any
	constraint string
	opened     time.Time
	expires    time.Time // latest end of Agreements

	initials []*lead
	asked    map[golem.ProposalID]*lead // by our last counter-proposal
	early    map[golem.ProposalID]news  // answers to counter-proposals whose id we do not know yet
	unknown  []*lead                    // which those may be
	underWay int                        // counter-proposals
	asking   sync.WaitGroup
	drafts   []*lead
	first    time.Time // when the oldest draft came
	spent    time.Time // when a lead came to nothing last
}

// lead is a Candidate we negotiate with.
type lead struct {
	Candidate
	proposal golem.ProposalID   // of the Provider, the last one
	values   map[string]float64 // of the negotiable properties we sent
	rounds   int                // of counter-proposals
	since    time.Time          // of the last one
	answered bool
}

const (
	gatherTime  = 30 * time.Millisecond // that a first draft waits for better ones
	answerTime  = 10 * time.Second      // after which an answer is not expected any more
	askAtOnce   = 16                    // counter-proposals on their way
	mostRounds  = 3
	counterTime = 30 * time.Second
)

func newListing(ctx context.Context, now time.Time, o *Order) *listing {
	l := &listing{opened: now, expires: now.Add(o.reach()), asked: map[golem.ProposalID]*lead{}, early: map[golem.ProposalID]news{}}
	l.ctx, l.cancel = context.WithCancel(ctx)
	return l
}

// known returns the lead that a counter-proposal of ours was for. If that may be
// one on its way, the event is kept for when it has arrived.
func (l *listing) known(id golem.ProposalID, n *news) *lead {
	x := l.asked[id]
	if x == nil && l.underWay > 0 {
		l.early[id] = *n
	}
	return x
}

// awaited returns from how many leads an answer is expected.
func (l *listing) awaited(now time.Time) int {
	n := 0
	for _, x := range l.unknown {
		if !x.answered && now.Sub(x.since) < answerTime {
			n++
		}
	}
	for _, x := range l.asked {
		if !x.answered && now.Sub(x.since) < answerTime {
			n++
		}
	}
	return n
}

// pending reports whether more drafts may come from those who are known.
func (l *listing) pending(now time.Time) bool { return len(l.initials) > 0 || l.awaited(now) > 0 }

// negotiable is a property that both sides must state alike, or not at all.
type negotiable struct {
	name  string
	ours  float64 // seconds
	least float64 // that we agree on
	most  bool    // a Provider may want less than ours, but not more
}

// negotiables are the terms of payment. Accepting in time is easy for a program
// that runs; notes that come too often are not worth their trouble.
var negotiables = [...]negotiable{
	{golem.PropAcceptTimeout, acceptTimeout, 5, true},
	{golem.PropNoteInterval, noteInterval, 5, false},
	{golem.PropPaymentTimeout, paymentTimeout, 60, false},
}

// counter returns the properties of our next counter-proposal: those of the
// Demand, with the platform we pay on, and of the terms of payment those the
// Provider knows (spec provider-agent.md §6.2).
func (x *lead) counter(demand map[string]any, platform golem.Platform) map[string]any {
	props := maps.Clone(demand)
	props[golem.PropChosenPlatform] = platform.String()
	values := map[string]float64{}
	for _, n := range negotiables {
		theirs, ok := x.Properties.Float(n.name)
		if !ok {
			delete(props, n.name)
			continue
		}
		values[n.name] = n.ours
		if x.rounds > 0 || n.most && theirs < n.ours {
			values[n.name] = theirs
		}
		props[n.name] = values[n.name]
	}
	x.values = values
	x.rounds++
	return props
}

// agreesWith reports whether the Provider's answer has the terms we sent. If it
// has others they may do, and are to be sent back; its error says that they may
// not.
func (x *lead) agreesWith(answer *property.Set) (settled bool, err error) {
	settled = true
	for _, n := range negotiables {
		theirs, stated := answer.Float(n.name)
		ours, sent := x.values[n.name]
		switch {
		case !stated && !sent, stated && sent && theirs == ours:
			continue
		case stated && (theirs < n.least || n.most && theirs > n.ours):
			return false, golem.Errorf(golem.ErrInvalid, "it insists on %s of %v", n.name, theirs)
		case x.rounds >= mostRounds:
			return false, golem.Errorf(golem.ErrInvalid, "it does not make up its mind about %s", n.name)
		}
		settled = false
	}
	return settled, nil
}
