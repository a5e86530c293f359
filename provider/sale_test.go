package provider_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
	"github.com/golem-go/golem/provider"
	"github.com/golem-go/golem/rest/client"
)

// runtimes returns what the Offers of the node are about, sorted.
func (n *node) runtimes() (names []string) {
	n.w.t.Helper()
	offers, err := n.client.Offers(n.w.t.Context())
	if err != nil {
		n.w.t.Fatal(err)
	}
	for _, o := range offers {
		s, err := property.ParseSet(o.Properties)
		if err != nil {
			n.w.t.Fatal(err)
		}
		name, _ := s.String("golem.runtime.name")
		coeffs, _ := s.Raw(coefficients)
		names = append(names, name+" "+coeffs)
	}
	slices.Sort(names)
	return names
}

// TestFull checks that who comes while everything is in use is served later.
func TestFull(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r, s := w.node("p"), w.node("r"), w.node("s")
		a := p.agent(nil)
		defer a.stop()
		b, c := r.buyer(nil), s.buyer(nil)
		id := b.agree()
		c.counter(c.proposal())
		e := c.next()
		if e == nil || e.Type != client.ProposalRejectedEvent || e.Reason.IsFinal() || !strings.Contains(e.Reason.Message, "Reached Agreements limit: 1") {
			t.Fatalf("got %+v, want a rejection that is not final", e)
		}
		time.Sleep(10 * time.Second)
		b.terminate(id)
		again := c.proposal() // in answer to what was rejected
		if again.State != golem.ProposalDraft {
			t.Errorf("got %+v, want a counter-proposal", again)
		}
		other := c.propose(again)
		c.must(s.client.WaitForApproval(t.Context(), other, time.Minute))
		c.terminate(other)
	})
}

// TestFullMeanwhile checks that of two who have negotiated only one gets what
// there is.
func TestFullMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r, s := w.node("p"), w.node("r"), w.node("s")
		a := p.agent(nil)
		defer a.stop()
		b, c := r.buyer(nil), s.buyer(nil)
		b.counter(b.proposal())
		c.counter(c.proposal())
		first, second := b.propose(b.proposal()), c.propose(c.proposal())
		b.must(r.client.WaitForApproval(t.Context(), first, time.Minute))
		if err := s.client.WaitForApproval(t.Context(), second, time.Minute); golem.KindOf(err) != golem.ErrExpired {
			t.Errorf("the second is told %v", err)
		}
		if got := s.state(second); got != golem.AgreementRejected {
			t.Errorf("the second agreement is %s", got)
		}
	})
}

// TestUnfinishedNegotiation checks that no Agreement is made of what was not
// agreed on.
func TestUnfinishedNegotiation(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p, r := w.node("p"), w.node("r")
		a := p.agent(nil)
		defer a.stop()
		b := r.buyer(nil)
		b.counter(b.proposal())
		first := b.proposal()
		b.properties[noteInterval] = "300"
		b.counter(first)
		b.properties[noteInterval] = "120"
		second := b.proposal()
		if s, err := property.ParseSet(string(second.Properties)); err != nil || raw(s, noteInterval) != "300" || raw(s, acceptTimeout) != "120" {
			t.Errorf("the second counter-proposal is %s, %v", second.Properties, err)
		}
		id := b.propose(second)
		b.must(r.client.WaitForApproval(t.Context(), id, time.Minute))
		b.terminate(id)
	})
}

func raw(s *property.Set, name string) string {
	text, _ := s.Raw(name)
	return text
}

// TestRejections checks what Requestors are told.
func TestRejections(t *testing.T) {
	tests := map[string]struct {
		demand  props
		message string
		final   bool
	}{
		"no platform": {props{platform: ""}, "Missing fields", false},
		"too cheap":   {props{coefficients: "[0.0,0.0,0.0]"}, "Price 0 is too low", true},
		"manifest":    {props{"golem.srv.comp.payload": `"e30="`}, "Payload manifests", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				p, r := w.node("p"), w.node("r")
				a := p.agent(nil)
				defer a.stop()
				b := r.buyer(tt.demand)
				b.counter(b.proposal())
				e := b.next()
				if e == nil || e.Type != client.ProposalRejectedEvent || e.Reason.IsFinal() != tt.final || !strings.Contains(e.Reason.Message, tt.message) {
					t.Errorf("got %+v", e)
				}
			})
		})
	}
}

