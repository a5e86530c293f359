package provider

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
)

// Terms are what the Agent agrees to. Zero members stand for upstream's defaults,
// which the comments give (spec provider-agent.md §6.2).
type Terms struct {
	Required []string // properties a Demand must have; the chosen payment platform

	MinExpiration         time.Duration // from now on, 5 min
	MaxExpiration         time.Duration // 100 years
	MaxExpirationUnbilled time.Duration // where no debit notes are to be accepted, 30 min

	AcceptTimeout  time.Duration // in which debit notes are to be accepted, 4 min; at least 5 s
	NoteInterval   time.Duration // between debit notes, 2 min
	PaymentTimeout time.Duration // in which payable ones are to be paid, 2 min

	MinNoteInterval, MaxNoteInterval     time.Duration // 1 s, 24 h
	MinPaymentTimeout, MaxPaymentTimeout time.Duration // 1 s, 24 h

	// PaymentTimeoutFrom is the duration of Agreements from which on they must be
	// paid for while they last; 10 h.
	PaymentTimeoutFrom time.Duration
}

const leastAcceptTimeout = 5 * time.Second

// DefaultTerms returns terms with their defaults filled in, or ErrInvalid where
// they contradict each other.
func DefaultTerms(t Terms) (Terms, error) {
	t.setDefaults()
	return t, t.check()
}

func (t *Terms) setDefaults() {
	def := func(d *time.Duration, v time.Duration) { *d = cmp.Or(*d, v) }
	if t.Required == nil {
		t.Required = []string{golem.PropChosenPlatform}
	}
	def(&t.MinExpiration, 5*time.Minute)
	def(&t.MaxExpiration, 100*365*24*time.Hour)
	def(&t.MaxExpirationUnbilled, 30*time.Minute)
	def(&t.AcceptTimeout, 4*time.Minute)
	def(&t.NoteInterval, 2*time.Minute)
	def(&t.PaymentTimeout, 2*time.Minute)
	def(&t.MinNoteInterval, time.Second)
	def(&t.MaxNoteInterval, 24*time.Hour)
	def(&t.MinPaymentTimeout, time.Second)
	def(&t.MaxPaymentTimeout, 24*time.Hour)
	def(&t.PaymentTimeoutFrom, 10*time.Hour)
}

func (t *Terms) check() error {
	switch {
	case t.AcceptTimeout < leastAcceptTimeout:
		return golem.Errorf(golem.ErrInvalid, "accept timeout of debit notes is %v, it must be %v or more", t.AcceptTimeout, leastAcceptTimeout)
	case t.NoteInterval < t.MinNoteInterval || t.NoteInterval > t.MaxNoteInterval:
		return golem.Errorf(golem.ErrInvalid, "debit note interval %v is outside of %v to %v", t.NoteInterval, t.MinNoteInterval, t.MaxNoteInterval)
	case t.PaymentTimeout < t.MinPaymentTimeout || t.PaymentTimeout > t.MaxPaymentTimeout:
		return golem.Errorf(golem.ErrInvalid, "payment timeout %v is outside of %v to %v", t.PaymentTimeout, t.MinPaymentTimeout, t.MaxPaymentTimeout)
	}
	return nil
}

// Case is what is judged: a Demand, and our Offer as we stated it last.
type Case struct {
	Demand, Offer *property.Set
	Now           time.Time
	Capacity      error // nil where there is something free
}

// Verdict is what is to be answered. Without a Rejection and changes both sides
// agree; with changes the Offer is to be stated anew, with these properties.
type Verdict struct {
	Rejection *Rejection
	Change    map[string]json.RawMessage // JSON; nil removes the property
}

// Rejection is why a Demand is not met.
type Rejection struct {
	Reason string
	Final  bool // no later change of anything helps
	Full   bool // for want of capacity, which may change
}

