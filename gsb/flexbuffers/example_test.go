package flexbuffers_test

import (
	"fmt"

	"github.com/golem-go/golem/gsb/flexbuffers"
)

func Example() {
	type chunk struct {
		Offset  uint64 `json:"offset"`
		Content []byte `json:"content"`
	}
	type reply = flexbuffers.Result[chunk, string]

	data, err := flexbuffers.Marshal(reply{Ok: &chunk{Offset: 40960, Content: []byte("hello")}})
	if err != nil {
		fmt.Println(err)
	}
	var back reply
	if err := flexbuffers.Unmarshal(data, &back); err != nil {
		fmt.Println(err)
	}
	fmt.Println(len(data), back.Ok.Offset, string(back.Ok.Content))

	var wrong struct {
		Ok struct {
			Content string `flex:"content"`
		}
	}
	fmt.Println(flexbuffers.Unmarshal(data, &wrong))
	// Output:
	// 50 40960 hello
	// Ok.content: want string, found bytes
}

// RPCError is an enum of Rust: three variants, one of them without content.
type RPCError struct {
	_         struct{} `flex:",enum"`
	Service   *string  `flex:"service"`
	Forbidden *string  `flex:"forbidden"`
	Timeout   bool     `flex:"timeout"`
}

func Example_enum() {
	for _, e := range []RPCError{{Timeout: true}, {Forbidden: new("not your Activity")}} {
		data, err := flexbuffers.Marshal(e)
		if err != nil {
			fmt.Println(err)
		}
		root, err := flexbuffers.Root(data)
		if err != nil {
			fmt.Println(err)
		}
		text, _ := root.MarshalJSON()
		fmt.Println(string(text))
	}
	// Output:
	// "timeout"
	// {"forbidden":"not your Activity"}
}

// CreateActivityReply is an untagged enum: old nodes answer with the ID alone.
type CreateActivityReply struct {
	ActivityID string `flex:"activityId"`
}

// UnmarshalFlex reads both forms.
func (r *CreateActivityReply) UnmarshalFlex(v flexbuffers.Value) error {
	if v.Kind() == flexbuffers.KindString {
		return v.Decode(&r.ActivityID)
	}
	type long CreateActivityReply // without this method
	return v.Decode((*long)(r))
}

func ExampleUnmarshaler() {
	for _, v := range []any{"a1", map[string]any{"activityId": "a2", "credentials": nil}} {
		data, err := flexbuffers.Marshal(v)
		if err != nil {
			fmt.Println(err)
		}
		var r CreateActivityReply
		fmt.Println(flexbuffers.Unmarshal(data, &r), r.ActivityID)
	}
	// Output:
	// <nil> a1
	// <nil> a2
}

func ExampleValue() {
	data, err := flexbuffers.Marshal(map[string]any{"id": "7", "payload": []any{uint64(1), 0.5}})
	if err != nil {
		fmt.Println(err)
	}
	root, err := flexbuffers.Root(data)
	if err != nil {
		fmt.Println(err)
	}
	for i := range root.Len() {
		key, _ := root.Key(i)
		value, _ := root.At(i)
		fmt.Println(key, value.Kind())
	}
	payload, found, err := root.Lookup("payload")
	fmt.Println(payload.Len(), found, err)
	// Output:
	// id string
	// payload vector
	// 2 true <nil>
}
