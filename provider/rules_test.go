package provider_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
	"github.com/golem-go/golem/provider"
)

var ruleNow = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// Properties of the Offer and the Demand that the cases below start from.
const (
	acceptTimeout  = "golem.com.payment.debit-notes.accept-timeout?"
	noteInterval   = "golem.com.scheme.payu.debit-note.interval-sec?"
	paymentTimeout = "golem.com.scheme.payu.payment-timeout-sec?"
	expiration     = "golem.srv.comp.expiration"
	coefficients   = "golem.com.pricing.model.linear.coeffs"
	platform       = "golem.com.payment.chosen-platform"
)

func ruleOffer() map[string]string {
	return map[string]string{
		"golem.com.payment.platform.local-devnet-dglm.address": `"0x0000000000000000000000000000000000000001"`,

		acceptTimeout: "240", noteInterval: "120", paymentTimeout: "120",
		coefficients: "[0.001,0.002,0.0]",
	}
}

// ruleDemand agrees with ruleOffer.
func ruleDemand() map[string]string {
	return map[string]string{
		platform: `"local-devnet-dglm"`, expiration: inTime(time.Hour),
		acceptTimeout: "240", noteInterval: "120", paymentTimeout: "120",
	}
}

func inTime(d time.Duration) string { return fmt.Sprint(ruleNow.Add(d).UnixMilli()) }

