package requestor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/requestor"
)

// TestNobody asks for what is not there. The error is one sentence that says why.
func TestNobody(t *testing.T) {
	tests := []struct {
		name   string
		seller *manners // nil: there is none
		edit   func(*requestor.Order)
		within time.Duration
		want   []string
	}{
		{name: "no offers", within: 31 * time.Second,
			want: []string{"no provider: the node has known of no offer for 30s", "golem status"}},
		{name: "too expensive", seller: &manners{price: 0.001}, within: 6 * time.Second,
			edit: func(o *requestor.Order) { o.MaxPrice = golem.Units(5e17) },
			want: []string{"the cheapest could cost 0.6 tglm in 10m0s, and 0.5 is allowed", "allow a higher price"}},
		{name: "more than the budget", seller: &manners{fee: 11}, within: 6 * time.Second,
			want: []string{"the cheapest could cost 11 tglm in 10m0s, and 10 is allowed"}},
		{name: "too small", seller: &manners{}, within: 31 * time.Second,
			edit: func(o *requestor.Order) { o.MinMemory = 64 },
			want: []string{"ann (0x", "golem.inf.mem.gib"}},
		{name: "not what the caller wants", seller: &manners{}, within: 6 * time.Second,
			edit: func(o *requestor.Order) {
				o.Filter = func(*requestor.Candidate) error { return errors.New("I know that one") }
			},
			want: []string{"ann (0x", "I know that one"}},
		{name: "it refuses for good", seller: &manners{refuses: "only for friends", final: true}, within: 6 * time.Second,
			want: []string{"ann (0x", "it has refused: only for friends"}},
		{name: "it does not answer", seller: &manners{deaf: true}, within: 31 * time.Second,
			want: []string{"ann (0x", "it has not answered yet"}},
		{name: "it does not agree", seller: &manners{mute: true}, within: 65 * time.Second,
			want: []string{"ann (0x", "it has not approved the agreement within 30s"}},
		{name: "it renounces", seller: &manners{renounces: true}, within: 35 * time.Second,
			want: []string{"ann (0x", "it has rejected the agreement: no capacity"}},
		{name: "it starts nothing", seller: &manners{idle: true, price: 0.001}, within: 65 * time.Second,
			want: []string{"ann (0x", "it has not created an activity within 30s"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				if test.seller != nil {
					w.sell("ann", *test.seller)
				}
				r := w.connect(nil)
				o := order()
				if test.edit != nil {
					test.edit(&o)
				}
				begun := time.Now()
				_, err := r.Rent(t.Context(), o)
				if took := time.Since(begun); took > test.within {
					t.Errorf("took %v", took)
				}
				if _, ok := errors.AsType[*requestor.NoProviderError](err); !ok {
					t.Fatalf("got %v, want a NoProviderError", err)
				}
				wantKind(t, err, golem.ErrUnavailable)
				t.Log(err)
				for _, part := range test.want {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("got %q, want it to say %q", err, part)
					}
				}
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("more than a sentence: %q", err)
				}
				w.must(r.Close())
				w.clean(t)
			})
		})
	}
}

// TestBudget sets aside what is not there.
func TestBudget(t *testing.T) {
	tests := []struct {
		name   string
		budget golem.Amount
		kind   golem.Kind
		want   string
	}{
		{"none", golem.Amount{}, golem.ErrInvalid, "set Config.Budget"},
		{"more than there is", golem.Tokens(1e9), golem.ErrInvalid, "golem payment fund"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.sell("ann", manners{})
				r := w.connect(func(c *requestor.Config) { c.Budget = test.budget })
				begun := time.Now()
				_, err := r.Rent(t.Context(), order())
				wantKind(t, err, test.kind)
				t.Log(err)
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want it to say %q", err, test.want)
				}
				if took := time.Since(begun); took > time.Second {
					t.Errorf("took %v", took)
				}
				w.must(r.Close())
				w.clean(t)
			})
		})
	}
}

