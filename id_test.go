package golem_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
)

func node(t testing.TB, s string) golem.NodeID {
	t.Helper()
	id, err := golem.ParseNodeID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestParseNodeID(t *testing.T) {
	const lower = "0xbabe00000000000000000000000000000000c0de"
	for _, s := range []string{lower, "0x" + strings.ToUpper(lower[2:]), "0xBaBe00000000000000000000000000000000C0dE"} {
		if id := node(t, s); id.String() != lower || id.IsZero() {
			t.Errorf("%s is %s", s, id)
		}
		if a, err := golem.ParseAddress(s); err != nil || a.String() != lower || a != node(t, s).Address() {
			t.Errorf("%s is %s, %v", s, a, err)
		}
	}
	for _, s := range []string{"", "0x", lower[2:], lower + "00", lower[:41], "0X" + lower[2:], "0x" + strings.Repeat("g", 40), " " + lower[:41], "0x0x" + lower[4:], strings.Repeat("é", 21)} {
		_, err := golem.ParseNodeID(s)
		wantKind(t, err, golem.ErrInvalid)
		_, err = golem.ParseAddress(s)
		wantKind(t, err, golem.ErrInvalid)
	}
	if !(golem.NodeID{}).IsZero() || !(golem.Address{}).IsZero() {
		t.Error("the zero id is not zero")
	}
}

// TestSubscriptionVector is the verified example of spec market.md §6.1, whose
// times lack the seconds.
func TestSubscriptionVector(t *testing.T) {
	s := golem.Subscription{
		Properties: "{}", Constraints: "()", Node: node(t, "0xbabe000000000000000000000000000000000000"),
		Created: time.Unix(61, 0), Expires: time.Unix(15*3600+61, 0),
	}
	const want = "85fdde1924371f4a3a412748f61e5b941c500ea69a55a5135b886a2bffcb8e55"
	if got := s.ContentHash(); got != want {
		t.Errorf("hash is %s, want %s", got, want)
	}
	s.ID = golem.SubscriptionID(strings.Repeat("0", 32) + "-" + want)
	if !s.Authentic() {
		t.Error("not authentic")
	}
	s.Created = s.Created.In(time.FixedZone("elsewhere", 3600))
	if !s.Authentic() {
		t.Error("not authentic in another time zone")
	}
	for name, forge := range map[string]func(*golem.Subscription){
		"properties":  func(s *golem.Subscription) { s.Properties = "{ }" },
		"constraints": func(s *golem.Subscription) { s.Constraints = "" },
		"node":        func(s *golem.Subscription) { s.Node[19]++ },
		"created":     func(s *golem.Subscription) { s.Created = s.Created.Add(time.Nanosecond) },
		"expires":     func(s *golem.Subscription) { s.Expires = s.Expires.Add(time.Minute) },
		"id":          func(s *golem.Subscription) { s.ID = "x" },
	} {
		forged := s
		forge(&forged)
		if forged.Authentic() {
			t.Errorf("with other %s it is still authentic", name)
		}
	}
}

func TestNewSubscriptions(t *testing.T) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.FixedZone("x", 7200))
	me := golem.NodeID{1}
	o := golem.NewOffer(me, `{"a":1}`, "()", created, created.Add(time.Hour))
	d := golem.NewDemand(me, `{"a":1}`, "()", created, created.Add(time.Hour))
	for _, s := range []golem.Subscription{o.Subscription, d.Subscription} {
		if id, err := golem.ParseSubscriptionID(string(s.ID)); err != nil || id != s.ID || !s.Authentic() {
			t.Errorf("id %s: %v", s.ID, err)
		}
		if s.Created.Location() != time.UTC || !s.Created.Equal(created) {
			t.Errorf("created %s", s.Created)
		}
		if s.Expired(created.Add(time.Hour)) || !s.Expired(created.Add(time.Hour+1)) {
			t.Error("expires at the wrong moment")
		}
	}
	if o.ID == d.ID || o.ID.Hash() != d.ID.Hash() {
		t.Errorf("ids %s and %s: want the same content under different names", o.ID, d.ID)
	}
	if o.Digest() == d.Digest() {
		t.Error("one signature would be good for both")
	}
}

