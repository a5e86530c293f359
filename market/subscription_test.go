package market_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p/p2ptest"
)

func kind(t *testing.T, err error, want golem.Kind) {
	t.Helper()
	if got := golem.KindOf(err); got != want {
		t.Errorf("got %v (%q), want %q", err, got, want)
	}
}

func TestPublishIsStrict(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		n := w.node("n", nil)
		for name, test := range map[string]struct {
			properties, constraints string
			text                    string
		}{
			"no constraint":        {`{}`, ``, "constraint"},
			"broken constraint":    {`{}`, `(&(a=1)(b`, "column"},
			"broken properties":    {`{"a":`, `()`, "properties"},
			"too large properties": {`{"a":"` + strings.Repeat("x", 70_000) + `"}`, `()`, "at most"},
		} {
			p := market.Publication{Properties: []byte(test.properties), Constraints: test.constraints}
			for _, publish := range []func(context.Context, golem.NodeID, market.Publication) (golem.SubscriptionID, error){n.PublishOffer, n.PublishDemand} {
				if _, err := publish(t.Context(), n.id, p); golem.KindOf(err) != golem.ErrInvalid || !strings.Contains(err.Error(), test.text) {
					t.Errorf("%s: got %v, want one that says %q", name, err, test.text)
				}
			}
		}
		_, err := n.PublishOffer(t.Context(), n.id, market.Publication{Properties: []byte(`{}`), Constraints: "()", TTL: 25 * time.Hour})
		kind(t, err, golem.ErrInvalid)
	})
}

func TestSubscriptionLife(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		n := w.node("n", nil, "other")
		other := n.ids[1]
		o, d := n.offerOf(), n.demandOf()
		nested := market.Publication{Properties: []byte(`{"golem":{"inf":{"mem":{"gib":4.0}}},"x":[0.0,1e3]}`), Constraints: "()", TTL: 24 * time.Hour}
		long, err := n.PublishOffer(t.Context(), other, nested)
		if err != nil {
			t.Fatal(err)
		}

		os, err := n.OffersOf(t.Context(), n.id)
		if err != nil || len(os) != 1 || os[0].ID != o || os[0].Properties == "" || !os[0].Authentic() || os[0].Signature == "" {
			t.Errorf("own offers: %+v, %v", os, err)
		}
		os, _ = n.OffersOf(t.Context(), other)
		if len(os) != 1 || os[0].Properties != `{"golem.inf.mem.gib":4.0,"x":[0.0,1e3]}` {
			t.Errorf("offers of the other identity: %+v", os)
		}
		ds, _ := n.DemandsOf(t.Context(), n.id)
		if len(ds) != 1 || ds[0].ID != d {
			t.Errorf("own demands: %+v", ds)
		}

		// Nobody but the owner may withdraw, or learn that there is something.
		kind(t, n.WithdrawOffer(t.Context(), other, o), golem.ErrNotFound)
		kind(t, n.WithdrawDemand(t.Context(), other, d), golem.ErrNotFound)
		_, err = n.CollectOffer(t.Context(), other, o, 1)
		kind(t, err, golem.ErrNotFound)

		kind(t, n.WithdrawOffer(t.Context(), n.id, o), "")
		kind(t, n.WithdrawOffer(t.Context(), n.id, o), golem.ErrExpired)
		kind(t, n.WithdrawDemand(t.Context(), n.id, d), "")
		kind(t, n.WithdrawDemand(t.Context(), n.id, d), golem.ErrNotFound)
		_, err = n.CollectOffer(t.Context(), n.id, o, 1)
		kind(t, err, golem.ErrNotFound)

		n.restart()
		kind(t, n.WithdrawOffer(t.Context(), n.id, o), golem.ErrExpired)
		os, _ = n.Offers(t.Context())
		if len(os) != 1 || os[0].ID != long {
			t.Errorf("after a restart: %+v", os)
		}

		o, d = n.offerOf(), n.demandOf()
		time.Sleep(time.Hour + time.Minute)
		_, err = n.CollectDemand(t.Context(), n.id, d, 1)
		kind(t, err, golem.ErrNotFound)
		kind(t, n.WithdrawOffer(t.Context(), n.id, o), golem.ErrNotFound) // gone from memory
		os, _ = n.Offers(t.Context())
		if len(os) != 1 {
			t.Errorf("after an hour: %+v", os)
		}
	})
}

// TestCollectEnds wants polls to end with their subscription.
func TestCollectEnds(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		n := w.node("n", nil)
		o, d := n.offerOf(), n.demandOf()
		ended := make(chan error, 2)
		go func() {
			_, err := n.CollectOffer(within(t, time.Minute), n.id, o, 1)
			ended <- err
		}()
		go func() {
			_, err := n.CollectDemand(within(t, time.Minute), n.id, d, 1)
			ended <- err
		}()
		time.Sleep(time.Second)
		start := time.Now()
		kind(t, n.WithdrawOffer(t.Context(), n.id, o), "")
		kind(t, n.WithdrawDemand(t.Context(), n.id, d), "")
		for range 2 {
			kind(t, <-ended, golem.ErrNotFound)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("polls ended after %v", took)
		}

		d = n.demandOf()
		start = time.Now()
		_, err := n.CollectDemand(within(t, 2*time.Hour), n.id, d, 1)
		kind(t, err, golem.ErrNotFound)
		if took := time.Since(start); took < time.Hour || took > time.Hour+10*time.Second {
			t.Errorf("a poll ended after %v, want the hour the demand lives", took)
		}
		if _, err := n.CollectDemand(within(t, time.Second), n.id, n.demandOf(), 1); err != nil {
			t.Errorf("a poll without events: %v", err)
		}
	})
}

// TestUnopened wants calls before Run to wait.
func TestUnopened(t *testing.T) {
	bubble(t, p2ptest.Config{}, func(t *testing.T, w *world) {
		n := w.node("n", nil)
		s, err := market.New(n.config())
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Offers(within(t, time.Second))
		kind(t, err, golem.ErrUnavailable)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v does not say why", err)
		}
	})
}
