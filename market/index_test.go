package market

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
)

func party(t testing.TB, properties, constraints string) property.Party {
	t.Helper()
	p, err := property.ParseParty(properties, constraints)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// put adds an Offer or a Demand to the board.
func put(t testing.TB, b *board, isOffer bool, properties, constraints string, expires time.Time) *entry {
	t.Helper()
	p := party(t, properties, constraints)
	if isOffer {
		return b.addOffer(&Listing{Offer: golem.NewOffer(golem.NodeID{1}, properties, constraints, epoch, expires)}, p)
	}
	d := golem.NewDemand(golem.NodeID{2}, properties, constraints, epoch, expires)
	return b.addDemand(&d, p)
}

// TestIndex compares what the index finds with what looking at everything finds,
// on random Offers and Demands that come and go.
func TestIndex(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 7))
		b := newBoard()
		all := map[bool][]*entry{}
		late := epoch.Add(time.Hour)
		for range 300 {
			isOffer := r.IntN(2) == 0
			expires := late
			if r.IntN(3) == 0 {
				expires = epoch.Add(time.Minute)
			}
			e := put(t, b, isOffer, randomProperties(r), randomConstraints(r, 2), expires)
			found := map[*entry]bool{}
			before := int64(0)
			for _, c := range b.counterparts(e) {
				if found[c] || c.seq >= e.seq || c.seq <= before {
					t.Fatal("candidates are not unique, earlier and in order")
				}
				found[c], before = true, c.seq
			}
			for _, c := range all[!isOffer] {
				demand, offer := c, e
				if !isOffer {
					demand, offer = e, c
				}
				if !c.gone && property.Match(demand.party, offer.party) == property.Yes && !found[c] {
					t.Fatalf("%s %s and %s %s match and were not found", c.sub.Properties, c.sub.Constraints, e.sub.Properties, e.sub.Constraints)
				}
				if c.gone && found[c] {
					t.Fatal("found what is gone")
				}
			}
			all[isOffer] = append(all[isOffer], e)
			if r.IntN(100) == 0 {
				b.expire(epoch.Add(2 * time.Minute))
			}
		}
	}
}

func randomProperties(r *rand.Rand) string {
	var ps []string
	for _, name := range []string{"a", "b", "c"} {
		switch r.IntN(4) {
		case 0:
			ps = append(ps, fmt.Sprintf(`"%s":"%d"`, name, r.IntN(3)))
		case 1:
			ps = append(ps, fmt.Sprintf(`"%s":["%d","%d"]`, name, r.IntN(3), r.IntN(3)))
		case 2:
			ps = append(ps, fmt.Sprintf(`"%s":%d`, name, r.IntN(3)))
		}
	}
	return "{" + strings.Join(ps, ",") + "}"
}

func randomConstraints(r *rand.Rand, depth int) string {
	switch n := r.IntN(6); {
	case n == 0 || depth == 0 && n > 3:
		return "()"
	case n < 4:
		return fmt.Sprintf("(%c%s%s)", 'a'+rune(r.IntN(3)), []string{"=", "=", ">="}[r.IntN(3)], []string{"0", "1", "2", "1*", "[0,1]", "x"}[r.IntN(6)])
	default:
		return fmt.Sprintf("(%c%s%s)", "&|"[r.IntN(2)], randomConstraints(r, depth-1), randomConstraints(r, depth-1))
	}
}

// TestBoardForgets wants what is withdrawn or expired to be known for as long as
// it could come back, and no longer.
func TestBoardForgets(t *testing.T) {
	b := newBoard()
	e := put(t, b, true, `{"a":"x"}`, "()", epoch.Add(time.Hour))
	b.withdrawOffer(e.sub.ID, "proof")
	if _, err := b.offer(e.sub.ID, epoch); err == nil || !b.knows(e.sub.ID) {
		t.Error("a withdrawn offer is on the market, or unknown")
	}
	if b.addOffer(e.listing, e.party) != nil {
		t.Error("a withdrawn offer came back")
	}
	if n, total, size := b.room(publisherOf(e.listing)); n != 0 || total != 0 || size != 0 {
		t.Errorf("a withdrawn offer takes room: %d, %d, %d", n, total, size)
	}
	b.expire(epoch.Add(2 * time.Hour))
	if b.knows(e.sub.ID) || len(b.withdrawals(epoch)) != 0 {
		t.Error("an expired offer is remembered")
	}
	for range 1000 {
		e := put(t, b, true, `{"a":"x"}`, "()", epoch.Add(time.Hour))
		b.withdrawOffer(e.sub.ID, "")
	}
	if len(b.offers.order) > 200 {
		t.Errorf("%d entries are kept", len(b.offers.order))
	}
}

