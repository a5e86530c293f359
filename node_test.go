package golem_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
)

// TestSecretDoesNotPrint tries the ways in which a text ends up in a log.
func TestSecretDoesNotPrint(t *testing.T) {
	const text = "hunter2"
	key := golem.AppKey{Name: "n", Key: text, Identity: golem.NodeID{1}}
	values := []any{golem.Secret(text), key, &key, []golem.Secret{text}, map[string]golem.Secret{"k": text}, golem.NewIdentity{Password: text}}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, text) || strings.Contains(got, fmt.Sprintf("%x", text)) {
				t.Errorf("%s of %T prints %s", verb, v, got)
			}
		}
	}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "secret", golem.Secret(text), "key", key)
	}
	if strings.Contains(log.String(), text) || !strings.Contains(log.String(), "***") {
		t.Errorf("the log says %s", log.String())
	}
	if err := golem.Errorf(golem.ErrInvalid, "password %s", golem.Secret(text)); strings.Contains(err.Error(), text) {
		t.Errorf("the error says %v", err)
	}
	if b, err := json.Marshal(golem.Secret(text)); err != nil || string(b) != `"hunter2"` {
		t.Errorf("it does not travel: %s, %v", b, err)
	}
	if golem.Secret(text).Reveal() != text {
		t.Error("it is lost")
	}
}

func TestAppKeyAllows(t *testing.T) {
	for origin, lists := range map[string]map[string]bool{
		"https://a.example": {"https://a.example": true, "https://A.example": true, "https://b.example": false, "": false, "https://a.example:443": false},
		"*":                 {"https://b.example": true, "null": true},
	} {
		for asks, want := range lists {
			if got := (golem.AppKey{AllowOrigins: []string{"http://x", origin}}).Allows(asks); got != want {
				t.Errorf("%s allows %q: %v", origin, asks, got)
			}
		}
	}
	if (golem.AppKey{}).Allows("*") {
		t.Error("an app-key without origins allows one")
	}
}

func TestPlatform(t *testing.T) {
	p, err := golem.ParsePlatform("erc20-polygon-glm")
	if err != nil || p != (golem.Platform{Driver: "erc20", Network: "polygon", Token: "glm"}) || p.String() != "erc20-polygon-glm" {
		t.Errorf("got %+v, %v", p, err)
	}
	if got := golem.PropPlatformAddress(p); got != "golem.com.payment.platform.erc20-polygon-glm.address" {
		t.Errorf("property is %s", got)
	}
	for _, s := range []string{"", "erc20", "erc20-polygon", "erc20--glm", "-a-b", "a-b-c-d", "erc20-polygon-GLM"} {
		_, err := golem.ParsePlatform(s)
		wantKind(t, err, golem.ErrInvalid)
	}
	var zero golem.Platform
	if err := json.Unmarshal([]byte(`""`), &p); err != nil || !p.IsZero() || zero.String() != "" {
		t.Errorf("the empty text is %+v, %v", p, err)
	}
}

// TestSame checks what makes two documents the same.
func TestSame(t *testing.T) {
	due := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	note := golem.DebitNote{ID: "d", Issuer: golem.NodeID{1}, Platform: jsonPlatform, Total: golem.Tokens(1), Due: &due, Status: golem.DocumentIssued}
	again := note
	again.Status, again.Due = golem.DocumentSettled, new(due.In(time.FixedZone("x", 3600)))
	if !note.Same(&again) {
		t.Error("what became of a note makes it another one")
	}
	for name, change := range map[string]func(*golem.DebitNote){
		"total": func(n *golem.DebitNote) { n.Total = golem.Tokens(2) }, "no due date": func(n *golem.DebitNote) { n.Due = nil },
		"due date": func(n *golem.DebitNote) { n.Due = new(due.Add(1)) }, "payee": func(n *golem.DebitNote) { n.Payee[0]++ },
		"activity": func(n *golem.DebitNote) { n.Activity = "x" }, "platform": func(n *golem.DebitNote) { n.Platform.Token = "glm" },
	} {
		other := note
		change(&other)
		if note.Same(&other) {
			t.Errorf("with another %s it is the same note", name)
		}
	}
	invoice := golem.Invoice{ID: "i", Amount: golem.Tokens(1), Activities: []golem.ActivityID{"a"}, Due: due}
	for name, change := range map[string]func(*golem.Invoice){
		"amount": func(i *golem.Invoice) { i.Amount = golem.Tokens(2) }, "activities": func(i *golem.Invoice) { i.Activities = nil },
		"due date": func(i *golem.Invoice) { i.Due = due.Add(1) }, "payer": func(i *golem.Invoice) { i.Payer[0]++ },
	} {
		other := invoice
		change(&other)
		if invoice.Same(&other) {
			t.Errorf("with another %s it is the same invoice", name)
		}
	}
}

// TestPaymentIsPublic checks that the payee does not see the payer's Allocations.
func TestPaymentIsPublic(t *testing.T) {
	p := forms["payment"].(golem.Payment)
	q := p.Public()
	if q.Sum() != golem.Tokens(3) || p.Sum() != q.Sum() {
		t.Errorf("sums are %s and %s", p.Sum(), q.Sum())
	}
	if b, err := json.Marshal(q); err != nil || strings.Contains(string(b), "allocationId") {
		t.Errorf("the payee sees %s, %v", b, err)
	}
	if p.Agreements[0].Allocation != "l1" {
		t.Error("the original has changed")
	}
	empty := (&golem.Payment{}).Public()
	if b, err := json.Marshal(empty); err != nil || !strings.Contains(string(b), `"agreementPayments":[],"activityPayments":[]`) {
		t.Errorf("no parts are %s, %v", b, err)
	}
}

func TestRejectionReasons(t *testing.T) {
	for _, reason := range []string{golem.UnsolicitedService, golem.BadService, golem.IncorrectAmount} {
		if err := (&golem.Rejection{Reason: reason}).Validate(); err != nil {
			t.Error(err)
		}
	}
	for _, reason := range []string{"", "bad_service", "BECAUSE"} {
		wantKind(t, (&golem.Rejection{Reason: reason}).Validate(), golem.ErrInvalid)
	}
}
