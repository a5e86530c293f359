package requestor

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
)

func properties(t testing.TB, text string) *property.Set {
	t.Helper()
	set, err := property.ParseSet(text)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestNegotiables(t *testing.T) {
	const (
		accept   = golem.PropAcceptTimeout
		interval = golem.PropNoteInterval
		payment  = golem.PropPaymentTimeout
	)
	tests := []struct {
		name   string
		offer  map[string]float64
		sent   map[string]float64 // by us, first
		answer map[string]float64
		again  map[string]float64 // sent then; nil: nothing more
		fails  bool
	}{
		{name: "upstream's provider",
			offer:  map[string]float64{accept: 240, interval: 120, payment: 120},
			sent:   map[string]float64{accept: 120, interval: 120, payment: 43200},
			answer: map[string]float64{accept: 120, interval: 120, payment: 43200}},
		{name: "one that knows nothing of it",
			offer: map[string]float64{}, sent: map[string]float64{}, answer: map[string]float64{}},
		{name: "one in a hurry",
			offer: map[string]float64{accept: 30}, sent: map[string]float64{accept: 30}, answer: map[string]float64{accept: 30}},
		{name: "one that wants other intervals",
			offer: map[string]float64{interval: 60}, sent: map[string]float64{interval: 120}, answer: map[string]float64{interval: 60},
			again: map[string]float64{interval: 60}},
		{name: "one that drops a term",
			offer: map[string]float64{payment: 600}, sent: map[string]float64{payment: 43200}, answer: map[string]float64{},
			again: map[string]float64{}},
		{name: "one that sends too many notes",
			offer: map[string]float64{interval: 1}, sent: map[string]float64{interval: 120}, answer: map[string]float64{interval: 1}, fails: true},
		{name: "one that gives no time",
			offer: map[string]float64{accept: 60}, sent: map[string]float64{accept: 60}, answer: map[string]float64{accept: 1}, fails: true},
		{name: "one that gives more time than we asked for",
			offer: map[string]float64{accept: 60}, sent: map[string]float64{accept: 60}, answer: map[string]float64{accept: 500}, fails: true},
	}
	asSet := func(t *testing.T, m map[string]float64) *property.Set {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return properties(t, string(b))
	}
	order := Order{Runtime: "vm"}
	demand, _ := order.demand(terms{platform: paidOn})
	sentBy := func(x *lead) map[string]float64 {
		got := map[string]float64{}
		props := x.counter(demand, paidOn)
		for _, name := range []string{accept, interval, payment} {
			if v, ok := props[name]; ok {
				got[name] = v.(float64)
			}
		}
		if props[golem.PropChosenPlatform] != paidOn.String() {
			t.Errorf("chosen platform %v", props[golem.PropChosenPlatform])
		}
		return got
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			x := &lead{Candidate: Candidate{Properties: asSet(t, test.offer)}}
			if diff := cmp.Diff(test.sent, sentBy(x)); diff != "" {
				t.Error(diff)
			}
			answer := asSet(t, test.answer)
			settled, err := x.agreesWith(answer)
			if (err != nil) != test.fails || err == nil && settled != (test.again == nil) {
				t.Fatalf("settled %v, %v", settled, err)
			}
			if test.again == nil {
				return
			}
			x.Properties = answer
			if diff := cmp.Diff(test.again, sentBy(x)); diff != "" {
				t.Error(diff)
			}
			if settled, err := x.agreesWith(answer); !settled || err != nil {
				t.Errorf("second round: settled %v, %v", settled, err)
			}
		})
	}
	if demand[accept] == nil || demand[golem.PropChosenPlatform] != nil {
		t.Error("countering has changed the demand")
	}
}

func TestWaveringProvider(t *testing.T) {
	x := &lead{Candidate: Candidate{Properties: properties(t, `{"`+golem.PropNoteInterval+`":60}`)}}
	for round := 1; ; round++ {
		x.counter(map[string]any{}, paidOn)
		x.Properties = properties(t, `{"`+golem.PropNoteInterval+`":`+string(rune('1'+round))+`0}`)
		settled, err := x.agreesWith(x.Properties)
		if settled || round > mostRounds {
			t.Fatalf("round %d: settled %v", round, settled)
		}
		if err != nil {
			if round != mostRounds {
				t.Errorf("given up in round %d: %v", round, err)
			}
			return
		}
	}
}

func TestCandidate(t *testing.T) {
	const fine = `"golem.com.pricing.model":"linear","golem.com.usage.vector":["golem.usage.duration_sec","golem.usage.cpu_sec"],"golem.com.pricing.model.linear.coeffs":[0.001,0.002,0.5],"golem.inf.cpu.threads":4`
	tests := []struct {
		name, properties string
		estimate         string // for 100 s
		kind             golem.Kind
	}{
		{"as it should be", `{` + fine + `}`, "1.4", ""},
		{"no threads stated", `{"golem.com.pricing.model":"linear","golem.com.usage.vector":["golem.usage.cpu_sec"],"golem.com.pricing.model.linear.coeffs":[0.01,0]}`, "1", ""},
		{"memory and storage", `{"golem.com.pricing.model":"linear","golem.inf.mem.gib":2,"golem.inf.storage.gib":3,"golem.com.usage.vector":["golem.usage.gib","golem.usage.storage_gib"],"golem.com.pricing.model.linear.coeffs":[0.1,0.2,0]}`, "0.8", ""},
		{"unknown counter for nothing", `{"golem.com.pricing.model":"linear","golem.com.usage.vector":["requests"],"golem.com.pricing.model.linear.coeffs":[0,0.25]}`, "0.25", ""},
		{"unknown counter with a price", `{"golem.com.pricing.model":"linear","golem.com.usage.vector":["requests"],"golem.com.pricing.model.linear.coeffs":[0.1,0]}`, "", golem.ErrInvalid},
		{"negative memory", `{"golem.com.pricing.model":"linear","golem.inf.mem.gib":-2,"golem.com.usage.vector":["golem.usage.gib"],"golem.com.pricing.model.linear.coeffs":[0.1,0]}`, "", golem.ErrInvalid},
		{"too few coefficients", `{"golem.com.pricing.model":"linear","golem.com.usage.vector":["golem.usage.cpu_sec"],"golem.com.pricing.model.linear.coeffs":[0.1]}`, "", golem.ErrInvalid},
		{"negative price", `{"golem.com.pricing.model":"linear","golem.com.usage.vector":["golem.usage.cpu_sec"],"golem.com.pricing.model.linear.coeffs":[-0.1,0]}`, "", golem.ErrInvalid},
		{"another model", `{"golem.com.pricing.model":"auction"}`, "", golem.ErrInvalid},
		{"no properties", `{}`, "", golem.ErrInvalid},
		{"no JSON", `[`, "", golem.ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := read(seller, json.RawMessage(test.properties))
			if err == nil {
				err = c.estimate(100 * time.Second)
			}
			if golem.KindOf(err) != test.kind {
				t.Fatalf("got %v", err)
			}
			if err == nil && c.Estimate != amount(t, test.estimate) {
				t.Errorf("estimate %s, want %s", c.Estimate, test.estimate)
			}
		})
	}
}
