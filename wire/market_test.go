package wire_test

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/flexbuffers"
	"github.com/golem-go/golem/wire"
)

var updateMarket = flag.Bool("update-market", false, "rewrite testdata/market.golden")

// marketMessages are messages and errors of the market by name.
func marketMessages() map[string]any {
	node := golem.NodeID{0xba, 0xbe}
	at := time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC)
	sub := golem.SubscriptionID(strings.Repeat("a", 32) + "-" + strings.Repeat("b", 64))
	id := golem.ProposalID("R-" + strings.Repeat("c", 64))
	reason := golem.NewReason("no", golem.ReasonProviderCode, "Success")
	content := wire.ProposalContent{ID: id, Properties: `{"a":1.0}`, Constraints: "()", Created: at, Expires: at.Add(time.Hour)}
	text, iterator := "()", []byte{1, 2}
	state := golem.AgreementApproved
	refuse := func(why wire.Why) *wire.Refusal {
		return &wire.Refusal{Why: why, ID: string(id), State: golem.AgreementApproving, Node: node, Text: "text"}
	}
	ms := map[string]any{
		"OffersBcast":               wire.OfferIDs{IDs: []golem.SubscriptionID{sub}},
		"UnsubscribedOffersBcast":   wire.Withdrawals{IDs: []golem.SubscriptionID{sub}},
		"unsubscribed and signed":   wire.Withdrawals{IDs: []golem.SubscriptionID{sub}, Signatures: []string{"0x00"}},
		"Offer":                     wire.OfferBody{ID: sub, Properties: "{}", Constraints: "()", Node: node, Created: at, Expires: at},
		"Offer, signed":             wire.OfferBody{ID: sub, Properties: "{}", Constraints: "()", Node: node, Created: at, Expires: at, Signature: "0x00"},
		"QueryOffers":               wire.OfferQuery{Node: &node, Constraints: &text, Iterator: &iterator},
		"QueryOffers, first":        wire.OfferQuery{},
		"QueryOffersResponse":       wire.OfferPage{IDs: []golem.SubscriptionID{sub}, Iterator: &iterator},
		"InitialProposalReceived":   wire.InitialProposalReceived{Proposal: content, Offer: sub, Demand: sub},
		"ProposalReceived":          wire.ProposalReceived{Prev: id, Proposal: content},
		"ProposalRejected":          wire.ProposalRejected{Proposal: id, Reason: reason},
		"ProposalRejected, initial": wire.ProposalRejected{Proposal: id, Initial: true},
		"AgreementReceived":         wire.AgreementReceived{Proposal: id, Agreement: id, Created: at, ValidTo: at, Signature: golem.NoSignature},
		"AgreementApproved":         wire.AgreementApproved{Agreement: id, Signature: golem.NoSignature, At: at},
		"AgreementRejected":         wire.AgreementRejected{Agreement: id, Reason: reason, At: at},
		"AgreementCancelled":        wire.AgreementCancelled{Agreement: id, At: at},
		"AgreementCommitted":        wire.AgreementCommitted{Agreement: id, Signature: golem.NoSignature},
		"AgreementTerminated":       wire.AgreementTerminated{Agreement: id, Reason: reason, Signature: golem.NotSigned, At: at},
		"GetAgreement":              wire.AgreementQuery{Agreement: strings.Repeat("c", 64), Role: golem.Provider},
		"ListAgreements":            wire.AgreementsQuery{State: &state},
		"AgreementListEntry":        wire.AgreementEntry{ID: "c", Created: at, Approved: &at, Role: golem.Requestor},
		"DiscoveryRemoteError":      wire.DiscoveryErrors.Encode(errors.New("secret")),
	}
	forms := map[string]gsb.ErrorForm{
		"CounterProposalError": wire.CounterErrors, "RejectProposalError": wire.RejectErrors, "ProposeAgreementError": wire.ProposeErrors,
		"AgreementProtocolError": wire.AgreementErrors, "CommitAgreementError": wire.CommitErrors,
	}
	said := map[string][]wire.Why{
		"CounterProposalError": {
			wire.WhyNotFound, wire.WhyAlreadyCountered, wire.WhyInvalidID, wire.WhyNoPrevious, wire.WhyTimeout, wire.WhyNoSubscription, wire.WhyUnsubscribed,
			wire.WhySubscriptionExpired, wire.WhyNotMatching, wire.WhyOwnProposal, wire.WhyUnauthorized,
		},
		"RejectProposalError":    {wire.WhyNotFound, wire.WhyOwnProposal},
		"ProposeAgreementError":  {wire.WhyNotFound, wire.WhyOwnProposal, wire.WhyNoNegotiations, wire.WhyAlreadyCountered, wire.WhyInvalidID, wire.WhyNotSigned, wire.WhyUnexpected},
		"AgreementProtocolError": {wire.WhyNotFound, wire.WhyExpired, wire.WhyInvalidState, wire.WhyNotSigned, wire.WhyTimeout},
		"CommitAgreementError":   {wire.WhyNotFound, wire.WhyExpired, wire.WhyCancelled, wire.WhyInvalidState, wire.WhyNotSigned, wire.WhyUnexpected},
	}
	for name, form := range forms {
		for _, w := range said[name] {
			ms[name+" "+string(w)] = form.Encode(refuse(w))
		}
	}
	return ms
}

