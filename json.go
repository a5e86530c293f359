package golem

import (
	"bytes"
	"encoding/json"
)

// marshal is json.Marshal without escaping what needs no escaping: the texts of
// others, constraints with their < and > above all, are shown as they came. It
// is for the MarshalJSON methods, whose result an outer encoder cannot unescape.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