// parse makes a set of properties in JSON; those with "" are left out.
func parse(t testing.TB, base map[string]string, changes map[string]string) *property.Set {
	t.Helper()
	var members []string
	for name, value := range changes {
		base[name] = value
	}
	for name, value := range base {
		if value != "" {
			members = append(members, fmt.Sprintf("%q:%s", name, value))
		}
	}
	s, err := property.ParseSet("{" + strings.Join(members, ",") + "}")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type props = map[string]string

func TestRules(t *testing.T) {
	full := golem.Errorf(golem.ErrExhausted, "No capacity available. Reached Agreements limit: 1")
	tests := map[string]struct {
		demand, offer props // what differs from ruleDemand and ruleOffer; "" is absent
		full          bool
		want          string // "reject …", "finally …", "full …", or what changes
	}{
		"agreed": {},

		"no platform chosen":   {demand: props{platform: ""}, want: "reject Missing fields: golem.com.payment.chosen-platform"},
		"platform not offered": {demand: props{platform: `"erc20-polygon-glm"`}, want: "reject Payment platform erc20-polygon-glm is not among those of the Offer"},
		"platform malformed":   {demand: props{platform: `"glm"`}, want: "reject Property golem.com.payment.chosen-platform"},
		"platform no text":     {demand: props{platform: `7`}, want: "reject Property golem.com.payment.chosen-platform"},
		"manifest":             {demand: props{"golem.srv.comp.payload": `"e30="`}, want: "finally Payload manifests"},

		"full":                   {full: true, want: "full No capacity available. Reached Agreements limit: 1"},
		"full and incomplete":    {full: true, demand: props{platform: ""}, want: "reject Missing fields"},
		"full and too expensive": {full: true, demand: props{coefficients: "[0.0,0.0,0.0]"}, want: "full No capacity"},

		"no expiration":           {demand: props{expiration: ""}, want: "finally Property golem.srv.comp.expiration: want"},
		"expiration is no number": {demand: props{expiration: `"soon"`}, want: "finally Property golem.srv.comp.expiration: want"},
		"expiration negative":     {demand: props{expiration: `-1`}, want: "finally Property golem.srv.comp.expiration: want"},
		"expiration huge":         {demand: props{expiration: `1e300`}, want: "finally Property golem.srv.comp.expiration: want"},
		"expired":                 {demand: props{expiration: inTime(-time.Second)}, want: "finally Agreement expires in -1s, it must last 5m0s"},
		"too short":               {demand: props{expiration: inTime(5*time.Minute - time.Second)}, want: "finally Agreement expires in 4m59s"},
		"just long enough":        {demand: props{expiration: inTime(5 * time.Minute)}},
		"as long as can be":       {demand: props{expiration: inTime(100 * 365 * 24 * time.Hour)}},
		"too long":                {demand: props{expiration: inTime(101 * 365 * 24 * time.Hour)}, want: "reject Agreement expires in"},
		"unbilled":                {demand: props{expiration: inTime(30 * time.Minute), acceptTimeout: ""}, want: acceptTimeout + " removed"},
		"unbilled for too long":   {demand: props{expiration: inTime(30*time.Minute + time.Second), acceptTimeout: ""}, want: "reject Agreement expires in 30m1s, it may last 30m0s at most"},
		"expiration as a float":   {demand: props{expiration: inTime(time.Hour) + ".0"}},

		"accepts later":               {demand: props{acceptTimeout: "241"}, want: "finally Debit notes must be accepted within 4m0s"},
		"accepts earlier":             {demand: props{acceptTimeout: "120"}, want: acceptTimeout + "=120"},
		"accepts as soon as can be":   {demand: props{acceptTimeout: "5"}, want: acceptTimeout + "=5"},
		"accepts too soon":            {demand: props{acceptTimeout: "4"}, want: "finally Debit notes cannot be accepted within 4s"},
		"accepts, not offered":        {offer: props{acceptTimeout: ""}, want: "reject Property " + acceptTimeout + " is not offered any more"},
		"neither accepts":             {offer: props{acceptTimeout: ""}, demand: props{acceptTimeout: "", expiration: inTime(20 * time.Minute)}},
		"accept timeout is no number": {demand: props{acceptTimeout: `"soon"`}, want: "finally Property " + acceptTimeout},
		"accept timeout negative":     {demand: props{acceptTimeout: `-3`}, want: "finally Property " + acceptTimeout},

		"interval longer":      {demand: props{noteInterval: "300"}, want: noteInterval + "=300"},
		"interval with digits": {demand: props{noteInterval: "90.5"}, want: noteInterval + "=90.5"},
		"interval too short":   {demand: props{noteInterval: "0.9"}, want: "finally Property " + noteInterval + ": 900ms is outside of 1s to 24h0m0s"},
		"interval too long":    {demand: props{noteInterval: "86401"}, want: "finally Property " + noteInterval},
		"interval gone":        {offer: props{noteInterval: ""}, want: "reject Property " + noteInterval + " is not offered any more"},
		"no interval":          {demand: props{noteInterval: ""}, want: noteInterval + " removed"},

		"pays later":              {demand: props{paymentTimeout: "43200"}, want: paymentTimeout + "=43200"},
		"pays too late":           {demand: props{paymentTimeout: "86401"}, want: "finally Property " + paymentTimeout},
		"pays too soon":           {demand: props{paymentTimeout: "0"}, want: "finally Property " + paymentTimeout},
		"pays, not offered":       {offer: props{paymentTimeout: ""}, want: "reject Property " + paymentTimeout + " is not offered any more"},
		"pays in the end only":    {demand: props{paymentTimeout: ""}, want: paymentTimeout + " removed"},
		"long, pays in the end":   {demand: props{paymentTimeout: "", expiration: inTime(10 * time.Hour)}, want: "finally Agreement lasts 10h0m0s or more, the threshold of enforcing mid-agreement payments"},
		"nearly as long":          {demand: props{paymentTimeout: "", expiration: inTime(10*time.Hour - time.Second)}, want: paymentTimeout + " removed"},
		"neither, in the end":     {offer: props{paymentTimeout: ""}, demand: props{paymentTimeout: ""}},
		"neither, long":           {offer: props{paymentTimeout: ""}, demand: props{paymentTimeout: "", expiration: inTime(11 * time.Hour)}, want: "finally Agreement lasts"},
		"payment timeout a list":  {demand: props{paymentTimeout: "[120]"}, want: "finally Property " + paymentTimeout},
		"payment timeout is huge": {demand: props{paymentTimeout: "1e40"}, want: "finally Property " + paymentTimeout},

		"same price":          {demand: props{coefficients: "[0.001,0.002,0.0]"}},
		"same price as ints":  {offer: props{coefficients: "[1.0,2.0,0.0]"}, demand: props{coefficients: "[1,2,0]"}},
		"higher price":        {demand: props{coefficients: "[0.001,0.003,1]"}, want: coefficients + "=[0.001,0.003,1.0]"},
		"one price is lower":  {demand: props{coefficients: "[1,0.001,1]"}, want: "finally Price 0.001 is too low, want 0.002 at least"},
		"fewer prices":        {demand: props{coefficients: "[0.001,0.002]"}, want: "reject invalid price vector: want 3 numbers"},
		"no prices":           {demand: props{coefficients: "[]"}, want: "reject invalid price vector"},
		"prices are no list":  {demand: props{coefficients: "0.1"}, want: "reject invalid price vector"},
		"prices are texts":    {demand: props{coefficients: `["1","1","1"]`}, want: "reject invalid price vector"},
		"price beyond reason": {demand: props{coefficients: "[1e30,1,1]"}, want: "finally invalid price vector"},
		"negative price":      {demand: props{coefficients: "[-1,1,1]"}, want: "finally invalid price vector"},
		"several changes": {
			demand: props{acceptTimeout: "120", noteInterval: "", paymentTimeout: "43200"},
			want:   acceptTimeout + "=120, " + noteInterval + " removed, " + paymentTimeout + "=43200",
		},
	}
	terms := newTerms(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := provider.Case{Demand: parse(t, ruleDemand(), tt.demand), Offer: parse(t, ruleOffer(), tt.offer), Now: ruleNow}
			if tt.full {
				c.Capacity = full
			}
			got := describe(terms.Judge(c))
			if tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// newTerms returns the default terms, as an Agent has them.
func newTerms(t testing.TB) *provider.Terms {
	t.Helper()
	terms, err := provider.DefaultTerms(provider.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	return &terms
}

// describe says in a line what a Verdict is; nothing where both sides agree.
func describe(v provider.Verdict) string {
	if r := v.Rejection; r != nil {
		switch {
		case r.Final:
			return "finally " + r.Reason
		case r.Full:
			return "full " + r.Reason
		}
		return "reject " + r.Reason
	}
	var changes []string
	for _, name := range []string{acceptTimeout, noteInterval, paymentTimeout, coefficients} {
		value, ok := v.Change[name]
		switch {
		case ok && value == nil:
			changes = append(changes, name+" removed")
		case ok:
			changes = append(changes, name+"="+string(value))
		}
	}
	return strings.Join(changes, ", ")
}

// TestExchange leads the typical exchange of spec provider-agent.md §6.5.
func TestExchange(t *testing.T) {
	terms := newTerms(t)
	offer := ruleOffer()
	demand := props{acceptTimeout: "120", noteInterval: "120", paymentTimeout: "43200"}
	first := terms.Judge(provider.Case{Demand: parse(t, ruleDemand(), demand), Offer: parse(t, offer, nil), Now: ruleNow})
	want := map[string]json.RawMessage{acceptTimeout: json.RawMessage("120"), paymentTimeout: json.RawMessage("43200")}
	if diff := cmp.Diff(provider.Verdict{Change: want}, first); diff != "" {
		t.Fatalf("first: %s", diff)
	}
	for name, value := range first.Change {
		offer[name] = string(value)
	}
	for round := range 2 { // the next Proposal, and the Agreement
		v := terms.Judge(provider.Case{Demand: parse(t, ruleDemand(), demand), Offer: parse(t, offer, nil), Now: ruleNow.Add(time.Minute)})
		if v.Rejection != nil || len(v.Change) > 0 {
			t.Errorf("round %d: got %+v, want agreement", round+2, v)
		}
	}
}

// TestRulesConverge checks that what is countered by the changes asked for is
// agreed on, whatever the Demand.
func TestRulesConverge(t *testing.T) {
	terms := newTerms(t)
	values := []string{"", "0", "1", "4", "5", "120", "120.0", "240", "43200", "86400", "1e9", `"x"`}
	prices := []string{"", "[0.001,0.002,0.0]", "[1,1,1]", "[0,0,0]"}
	for _, accept := range values {
		for _, interval := range values {
			for _, pay := range values {
				for _, price := range prices {
					demand := parse(t, ruleDemand(), props{acceptTimeout: accept, noteInterval: interval, paymentTimeout: pay, coefficients: price, expiration: inTime(20 * time.Minute)})
					offer := ruleOffer()
					v := terms.Judge(provider.Case{Demand: demand, Offer: parse(t, offer, nil), Now: ruleNow})
					if v.Rejection != nil {
						continue
					}
					for name, value := range v.Change {
						offer[name] = string(value)
					}
					again := terms.Judge(provider.Case{Demand: demand, Offer: parse(t, offer, nil), Now: ruleNow})
					if again.Rejection != nil || len(again.Change) > 0 {
						t.Fatalf("accept %s, interval %s, pay %s, price %s: changed %v, then %+v", accept, interval, pay, price, v.Change, again)
					}
				}
			}
		}
	}
}

func TestTermsRefused(t *testing.T) {
	for name, terms := range map[string]provider.Terms{
		"accept timeout":  {AcceptTimeout: 4 * time.Second},
		"interval":        {NoteInterval: 25 * time.Hour},
		"payment timeout": {PaymentTimeout: time.Millisecond},
	} {
		if _, err := provider.DefaultTerms(terms); golem.KindOf(err) != golem.ErrInvalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzRules(f *testing.F) {
	f.Add(`{"golem.com.payment.chosen-platform":"local-devnet-dglm","golem.srv.comp.expiration":1999999999000}`)
	f.Add(`{"golem.srv.comp.expiration":1e308,"golem.com.pricing.model.linear.coeffs":[1,2,3]}`)
	f.Add(`{"golem":{"com":{"payment":{"chosen-platform":"a-b-c","debit-notes":{"accept-timeout?":5}}}}}`)
	terms := newTerms(f)
	offer := parse(f, ruleOffer(), nil)
	f.Fuzz(func(t *testing.T, text string) {
		demand, err := property.ParseSet(text)
		if err != nil {
			return
		}
		v := terms.Judge(provider.Case{Demand: demand, Offer: offer, Now: ruleNow})
		for name, value := range v.Change {
			if value != nil && !json.Valid(value) {
				t.Errorf("%s is to become %s", name, value)
			}
		}
	})
}
