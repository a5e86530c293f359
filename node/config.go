package node

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/p2p"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/sqlite"
)

// Config says what node to run. The zero value of everything but Dir (or DB)
// and Hub (or Network) is the default.
type Config struct {
	Dir string // state of the node
	Hub string // address of the hub of the network

	API string // address of the REST API, such as "http://127.0.0.1:7465"
	GSB string // socket for other processes of this machine; "" is one in Dir, "none" is none

	AutoconfSecret golem.Secret // private key of the default identity
	AutoconfAppKey golem.Secret // app-key that always exists
	AllowOrigins   []string     // of web pages that may use the API with every app-key

	Version string // of this program, for others to see
	Log     *slog.Logger

	Market   market.Timing
	Limits   market.Limits
	Policy   market.Policy
	Activity activity.Limits
	Payment  Payment

	// What a simulation replaces.
	DB      *sqlite.DB   // instead of the one in Dir; closed by its owner
	Network p2p.Network  // instead of the overlay of Hub
	Ledger  local.Ledger // instead of that of Hub
	Seed    uint64       // of jitter; 0 is a random one

	// OnApproved is called after an Agreement was approved.
	OnApproved func(a *golem.Agreement)
}

// Payment says how the node pays. Zero values are the defaults of package
// payment.
type Payment struct {
	PayDelay   time.Duration // how long what is accepted waits to be paid together with others
	Backoff    time.Duration // before something is told again
	MaxBackoff time.Duration
	SyncDelay  time.Duration // after the start, before peers are asked what was missed
}

// defaultAPI is where the REST API listens.
const defaultAPI = "http://127.0.0.1:7465"

// noGSB says that other processes cannot join the bus.
const noGSB = "none"

// maxSocketPath is the most bytes the path of a unix socket may have everywhere.
const maxSocketPath = 100

// gsbURL returns the address of the bus socket of a node with the given
// directory. Where the path is too long for a socket, a private directory for
// temporary files serves.
func gsbURL(dir string) (string, error) {
	path := filepath.Join(dir, "gsb.sock")
	if len(path) <= maxSocketPath {
		return "unix:" + path, nil
	}
	sum := sha256.Sum256([]byte(dir))
	private := filepath.Join(os.TempDir(), "golem-"+hex.EncodeToString(sum[:8]))
	if err := os.Mkdir(private, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	if err := ownDir(private); err != nil { // all can write where it is
		return "", err
	}
	return "unix:" + filepath.Join(private, "gsb.sock"), nil
}

// localOnly refuses an address at which other machines could join the bus: who
// joins it acts for the node.
func localOnly(url string) error {
	hostport, tcp := strings.CutPrefix(url, "tcp://")
	if !tcp {
		return nil
	}
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return golem.Errorf(golem.ErrInvalid, "bus address %q: other machines could act for the node; want unix:/path or tcp://127.0.0.1:port", url)
}

// listenAPI opens the address of the REST API.
func listenAPI(url string) (net.Listener, error) {
	if url == "" {
		url = defaultAPI
	}
	addr, ok := strings.CutPrefix(strings.TrimSuffix(url, "/"), "http://")
	if !ok || strings.Contains(addr, "/") {
		return nil, golem.Errorf(golem.ErrInvalid, "address of the REST API %q: want http://host:port", url)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, golem.Errorf(golem.ErrUnavailable, "REST API: %w; is another node running?", err)
	}
	return l, nil
}
