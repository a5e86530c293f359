package provider

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/golem-go/golem"
)

// Descriptor says how ExeUnits of a runtime are started, and what they count.
// Its JSON form is upstream's (spec exeunit.md §2).
type Descriptor struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
	Supervisor  string `json:"supervisor-path"`
	// SupervisorArgs come before all other arguments, for a supervisor that is a
	// subcommand. Upstream does not know them.
	SupervisorArgs []string `json:"supervisor-args,omitempty"`
	Runtime        string   `json:"runtime-path,omitempty"`
	ExtraArgs      []string `json:"extra-args,omitempty"`
	// Properties are added to Offers, below golem.runtime.
	Properties map[string]json.RawMessage `json:"properties,omitempty"`
	Config     struct {
		Counters map[string]Counter `json:"counters,omitempty"`
	} `json:"config"`
}

// Counter is something an ExeUnit counts.
type Counter struct {
	Name        string `json:"name"` // short, for price lists
	Description string `json:"description,omitempty"`
	Priced      bool   `json:"price"` // a price may be asked for it
}

// Wasm returns the descriptor of the built-in runtime for WebAssembly. self is
// the golem program of the given version; runtime is a link to it by the name
// ya-runtime-wasm, by which it knows what it is to be.
func Wasm(self, runtime, version string) Descriptor {
	return Descriptor{
		Name: "wasmtime", Version: version, Description: "programs compiled to WebAssembly with WASI",
		Supervisor: self, SupervisorArgs: []string{"exeunit", "--inform-runtime"}, Runtime: runtime,
	}
}

// counters returns what is counted, by property.
func (d *Descriptor) counters() map[string]Counter {
	if len(d.Config.Counters) > 0 {
		return d.Config.Counters
	}
	return map[string]Counter{
		golem.UsageDuration: {Name: "duration", Description: "seconds an activity lasts", Priced: true},
		golem.UsageCPU:      {Name: "cpu", Description: "seconds of processors in use", Priced: true},
		golem.UsageStorage:  {Name: "storage_gib", Description: "GiB of files"},
	}
}

// counter returns the property of a counter that a preset names by it or by its
// short name.
func (d *Descriptor) counter(name string) string {
	counters := d.counters()
	if _, ok := counters[name]; ok {
		return name
	}
	for property, c := range counters {
		if strings.EqualFold(c.Name, name) {
			return property
		}
	}
	return name
}

// Args returns the arguments of a supervisor's subcommand.
func (d *Descriptor) Args(command ...string) []string {
	args := slices.Clone(d.SupervisorArgs)
	if d.Runtime != "" {
		args = append(args, "-b", d.Runtime)
	}
	return slices.Concat(args, d.ExtraArgs, command)
}

func (d *Descriptor) check() error {
	if d.Name == "" || d.Version == "" || d.Supervisor == "" {
		return golem.Errorf(golem.ErrInvalid, "descriptor of runtime %q: name, version or supervisor-path is missing", d.Name)
	}
	return nil
}

// ReadDescriptors reads the files ya-*.json that fit the patterns of
// [filepath.Match]. Those that cannot be used are errors; the others are returned
// all the same.
func ReadDescriptors(patterns ...string) (ds []Descriptor, problems []error) {
	known := map[string]string{}
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			problems = append(problems, golem.Errorf(golem.ErrInvalid, "pattern %q: %w", pattern, err))
		}
		for _, path := range paths {
			found, err := readDescriptors(path)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			for _, d := range found {
				if other, ok := known[d.Name]; ok {
					problems = append(problems, golem.Errorf(golem.ErrInvalid, "%s: runtime %q is also in %s", path, d.Name, other))
					continue
				}
				known[d.Name] = path
				ds = append(ds, d)
			}
		}
	}
	return ds, problems
}

func readDescriptors(path string) (ds []Descriptor, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, golem.Errorf(golem.ErrUnavailable, "descriptor: %w", err)
	}
	if err := json.Unmarshal(text, &ds); err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "%s: %w", path, err)
	}
	for i := range ds {
		if err := ds[i].check(); err != nil {
			return nil, golem.Errorf(golem.ErrInvalid, "%s: %w", path, err)
		}
		for _, p := range []*string{&ds[i].Supervisor, &ds[i].Runtime} {
			if *p != "" && !filepath.IsAbs(*p) {
				*p = filepath.Join(filepath.Dir(path), *p)
			}
		}
	}
	return ds, nil
}
