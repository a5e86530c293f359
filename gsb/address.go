package gsb

import (
	"strings"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/p2p"
)

// remote is the address of a service on a node.
type remote struct {
	from    golem.NodeID // zero: the default identity
	node    golem.NodeID
	channel p2p.Channel
	path    string // below /public of the node
}

// parseRemote takes addresses of the forms /net/<node>/X and
// /from/<me>/to/<node>/X apart, each also behind /udp and /transfer.
func parseRemote(addr string) (r remote, ok bool) {
	rest := addr
	if after, found := strings.CutPrefix(rest, "/udp/"); found {
		r.channel, rest = p2p.Unreliable, "/"+after
	} else if after, found := strings.CutPrefix(rest, "/transfer/"); found {
		r.channel, rest = p2p.Transfer, "/"+after
	}
	switch {
	case strings.HasPrefix(rest, "/net/"):
		rest = rest[len("/net/"):]
	case strings.HasPrefix(rest, "/from/"):
		if r.from, rest, ok = cutNode(rest[len("/from/"):]); !ok || !strings.HasPrefix(rest, "to/") {
			return r, false
		}
		rest = rest[len("to/"):]
	default:
		return r, false
	}
	r.node, r.path, ok = cutNode(rest)
	return r, ok && r.path != ""
}

// cutNode splits "<node>/rest".
func cutNode(s string) (id golem.NodeID, rest string, ok bool) {
	text, rest, ok := strings.Cut(s, "/")
	if !ok {
		return id, "", false
	}
	id, err := golem.ParseNodeID(text)
	return id, rest, err == nil
}

// remoteAddr returns the address of a public service on another node, called by
// the given identity of this one.
func remoteAddr(ch p2p.Channel, from, to golem.NodeID, public string) string {
	path := strings.TrimPrefix(public, "/public/")
	prefix := [...]string{p2p.Reliable: "", p2p.Transfer: "/transfer", p2p.Unreliable: "/udp"}[ch]
	if from.IsZero() {
		return prefix + "/net/" + to.String() + "/" + path
	}
	return prefix + "/from/" + from.String() + "/to/" + to.String() + "/" + path
}