// TestNotOversold lets many Requestors trade at a time, again and again.
func TestNotOversold(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p := w.node("p")
		a := p.agent(func(c *provider.Config) {
			c.Agreements = 3
			c.Hardware = provider.Hardware{Threads: 3, Cores: 3, Memory: 6, Storage: 30}
		})
		defer a.stop()
		var all sync.WaitGroup
		var mu sync.Mutex
		done := 0
		for i := range 6 {
			b := w.node(fmt.Sprint("r", i)).buyer(nil)
			all.Go(func() {
				for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
					id, ok := b.tryToAgree()
					if !ok {
						continue
					}
					act := b.create(id)
					time.Sleep(time.Duration(5+i) * time.Second)
					b.destroy(act)
					b.terminate(id)
					mu.Lock()
					done++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if a.units.most > 3 {
			t.Errorf("%d ran at a time", a.units.most)
		}
		if a.units.most < 2 || done < 12 {
			t.Errorf("%d agreements, %d at a time: not much of a test", done, a.units.most)
		}
		time.Sleep(time.Minute)
		if got := a.log.count("cleanup finished."); got != done {
			t.Errorf("%d agreements of %d were finished", got, done)
		}
	})
}

// tryToAgree negotiates until there is an Agreement, or the Provider is quiet for
// a minute, or refuses.
func (b *buyer) tryToAgree() (golem.AgreementID, bool) {
	e := b.next()
	if e == nil || e.Type != client.ProposalEvent {
		return "", false
	}
	if e.Proposal.State == golem.ProposalInitial {
		_, err := b.n.client.Counter(b.t.Context(), golem.Requestor, b.demand, e.Proposal.ID, b.publication())
		if err != nil {
			b.t.Errorf("counter: %v", err)
		}
		return "", false
	}
	id := b.propose(e.Proposal)
	return id, b.n.client.WaitForApproval(b.t.Context(), id, time.Minute) == nil
}

// TestOffersStay checks that there is always an Offer, and withdrawn in the end.
func TestOffersStay(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p := w.node("p")
		a := p.agent(nil)
		for range 40 {
			time.Sleep(5 * time.Minute)
			if n := len(p.runtimes()); n < 1 || n > 2 {
				t.Fatalf("%d offers are on the market", n)
			}
		}
		if n := a.log.count("Subscribed offer"); n != 4 {
			t.Errorf("published %d times in 200 minutes", n)
		}
		a.stop()
		if n := len(p.runtimes()); n != 0 {
			t.Errorf("%d offers are left", n)
		}
	})
}

// TestOfferIsPublishedAgain checks what happens when somebody takes it off the
// market.
func TestOfferIsPublishedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p := w.node("p")
		a := p.agent(nil)
		defer a.stop()
		for range 3 {
			offers, err := p.client.Offers(t.Context())
			if err != nil || len(offers) != 1 {
				t.Fatalf("offers %v, %v", offers, err)
			}
			if err := p.client.Withdraw(t.Context(), golem.Provider, offers[0].ID); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
		}
		if n := a.log.count("Subscribed offer"); n != 4 {
			t.Errorf("published %d times", n)
		}
	})
}

// TestPresetsChange checks that Offers follow the file.
func TestPresetsChange(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		dir := t.TempDir()
		path := filepath.Join(dir, provider.PresetsFile)
		write := func(ps ...provider.Preset) {
			t.Helper()
			if err := provider.WritePresets(path, provider.NewPresets(ps...)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		p := w.node("p")
		a := p.agent(func(c *provider.Config) {
			c.Dir, c.Session = dir, ""
			vm := wasm
			vm.Name = "vm"
			c.Runtimes = append(c.Runtimes, vm)
		})
		defer a.stop()
		want := func(names ...string) {
			t.Helper()
			if got := p.runtimes(); !slices.Equal(got, names) {
				t.Errorf("offered are %q, want %q", got, names)
			}
		}
		want("wasmtime [0.002,0.001,0.5]")
		one, two := cheap, cheap
		one.Start = 0.7 // which upstream takes for no change
		two.Name, two.ExeUnit = "other", "vm"
		write(one)
		want("wasmtime [0.002,0.001,0.7]")
		write(one, two)
		want("vm [0.002,0.001,0.5]", "wasmtime [0.002,0.001,0.7]")
		before := a.log.count("Subscribed offer")
		write(two, one)
		if after := a.log.count("Subscribed offer"); after != before {
			t.Errorf("published %d times for nothing", after-before)
		}
		write(two)
		want("vm [0.002,0.001,0.5]")
		write()
		want()
		write(one)
		want("wasmtime [0.002,0.001,0.7]")
	})
}

// TestRuntimeFails checks that a runtime that does not work holds up no other.
func TestRuntimeFails(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		p := w.node("p")
		a := p.agent(func(c *provider.Config) {
			vm, preset := wasm, cheap
			vm.Name, preset.Name, preset.ExeUnit = "vm", "vm", "vm"
			c.Runtimes = append([]provider.Descriptor{vm}, c.Runtimes...)
			c.Presets = append([]provider.Preset{preset}, c.Presets...)
			c.Launcher.(*units).broken = map[string]error{"vm": errors.New("no KVM")}
		})
		defer a.stop()
		if got := p.runtimes(); len(got) != 1 || !strings.HasPrefix(got[0], "wasmtime") {
			t.Errorf("offered are %q", got)
		}
		wantLog(t, a, "runtime does not work, it is not offered runtime=vm err=no KVM", "preset is for a runtime that is not there")
	})
}

// TestConfigRefused checks what New does not take.
func TestConfigRefused(t *testing.T) {
	some := client.New("http://node", "key", nil)
	tests := map[string]provider.Config{
		"no node":      {Launcher: newUnits(nil)},
		"no launcher":  {Node: some},
		"subnet":       {Node: some, Launcher: newUnits(nil), Subnet: "a)(b=c"},
		"negative":     {Node: some, Launcher: newUnits(nil), Agreements: -1},
		"memory":       {Node: some, Launcher: newUnits(nil), Hardware: provider.Hardware{Memory: -1}},
		"slice":        {Node: some, Launcher: newUnits(nil), Hardware: provider.Hardware{Threads: 2}, PerAgreement: provider.Hardware{Threads: 3}},
		"terms":        {Node: some, Launcher: newUnits(nil), Terms: provider.Terms{AcceptTimeout: time.Second}},
		"preset":       {Node: some, Launcher: newUnits(nil), Presets: []provider.Preset{{Name: "a", ExeUnit: "b", Model: "auction"}}},
		"runtime":      {Node: some, Launcher: newUnits(nil), Runtimes: []provider.Descriptor{{Name: "a"}}},
		"no directory": {Node: some, Launcher: newUnits(nil), Dir: "/nowhere/at/all"},
	}
	for name, cfg := range tests {
		if _, err := provider.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