// Judge applies the rules in their order. The first rejection ends it.
func (t *Terms) Judge(c Case) Verdict {
	v := Verdict{Change: map[string]json.RawMessage{}}
	for _, rule := range []func(*Terms, *Case, *Verdict) *Rejection{
		(*Terms).judgeFields, (*Terms).judgeManifest, (*Terms).judgeCapacity,
		(*Terms).judgeExpiration, (*Terms).judgeAcceptTimeout,
		(*Terms).judgeNoteInterval, (*Terms).judgePaymentTimeout, (*Terms).judgePrice,
	} {
		if r := rule(t, &c, &v); r != nil {
			return Verdict{Rejection: r}
		}
	}
	return v
}

func reject(format string, args ...any) *Rejection {
	return &Rejection{Reason: fmt.Sprintf(format, args...)}
}

func rejectFinally(format string, args ...any) *Rejection {
	return &Rejection{Reason: fmt.Sprintf(format, args...), Final: true}
}

// judgeFields wants what nothing can be agreed on without.
func (t *Terms) judgeFields(c *Case, _ *Verdict) *Rejection {
	var missing []string
	for _, name := range t.Required {
		if _, ok := c.Demand.Value(name); !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return reject("Missing fields: %s", strings.Join(missing, ", "))
	}
	if _, ok := c.Demand.Value(golem.PropChosenPlatform); !ok {
		return nil
	}
	chosen, _ := c.Demand.String(golem.PropChosenPlatform)
	platform, err := golem.ParsePlatform(chosen)
	if err != nil {
		return reject("Property %s: %v", golem.PropChosenPlatform, err)
	}
	if _, ok := c.Offer.Value(golem.PropPlatformAddress(platform)); !ok {
		return reject("Payment platform %s is not among those of the Offer", platform)
	}
	return nil
}

// judgeManifest refuses payload manifests: nobody here verifies their signatures,
// and a manifest may ask for access to the internet.
func (t *Terms) judgeManifest(c *Case, _ *Verdict) *Rejection {
	if _, ok := c.Demand.Value(propManifest); ok {
		return rejectFinally("Payload manifests are not supported by this Provider")
	}
	return nil
}

func (t *Terms) judgeCapacity(c *Case, _ *Verdict) *Rejection {
	if c.Capacity != nil {
		return &Rejection{Reason: c.Capacity.Error(), Full: true}
	}
	return nil
}

// expirationOf returns when a Demand's Agreement ends.
func expirationOf(demand *property.Set) (time.Time, error) {
	ms, ok := demand.Float(propExpiration)
	if !ok || !(ms >= 0 && ms < math.MaxInt64/1e6) {
		return time.Time{}, golem.Errorf(golem.ErrInvalid, "Property %s: want milliseconds since 1970", propExpiration)
	}
	return time.UnixMilli(int64(ms)).UTC(), nil
}

func (t *Terms) judgeExpiration(c *Case, _ *Verdict) *Rejection {
	expiration, err := expirationOf(c.Demand)
	if err != nil {
		return rejectFinally("%v", err)
	}
	longest := t.MaxExpiration
	if _, billed := c.Demand.Value(golem.PropAcceptTimeout); !billed {
		longest = t.MaxExpirationUnbilled
	}
	switch lasts := expiration.Sub(c.Now); {
	case lasts < t.MinExpiration:
		return rejectFinally("Agreement expires in %v, it must last %v at least", lasts.Round(time.Second), t.MinExpiration)
	case lasts > longest:
		return reject("Agreement expires in %v, it may last %v at most", lasts.Round(time.Second), longest)
	}
	return nil
}

// negotiable is a duration that both sides must have stated alike in the end. Each
// side that leaves it out does not support it.
type negotiable struct {
	name          string
	theirs, ours  time.Duration
	asked, stated bool // theirs, ours
}