// TestMarketGolden pins the bytes of every message and error of the market. Each
// line of the golden file has its name, its bytes and what they mean.
func TestMarketGolden(t *testing.T) {
	var lines []string
	ms := marketMessages()
	for name, m := range ms {
		body, err := flexbuffers.Marshal(m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		shape, err := shapeOf(m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lines = append(lines, fmt.Sprintf("%s\n\t%s\n\t%s\n", name, shape, hex.EncodeToString(body)))
	}
	slices.Sort(lines)
	got := strings.Join(lines, "")
	const file = "testdata/market.golden"
	if *updateMarket {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// TestRefusalsComeBack wants each refusal to be read as what it was.
func TestRefusalsComeBack(t *testing.T) {
	for name, m := range marketMessages() {
		kind, cause, ok := strings.Cut(name, " ")
		if !ok || !strings.HasSuffix(kind, "Error") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var r *wire.Refusal
			if err := decodeError(t, m); !errors.As(err, &r) || string(r.Why) != cause {
				t.Fatalf("got %v, want %s", err, cause)
			}
			if r.Why == wire.WhyInvalidState && r.State != golem.AgreementApproving {
				t.Errorf("got state %q", r.State)
			}
			if (r.Why == wire.WhyUnexpected || r.Why == wire.WhyNotMatching) && !strings.Contains(r.Text, "text") {
				t.Errorf("got text %q", r.Text)
			}
		})
	}
}

func decodeError(t *testing.T, m any) error {
	t.Helper()
	body, err := flexbuffers.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	v, err := flexbuffers.Root(body)
	if err != nil {
		t.Fatal(err)
	}
	return wire.CounterErrors.Decode(v)
}

// TestForeignRefusals reads what upstream's nodes say and ours do not.
func TestForeignRefusals(t *testing.T) {
	v := func(name string, content any) any { return flexbuffers.Variant{Name: name, Content: content} }
	for name, test := range map[string]struct {
		m    any
		want golem.Kind
		why  wire.Why
	}{
		"gsb":              {v("Gsb", []any{"timeout", "R-c"}), golem.ErrInternal, ""},
		"caller":           {v("CallerParse", map[string]any{"caller": "x", "e": "y"}), golem.ErrInternal, ""},
		"matching failed":  {v("Remote", []any{v("Validation", v("NotMatching", v("MatchingFailed", map[string]any{"new": "a", "prev": "b", "error": "text"}))), "R-c"}), golem.ErrInvalid, wire.WhyNotMatching},
		"remote internal":  {v("RemoteInternal", v("NotFound", "R-c")), golem.ErrNotFound, wire.WhyNotFound},
		"requestor's own":  {v("Remote", []any{v("RequestorOwn", "R-c"), "R-a"}), golem.ErrInvalid, wire.WhyOwnProposal},
		"unknown state":    {v("Remote", v("InvalidState", []any{"R-a", "Dancing"})), golem.ErrExpired, wire.WhyInvalidState},
		"commit, pending":  {v("Remote", []any{v("InvalidState", "Pending"), "R-a"}), golem.ErrExpired, wire.WhyInvalidState},
		"internal":         {v("Remote", v("InternalError", "R-a")), golem.ErrInternal, ""},
		"unknown":          {v("Whatever", 3), golem.ErrInternal, ""},
		"a number":         {3, golem.ErrInternal, ""},
		"deep":             {v("Remote", v("Remote", v("Remote", v("Remote", v("Remote", v("Remote", v("Remote", v("Remote", v("Remote", "x"))))))))), golem.ErrInternal, ""},
		"empty vector":     {v("Remote", []any{}), golem.ErrInternal, ""},
		"state of no kind": {v("Remote", v("InvalidState", 7)), golem.ErrExpired, wire.WhyInvalidState},
	} {
		t.Run(name, func(t *testing.T) {
			err := decodeError(t, test.m)
			if golem.KindOf(err) != test.want || err.Error() == "" {
				t.Errorf("got %v, want %s", err, test.want)
			}
			var r *wire.Refusal
			if errors.As(err, &r); test.why != "" && (r == nil || r.Why != test.why) {
				t.Errorf("got %v, want %s", err, test.why)
			}
		})
	}
}

// FuzzRefusal reads any bytes as an error.
func FuzzRefusal(f *testing.F) {
	for _, m := range marketMessages() {
		if body, err := flexbuffers.Marshal(m); err == nil {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := flexbuffers.Root(body)
		if err != nil {
			return
		}
		if err := wire.CounterErrors.Decode(v); err == nil || err.Error() == "" {
			t.Errorf("decoded to %v", err)
		}
	})
}
