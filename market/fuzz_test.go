package market_test

import (
	"context"
	"crypto/sha3"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/flexbuffers"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/sqlite"
	"github.com/golem-go/golem/wire"
)

// fuzzed is a market that strangers send bytes to.
type fuzzed struct {
	bus   *gsb.Bus
	peer  golem.NodeID
	offer golem.SubscriptionID
	*market.Service
}

func newFuzzed(f *testing.F) *fuzzed {
	f.Helper()
	keys := signer{}
	x := &fuzzed{peer: keys.add(f, "peer")}
	ids := []golem.NodeID{keys.add(f, "self")}
	db, err := sqlite.Open(context.Background(), sqlite.Memory)
	if err != nil {
		f.Fatal(err)
	}
	x.bus = gsb.New(gsb.Config{Identities: func() []golem.NodeID { return ids }})
	x.Service, err = market.New(market.Config{
		Store: db.Market(), Bus: x.bus, Identities: func() []golem.NodeID { return ids },
		Rand: rand.New(rand.NewChaCha8(sha3.Sum256(nil))), Signer: keys, Verifier: keys,
	})
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	f.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			f.Error(err)
		}
		if err := db.Close(); err != nil {
			f.Error(err)
		}
	})
	if x.offer, err = x.PublishOffer(ctx, ids[0], market.Publication{Properties: []byte(`{"a":1}`), Constraints: "()"}); err != nil {
		f.Fatal(err)
	}
	return x
}

// FuzzMessages sends any bytes as any message. The market must answer, and still
// have its Offer.
func FuzzMessages(f *testing.F) {
	x := newFuzzed(f)
	addrs := []string{
		wire.RetrieveOffers.Addr(), wire.QueryOffers.Addr(), wire.InitialProposal.Addr(),
		wire.CounterToProvider.Addr(), wire.CounterToRequestor.Addr(), wire.RejectionToProvider.Addr(), wire.RejectionToRequestor.Addr(),
		wire.ProposeAgreement.Addr(), wire.CancelAgreement.Addr(), wire.CommitAgreement.Addr(), wire.ApproveAgreement.Addr(),
		wire.RejectAgreement.Addr(), wire.TerminateToProvider.Addr(), wire.TerminateToRequestor.Addr(),
		wire.GetAgreement.Addr(), wire.ListAgreements.Addr(), wire.LastBroadcast.Addr(),
	}
	at := time.Now().UTC()
	demand := golem.NewDemand(x.peer, "{}", "()", at, at.Add(time.Hour)).ID
	id := golem.NewProposalID(golem.Requestor, x.offer, demand, at)
	content := wire.ProposalContent{ID: id, Properties: `{}`, Constraints: "()", Created: at, Expires: at.Add(time.Hour)}
	for i, m := range []any{
		wire.OfferIDs{IDs: []golem.SubscriptionID{x.offer, "x"}},
		wire.OfferQuery{},
		wire.InitialProposalReceived{Proposal: content, Offer: x.offer, Demand: demand},
		wire.ProposalReceived{Prev: id, Proposal: content},
		wire.ProposalReceived{Prev: id, Proposal: content},
		wire.ProposalRejected{Proposal: id, Reason: golem.NewReason("no", "a", []any{1, "x"})},
		wire.ProposalRejected{Proposal: id, Initial: true},
		wire.AgreementReceived{Proposal: id, Agreement: id, Created: at, ValidTo: at},
		wire.AgreementCancelled{Agreement: id, At: at},
		wire.AgreementCommitted{Agreement: id},
		wire.AgreementApproved{Agreement: id, At: at},
		wire.AgreementRejected{Agreement: id, At: at},
		wire.AgreementTerminated{Agreement: id, At: at},
		wire.AgreementTerminated{Agreement: id, At: at},
		wire.AgreementQuery{Agreement: string(id), Role: golem.Provider},
		wire.AgreementsQuery{},
		struct{}{},
	} {
		body, err := flexbuffers.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), body)
	}
	f.Fuzz(func(t *testing.T, to uint8, body []byte) {
		r := gsb.Request{Caller: x.peer, Trust: p2p.TrustKey, Addr: addrs[int(to)%len(addrs)], Body: body}
		answered := false
		err := x.bus.Call(t.Context(), r, func(gsb.Reply) error { answered = true; return nil })
		if err == nil && !answered {
			t.Error("no answer")
		}
		ls, err := x.Offers(t.Context())
		if err != nil || !slices.ContainsFunc(ls, func(l market.Listing) bool { return l.ID == x.offer }) {
			t.Errorf("offers %v, %v", ls, err)
		}
	})
}
