package property

import (
	"fmt"
	"strings"
	"testing"
)

// offerText is an Offer as the provider agent publishes it: 22 properties.
const offerText = `{"golem.activity.caps.transfer.protocol":["http","https","gftp"],"golem.com.payment.debit-notes.accept-timeout?":240,"golem.com.payment.platform.erc20-polygon-glm.address":"0x2f7681bfd7c4f0bf59ad1907d754f93b63492b4e","golem.com.payment.protocol.version":3,"golem.com.pricing.model":"linear","golem.com.pricing.model.linear.coeffs":[0.0000069,0.0000014,0.0],"golem.com.scheme":"payu","golem.com.scheme.payu.debit-note.interval-sec?":120,"golem.com.scheme.payu.payment-timeout-sec?":120,"golem.com.usage.vector":["golem.usage.cpu_sec","golem.usage.duration_sec"],"golem.inf.cpu.architecture":"x86_64","golem.inf.cpu.brand":"Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz","golem.inf.cpu.cores":4,"golem.inf.cpu.threads":7,"golem.inf.mem.gib":10.9,"golem.inf.storage.gib":80.1,"golem.node.debug.subnet":"public","golem.node.id.name":"friendly-winter","golem.runtime.capabilities":["inet","vpn","manifest-support","start-entrypoint"],"golem.runtime.name":"vm","golem.runtime.version":"0.5.2","golem.srv.caps.multi-activity":true}`

const offerConstraint = "(&\n  (golem.srv.comp.expiration>1700000000000)\n  (golem.node.debug.subnet=public)\n)"

// demandText is a Demand as an SDK publishes it.
const demandText = `{"golem.com.payment.debit-notes.accept-timeout?":120,"golem.com.payment.platform.erc20-polygon-glm.address":"0xaa","golem.com.payment.protocol.version":"3","golem.com.scheme.payu.debit-note.interval-sec?":120,"golem.com.scheme.payu.payment-timeout-sec?":43200,"golem.node.debug.subnet":"public","golem.srv.caps.multi-activity":true,"golem.srv.comp.expiration":1999999999000,"golem.srv.comp.task_package":"hash:sha3:9a3b5d67b0b27746283cb5f287c13eab1beaa12d92a9f536b747c7ae:http://example.com/x.gvmi","golem.srv.comp.vm.package_format":"gvmkit-squash"}`

const demandConstraint = "(&(golem.com.pricing.model=linear)\n\t(golem.node.debug.subnet=public)\n\t(golem.runtime.name=vm)\n\t(golem.inf.mem.gib>=0.5)\n\t(golem.inf.storage.gib>=2)\n\t(golem.inf.cpu.cores>=1)\n\t(golem.inf.cpu.threads>=1)\n\t(golem.com.payment.platform.erc20-polygon-glm.address=*))"

func parties(tb testing.TB) (demand, offer Party) {
	tb.Helper()
	demand, err := ParseParty(demandText, demandConstraint)
	if err != nil {
		tb.Fatal(err)
	}
	if offer, err = ParseParty(offerText, offerConstraint); err != nil {
		tb.Fatal(err)
	}
	return demand, offer
}

// BenchmarkMatch matches one pair in full: every clause of both sides holds.
func BenchmarkMatch(b *testing.B) {
	demand, offer := parties(b)
	b.ReportAllocs()
	for b.Loop() {
		if Match(demand, offer) != Yes {
			b.Fatal(Explain(demand, offer))
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
}

// BenchmarkMatchMany matches one Demand against 10000 Offers of different
// memory and name, more than a processor's caches hold.
func BenchmarkMatchMany(b *testing.B) {
	demand, _ := parties(b)
	offers := make([]Party, 10_000)
	for i := range offers {
		text := strings.NewReplacer("10.9", fmt.Sprintf("%d.0", i%64), `"vm"`, []string{`"vm"`, `"wasmtime"`}[i%2]).Replace(offerText)
		var err error
		if offers[i], err = ParseParty(text, offerConstraint); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	i, matches := 0, 0
	for b.Loop() {
		if Match(demand, offers[i]) == Yes {
			matches++
		}
		if i++; i == len(offers) {
			i = 0
		}
	}
	if b.N > len(offers) && matches == 0 {
		b.Fatal("nothing matched")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
}

// BenchmarkMatchSuffixes measures what is parsed while matching, and wildcards.
func BenchmarkMatchSuffixes(b *testing.B) {
	demand, offer := parties(b)
	c, err := ParseConstraint("(&(golem.runtime.version$v>=0.5.0)(golem.runtime.capabilities=vpn)(golem.inf.cpu.brand=Intel*CPU*)(golem.node.id.name=friendly-*))")
	if err != nil {
		b.Fatal(err)
	}
	demand.Constraints = c
	b.ReportAllocs()
	for b.Loop() {
		if Match(demand, offer) != Yes {
			b.Fatal(Explain(demand, offer))
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
}

func BenchmarkParseConstraint(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(demandConstraint)))
	for b.Loop() {
		if _, err := ParseConstraint(demandConstraint); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseSet(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(offerText)))
	for b.Loop() {
		if _, err := ParseSet(offerText); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFlatten(b *testing.B) {
	nested, err := Expand(offerText)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(nested)))
	for b.Loop() {
		if _, err := Flatten(nested); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	demand, offer := parties(b)
	b.ReportAllocs()
	for b.Loop() {
		if demand.Constraints.Resolve(offer.Properties).Verdict != Yes {
			b.Fatal("no match")
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	demand, offer := parties(b)
	b.ReportAllocs()
	for b.Loop() {
		if Explain(demand, offer).Verdict != Yes {
			b.Fatal("no match")
		}
	}
}
