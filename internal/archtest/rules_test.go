package archtest

// A rule names a package, or with the suffix /... a tree, what of this module it
// may import, and which standard packages it must not. "." is the root package,
// "..." is everything. The first rule that fits a package is its rule.
type rule struct{ pkg, may, deny string }

const (
	pureOf  = "net net/http database/sql os os/exec os/signal syscall log" // no effects
	quietOf = "net/http database/sql log"                                  // no database, no web
	plain   = "database/sql log"                                           // no database
)

// rules are the layers, from the words to what is put together.
var rules = []rule{
	// the words
	{"property", "", pureOf},
	{".", "property", pureOf},
	{"wire", ". property p2p gsb gsb/flexbuffers", pureOf},

	// the roads
	{"p2p", ".", pureOf},
	{"p2p/p2ptest", ". p2p gsb", quietOf},
	{"p2p/central", ". p2p gsb gsb/router wire", quietOf},
	{"p2p/...", ". p2p", quietOf},
	{"gsb", ". p2p gsb/flexbuffers", quietOf},
	{"gsb/flexbuffers", "", pureOf},
	{"gsb/router", ". p2p gsb gsb/router/gsbpb", quietOf},
	{"gsb/router/gsbpb", "", pureOf},
	{"hub", ". p2p gsb gsb/router wire", quietOf},

	// the trade: contexts never import each other
	{"identity", ". p2p gsb gsb/flexbuffers wire", pureOf},
	{"market", ". property p2p gsb gsb/flexbuffers wire internal/longpoll", pureOf},
	{"activity", ". p2p gsb gsb/flexbuffers wire internal/longpoll", pureOf},
	{"activity/activitytest", ". p2p gsb gsb/flexbuffers wire activity internal/longpoll", quietOf},
	{"payment", ". p2p gsb gsb/flexbuffers wire internal/longpoll", pureOf},
	{"payment/local", ". p2p gsb gsb/flexbuffers wire payment", plain},
	{"payment/...", ". payment", plain},
	{"vpn", ". p2p gsb gsb/flexbuffers wire", quietOf},
	{"gftp", ". p2p gsb gsb/flexbuffers wire", plain},

	// the work
	{"exeunit", ". p2p gsb gsb/router gsb/flexbuffers wire gftp internal/longpoll internal/lifeline", plain},
	{"exeunit/...", ". exeunit internal/lifeline", plain},
	{"provider", ". property p2p gsb gsb/router wire gftp exeunit rest/client internal/longpoll internal/lifeline", plain},
	{"requestor", ". property p2p gsb gsb/router wire gftp rest/client internal/longpoll internal/lifeline", plain},

	// the outside
	{"rest/client", ". property", plain},
	{"rest", ". property p2p gsb gsb/flexbuffers wire identity market activity payment vpn web", plain},
	{"sqlite", ". property identity market activity payment payment/local vpn", "net/http log"},
	{"web", "", plain},

	// put together
	{"node", ". property wire p2p/... hub gsb gsb/router identity market activity payment/... vpn gftp sqlite rest internal/longpoll internal/lifeline internal/dirlock", "log"},
	{"devnet", ". rest/client internal/lifeline internal/dirlock", plain},
	{"cmd/...", "...", "log"},
	{"test/...", "...", ""},
	{"examples/...", ". property requestor rest/client gftp", plain},
	{"internal/cmd/...", "...", ""},
	{"internal/dirlock", ".", plain},
	{"internal/...", "", plain},
}

