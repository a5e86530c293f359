package central

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"net"
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb/router"
)

const connectTimeout = 3 * time.Second

// place is where a hub is.
type place struct {
	network, address string
	pin              []byte // SHA-224 of its certificate; empty for no TLS
}

// parsePlace parses [sha224hex@]address, where the address is one of
// [router.ParseURL].
func parsePlace(text string) (p place, err error) {
	pin, address, found := strings.Cut(text, "@")
	if !found {
		address = text
	} else if p.pin, err = hex.DecodeString(pin); err != nil || len(p.pin) != sha256.Size224 {
		return place{}, golem.Errorf(golem.ErrInvalid, "hub address %q: want 56 hex digits before the @", text)
	}
	p.network, p.address, err = router.ParseURL(address)
	return p, err
}

// dial connects to the hub. It returns ErrForbidden where the certificate is
// another one than the address says.
func (p place) dial(ctx context.Context) (net.Conn, error) {
	d := &net.Dialer{Timeout: connectTimeout}
	if len(p.pin) == 0 {
		return d.DialContext(ctx, p.network, p.address)
	}
	secure := tls.Dialer{NetDialer: d, Config: p.tls()}
	return secure.DialContext(ctx, p.network, p.address)
}

// tls accepts the one certificate that is pinned, whoever signed it.
func (p place) tls() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // replaced by VerifyConnection
		VerifyConnection: func(c tls.ConnectionState) error {
			if len(c.PeerCertificates) == 0 {
				return golem.Errorf(golem.ErrForbidden, "the hub at %s has no certificate", p.address)
			}
			if sum := sha256.Sum224(c.PeerCertificates[0].Raw); !bytes.Equal(sum[:], p.pin) {
				return golem.Errorf(golem.ErrForbidden, "the hub at %s has certificate %x, not %x", p.address, sum, p.pin)
			}
			return nil
		},
	}
}
