package golem

import "strings"

// Platform names a way to pay: driver, network and token, in lower case. Its
// text form is "erc20-polygon-glm"; the zero value has the empty text.
type Platform struct{ Driver, Network, Token string }

// ParsePlatform parses "driver-network-token".
func ParsePlatform(s string) (Platform, error) {
	parts := strings.Split(s, "-")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return Platform{}, Errorf(ErrInvalid, "payment platform %q: want driver-network-token, such as erc20-polygon-glm", clip(s))
	}
	if s != strings.ToLower(s) {
		return Platform{}, Errorf(ErrInvalid, "payment platform %q: uppercase token names are not supported", clip(s))
	}
	return Platform{parts[0], parts[1], parts[2]}, nil
}

// String returns the text form, or "" for the zero value.
func (p Platform) String() string {
	if p == (Platform{}) {
		return ""
	}
	return p.Driver + "-" + p.Network + "-" + p.Token
}

// IsZero reports whether p names no platform.
func (p Platform) IsZero() bool { return p == Platform{} }

// MarshalText returns the text form.
func (p Platform) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText parses the form of [ParsePlatform]; the empty text is the zero value.
func (p *Platform) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*p = Platform{}
		return nil
	}
	*p, err = ParsePlatform(string(b))
	return err
}

// Account is a wallet registered on a platform for sending, receiving or both.
type Account struct {
	Platform Platform `json:"platform"`
	Address  Address  `json:"address"`
	Driver   string   `json:"driver"`
	Network  string   `json:"network"`
	Token    string   `json:"token"`
	Send     bool     `json:"send"`
	Receive  bool     `json:"receive"`
}

// Property names of the payment part of offers and demands (spec provider-agent.md §13.1).
const (
	PropChosenPlatform  = "golem.com.payment.chosen-platform"
	PropProtocolVersion = "golem.com.payment.protocol.version"
	PropAcceptTimeout   = "golem.com.payment.debit-notes.accept-timeout?"
	PropNoteInterval    = "golem.com.scheme.payu.debit-note.interval-sec?"
	PropPaymentTimeout  = "golem.com.scheme.payu.payment-timeout-sec?"
)

// PropPlatformAddress returns the name of the property that carries the wallet
// address of a party on p.
func PropPlatformAddress(p Platform) string {
	return "golem.com.payment.platform." + p.String() + ".address"
}
