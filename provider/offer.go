package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/exeunit"
	"github.com/golem-go/golem/rest/client"
)

// testedRuntime is one that works.
type testedRuntime struct {
	Descriptor
	template exeunit.Template
}

// product is what one preset offers.
type product struct {
	preset  Preset
	runtime *testedRuntime
	vector  []string // counters that have a price, sorted
	pricing golem.LinearPricing
}

// newProduct returns what a preset offers. It returns ErrInvalid where the preset
// has prices for what is not counted, or for nothing: both would be sold for less
// than its owner thinks.
func newProduct(p Preset, r *testedRuntime) (*product, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	counted, _ := r.template.Properties[golem.PropUsageVector].([]any)
	counts := map[string]bool{}
	for _, c := range counted {
		if name, ok := c.(string); ok {
			counts[name] = true
		}
	}
	for name, c := range r.counters() {
		counts[name] = counts[name] || c.Priced
	}
	prices := map[string]float64{}
	for name, price := range p.Prices {
		name = r.counter(name)
		if !counts[name] {
			return nil, golem.Errorf(golem.ErrInvalid, "preset %q: runtime %s does not count %s", p.Name, r.Name, name)
		}
		if _, twice := prices[name]; twice {
			return nil, golem.Errorf(golem.ErrInvalid, "preset %q has two prices for %s", p.Name, name)
		}
		prices[name] = price
	}
	if len(prices) == 0 {
		return nil, golem.Errorf(golem.ErrInvalid, "preset %q has no price for anything that runtime %s counts", p.Name, r.Name)
	}
	pr := &product{preset: p, runtime: r, pricing: golem.LinearPricing{Start: p.Start}}
	for name := range prices {
		pr.vector = append(pr.vector, name)
	}
	slices.Sort(pr.vector)
	for _, name := range pr.vector {
		pr.pricing.Prices = append(pr.pricing.Prices, prices[name])
	}
	return pr, nil
}

// circumstances are what Offers say that is not about a product.
type circumstances struct {
	name     string
	subnet   string
	public   bool
	slice    Hardware
	accounts []golem.Account
	terms    Terms
}

// offer returns the Offer of a product. The names are those of spec
// provider-agent.md §5; what the runtime says about itself wins.
func (pr *product) offer(c *circumstances, now time.Time) (client.Publication, error) {
	var p client.Publication
	if len(c.accounts) == 0 {
		return p, golem.Errorf(golem.ErrUnavailable, "the node has no account that can be paid to")
	}
	ps := properties{
		propMemory: decimal(c.slice.Memory), propStorage: decimal(c.slice.Storage),
		golem.PropCoefficients: decimals(pr.pricing.Coefficients()),
	}
	values := map[string]any{
		propNodeName: c.name, propSubnet: c.subnet, propIsPublic: c.public,
		propArchitecture: architecture(), propCores: c.slice.Cores, propThreads: c.slice.Threads,
		propMultiActivity: true,
		golem.PropScheme:  "payu", golem.PropPricingModel: linear,
		golem.PropProtocolVersion: 3,
		golem.PropAcceptTimeout:   seconds(c.terms.AcceptTimeout),
		golem.PropNoteInterval:    seconds(c.terms.NoteInterval),
		golem.PropPaymentTimeout:  seconds(c.terms.PaymentTimeout),
	}
	for _, a := range c.accounts {
		values[golem.PropPlatformAddress(a.Platform)] = a.Address
	}
	for name, v := range pr.runtime.template.Properties {
		if strings.HasPrefix(name, "golem.com.") || strings.HasPrefix(name, "golem.node.") {
			continue // about money and this node runtimes have nothing to say
		}
		values[name] = v
		delete(ps, name)
	}
	if caps, ok := values[propRuntimeCaps].([]any); ok {
		values[propRuntimeCaps] = slices.DeleteFunc(slices.Clone(caps), needsManifest)
	}
	for name, v := range pr.runtime.Properties {
		values["golem.runtime."+name] = v
	}
	values[propRuntimeName], values[propRuntimeVer] = pr.runtime.Name, pr.runtime.Version
	values[propManifestCap] = false // see the rule about manifests
	values[golem.PropUsageVector] = pr.vector
	for name, v := range values {
		if err := ps.set(name, v); err != nil {
			return p, err
		}
	}
	text, err := ps.text()
	p = client.Publication{Properties: text, Constraints: pr.constraints(c.subnet, now)}
	return p, err
}

// needsManifest reports whether a capability of a runtime is for Demands with a
// payload manifest, which are not met.
func needsManifest(capability any) bool {
	return capability == "manifest-support" || capability == "inet"
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// constraints returns what a Demand must meet.
func (pr *product) constraints(subnet string, now time.Time) string {
	cs := []string{
		fmt.Sprintf("(%s>%d)", propExpiration, now.UnixMilli()),
		fmt.Sprintf("(%s=%s)", propSubnet, subnet),
	}
	if own := strings.TrimSpace(pr.runtime.template.Constraints); own != "" && own != "()" {
		cs = append(cs, own)
	}
	return "(&" + strings.Join(cs, "") + ")"
}

// circumstances asks the node for what Offers have to say.
func (a *Agent) circumstances(ctx context.Context) (*circumstances, error) {
	accounts, err := a.node.ProviderAccounts(ctx)
	if err != nil {
		return nil, err
	}
	c := &circumstances{name: a.cfg.Name, subnet: a.cfg.Subnet, slice: a.slice, terms: a.cfg.Terms}
	for _, acc := range accounts {
		if acc.Receive && (len(a.cfg.Platforms) == 0 || slices.Contains(a.cfg.Platforms, acc.Platform)) {
			c.accounts = append(c.accounts, acc)
		}
	}
	status, err := a.node.NodeStatus(ctx)
	c.public = err == nil && status.Network.Public != "" // upstream's nodes do not tell
	return c, nil
}
