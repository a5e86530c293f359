package wire_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/flexbuffers"
	"github.com/golem-go/golem/wire"
)

// Upstream tells {} from (): a ping is an empty map, the body of new-neighbour null.
func TestNetShapes(t *testing.T) {
	neighbour, err := wire.NewNeighbour.Encode(gsb.Unit{})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		body []byte
		want string
	}{
		"new neighbour": {neighbour, `{"body":null,"id":null,"topic":"new-neighbour"}`},
		"ping":          {marshal(t, struct{}{}), `{}`},
		"node info":     {marshal(t, wire.NodeInfoReply{Version: "1", Features: []string{wire.FeatureSignedAgreements}}), `{"features":["signed-agreements"],"version":"1"}`},
	} {
		var v flexbuffers.Value
		if err := flexbuffers.Unmarshal(tt.body, &v); err != nil {
			t.Fatal(err)
		}
		if got, err := v.MarshalJSON(); err != nil || string(got) != tt.want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, tt.want)
		}
	}
	for name, addr := range map[string]string{
		"/public/diagnostic/net/GsbRemotePing": wire.RemotePing.Addr(),
		"/public/golem/GetNodeInfo":            wire.NodeInfo.Addr(),
		"/hub/auth/Challenge":                  wire.HubChallenge.Addr(),
		"/hub/auth/Prove":                      wire.HubProve.Addr(),
	} {
		if addr != name {
			t.Errorf("address %s, want %s", addr, name)
		}
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := flexbuffers.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The digest is what keys have signed; it never changes.
func TestHubJoinDigest(t *testing.T) {
	join := wire.HubJoin{Nonce: bytes.Repeat([]byte{1}, 32), Instance: [16]byte{2}, Node: golem.NodeID{3}}
	plain := join.Digest()
	join.Certificate = bytes.Repeat([]byte{4}, 28)
	secure := join.Digest()
	// echo -n 'golem hub join' and the bytes | openssl dgst -sha3-256
	for name, tt := range map[string]struct{ got, want string }{
		"plain":  {hex.EncodeToString(plain[:]), "17afa479a2253d0f262475d4290b21f01e99e162809ba5b323440157a203d517"},
		"secure": {hex.EncodeToString(secure[:]), "edc81e3868fad5a2f0a1e9a2bc99c5b3dd83b046a36672713ef5fea2c0a3dc06"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", name, tt.got, tt.want)
		}
	}
}