// TestBudgetOfYesterday rents, and again when the budget that was set aside has been
// given back by the node: no more is set aside than is left.
func TestBudgetOfYesterday(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.sell("ann", manners{fee: 3})
		r := w.connect(nil)
		for _, left := range []golem.Amount{golem.Tokens(10), golem.Tokens(7)} {
			rental, err := r.Rent(t.Context(), order())
			w.must(err)
			as, err := w.buyer.api.Allocations(t.Context())
			w.must(err)
			if len(as) != 1 || as[0].Total != left {
				t.Errorf("allocations %+v, want one of %s", as, left)
			}
			w.must(rental.Run(t.Context(), requestor.Process{Path: "echo"}))
			bill, err := rental.Close(t.Context())
			w.must(err)
			if bill.Cost != golem.Tokens(3) {
				t.Errorf("cost %s", bill.Cost)
			}
			w.pause(40 * time.Minute) // the Allocation was for 30
		}
		w.must(r.Close())
		w.clean(t)
	})
}

// TestCancel interrupts renting at every point of it: nothing stays reserved.
func TestCancel(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		v := w.sell("ann", manners{price: 0.001})
		rented, interrupted := 0, 0
		for after := time.Duration(0); rented < 3; after += 2 * time.Millisecond {
			r := w.connect(nil)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(after, cancel)
			_, err := r.Rent(ctx, order())
			cancel()
			switch {
			case err == nil:
				rented++
			case !errors.Is(err, context.Canceled):
				t.Errorf("after %v: got %v", after, err)
			default:
				interrupted++
			}
			begun := time.Now()
			w.must(r.Close())
			if took := time.Since(begun); took > time.Second {
				t.Errorf("after %v: closing took %v", after, took)
			}
			w.clean(t)
			if t.Failed() {
				t.Fatalf("interrupted after %v: %v", after, err)
			}
		}
		if interrupted < 10 {
			t.Errorf("interrupted %d times only", interrupted)
		}
		t.Logf("%d agreements, %d rentals, %d interruptions", v.agreements(), rented, interrupted)
	})
}

// TestChoice rents from the best, and from others while that one is taken or has
// failed.
func TestChoice(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for i, name := range []string{"dear", "cheap", "middling"} {
			w.sell(name, manners{price: []float64{0.003, 0.001, 0.002}[i]})
		}
		r := w.connect(nil)
		defer r.Close()
		found, err := r.Survey(t.Context(), order())
		w.must(err)
		if got := names(found); got != "cheap middling dear" {
			t.Errorf("surveyed %s", got)
		}
		rental, err := r.Rent(t.Context(), order())
		w.must(err)
		if rental.Offer.Name != "cheap" {
			t.Errorf("rented %s", rental.Offer.Name)
		}
		o := order()
		o.Score = func(c *requestor.Candidate) float64 { return c.Pricing.Prices[0] }
		if rental, err = r.Rent(t.Context(), o); err != nil || rental.Offer.Name != "dear" {
			t.Errorf("by score: rented %v, %v", rental, err)
		}
	})
}

func names(cs []requestor.Candidate) string {
	var all []string
	for _, c := range cs {
		all = append(all, c.Name)
	}
	return strings.Join(all, " ")
}

// TestSlowProvider asks another one beside the one that takes its time.
func TestSlowProvider(t *testing.T) {
	tests := []struct {
		name    string
		manners manners
	}{
		{"mute", manners{mute: true}},
		{"ponders", manners{ponders: 10 * time.Second}},
		{"renounces", manners{renounces: true}},
		{"deaf", manners{deaf: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.sell("slow", test.manners)
				w.sell("dear", manners{fee: 1})
				r := w.connect(nil)
				begun := time.Now()
				rental, err := r.Rent(t.Context(), order())
				w.must(err)
				if took := time.Since(begun); rental.Offer.Name != "dear" || took > 2*time.Second {
					t.Errorf("rented %s after %v", rental.Offer.Name, took)
				}
				w.must(r.Close())
				w.clean(t)
			})
		})
	}
}
