package payment

import (
	"context"
	"strings"

	"github.com/golem-go/golem"
)

// PlatformChoice names a platform by some of its parts; "" leaves the choice of a
// part to the node.
type PlatformChoice struct{ Driver, Network, Token string }

// Platforms returns what this node pays on, in the order of its drivers.
func (s *Service) Platforms() []golem.Platform { return append([]golem.Platform(nil), s.known...) }

// Choose returns the platform a choice stands for: the default where it fits,
// otherwise the first that does. What this node has no driver for is ErrInvalid:
// a mistyped network must not become another one.
func (s *Service) Choose(c PlatformChoice) (golem.Platform, error) {
	switch {
	case c.Token != strings.ToLower(c.Token):
		return golem.Platform{}, golem.Errorf(golem.ErrInvalid, "Uppercase token names are not supported: use %s", strings.ToLower(c.Token))
	case c.Network == "rinkeby":
		return golem.Platform{}, golem.Errorf(golem.ErrInvalid, "network rinkeby is no longer supported")
	case len(s.known) == 0:
		return golem.Platform{}, golem.Errorf(golem.ErrInvalid, "this node has no payment driver")
	}
	if c.fits(s.cfg.Default) {
		return s.cfg.Default, nil
	}
	for _, p := range s.known {
		if c.fits(p) {
			return p, nil
		}
	}
	return golem.Platform{}, golem.Errorf(golem.ErrInvalid, "no payment platform of this node fits driver %q, network %q, token %q: there are %s",
		c.Driver, c.Network, c.Token, s.list())
}

func (c PlatformChoice) fits(p golem.Platform) bool {
	fits := func(want, have string) bool { return want == "" || want == have }
	return fits(c.Driver, p.Driver) && fits(c.Network, p.Network) && fits(c.Token, p.Token)
}

// ParsePlatform parses the text of a platform this node has a driver for.
func (s *Service) ParsePlatform(text string) (golem.Platform, error) {
	p, err := golem.ParsePlatform(text)
	if err != nil {
		return p, err
	}
	return s.Choose(PlatformChoice(p))
}

func (s *Service) list() string {
	var names []string
	for _, p := range s.known {
		names = append(names, p.String())
	}
	return strings.Join(names, ", ")
}

// Accounts returns the accounts of an identity: its own address on every
// platform, able to send and to receive.
func (s *Service) Accounts(who golem.NodeID) []golem.Account {
	as := []golem.Account{}
	for _, p := range s.known {
		as = append(as, golem.Account{
			Platform: p, Address: who.Address(), Driver: p.Driver, Network: p.Network, Token: p.Token,
			Send: true, Receive: true,
		})
	}
	return as
}

// Problems returns what keeps drivers from working: of the given driver and
// network, or of all where those are "". It returns ErrNotFound for one this node
// does not have.
func (s *Service) Problems(ctx context.Context, c PlatformChoice) ([]Problem, error) {
	found, problems := false, []Problem{}
	for _, d := range s.cfg.Drivers {
		matches := false
		for _, p := range d.Platforms() {
			matches = matches || c.fits(p)
		}
		if !matches {
			continue
		}
		found = true
		for _, p := range d.Problems(ctx) {
			if c.Network == "" || p.Network == c.Network {
				problems = append(problems, p)
			}
		}
	}
	if !found {
		return nil, golem.Errorf(golem.ErrNotFound, "no payment driver %q with network %q", c.Driver, c.Network)
	}
	return problems, nil
}

// Fund gives an address tokens for nothing, on platforms that do that.
func (s *Service) Fund(ctx context.Context, p golem.Platform, a golem.Address) (string, error) {
	f, ok := s.drivers[p].(Funder)
	if !ok {
		return "", golem.Errorf(golem.ErrUnsupported, "nobody hands out tokens on %s", p)
	}
	return f.Fund(ctx, p, a)
}
