package provider

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/golem-go/golem"
)

// Preset says what a runtime is sold for. Its JSON form is upstream's (spec
// provider-agent.md §2).
type Preset struct {
	Name    string `json:"name"`
	ExeUnit string `json:"exeunit-name"`  // name of a Descriptor
	Model   string `json:"pricing-model"` // only "linear" is known; "" is that
	// Start is the price of having started an Activity, in tokens.
	Start float64 `json:"initial-price"`
	// Prices are in tokens for each unit, by property or short name of the counter.
	Prices map[string]float64 `json:"usage-coeffs"`
}

const linear = "linear"

// check finds what is wrong with a preset by itself.
func (p *Preset) check() error {
	switch {
	case p.Name == "" || p.ExeUnit == "":
		return golem.Errorf(golem.ErrInvalid, "preset %q: name or exeunit-name is missing", p.Name)
	case p.Model != "" && p.Model != linear:
		return golem.Errorf(golem.ErrUnsupported, "preset %q: pricing model %q is unknown, there is only %s", p.Name, p.Model, linear)
	}
	coeffs := []float64{0, p.Start} // one more, since it may have no prices as long as it is not used
	for _, price := range p.Prices {
		coeffs = append(coeffs, price)
	}
	if _, err := golem.ParseCoefficients(coeffs, len(coeffs)-1); err != nil {
		return golem.Errorf(golem.ErrInvalid, "preset %q: %w", p.Name, err)
	}
	return nil
}

// Presets are the content of the file presets.json.
type Presets struct {
	Version string   `json:"ver"`
	Active  []string `json:"active"`
	All     []Preset `json:"presets"`
}

// PresetsFile is the name of the file with the presets in [Config].Dir.
const PresetsFile = "presets.json"

// NewPresets returns presets all of which are active.
func NewPresets(all ...Preset) Presets {
	ps := Presets{Version: "V1", All: all}
	for _, p := range all {
		ps.Active = append(ps.Active, p.Name)
	}
	return ps
}

// ParsePresets parses the file presets.json, also without a version, when it
// named counters differently. It returns ErrInvalid where names are double or
// unknown ones active.
func ParsePresets(text []byte) (Presets, error) {
	var ps Presets
	if err := json.Unmarshal(text, &ps); err != nil {
		return ps, golem.Errorf(golem.ErrInvalid, "presets: %w", err)
	}
	if ps.Version != "" && ps.Version != "V0" && ps.Version != "V1" {
		return ps, golem.Errorf(golem.ErrUnsupported, "presets: version %q is unknown", ps.Version)
	}
	names := map[string]bool{}
	for i := range ps.All {
		p := &ps.All[i]
		if ps.Version != "V1" {
			p.modernize()
		}
		if err := p.check(); err != nil {
			return ps, err
		}
		if names[p.Name] {
			return ps, golem.Errorf(golem.ErrInvalid, "presets: there are two of name %q", p.Name)
		}
		names[p.Name] = true
	}
	for _, name := range ps.Active {
		if !names[name] {
			return ps, golem.Errorf(golem.ErrInvalid, "presets: %q is active, but there is no such preset", name)
		}
	}
	ps.Version = "V1"
	return ps, nil
}

// modernize renames the counters of a file of version V0.
func (p *Preset) modernize() {
	prices := map[string]float64{}
	for name, price := range p.Prices {
		switch name {
		case "duration":
			prices[golem.UsageDuration] = price
		case "cpu":
			prices[golem.UsageCPU] = price
		case "initial":
			p.Start = price
		}
	}
	p.Prices = prices
}

// ReadPresets reads a file with presets. It returns ErrNotFound where there is
// none.
func ReadPresets(path string) (Presets, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Presets{}, golem.Errorf(golem.ErrNotFound, "there is no file %s", path)
	}
	if err != nil {
		return Presets{}, golem.Errorf(golem.ErrUnavailable, "presets: %w", err)
	}
	ps, err := ParsePresets(text)
	if err != nil {
		return ps, golem.Errorf(golem.KindOf(err), "%s: %w", path, err)
	}
	return ps, nil
}

// WritePresets replaces a file with presets. Whoever reads it at the same time
// sees the old ones or the new.
func WritePresets(path string, ps Presets) error {
	ps.Version = "V1"
	text, err := json.MarshalIndent(ps, "", "  ")
	if err != nil {
		return golem.Errorf(golem.ErrInvalid, "presets: %w", err)
	}
	if _, err := ParsePresets(text); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".presets-*")
	if err != nil {
		return golem.Errorf(golem.ErrUnavailable, "presets: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	err = cmp.Or(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return golem.Errorf(golem.ErrUnavailable, "presets: %w", err)
	}
	return nil
}

// active returns the active presets in the order of the file.
func (ps *Presets) active() (active []Preset) {
	for _, p := range ps.All {
		if slices.Contains(ps.Active, p.Name) {
			active = append(active, p)
		}
	}
	return active
}
