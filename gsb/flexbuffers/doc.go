// Package flexbuffers encodes what nodes say to each other on the service bus:
// the FlexBuffers format, with the shapes that upstream's serialisation (serde
// on the Rust crate flexbuffers 2.0.0) gives to its types.
//
// # The format
//
// A FlexBuffers document describes itself and is read from its end: the last
// byte is the width of the root value, the one before it the root's type, and
// before that lies the root. Numbers, booleans and null lie in their slot;
// everything else lies further to the front, and the slot holds the distance
// back to it. Maps and vectors have one width for all their slots, the narrowest
// that suits each of them: 1, 2, 4 or 8 bytes. A map has its keys in a vector of
// their own, sorted by their bytes. {"Ok": null} is
//
//	4f 6b 00           key "Ok" and its end
//	01 04              keys vector: one key, 4 bytes back
//	01 01 01 00 00     map: keys 1 byte back, keys 1 byte wide, one value;
//	                   the value 0, its type Null
//	02 24 01           root: 2 bytes back, type Map, 1 byte wide
//
// Marshal lays documents out byte for byte as the Rust crate does: children
// before their parents, each key text once, offsets as narrow as their place
// allows. Unmarshal and Root read any valid layout, also those of other writers
// that share keys vectors or strings, and maps whose keys are out of order. Of
// several entries with one key the last counts.
//
// # The mapping
//
//	Go                                   document          Rust
//	struct                               Map               struct
//	struct{} of a named type             empty Map         struct X {}
//	Unit                                 Null              (), struct X;
//	nil pointer or interface             Null              None
//	struct marked tuple, array           Vector            tuple, tuple struct
//	struct marked enum                   String or Map     enum
//	Result[T, E]                         Map               Result<T, E>
//	slice                                Vector            Vec<T>
//	[]byte                               Blob              serde_bytes, ByteBuf
//	[]byte tagged seq, Bytes8, [n]byte   VectorUInt        Vec<u8>, [u8; n]
//	map                                  Map               HashMap, BTreeMap
//	bool, string                         Bool, String
//	int…, uint…                          Int, UInt         i8…, u8…
//	float32, float64                     Float             f32, f64
//	time.Time                            String            DateTime<Utc>
//	time.Time tagged naive               String            NaiveDateTime
//	time.Duration                        Map secs, nanos   Duration
//	json.RawMessage, json.Number         what it says      serde_json::Value
//	Value                                what it holds
//
// Numbers take the narrowest width that holds them exactly, of floats 4 or 8
// bytes. A vector of numbers or booleans of one type drops the type bytes; one of
// two to four numbers drops the length too.
//
// A type with methods goes its own way. The first that applies counts:
// MarshalFlex and UnmarshalFlex, for untagged enums; MarshalText and
// UnmarshalText, a String; MarshalJSON and UnmarshalJSON, the natural mapping of
// that JSON, so that a type with an unusual shape in REST has it on the bus too
// without knowing this package.
//
// An any holds nil, bool, int64, uint64, float64, string, []byte, []any or
// map[string]any after reading.
//
// # Struct tags
//
// Keys come from the flex tag, else from the json tag, else from the field name.
// A flex tag with a name replaces the json tag; one without adds options to it.
//
//	`flex:"name"`       the key; "-" leaves the field out
//	`flex:",omitempty"` not written when empty; may be missing or null
//	`flex:",omitzero"`  not written when zero; may be missing or null
//	`flex:",default"`   always written; may be missing or null
//	`flex:",seq"`       bytes as a vector of numbers
//	`flex:",naive"`     times without zone
//	`flex:",flatten"`   the entries of this struct or map are the outer one's
//
// The options seq and naive reach through pointers, slices and maps. Embedded
// structs are flattened. A flattened map takes the keys that no field has. Other
// unknown keys are ignored; a missing key is an error unless its field is a
// pointer or has one of the first three options.
//
// # Enums
//
// Rust writes an enum as the name of its variant, with the content behind it if
// there is any. A struct with a blank field so marked is such an enum: each field
// is a variant, a bool one without content, a pointer one with it, and one of
// them is set.
//
//	type RPCError struct {
//		_       struct{} `flex:",enum"`
//		Service *string  `flex:"service"` // {"service": "…"}
//		Timeout bool     `flex:"timeout"` // "timeout"
//	}
//
// The mark `flex:",tuple"` makes a struct a vector of its fields. Variant is an
// enum whose variants are not known in advance.
//
// # Strangers
//
// Documents come from anybody. Reading one checks every offset and length, stops
// at 64 levels of nesting, and spends time and memory from a budget proportional
// to the size of the document, so that a few bytes that describe a tree without
// end are refused soon. What is no document, or not UTF-8 where it should be, is
// ErrMalformed; what is one of another shape is a *FieldError with its place:
//
//	proposal.creation_ts: want string, found int
//
// The reader is more lenient than the writer is loose: a signed integer may
// stand for an unsigned one and any integer for a float, bytes may be a Blob or
// a vector, a struct may be a Vector of its fields in order, Unit and an empty
// struct may each be what the other is written as.
//
// Payloads may be compressed without saying so; see Inflate.
package flexbuffers
