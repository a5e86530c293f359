package exeunit

import (
	"encoding/json"
	"io"
	"math"
	"os"
	"time"

	"github.com/golem-go/golem"
)

// maxAgreement is the most an agreement file may have, in bytes.
const maxAgreement = 16 << 20

// Agreement is what a Supervisor reads of the Agreement its Activity belongs to
// (spec exeunit.md §3).
type Agreement struct {
	ID          string
	Requestor   golem.NodeID // zero where the file does not say
	Provider    golem.NodeID
	TaskPackage string    // url of the image with its hash, "" for none
	Vector      []string  // usage counters, in the order they are reported
	Expiration  time.Time // the Requestor wants the work done by then; zero for never
	Manifest    bool      // the Demand has a payload manifest
	Threads     float64   // golem.inf.cpu.threads, 0 where not given
	Memory      float64   // golem.inf.mem.gib
	Storage     float64   // golem.inf.storage.gib
}

// ReadAgreement reads the agreement file that the Provider's agent wrote.
func ReadAgreement(path string) (*Agreement, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "agreement: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAgreement+1))
	if err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "agreement: %w", err)
	}
	if len(b) > maxAgreement {
		return nil, golem.Errorf(golem.ErrTooLarge, "agreement: more than %d bytes", maxAgreement)
	}
	return ParseAgreement(b)
}

// ParseAgreement parses the JSON of an Agreement. Properties may be flat, nested
// or both.
func ParseAgreement(b []byte) (*Agreement, error) {
	var file struct {
		ID     string `json:"agreementId"`
		Demand struct {
			Requestor  *golem.NodeID  `json:"requestorId"`
			Properties map[string]any `json:"properties"`
		} `json:"demand"`
		Offer struct {
			Provider   *golem.NodeID  `json:"providerId"`
			Properties map[string]any `json:"properties"`
		} `json:"offer"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "agreement: %w", err)
	}
	demand, offer := flatten(file.Demand.Properties), flatten(file.Offer.Properties)
	a := &Agreement{ID: file.ID}
	if file.Demand.Requestor != nil {
		a.Requestor = *file.Demand.Requestor
	}
	if file.Offer.Provider != nil {
		a.Provider = *file.Offer.Provider
	}
	a.TaskPackage, _ = demand["golem.srv.comp.task_package"].(string)
	_, a.Manifest = demand["golem.srv.comp.payload"]
	if ms := number(demand, "golem.srv.comp.expiration"); ms > 0 && ms < math.MaxInt64/1e6 {
		a.Expiration = time.UnixMilli(int64(ms)).UTC()
	}
	a.Threads = number(offer, "golem.inf.cpu.threads")
	a.Memory = number(offer, "golem.inf.mem.gib")
	a.Storage = number(offer, "golem.inf.storage.gib")
	var err error
	a.Vector, err = usageVector(offer)
	return a, err
}

// usageVector returns the counters of the Offer, which it must have.
func usageVector(offer map[string]any) ([]string, error) {
	const key = "golem.com.usage.vector"
	list, ok := offer[key].([]any)
	if !ok {
		return nil, golem.Errorf(golem.ErrInvalid, "agreement: offer has no list %s", key)
	}
	vector := make([]string, len(list))
	for i, v := range list {
		if vector[i], ok = v.(string); !ok {
			return nil, golem.Errorf(golem.ErrInvalid, "agreement: %s: element %d is not a string", key, i)
		}
	}
	return vector, nil
}

// number returns a property that is a number above zero, else 0.
func number(properties map[string]any, key string) float64 {
	n, _ := properties[key].(float64)
	return max(n, 0)
}

// flatten turns nested objects into dotted keys. Lists stay values.
func flatten(properties map[string]any) map[string]any {
	flat := map[string]any{}
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for k, v := range m {
			if inner, ok := v.(map[string]any); ok {
				walk(prefix+k+".", inner)
			} else {
				flat[prefix+k] = v
			}
		}
	}
	walk("", properties)
	return flat
}
