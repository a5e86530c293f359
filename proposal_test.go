package golem_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
)

// TestReason checks that what others add to a reason is passed on as it came.
func TestReason(t *testing.T) {
	for _, in := range []string{
		`{"message":"m"}`,
		`{"a":{"b":[1,null,"x"]},"message":"m"}`,
		`{"exact":0.0,"large":12345678901234567890,"message":"m","small":1e-7}`,
		`{"golem.requestor.code":"Success","message":""}`,
	} {
		var r golem.Reason
		if err := json.Unmarshal([]byte(in), &r); err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if b, err := json.Marshal(r); err != nil || string(b) != in {
			t.Errorf("%s is passed on as %s, %v", in, b, err)
		}
	}
	for _, in := range []string{`null`, `{}`, `[]`, `"m"`, `{"message":null}`, `{"message":5}`, `{"Message":"m"}`} {
		var r golem.Reason
		wantKind(t, json.Unmarshal([]byte(in), &r), golem.ErrInvalid)
	}
}

func TestReasonAnswers(t *testing.T) {
	var none *golem.Reason
	if none.Text() != "" || none.Code() != "" || none.IsFinal() {
		t.Error("no reason says something")
	}
	r := golem.NewReason("m", golem.ReasonProviderCode, "NotHere")
	if r.Text() != "m" || r.Code() != "NotHere" || r.IsFinal() {
		t.Errorf("got %q, %q, %v", r.Text(), r.Code(), r.IsFinal())
	}
	r.Extra[golem.ReasonRequestorCode] = "Mine"
	if r.Code() != "Mine" {
		t.Errorf("code is %q, want the Requestor's", r.Code())
	}
	if !golem.NewReason("m", golem.ReasonIsFinal, true).IsFinal() || golem.NewReason("m", golem.ReasonIsFinal, "true").IsFinal() {
		t.Error("a rejection is final if and only if it says true")
	}
	if diff := cmp.Diff(&golem.Reason{Message: "m"}, golem.NewReason("m", "", 1)); diff != "" {
		t.Error(diff)
	}
	if golem.NewReason("m", golem.ReasonProviderCode, 5).Code() != "" {
		t.Error("a number is taken for a code")
	}
}

// TestCounter checks which Proposals can be countered, and what becomes of them.
func TestCounter(t *testing.T) {
	tests := []struct {
		name string
		p    golem.Proposal
		want golem.ProposalState
		kind golem.Kind
	}{
		{"a match", golem.Proposal{Issuer: golem.Them, State: golem.ProposalInitial}, golem.ProposalInitial, ""},
		{"a draft", golem.Proposal{Issuer: golem.Them, State: golem.ProposalDraft, Prev: "p"}, golem.ProposalDraft, ""},
		{"a rejected match", golem.Proposal{Issuer: golem.Them, State: golem.ProposalRejected}, golem.ProposalInitial, ""},
		{"a rejected draft", golem.Proposal{Issuer: golem.Them, State: golem.ProposalRejected, Prev: "p"}, golem.ProposalDraft, ""},
		{"an accepted one", golem.Proposal{Issuer: golem.Them, State: golem.ProposalAccepted, Prev: "p"}, golem.ProposalAccepted, ""},
		{"an expired one", golem.Proposal{Issuer: golem.Them, State: golem.ProposalExpired, Prev: "p"}, golem.ProposalExpired, golem.ErrConflict},
		{"our own", golem.Proposal{ID: "R-1", Issuer: golem.Us, State: golem.ProposalDraft}, golem.ProposalDraft, golem.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantKind(t, tt.p.Counterable(), tt.kind)
			if got, _ := tt.p.Countered(); got != tt.want {
				t.Errorf("it becomes %s, want %s", got, tt.want)
			}
		})
	}
	n := golem.Negotiation{Requestor: golem.NodeID{1}, Provider: golem.NodeID{2}}
	if n.Party(golem.Requestor) != n.Requestor || n.Party(golem.Provider) != n.Provider {
		t.Error("parties are mixed up")
	}
}