const (
	benchOffer = `{"golem.com.payment.debit-notes.accept-timeout?":240,"golem.com.payment.platform.erc20-polygon-glm.address":"0x%040d",` +
		`"golem.com.payment.protocol.version":3,"golem.com.pricing.model":"linear","golem.com.pricing.model.linear.coeffs":[0.0,0.1,0.0],` +
		`"golem.com.scheme":"payu","golem.com.usage.vector":["golem.usage.duration_sec","golem.usage.cpu_sec"],` +
		`"golem.inf.cpu.architecture":"x86_64","golem.inf.cpu.cores":%d,"golem.inf.cpu.threads":8,"golem.inf.mem.gib":%d.5,"golem.inf.storage.gib":100.0,` +
		`"golem.node.debug.subnet":"public","golem.node.id.name":"node-%d","golem.runtime.name":"%s","golem.runtime.version":"0.3.0","golem.srv.caps.multi-activity":true}`
	benchOfferConstraints  = `(&(golem.srv.comp.expiration>1653219330118)(golem.node.debug.subnet=public))`
	benchDemand            = `{"golem.node.debug.subnet":"public","golem.srv.caps.multi-activity":true,"golem.srv.comp.expiration":%d,"golem.srv.comp.task_package":"hash:sha3:%d"}`
	benchDemandConstraints = `(&(golem.com.pricing.model=linear)(golem.node.debug.subnet=public)(golem.runtime.name=%s)(golem.inf.mem.gib>=%d)(golem.inf.storage.gib>=2)(golem.inf.cpu.cores>=%d))`
)

var runtimes = []string{"vm", "wasmtime", "outbound-gateway", "vm-nvidia", "automatic"}

func benchOfferText(i int) (string, string) {
	return fmt.Sprintf(benchOffer, i, i%16, i%32, i, runtimes[i%5]), benchOfferConstraints
}

func benchDemandText(i int) (string, string) {
	return fmt.Sprintf(benchDemand, 1_900_000_000_000+i, i), fmt.Sprintf(benchDemandConstraints, runtimes[i%5], 1+i%64, 1+i%20)
}

// BenchmarkMatchNewOffer holds one Offer against 10,000 Demands.
func BenchmarkMatchNewOffer(b *testing.B) { benchmarkMatch(b, false, benchDemandText, benchOfferText) }

// BenchmarkMatchNewDemand holds one Demand against 10,000 Offers.
func BenchmarkMatchNewDemand(b *testing.B) { benchmarkMatch(b, true, benchOfferText, benchDemandText) }

func benchmarkMatch(b *testing.B, offers bool, there, comes func(i int) (string, string)) {
	s := &Service{board: newBoard(), trace: &Trace{}}
	expires := epoch.Add(time.Hour)
	for i := range 10_000 {
		properties, constraints := there(i)
		put(b, s.board, offers, properties, constraints, expires)
	}
	matches, i := 0, 0
	for b.Loop() {
		properties, constraints := comes(i)
		e := put(b, s.board, !offers, properties, constraints, expires)
		e.sub.Node = golem.NodeID{byte(i), 3}
		for _, other := range s.board.counterparts(e) {
			offer, demand := e, other
			if offers {
				offer, demand = other, e
			}
			if s.fits(offer, demand, epoch) {
				matches++
			}
		}
		i++
	}
	b.ReportMetric(float64(matches)/float64(i), "matches/op")
}
