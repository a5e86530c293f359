package requestor

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/golem-go/golem"
)

var (
	seller = golem.NodeID{1}
	paidOn = golem.Platform{Driver: "local", Network: "devnet", Token: "tglm"}
	epoch  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// rented is the account of an Activity that began at epoch: 0.001 for each second,
// 0.002 for each second of one of two CPUs, 0.5 for having begun.
func rented() *account {
	return &account{
		agreement: "a", activity: "x", platform: paidOn, limit: golem.Tokens(100), begun: epoch,
		offer: Candidate{
			Provider: seller, Threads: 2, Counters: []string{golem.UsageDuration, golem.UsageCPU},
			Pricing: golem.LinearPricing{Prices: []float64{0.001, 0.002}, Start: 0.5},
		},
	}
}

func amount(t testing.TB, s string) golem.Amount {
	t.Helper()
	a, err := golem.ParseAmount(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestJudgeNote(t *testing.T) {
	note := func(total, usage string) golem.DebitNote {
		return golem.DebitNote{Issuer: seller, Platform: paidOn, Agreement: "a", Activity: "x", Total: amount(t, total), Usage: json.RawMessage(usage)}
	}
	other := func(n golem.DebitNote, change func(*golem.DebitNote)) golem.DebitNote { change(&n); return n }
	tests := []struct {
		name string
		note golem.DebitNote
		edit func(*account)
		want golem.Kind // "" for right
	}{
		// After 100 s at most 107.1 s and 214.2 s of CPU are possible.
		{name: "what was used", note: note("0.7", "[100,50]")},
		{name: "rounding of binary fractions", note: note("0.7000001", "[100,50]")},
		{name: "less than was used", note: note("0.6", "[100,50]")},
		{name: "more than the usage costs", note: note("0.8", "[100,50]"), want: golem.ErrInvalid},
		{name: "longer than it has lasted", note: note("0.6", "[110,0]"), want: golem.ErrInvalid},
		{name: "clocks differ a little", note: note("0.605", "[105,0]")},
		{name: "more CPUs than there are", note: note("1.1", "[100,250]"), want: golem.ErrInvalid},
		{name: "negative usage to make up for another", note: note("0.1", "[-100,50]"), want: golem.ErrInvalid},
		{name: "another vector", note: note("0.1", "[1]"), want: golem.ErrInvalid},
		{name: "no vector, possible", note: note("1.0", "null")},
		{name: "no vector, impossible", note: note("1.2", ""), want: golem.ErrInvalid},
		{name: "usage of nonsense", note: note("1.0", `"much"`), want: golem.ErrInvalid},
		{name: "above the limit", note: note("0.7", "[100,50]"), edit: func(a *account) { a.limit = amount(t, "0.65") }, want: golem.ErrExhausted},
		{name: "of a stranger", note: other(note("0.7", "[100,50]"), func(n *golem.DebitNote) { n.Issuer = golem.NodeID{9} }), want: golem.ErrForbidden},
		{name: "on another platform", note: other(note("0.7", "[100,50]"), func(n *golem.DebitNote) { n.Platform.Network = "mainnet" }), want: golem.ErrInvalid},
		{name: "of another activity", note: other(note("0.7", "[100,50]"), func(n *golem.DebitNote) { n.Activity = "y" }), want: golem.ErrInvalid},
		{name: "while the activity is created", note: note("0.5", "[0,0]"), edit: func(a *account) { a.activity = "" }},
		{name: "after it has ended", note: note("0.7", "[100,50]"), edit: func(a *account) { a.ended = epoch.Add(50 * time.Second) }, want: golem.ErrInvalid},
		{name: "a counter without a price grows as it likes", note: note("0.7", "[100,50,1e9]"), edit: func(a *account) {
			a.offer.Counters = append(a.offer.Counters, "golem.usage.network.in-mib")
			a.offer.Pricing.Prices = append(a.offer.Pricing.Prices, 0)
		}},
		{name: "of a provider that failed", note: note("0.7", "[100,50]"), edit: func(a *account) { a.faulty = true }, want: golem.ErrForbidden},
		{name: "accepted before it failed", note: note("0.7", "[100,50]"), edit: func(a *account) { a.faulty, a.accepted = true, amount(t, "0.7") }},
		{name: "the price of beginning, before that was asked for", note: note("0.5", ""), edit: func(a *account) { a.begun = time.Time{} }, want: golem.ErrInvalid},
		{name: "before anything was asked for", note: note("0.6", ""), edit: func(a *account) { a.begun = time.Time{} }, want: golem.ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := rented()
			if test.edit != nil {
				test.edit(a)
			}
			err := a.judgeNote(&test.note, epoch.Add(100*time.Second))
			if got := golem.KindOf(err); got != test.want {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
		})
	}
}

func TestJudgeInvoice(t *testing.T) {
	tests := []struct {
		name   string
		amount string
		usage  []float64
		edit   func(*account, *golem.Invoice)
		want   golem.Kind
	}{
		{name: "what was used", amount: "0.7", usage: []float64{100, 50}},
		{name: "used since the last report", amount: "0.715", usage: []float64{95, 45}},
		{name: "more than the node knows of", amount: "0.8", usage: []float64{100, 50}, want: golem.ErrInvalid},
		{name: "nothing is known, possible", amount: "1.0"},
		{name: "nothing is known, impossible", amount: "1.2", want: golem.ErrInvalid},
		{name: "what was accepted, whatever is known", amount: "0.9", usage: []float64{1, 1}, edit: func(a *account, _ *golem.Invoice) { a.accepted = amount(t, "0.9") }},
		{name: "above the limit", amount: "0.7", edit: func(a *account, _ *golem.Invoice) { a.limit = amount(t, "0.5") }, want: golem.ErrExhausted},
		{name: "a second one", amount: "0.1", edit: func(a *account, _ *golem.Invoice) { a.invoice = &golem.Invoice{ID: "first"} }, want: golem.ErrConflict},
		{name: "the same again", amount: "0.1", edit: func(a *account, i *golem.Invoice) { a.invoice = i }},
		{name: "with foreign activities", amount: "0.1", edit: func(_ *account, i *golem.Invoice) { i.Activities = append(i.Activities, "y") }, want: golem.ErrInvalid},
		{name: "for nothing", amount: "0", edit: func(a *account, _ *golem.Invoice) { a.begun = time.Time{} }},
		{name: "for more than nothing", amount: "0.1", edit: func(a *account, _ *golem.Invoice) { a.begun = time.Time{} }, want: golem.ErrInvalid},
		{name: "of a provider that failed", amount: "0.7", edit: func(a *account, _ *golem.Invoice) { a.faulty = true }, want: golem.ErrForbidden},
		{name: "of one that failed, as accepted", amount: "0.4", edit: func(a *account, _ *golem.Invoice) { a.faulty, a.accepted = true, amount(t, "0.4") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := rented()
			i := &golem.Invoice{ID: "i", Issuer: seller, Platform: paidOn, Agreement: "a", Activities: []golem.ActivityID{"x"}, Amount: amount(t, test.amount)}
			if test.edit != nil {
				test.edit(a, i)
			}
			err := a.judgeInvoice(i, test.usage, epoch.Add(100*time.Second))
			if got := golem.KindOf(err); got != test.want {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
		})
	}
}

func FuzzJudgeNote(f *testing.F) {
	f.Add(`[100,50]`, uint64(7e17))
	f.Add(`[1e308,-1]`, uint64(0))
	f.Add(`{"a":[]}`, uint64(1))
	f.Fuzz(func(t *testing.T, usage string, total uint64) {
		a := rented()
		n := &golem.DebitNote{Issuer: seller, Platform: paidOn, Activity: "x", Total: golem.Units(total), Usage: json.RawMessage(usage)}
		// Whatever is claimed, nothing above what is possible is right: 1.0355 here.
		if err := a.judgeNote(n, epoch.Add(100*time.Second)); err == nil && amount(t, "1.0366").Less(n.Total) {
			t.Errorf("note over %s is accepted", n.Total)
		}
	})
}
