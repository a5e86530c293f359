package provider

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
)

// Names of properties (spec provider-agent.md §13.1).
const (
	propNodeName      = "golem.node.id.name"
	propSubnet        = "golem.node.debug.subnet"
	propIsPublic      = "golem.node.net.is-public"
	propArchitecture  = "golem.inf.cpu.architecture"
	propCores         = "golem.inf.cpu.cores"
	propThreads       = "golem.inf.cpu.threads"
	propMemory        = "golem.inf.mem.gib"
	propStorage       = "golem.inf.storage.gib"
	propRuntimeName   = "golem.runtime.name"
	propRuntimeVer    = "golem.runtime.version"
	propRuntimeCaps   = "golem.runtime.capabilities"
	propMultiActivity = "golem.srv.caps.multi-activity"
	propManifestCap   = "golem.srv.caps.payload-manifest"
	propManifest      = "golem.srv.comp.payload"
	propExpiration    = "golem.srv.comp.expiration"
)

// properties are those of an Offer, by dotted name, each in its JSON form:
// numbers keep the form they were written in.
type properties map[string]json.RawMessage

// propertiesOf copies a set.
func propertiesOf(s *property.Set) properties {
	ps := make(properties, s.Len())
	for name, v := range s.All() {
		ps[name] = json.RawMessage(v.Raw())
	}
	return ps
}

// set gives a property a value that has a JSON form.
func (ps properties) set(name string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return golem.Errorf(golem.ErrInvalid, "property %s: %w", name, err)
	}
	ps[name] = b
	return nil
}

// text returns the JSON of the whole, names in byte order.
func (ps properties) text() (json.RawMessage, error) {
	b, err := json.Marshal(ps)
	if err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "properties: %w", err)
	}
	return b, nil
}

// decimal is the JSON form of a number that is not taken for an integer anywhere:
// SDKs and nodes of other languages tell 0.0 from 0.
func decimal(f float64) json.RawMessage {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return json.RawMessage(text)
}

// decimals is the JSON form of a list of numbers.
func decimals(fs []float64) json.RawMessage {
	texts := make([]string, len(fs))
	for i, f := range fs {
		texts[i] = string(decimal(f))
	}
	return json.RawMessage("[" + strings.Join(texts, ",") + "]")
}
