package wire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb/flexbuffers"
	"github.com/golem-go/golem/wire"
)

// TestLongAnswers has a peer refuse with more words than anybody is to keep.
func TestLongAnswers(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	refusal := map[string]any{"BadRequest": long}
	for name, test := range map[string]struct {
		form interface {
			Decode(flexbuffers.Value) error
		}
		body any
	}{
		"one":  {wire.SendErrors, refusal},
		"many": {wire.SyncErrors, map[string]any{"payment_send_errors": []any{refusal, refusal, refusal, refusal, refusal, refusal, refusal}}},
	} {
		data, err := flexbuffers.Marshal(test.body)
		if err != nil {
			t.Fatal(err)
		}
		var v flexbuffers.Value
		if err := flexbuffers.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		if err := test.form.Decode(v); !errors.Is(err, golem.ErrInvalid) || !wire.Answered(err) || len(err.Error()) > 6000 {
			t.Errorf("%s: %d characters: %.80v", name, len(err.Error()), err)
		}
	}
}