func TestParseIDs(t *testing.T) {
	hex64, hex32 := strings.Repeat("0a", 32), strings.Repeat("B1", 16)
	parse := map[string]func(string) error{
		"subscription": func(s string) error { _, err := golem.ParseSubscriptionID(s); return err },
		"proposal":     func(s string) error { _, err := golem.ParseProposalID(s); return err },
		"agreement":    func(s string) error { _, err := golem.ParseAgreementID(s); return err },
	}
	good := map[string][]string{
		"subscription": {hex32 + "-" + hex64},
		"proposal":     {"R-" + hex64, "P-" + hex64},
		"agreement":    {hex64, "R-" + hex64, "P-" + hex64},
	}
	bad := map[string][]string{
		"subscription": {"", "-", hex32 + hex64, hex64 + "-" + hex32, hex32 + "-" + hex64 + "-", hex32 + "--" + hex64[1:], hex32[1:] + "g-" + hex64},
		"proposal":     {"", "R-", "R-" + hex64[1:], "X-" + hex64, "r-" + hex64, "R-" + hex64 + "0", "R-" + hex64[1:] + "g", "R" + hex64 + "0"},
		"agreement":    {"", hex64[1:], hex64 + "0", "X-" + hex64, "R-R-" + hex64[2:], hex64[1:] + " "},
	}
	for kind, f := range parse {
		for _, s := range good[kind] {
			if err := f(s); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
		for _, s := range bad[kind] {
			if err := f(s); golem.KindOf(err) != golem.ErrInvalid {
				t.Errorf("%s id %q: got %v, want ErrInvalid", kind, s, err)
			}
		}
	}
	if id, err := golem.ParseAgreementID("P-" + hex64); err != nil || string(id) != hex64 {
		t.Errorf("agreement id %s, %v: want it without letter", id, err)
	}
}

// TestNegotiationIDs checks how both copies of a Proposal, and an Agreement, are
// related.
func TestNegotiationIDs(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	r, p := golem.NewProposalID(golem.Requestor, "o", "d", at), golem.NewProposalID(golem.Provider, "o", "d", at)
	if r.For(golem.Provider) != p || p.For(golem.Requestor) != r || r.Hash() != p.Hash() {
		t.Errorf("copies %s and %s are not related", r, p)
	}
	a := golem.NewAgreementID("o", "d", at)
	if a.For(golem.Requestor) != r || string(a) != r.Hash() {
		t.Errorf("agreement %s, proposal %s", a, r)
	}
	if golem.NewProposalID(golem.Requestor, "o", "d", at.Add(1)) == r || golem.NewProposalID(golem.Requestor, "d", "o", at) == r {
		t.Error("other facts, same id")
	}
	if got := golem.ProposalID("x"); got.For(golem.Provider) != "x" || got.Hash() != "" {
		t.Error("a malformed id does not survive")
	}
	if golem.Requestor.Other() != golem.Provider || golem.Provider.Other() != golem.Requestor {
		t.Error("roles are not opposite")
	}
}

func TestFreshIDs(t *testing.T) {
	fresh := map[string]struct {
		id   func() string
		form string
	}{
		"activity":    {func() string { return string(golem.NewActivityID()) }, "32"},
		"batch":       {func() string { return string(golem.NewBatchID()) }, "32"},
		"payment":     {func() string { return string(golem.NewPaymentID()) }, "32"},
		"negotiation": {func() string { return string(golem.NewNegotiationID()) }, "32"},
		"allocation":  {func() string { return string(golem.NewAllocationID()) }, "8-4-4-4-12"},
		"debit note":  {func() string { return string(golem.NewDebitNoteID()) }, "8-4-4-4-12"},
		"invoice":     {func() string { return string(golem.NewInvoiceID()) }, "8-4-4-4-12"},
	}
	for name, tt := range fresh {
		seen := map[string]bool{}
		for range 100 {
			id := tt.id()
			parts := strings.Split(id, "-")
			for i, p := range parts {
				if strings.Trim(p, "0123456789abcdef") != "" {
					t.Fatalf("%s id %q is not hex", name, id)
				}
				parts[i] = fmt.Sprint(len(p))
			}
			if form := strings.Join(parts, "-"); form != tt.form || seen[id] {
				t.Fatalf("%s id %q: form %s, seen %v", name, id, form, seen[id])
			}
			if tt.form != "32" && (id[14] != '4' || !strings.Contains("89ab", id[19:20])) {
				t.Fatalf("%s id %q is no random UUID", name, id)
			}
			seen[id] = true
		}
	}
}

func TestSignatureText(t *testing.T) {
	var s golem.Signature
	for i := range s {
		s[i] = byte(i)
	}
	if back, err := golem.ParseSignature(s.String()); err != nil || back != s || s.IsZero() {
		t.Errorf("%s comes back as %s, %v", s, back, err)
	}
	for _, text := range []string{"", "0x", s.String()[2:], s.String() + "00", "0x" + strings.Repeat("g", 130), "NoSignature"} {
		_, err := golem.ParseSignature(text)
		wantKind(t, err, golem.ErrInvalid)
	}
}

// TestAgreementDigest checks that a signature is good for one step of one
// Agreement only.
func TestAgreementDigest(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	base := golem.Agreement{
		ID:    "a",
		Offer: golem.NewOffer(golem.NodeID{1}, "{}", "()", at, at), Demand: golem.NewDemand(golem.NodeID{2}, "{}", "()", at, at),
		Created: at, ValidTo: at.Add(time.Hour), Approved: at.Add(time.Minute),
	}
	changes := map[string]func(*golem.Agreement){
		"nothing":     func(*golem.Agreement) {},
		"id":          func(a *golem.Agreement) { a.ID = "b" },
		"offer":       func(a *golem.Agreement) { a.Offer.ID = "x" },
		"provider":    func(a *golem.Agreement) { a.Offer.Node[0]++ },
		"requestor":   func(a *golem.Agreement) { a.Demand.Node[0]++ },
		"properties":  func(a *golem.Agreement) { a.Demand.Properties = "{ }" },
		"constraints": func(a *golem.Agreement) { a.Offer.Constraints = "" },
		"created":     func(a *golem.Agreement) { a.Created = at.Add(1) },
		"valid to":    func(a *golem.Agreement) { a.ValidTo = at },
		"approved":    func(a *golem.Agreement) { a.Approved = at },
		"moved text": func(a *golem.Agreement) {
			a.Offer.Properties, a.Offer.Constraints = "{}(", ")"
		},
	}
	seen := map[[32]byte]string{}
	for name, change := range changes {
		a := base
		change(&a)
		for _, step := range []golem.SignedStep{golem.StepProposed, golem.StepApproved, golem.StepCommitted} {
			d := a.Digest(step)
			this := name + " " + string(step)
			if name == "approved" && step == golem.StepProposed {
				if d != base.Digest(step) {
					t.Error("what is proposed depends on when it is approved")
				}
				continue
			}
			if other, taken := seen[d]; taken {
				t.Errorf("%q and %q have the same digest", this, other)
			}
			seen[d] = this
		}
	}
	a := base
	a.State, a.Session, a.Created = golem.AgreementApproved, "s", at.In(time.FixedZone("x", 3600))
	if a.Digest(golem.StepApproved) != base.Digest(golem.StepApproved) {
		t.Error("the digest depends on what only one party knows")
	}
}

func TestAgreementParties(t *testing.T) {
	at := time.Unix(0, 0)
	provider, requestor := golem.NodeID{1}, golem.NodeID{2}
	a := golem.Agreement{Offer: golem.NewOffer(provider, "{}", "", at, at), Demand: golem.NewDemand(requestor, "{}", "", at, at)}
	for role, id := range map[golem.Role]golem.NodeID{golem.Provider: provider, golem.Requestor: requestor} {
		if got, err := a.RoleOf(id); err != nil || got != role || a.Party(role) != id {
			t.Errorf("%s is %s, %v", id, got, err)
		}
	}
	_, err := a.RoleOf(golem.NodeID{3})
	wantKind(t, err, golem.ErrNotFound)
}
