package flexbuffers

import (
	"encoding/json"
	"strings"
	"testing"
)

// proposalReceived is the message of a negotiation: the struct that decides how
// many Proposals a node can handle.
type proposalReceived struct {
	PrevProposalID string          `json:"prevProposalId"`
	Proposal       proposalContent `json:"proposal"`
}

type proposalContent struct {
	ProposalID   string `json:"proposal_id"`
	Properties   string `json:"properties"`
	Constraints  string `json:"constraints"`
	CreationTS   string `json:"creation_ts"`
	ExpirationTS string `json:"expiration_ts"`
}

func exampleProposal() proposalReceived {
	return proposalReceived{
		PrevProposalID: "P-" + strings.Repeat("ab", 32),
		Proposal: proposalContent{
			ProposalID:   "R-" + strings.Repeat("cd", 32),
			Properties:   `{"golem":{` + strings.Repeat(`"inf.cpu.threads":4,`, 50) + `"x":1}}`,
			Constraints:  "(&(golem.runtime.name=vm)(golem.inf.mem.gib>=0.5))",
			CreationTS:   "2026-01-02T03:04:05.123456",
			ExpirationTS: "2026-01-02T03:34:05.123456",
		},
	}
}

type chunkReply = Result[gftpChunk, string]

func exampleChunk() chunkReply {
	return chunkReply{Ok: &gftpChunk{Offset: 40960, Content: fill(40960, 0x5a)}}
}

func BenchmarkMarshalProposal(b *testing.B) { benchmarkMarshal(b, new(exampleProposal())) }

func BenchmarkMarshalChunk(b *testing.B) { benchmarkMarshal(b, new(exampleChunk())) }

func BenchmarkUnmarshalProposal(b *testing.B) {
	benchmarkUnmarshal[proposalReceived](b, exampleProposal())
}

func BenchmarkUnmarshalChunk(b *testing.B) { benchmarkUnmarshal[chunkReply](b, exampleChunk()) }

func BenchmarkUnmarshalAny(b *testing.B) { benchmarkUnmarshal[any](b, exampleProposal()) }

// BenchmarkJSONProposal is the same message in encoding/json, as a yardstick.
func BenchmarkJSONProposal(b *testing.B) {
	v := new(exampleProposal())
	text, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Marshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var back proposalReceived
			if err := json.Unmarshal(text, &back); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDeflateProposal(b *testing.B) {
	data := mustMarshal(b, exampleProposal())
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		Deflate(data)
	}
}

func BenchmarkInflateProposal(b *testing.B) {
	data := mustMarshal(b, exampleProposal())
	packed := Deflate(data)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Inflate(packed, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkMarshal(b *testing.B, v any) {
	b.SetBytes(int64(len(mustMarshal(b, v))))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Marshal(v); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkUnmarshal[T any](b *testing.B, v any) {
	data := mustMarshal(b, v)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var back T
		if err := Unmarshal(data, &back); err != nil {
			b.Fatal(err)
		}
	}
}

func mustMarshal(tb testing.TB, v any) []byte {
	tb.Helper()
	data, err := Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}
