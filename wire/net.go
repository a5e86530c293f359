package wire

import (
	"crypto/sha3"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
)

const (
	diagnosticService = "/public/diagnostic/net" // any node
	nodeService       = "/public/golem"          // any node of this implementation
	hubAuthService    = "/hub/auth"              // a hub, for those connected to it
)

// Messages from any node to any node.
var (
	// NewNeighbour says that a node has joined. Receivers forget what they know of
	// their neighbourhood.
	NewNeighbour = gsb.Topic[gsb.Unit]{Name: "new-neighbour"}

	// RemotePing asks for a sign of life, answered at once.
	RemotePing = gsb.Method[struct{}, struct{}]{Service: diagnosticService, Name: "GsbRemotePing", Errors: gsb.TextErrors}

	// NodeInfo asks which software a node runs and which optional features it
	// has. A peer without the endpoint, as upstream is, announces nothing.
	NodeInfo = gsb.Method[struct{}, NodeInfoReply]{Service: nodeService, Name: "GetNodeInfo"}
)

// FeatureSignedAgreements is the feature of a node that signs Agreements and
// checks the signatures of others.
const FeatureSignedAgreements = "signed-agreements"

// NodeInfoReply is the answer to [NodeInfo]. Unknown features are ignored.
type NodeInfoReply struct {
	Version  string   `flex:"version"`
	Features []string `flex:"features"`
}

// Messages from a node to the hub it is connected to, which serves them for each
// connection on its own.
var (
	// HubChallenge asks for a nonce. It replaces the one asked for before.
	HubChallenge = gsb.Method[struct{}, HubNonce]{Service: hubAuthService, Name: "Challenge"}

	// HubProve shows that the connection may speak for identities. All or none of
	// them are accepted; the nonce is used up in any case. The proof holds until
	// the connection ends. ErrForbidden says that a signature is not that of its
	// node, ErrInvalid that there is no nonce or it has been there for too long.
	HubProve = gsb.Method[HubProof, gsb.Unit]{Service: hubAuthService, Name: "Prove"}
)

// HubNonceSize is the size of a nonce in bytes. Nodes sign no other.
const HubNonceSize = 32

// HubNonce is the answer to [HubChallenge].
type HubNonce struct {
	Nonce []byte `flex:"nonce"` // HubNonceSize bytes
}

// HubProof is the body of [HubProve].
type HubProof struct {
	Identities []HubIdentity `flex:"identities"`
}

// HubIdentity is one identity with its proof.
type HubIdentity struct {
	Node      golem.NodeID `flex:"node"`
	Signature []byte       `flex:"signature"` // v‖r‖s over HubJoinDigest
}

// HubJoin is what an identity signs to join a hub. The hub's instance and
// certificate are part of it so that a proof is of no use at another hub.
type HubJoin struct {
	Nonce       []byte
	Instance    [16]byte // of the hub, from its Hello
	Certificate []byte   // SHA-224 of the hub's certificate; empty without TLS
	Node        golem.NodeID
}

// Digest returns what is signed: the SHA3-256 of the concatenation of "golem hub
// join", nonce, instance, node and certificate hash.
func (j HubJoin) Digest() [32]byte {
	h := sha3.New256()
	h.Write([]byte("golem hub join"))
	h.Write(j.Nonce)
	h.Write(j.Instance[:])
	h.Write(j.Node[:])
	h.Write(j.Certificate)
	return [32]byte(h.Sum(nil))
}
