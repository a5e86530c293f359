package provider

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/exeunit"
	"github.com/golem-go/golem/property"
)

// vm is a runtime as upstream's describes itself.
func vm(t testing.TB) *testedRuntime {
	t.Helper()
	template, err := exeunit.ParseTemplate([]byte(`{"properties":{
		"golem.com.usage.vector":["golem.usage.duration_sec","golem.usage.cpu_sec","golem.usage.gib","golem.usage.storage_gib"],
		"golem.com.scheme":"free",
		"golem.activity.caps.transfer.protocol":["gftp","http","https"],
		"golem.inf.cpu.vendor":"GenuineIntel","golem.inf.cpu.architecture":"riscv64",
		"golem.runtime.capabilities":["inet","vpn","manifest-support"]},
		"constraints":"(golem.x=y)"}`))
	if err != nil {
		t.Fatal(err)
	}
	d := Descriptor{Name: "vm", Version: "0.5.2", Supervisor: "/exe-unit", Properties: map[string]json.RawMessage{"foo": json.RawMessage(`1.0`)}}
	d.Config.Counters = map[string]Counter{
		golem.UsageDuration: {Name: "Duration", Priced: true}, golem.UsageCPU: {Name: "CPU", Priced: true},
		"requests": {Name: "Requests", Priced: true}, "hidden": {Name: "Hidden"},
	}
	return &testedRuntime{d, template}
}

func usual() *circumstances {
	terms, _ := DefaultTerms(Terms{})
	return &circumstances{
		name: "friendly-winter", subnet: "public", public: true, terms: terms,
		slice: Hardware{Threads: 7, Cores: 4, Memory: 10.9, Storage: 80},
		accounts: []golem.Account{
			{Platform: golem.Platform{Driver: "local", Network: "devnet", Token: "dglm"}, Address: golem.Address{1}, Receive: true},
		},
	}
}

func TestOffer(t *testing.T) {
	pr, err := newProduct(Preset{Name: "vm", ExeUnit: "vm", Prices: map[string]float64{"duration": 0.0000014, "CPU": 0.0000069, "requests": 1}}, vm(t))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pr.offer(usual(), noon)
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(p.Properties, &raw); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for name, value := range raw {
		if name == propArchitecture {
			continue
		}
		lines = append(lines, name+" = "+string(value)+"\n")
	}
	slices.Sort(lines)
	golden(t, "offer.golden", strings.Join(lines, "")+p.Constraints+"\n")

	demand := `{"golem.srv.comp.expiration":` + string(decimal(float64(noon.Add(time.Hour).UnixMilli()))) + `,"golem.node.debug.subnet":"public","golem.x":"y"}`
	theirs, err := property.ParseParty(demand, "(&(golem.runtime.name=vm)(golem.inf.mem.gib>=0.5)(golem.com.pricing.model=linear)(golem.com.payment.protocol.version>1))")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := property.ParseParty(string(p.Properties), p.Constraints)
	if err != nil {
		t.Fatal(err)
	}
	if property.Match(theirs, ours) != property.Yes {
		t.Error(property.Explain(theirs, ours))
	}
}

func TestOfferWithoutAccount(t *testing.T) {
	pr, err := newProduct(Preset{Name: "vm", ExeUnit: "vm", Prices: map[string]float64{"CPU": 1}}, vm(t))
	if err != nil {
		t.Fatal(err)
	}
	c := usual()
	c.accounts = nil
	if _, err := pr.offer(c, noon); golem.KindOf(err) != golem.ErrUnavailable {
		t.Errorf("got %v", err)
	}
}

func TestProductRefused(t *testing.T) {
	for name, p := range map[string]Preset{
		"no prices":     {Name: "a", ExeUnit: "vm"},
		"not counted":   {Name: "a", ExeUnit: "vm", Prices: map[string]float64{"golem.usage.gpu-sec": 1}},
		"not priced":    {Name: "a", ExeUnit: "vm", Prices: map[string]float64{"hidden": 1}},
		"twice":         {Name: "a", ExeUnit: "vm", Prices: map[string]float64{"cpu": 1, golem.UsageCPU: 2}},
		"beyond reason": {Name: "a", ExeUnit: "vm", Prices: map[string]float64{"cpu": 1e11}},
	} {
		if _, err := newProduct(p, vm(t)); golem.KindOf(err) != golem.ErrInvalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestReadDescriptors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("ya-runtime-vm.json", `[{"name":"vm","version":"0.5.2","supervisor-path":"exe-unit","runtime-path":"ya-runtime-vm/ya-runtime-vm","extra-args":["--cap-handoff"]}]`)
	write("ya-dummy.json", `[{"name":"dummy","version":"0.1.0","supervisor-path":"/bin/dummy","extra-args":["--runtime","dummy"]},{"name":"vm","version":"1.0.0","supervisor-path":"x"}]`)
	write("ya-broken.json", `{"name":"x"}`)
	write("ya-incomplete.json", `[{"name":"x"}]`)
	write("other.json", `[{"name":"other","version":"1","supervisor-path":"x"}]`)
	ds, problems := ReadDescriptors(filepath.Join(dir, "ya-*.json"), filepath.Join(dir, "none", "*.json"))
	var got []string
	for _, d := range ds {
		got = append(got, d.Supervisor+" "+strings.Join(d.Args("test"), " "))
	}
	want := []string{"/bin/dummy --runtime dummy test", filepath.Join(dir, "x") + " test"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(problems) != 3 {
		t.Errorf("problems: %v", problems)
	}
	if d := Wasm("/bin/golem", "/lib/ya-runtime-wasm", "0.1.0"); !slices.Equal(d.Args("offer-template"), []string{"exeunit", "--inform-runtime", "-b", "/lib/ya-runtime-wasm", "offer-template"}) {
		t.Errorf("built-in: %q", d.Args("offer-template"))
	}
}
