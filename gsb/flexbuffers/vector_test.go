package flexbuffers

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type ack struct{}

type gftpChunk struct {
	Offset  uint64 `json:"offset"`
	Content []byte `json:"content"`
}

type getChunk struct {
	Offset uint64 `json:"offset"`
	Size   uint64 `json:"size"`
}

type offerIDs struct {
	OfferIDs []string `json:"offerIds"`
}

type broadcast struct {
	ID    *string  `json:"id"`
	Topic string   `json:"topic"`
	Body  offerIDs `json:"body"`
}

type reason struct {
	Message string         `json:"message"`
	Extra   map[string]any `flex:",flatten"`
}

type statePair struct {
	_     struct{} `flex:",tuple"`
	State string
	Next  *string
}

type stepPair struct {
	_  struct{} `flex:",tuple"`
	At uint
	Of *uint
}

type progress struct {
	Step     [2]uint  `flex:"step"`
	Progress stepPair `flex:"progress"`
}

type vpnControl struct {
	_           struct{}  `flex:",enum"`
	AddNodes    *vpnNodes `flex:"addNodes"`
	RemoveNodes *vpnNodes `flex:"removeNodes"`
}

type vpnNodes struct {
	NetworkID string            `flex:"network_id"`
	Nodes     map[string]string `flex:"nodes"`
}

type rpcError struct {
	_       struct{} `flex:",enum"`
	Service *string  `flex:"svc"`
	Timeout bool     `flex:"timeout"`
}

type accountError struct {
	_      struct{}       `flex:",enum"`
	Locked *lockedAccount `flex:"accountLocked"`
}

type lockedAccount struct {
	Identity string `flex:"identity"`
}

// exported lets cmp look into the blank fields that mark structs.
var exported = cmp.Exporter(func(reflect.Type) bool { return true })

func fill(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }

func vec300() string {
	return "2c01" + hex.EncodeToString(bytes.Repeat([]byte{0xaa, 0}, 300)) + "58023102"
}

// vectors are documents made by the crate flexbuffers 2.0.0, which upstream
// uses, of the values beside them.
var vectors = []struct {
	name  string
	value any
	hex   string
}{
	{"unit", Unit{}, "000001"},
	{"empty struct", ack{}, "00000100002401"},
	{"u8", uint8(7), "070801"},
	{"u32", uint32(300), "2c010902"},
	{"i32", int32(-1), "ff0401"},
	{"bool", true, "016801"},
	{"f32", float32(1.5), "0000c03f0e04"},
	{"f64", 0.1, "9a9999999999b93f0f08"},
	{"string", "abc", "0361626300041401"},
	{"ok unit", Result[Unit, string]{Ok: &Unit{}}, "4f6b0001040101010000022401"},
	{"err string", Result[Unit, string]{Err: new("bad")}, "457272000362616400010a0101010914022401"},
	{"ok string", Result[string, Unit]{Ok: new("id")}, "4f6b000269640001080101010814022401"},
	{"ok ack", Result[ack, string]{Ok: &ack{}}, "4f6b000000010001080101010524022401"},
	{"err unit variant", Result[Unit, rpcError]{Err: &rpcError{Timeout: true}},
		"457272000774696d656f757400010e0101010d14022401"},
	{"err newtype variant", Result[Unit, rpcError]{Err: &rpcError{Service: new("x")}},
		"45727200737663000178000108010101071401130101010724022401"},
	{"struct variant", accountError{Locked: &lockedAccount{"0x1"}},
		"6163636f756e744c6f636b6564006964656e74697479000330783100010f010101091401240101010724022401"},
	{"two bytes", Bytes8{1, 2}, "0102024401"},
	{"one byte", Bytes8{9}, "0109013001"},
	{"no bytes", Bytes8{}, "00002801"},
	{"five bytes", Bytes8{1, 2, 3, 4, 5}, "050102030405053001"},
	{"300 bytes", Bytes8(fill(300, 0xaa)), vec300()},
	{"byte buffer", []byte{1, 2, 3}, "03010203036401"},
	{"strings", []string{"a", "bc"}, "016100026263000207051414042801"},
	{"state pair", statePair{State: "Ready"}, "055265616479000207001400042801"},
	{"get chunk", getChunk{40960, 40960}, "6f66667365740073697a6500020d070003000100020000a000a00909062501"},
	{"chunk", gftpChunk{0, []byte{1, 2, 3}}, "6f666673657400636f6e74656e740003010203020d1502010209006408042401"},
	{"broadcast", broadcast{Topic: "t", Body: offerIDs{[]string{"x"}}},
		"696400746f70696300017400626f6479006f666665724964730001780001031401100101010728031c2927030103090026240014062401"},
	{"reason", reason{Message: "m"}, "6d65737361676500016d00010c0101010714022401"},
	{"progress", progress{[2]uint{0, 3}, stepPair{At: 10}},
		"7374657000000370726f677265737300020a000800020f170201020a172844042401"},
	{"vpn control", vpnControl{AddNodes: &vpnNodes{"n", map[string]string{"10.0.0.2": "0xab"}}},
		"6164644e6f646573006e6574776f726b5f696400016e006e6f6465730031302e302e302e320004307861620001100101010a14022b1e02010224091424013e0101010924022401"},
}

func TestVectors(t *testing.T) {
	for _, tt := range vectors {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Marshal(tt.value)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(got); got != tt.hex {
				t.Errorf("Marshal:\n got %s\nwant %s", got, tt.hex)
			}
			data, _ := hex.DecodeString(tt.hex)
			back := reflect.New(reflect.TypeOf(tt.value))
			if err := Unmarshal(data, back.Interface()); err != nil {
				t.Fatalf("Unmarshal: %v", err)
			}
			if diff := cmp.Diff(tt.value, back.Elem().Interface(), exported); diff != "" {
				t.Errorf("Unmarshal (-want +got):\n%s", diff)
			}
		})
	}
}