// owners names the only packages that may import an outside module; tests may
// import any. A module without a line is refused.
var owners = map[string]string{
	"modernc.org/sqlite":                     "sqlite",
	"github.com/pressly/goose/v3":            "sqlite",
	"github.com/decred/dcrd/dcrec/secp256k1": "identity payment/erc20 p2p/...",
	"golang.org/x/crypto":                    "identity payment/erc20 p2p/...",
	"github.com/gowebpki/jcs":                "payment",
	"github.com/ethereum/go-ethereum":        "payment/erc20 payment/chain test/...",
	"github.com/tetratelabs/wazero":          "exeunit/wasm",
	"google.golang.org/protobuf":             "gsb/router/... exeunit/... p2p/...",
	"github.com/coder/websocket":             "rest rest/client requestor",
	"github.com/prometheus/client_golang":    "node",
	"github.com/spf13/cobra":                 "cmd/...",
	"github.com/spf13/pflag":                 "cmd/...",
	"github.com/jedib0t/go-pretty/v6":        "cmd/...",
	"github.com/lmittmann/tint":              "cmd/...",
	"github.com/mattn/go-isatty":             "cmd/...",
	"golang.org/x/term":                      "cmd/...",
	"golang.org/x/sync":                      "...",
	"golang.org/x/sys":                       "exeunit/... provider cmd/... internal/lifeline",
	"golang.org/x/time":                      "gsb/router p2p/... hub rest requestor",
	"github.com/google/go-cmp":               "p2p/p2ptest activity/activitytest test/...",
	"github.com/rogpeppe/go-internal":        "test/...",
	"github.com/libp2p/go-libp2p":            "p2p/libp2p",
}

const (
	clock  = "*/service.go activity/activitytest cmd/... test/... examples/... node devnet rest rest/client provider requestor exeunit/... p2p/... hub gsb gsb/router gftp vpn payment/local payment/erc20 internal/lifeline internal/cmd/..."
	atHome = "cmd/... test/... examples/... internal/cmd/..." // where a process begins
)

// processes names the packages whose tests run real child processes, which have
// their own time.
const processes = "test/... cmd/... exeunit/... devnet internal/lifeline"

// banned lists what is used in a few places only, by import path and name, those
// places, and what to do instead.
var banned = map[string]struct{ where, instead string }{
	"time.Now":   {clock, "take now time.Time as an argument; a context has now() in service.go"},
	"time.Since": {clock, "subtract from the time you were given"},
	"time.Until": {clock, "subtract the time you were given"},
	"time.Sleep": {"cmd/... test/... examples/... exeunit/...", "wait for a timer and the context together"},

	"context.Background": {atHome, "take a context, or context.WithoutCancel of one"},
	"context.TODO":       {"", "take a context"},

	"os.Getenv":    {atHome, "take it in Config; flags and environment are cmd's"},
	"os.LookupEnv": {atHome, "take it in Config; flags and environment are cmd's"},
	"os.Environ":   {atHome + " internal/lifeline devnet exeunit/... provider", "take it in Config; flags and environment are cmd's"},
	"os.Setenv":    {"", "give a child process its environment"},
	"os.Exit":      {atHome, "return an error"},
	"os.Chdir":     {"", "use full paths or os.Root"},

	"log/slog.Default":    {"cmd/...", "take Config.Log"},
	"log/slog.SetDefault": {"cmd/...", "take Config.Log"},
	"log/slog.Info":       {"", "take Config.Log"},
	"log/slog.Warn":       {"", "take Config.Log"},
	"log/slog.Error":      {"", "take Config.Log"},
	"log/slog.Debug":      {"", "take Config.Log"},
	"fmt.Print":           {atHome, "write to an io.Writer"},
	"fmt.Println":         {atHome, "write to an io.Writer"},
	"fmt.Printf":          {atHome, "write to an io.Writer"},

	"database/sql.Open": {"sqlite", "declare a Store and let sqlite implement it"},

	"net/http.DefaultClient":    {"", "make a client with its own transport"},
	"net/http.DefaultTransport": {"rest/client exeunit/... requestor provider", "clone it once, in the constructor of a client"},
	"net/http.DefaultServeMux":  {"", "make a mux"},
	"net/http.Get":              {"", "make a client; pass a context"},
	"net/http.Post":             {"", "make a client; pass a context"},
	"net/http.Handle":           {"", "make a mux"},
	"net/http.HandleFunc":       {"", "make a mux"},
}

// seeded are the functions of math/rand/v2 that make a generator of one's own;
// the others use the global one, which a simulation cannot seed.
var seeded = map[string]bool{
	"New": true, "NewPCG": true, "NewChaCha8": true, "NewZipf": true,
	"Rand": true, "PCG": true, "ChaCha8": true, "Source": true, "Zipf": true,
}

// vague are words that say nothing about what a package or file is for.
var vague = []string{"util", "utils", "helper", "helpers", "common", "misc", "manager", "base", "shared", "types", "models"}
