package golem

import (
	"bytes"
	"crypto/rand"
	"crypto/sha3"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"strings"
	"time"
)

// SubscriptionID names an Offer or Demand put on the market: 32 random hex
// digits, a dash, and the hex SHA3-256 of the content (spec market.md §6.1).
// Comparison is that of the text.
type SubscriptionID string

// Hash returns the content part of the id.
func (id SubscriptionID) Hash() string {
	_, hash, _ := strings.Cut(string(id), "-")
	return hash
}

// LogValue makes the id readable in structured logs.
func (id SubscriptionID) LogValue() slog.Value { return slog.StringValue(string(id)) }

// ParseSubscriptionID checks the form of an id.
func ParseSubscriptionID(s string) (SubscriptionID, error) {
	random, hash, ok := strings.Cut(s, "-")
	if !ok || len(random) != 32 || len(hash) != 64 || !isHex(random) || !isHex(hash) {
		return "", Errorf(ErrInvalid, "subscription id %q: want 32 hex digits, a dash and 64 hex digits", clip(s))
	}
	return SubscriptionID(s), nil
}

// Subscription is what Offer and Demand have in common: one party's statement
// put on the market, immutable from then on.
type Subscription struct {
	ID          SubscriptionID
	Properties  string // flat JSON, verbatim: the id hashes this text
	Constraints string // as posted
	Node        NodeID // the identity that published it
	Created     time.Time
	Expires     time.Time
}

// ContentHash returns the hex SHA3-256 that the second half of the id must equal.
func (s *Subscription) ContentHash() string {
	h := sha3.New256()
	h.Write([]byte(s.Properties))
	h.Write([]byte(s.Constraints))
	h.Write(s.Node[:])
	h.Write([]byte(hashTime(s.Created)))
	h.Write([]byte(hashTime(s.Expires)))
	return hex.EncodeToString(h.Sum(nil))
}

// Authentic reports whether the id belongs to the content.
func (s *Subscription) Authentic() bool { return s.ID.Hash() == s.ContentHash() }

// Expired reports whether the subscription is not on the market any more at now.
func (s *Subscription) Expired(now time.Time) bool { return s.Expires.Before(now) }

// Digest returns what the publisher signs so that others know the statement is
// its own.
func (s *Subscription) Digest() [32]byte {
	return sha3.Sum256([]byte("golem subscription\n" + string(s.ID) + "\n" + s.Node.String()))
}

// WithdrawalDigest returns what the publisher signs when it takes the statement
// off the market, so that others may pass the news on.
func (s *Subscription) WithdrawalDigest() [32]byte {
	return sha3.Sum256([]byte("golem withdrawal\n" + string(s.ID) + "\n" + s.Node.String()))
}

// assignID gives s a fresh random id for its content.
func (s *Subscription) assignID() {
	s.ID = SubscriptionID(randomHex(16) + "-" + s.ContentHash())
}

// Offer is a Provider's statement of what it sells, for how much and to whom.
type Offer struct{ Subscription }

// NewOffer returns an Offer with a fresh id.
func NewOffer(node NodeID, properties, constraints string, created, expires time.Time) Offer {
	o := Offer{Subscription{Properties: properties, Constraints: constraints, Node: node, Created: created.UTC(), Expires: expires.UTC()}}
	o.assignID()
	return o
}

// offerJSON is upstream's REST form of an Offer.
type offerJSON struct {
	Properties  json.RawMessage `json:"properties"`
	Constraints string          `json:"constraints"`
	ID          SubscriptionID  `json:"offerId"`
	Node        NodeID          `json:"providerId"`
	Created     time.Time       `json:"timestamp"`
}

// MarshalJSON writes upstream's REST form, which does not tell when the Offer
// expires. Properties keep their tokens.
func (o Offer) MarshalJSON() ([]byte, error) {
	return marshal(offerJSON{rawProperties(o.Properties), o.Constraints, o.ID, o.Node, o.Created})
}

// UnmarshalJSON reads upstream's REST form.
func (o *Offer) UnmarshalJSON(b []byte) error {
	var j offerJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return Errorf(ErrInvalid, "offer: %w", err)
	}
	o.Subscription = Subscription{ID: j.ID, Properties: compactJSON(j.Properties), Constraints: j.Constraints, Node: j.Node, Created: j.Created.UTC()}
	return nil
}

// Demand is a Requestor's statement of what it buys and from whom. It never
// leaves the Requestor's node; the Provider learns of it by a Proposal.
type Demand struct{ Subscription }

// NewDemand returns a Demand with a fresh id.
func NewDemand(node NodeID, properties, constraints string, created, expires time.Time) Demand {
	d := Demand{Subscription{Properties: properties, Constraints: constraints, Node: node, Created: created.UTC(), Expires: expires.UTC()}}
	d.assignID()
	return d
}

// demandJSON is upstream's REST form of a Demand.
type demandJSON struct {
	Properties  json.RawMessage `json:"properties"`
	Constraints string          `json:"constraints"`
	ID          SubscriptionID  `json:"demandId"`
	Node        NodeID          `json:"requestorId"`
	Created     time.Time       `json:"timestamp"`
}

// MarshalJSON writes upstream's REST form; see [Offer.MarshalJSON].
func (d Demand) MarshalJSON() ([]byte, error) {
	return marshal(demandJSON{rawProperties(d.Properties), d.Constraints, d.ID, d.Node, d.Created})
}

// UnmarshalJSON reads upstream's REST form.
func (d *Demand) UnmarshalJSON(b []byte) error {
	var j demandJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return Errorf(ErrInvalid, "demand: %w", err)
	}
	d.Subscription = Subscription{ID: j.ID, Properties: compactJSON(j.Properties), Constraints: j.Constraints, Node: j.Node, Created: j.Created.UTC()}
	return nil
}

// rawProperties embeds property text in JSON as it is.
func rawProperties(text string) json.RawMessage {
	if text == "" {
		return json.RawMessage("{}")
	}
	return json.RawMessage(text)
}

// compactJSON returns JSON without blanks, its tokens as they are.
func compactJSON(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

// hashTime is the form in which upstream hashes timestamps: nine digits of
// nanoseconds stand where seconds would, and the seconds are missing. It must
// be reproduced, since every node recomputes the hash.
func hashTime(t time.Time) string {
	t = t.UTC()
	ns := t.Nanosecond()
	buf := t.AppendFormat(make([]byte, 0, 32), "2006-01-02 15:04:")
	for div := 100_000_000; div > 0; div /= 10 {
		buf = append(buf, byte('0'+ns/div%10))
	}
	return string(buf)
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return false
		}
	}
	return true
}

// randomHex returns n random bytes as hex.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails, as documented
	return hex.EncodeToString(b)
}
