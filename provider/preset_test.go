package provider

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
)

func TestParsePresets(t *testing.T) {
	tests := map[string]struct {
		text string
		want []Preset // the active ones
		err  string
	}{
		"upstream's": {
			text: `{"ver":"V1","active":["vm"],"presets":[{"name":"other","exeunit-name":"wasmtime","pricing-model":"linear","usage-coeffs":{}},
				{"name":"vm","exeunit-name":"vm","pricing-model":"linear","initial-price":0.5,"usage-coeffs":{"golem.usage.cpu_sec":0.0000069,"golem.usage.duration_sec":0.0000014}}]}`,
			want: []Preset{{"vm", "vm", "linear", 0.5, map[string]float64{golem.UsageCPU: 0.0000069, golem.UsageDuration: 0.0000014}}},
		},
		"old": {
			text: `{"active":["default"],"presets":[{"name":"default","exeunit-name":"wasmtime","pricing-model":"linear","usage-coeffs":{"duration":0.1,"cpu":0.2,"initial":0.3,"gpu":9}}]}`,
			want: []Preset{{"default", "wasmtime", "linear", 0.3, map[string]float64{golem.UsageCPU: 0.2, golem.UsageDuration: 0.1}}},
		},
		"nothing active":  {text: `{"ver":"V1","active":[],"presets":[]}`},
		"no JSON":         {text: `presets`, err: "presets"},
		"newer":           {text: `{"ver":"V2"}`, err: `version "V2" is unknown`},
		"unknown active":  {text: `{"ver":"V1","active":["vm"],"presets":[]}`, err: `"vm" is active, but there is no such preset`},
		"double":          {text: `{"ver":"V1","presets":[{"name":"a","exeunit-name":"vm"},{"name":"a","exeunit-name":"vm","usage-coeffs":{"x":1}}]}`, err: "there are two"},
		"model":           {text: `{"ver":"V1","presets":[{"name":"a","exeunit-name":"vm","pricing-model":"auction","usage-coeffs":{"x":1}}]}`, err: "pricing model"},
		"negative":        {text: `{"ver":"V1","presets":[{"name":"a","exeunit-name":"vm","usage-coeffs":{"x":-1}}]}`, err: "out of range"},
		"negative start":  {text: `{"ver":"V1","presets":[{"name":"a","exeunit-name":"vm","initial-price":-1,"usage-coeffs":{"x":1}}]}`, err: "out of range"},
		"without a name":  {text: `{"ver":"V1","presets":[{"exeunit-name":"vm","usage-coeffs":{"x":1}}]}`, err: "missing"},
		"without exeunit": {text: `{"ver":"V1","presets":[{"name":"a","usage-coeffs":{"x":1}}]}`, err: "missing"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ps, err := ParsePresets([]byte(tt.text))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want an error with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, ps.active()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWritePresets(t *testing.T) {
	path := filepath.Join(t.TempDir(), PresetsFile)
	if _, err := ReadPresets(path); golem.KindOf(err) != golem.ErrNotFound {
		t.Errorf("without a file: %v", err)
	}
	want := NewPresets(Preset{Name: "a", ExeUnit: "vm", Model: linear, Prices: map[string]float64{golem.UsageCPU: 0.1}})
	for range 2 {
		if err := WritePresets(path, want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadPresets(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := WritePresets(path, Presets{Active: []string{"b"}}); err == nil {
		t.Error("presets that cannot be read again are written")
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("there are %d files", len(files))
	}
}

func FuzzParsePresets(f *testing.F) {
	f.Add([]byte(`{"ver":"V1","active":["vm"],"presets":[{"name":"vm","exeunit-name":"vm","pricing-model":"linear","usage-coeffs":{"golem.usage.cpu_sec":1e-9}}]}`))
	f.Add([]byte(`{"active":["a"],"presets":[{"name":"a","exeunit-name":"b","usage-coeffs":{"cpu":1,"initial":2}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		ps, err := ParsePresets(text)
		if err != nil {
			return
		}
		for _, p := range ps.active() {
			if p.Start < 0 || p.Name == "" {
				t.Errorf("accepted %+v", p)
			}
		}
	})
}
