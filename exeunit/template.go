package exeunit

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"

	"github.com/golem-go/golem"
)

// Template is what a Provider can say in an Offer about an ExeUnit, before the
// agent adds prices: properties by their dotted names, and constraints.
type Template struct {
	Properties  map[string]any `json:"properties"`
	Constraints string         `json:"constraints"`
}

// BaseTemplate returns what any Supervisor offers.
func BaseTemplate() Template {
	return Template{Properties: map[string]any{
		"golem.com.usage.vector": []any{golem.UsageDuration, golem.UsageCPU, golem.UsageMemory, golem.UsageStorage},

		"golem.activity.caps.transfer.protocol":        []any{"gftp", "http", "https"},
		"golem.activity.caps.transfer.report-progress": true,
		"golem.activity.caps.deploy.report-progress":   true,
	}}
}

// ParseTemplate parses what a Runtime prints for offer-template. Properties may
// be nested; what follows the JSON value is ignored, since some runtimes print
// stray bytes.
func ParseTemplate(stdout []byte) (t Template, err error) {
	if err := json.NewDecoder(bytes.NewReader(stdout)).Decode(&t); err != nil {
		return t, golem.Errorf(golem.ErrInvalid, "offer template of the runtime: %w", err)
	}
	t.Properties = flatten(t.Properties)
	return t, nil
}

// Merge returns t with what over says laid over it: its properties replace those
// of the same name, lists as a whole; the constraints of both apply.
func (t Template) Merge(over Template) Template {
	merged := Template{Properties: maps.Clone(t.Properties)}
	maps.Copy(merged.Properties, over.Properties)
	var cs []string
	for _, c := range []string{t.Constraints, over.Constraints} {
		if c = strings.TrimSpace(c); c != "" && c != "()" {
			cs = append(cs, c)
		}
	}
	merged.Constraints = strings.Join(cs, " ")
	if len(cs) > 1 {
		merged.Constraints = "(&" + strings.Join(cs, " ") + ")"
	}
	return merged
}