// negotiable reads a property that is a duration in seconds.
func (c *Case) negotiable(name string) (n negotiable, r *Rejection) {
	n.name = name
	for _, side := range []struct {
		set *property.Set
		d   *time.Duration
		has *bool
	}{{c.Demand, &n.theirs, &n.asked}, {c.Offer, &n.ours, &n.stated}} {
		if _, *side.has = side.set.Value(name); !*side.has {
			continue
		}
		secs, ok := side.set.Float(name)
		if !ok || !(secs >= 0 && secs < math.MaxInt64/1e9) {
			return n, rejectFinally("Property %s: want a number of seconds", name)
		}
		*side.d = time.Duration(secs * float64(time.Second))
	}
	if n.asked && !n.stated {
		return n, reject("Property %s is not offered any more", name)
	}
	return n, nil
}

// settle states what the other side has, where that differs.
func (n *negotiable) settle(c *Case, v *Verdict) {
	switch {
	case !n.asked && n.stated:
		v.Change[n.name] = nil
	case n.asked && n.theirs != n.ours:
		raw, _ := c.Demand.Raw(n.name)
		v.Change[n.name] = json.RawMessage(raw)
	}
}

// within rejects what is outside of limits.
func (n *negotiable) within(least, most time.Duration) *Rejection {
	if n.asked && (n.theirs < least || n.theirs > most) {
		return rejectFinally("Property %s: %v is outside of %v to %v", n.name, n.theirs, least, most)
	}
	return nil
}

func (t *Terms) judgeAcceptTimeout(c *Case, v *Verdict) *Rejection {
	n, r := c.negotiable(golem.PropAcceptTimeout)
	switch {
	case r != nil:
		return r
	case n.asked && n.theirs > n.ours:
		return rejectFinally("Debit notes must be accepted within %v, the Demand wants %v", n.ours, n.theirs)
	case n.asked && n.theirs < leastAcceptTimeout:
		return rejectFinally("Debit notes cannot be accepted within %v, less than %v", n.theirs, leastAcceptTimeout)
	}
	n.settle(c, v)
	return nil
}

func (t *Terms) judgeNoteInterval(c *Case, v *Verdict) *Rejection {
	n, r := c.negotiable(golem.PropNoteInterval)
	if r == nil {
		r = n.within(t.MinNoteInterval, t.MaxNoteInterval)
	}
	if r == nil {
		n.settle(c, v)
	}
	return r
}

func (t *Terms) judgePaymentTimeout(c *Case, v *Verdict) *Rejection {
	n, r := c.negotiable(golem.PropPaymentTimeout)
	if r == nil {
		r = n.within(t.MinPaymentTimeout, t.MaxPaymentTimeout)
	}
	if r != nil {
		return r
	}
	expiration, err := expirationOf(c.Demand)
	if err != nil {
		return rejectFinally("%v", err)
	}
	if !n.asked && expiration.Sub(c.Now) >= t.PaymentTimeoutFrom {
		return rejectFinally("Agreement lasts %v or more, the threshold of enforcing mid-agreement payments, and the Demand has no %s", t.PaymentTimeoutFrom, n.name)
	}
	n.settle(c, v)
	return nil
}

// judgePrice lets a Requestor pay more, never less.
func (t *Terms) judgePrice(c *Case, v *Verdict) *Rejection {
	if _, ok := c.Demand.Value(golem.PropCoefficients); !ok {
		return nil
	}
	theirs, ok := c.Demand.Floats(golem.PropCoefficients)
	ours, _ := c.Offer.Floats(golem.PropCoefficients)
	if !ok || len(theirs) != len(ours) {
		return reject("invalid price vector: want %d numbers", len(ours))
	}
	if _, err := golem.ParseCoefficients(theirs, len(theirs)-1); err != nil {
		return rejectFinally("invalid price vector: %v", err)
	}
	for i := range ours {
		if theirs[i] < ours[i] {
			return rejectFinally("Price %v is too low, want %v at least", theirs[i], ours[i])
		}
	}
	if !slices.Equal(theirs, ours) {
		v.Change[golem.PropCoefficients] = decimals(theirs)
	}
	return nil
}
