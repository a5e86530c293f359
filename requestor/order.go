package requestor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/property"
	"github.com/golem-go/golem/rest/client"
)

// The defaults of an Order.
const (
	DefaultRuntime  = "wasmtime"
	DefaultTimeout  = 30 * time.Minute
	DefaultPatience = 30 * time.Second
	DefaultSilence  = 30 * time.Second
)

// Order says what is to be rented, and how much that may cost. The zero value of
// a field asks for nothing, or stands for the default named with it.
type Order struct {
	Image        Source            // what is deployed: a .wasm file for the default Runtime
	Runtime      string            // default [DefaultRuntime]
	Capabilities []string          // the Runtime must have
	Env          map[string]string // of the programs; see Environment in the package comment
	Volumes      []string          // paths to provide in addition to the Runtime's

	MinThreads int
	MinMemory  float64 // GiB
	MinStorage float64 // GiB

	MaxPrice golem.Amount  // of a whole rental; default what the budget has
	Timeout  time.Duration // after which a rental ends by itself; default [DefaultTimeout]
	Patience time.Duration // with a market on which there is nobody; default [DefaultPatience]
	Silence  time.Duration // after which a Provider is taken for lost; default [DefaultSilence]

	// Filter refuses an offer by returning why. It is called for offers that
	// suit the Order and are not too expensive.
	Filter func(*Candidate) error
	// Score ranks offers; the highest is asked first. nil prefers the lowest
	// Estimate.
	Score func(*Candidate) float64

	// Properties and Constraint are added to the Demand: properties by name, and
	// one constraint in the language of package property.
	Properties map[string]any
	Constraint string

	// Progress is told what happens to rentals of this Order, by any goroutine
	// and one at a time for each rental. It must not block.
	Progress func(Progress)
}

// Progress is a step on the way of a rental.
type Progress struct {
	Stage    Stage
	Provider string // name or id; "" while there is none
	Text     string // for people
	Done     int64  // bytes, of a Stage that copies something
	Total    int64  // bytes; 0 where it is not known
}

// Stage is a part of the life of a rental.
type Stage string

// The stages, in their order.
const (
	Searching Stage = "search" // for offers, negotiating with those who made them
	Agreeing  Stage = "agree"
	Creating  Stage = "create" // the Activity
	Deploying Stage = "deploy"
	Starting  Stage = "start"
	Uploading Stage = "upload"
	Running   Stage = "run"
	Fetching  Stage = "download"
	Ending    Stage = "end"
	Paying    Stage = "pay"
)

func (o *Order) tell(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}

// withDefaults returns the Order with its blanks filled in, or ErrInvalid.
func (o Order) withDefaults() (Order, error) {
	o.Runtime = cmp.Or(o.Runtime, DefaultRuntime)
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.Patience = cmp.Or(o.Patience, DefaultPatience)
	o.Silence = cmp.Or(o.Silence, DefaultSilence)
	switch {
	case o.Timeout < 0 || o.Patience < 0 || o.Silence < 0 || o.MinThreads < 0 || o.MinMemory < 0 || o.MinStorage < 0:
		return o, golem.Errorf(golem.ErrInvalid, "order: negative numbers make no sense")
	case o.Image.isZero() && o.Runtime == DefaultRuntime:
		return o, golem.Errorf(golem.ErrInvalid, "order: set Image to what is to be run, such as requestor.File(\"program.wasm\")")
	}
	for _, text := range append([]string{o.Runtime}, o.Capabilities...) {
		if strings.ContainsAny(text, "()*=\\") {
			return o, golem.Errorf(golem.ErrInvalid, "order: %q has characters with a meaning in constraints", text)
		}
	}
	if o.Constraint != "" {
		if _, err := property.ParseConstraint(o.Constraint); err != nil {
			return o, golem.Errorf(golem.ErrInvalid, "order: constraint: %w", err)
		}
	}
	for name := range o.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return o, golem.Errorf(golem.ErrInvalid, "order: environment variable %q: no name may be empty or contain =", name)
		}
	}
	return o, nil
}

// terms are what a Demand says beside the Order itself.
type terms struct {
	subnet   string
	platform golem.Platform
	payer    golem.Address
	image    string    // URL with hash, "" for none
	expires  time.Time // of an Agreement
}

// Values a Requestor states that a Provider may make stricter; seconds. They are
// those of upstream's SDK (spec provider-agent.md §14.2).
const (
	acceptTimeout  = 120
	noteInterval   = 120
	paymentTimeout = 12 * 60 * 60
)

// demand returns the Demand of an Order, as properties by name and a constraint.
// What the payment part says is what the node's demand decorations are (spec
// rest-api.md §6.3), without asking for them.
func (o *Order) demand(t terms) (map[string]any, string) {
	props := map[string]any{
		"golem.srv.caps.multi-activity":       true,
		"golem.node.debug.subnet":             t.subnet,
		"golem.srv.comp.expiration":           t.expires.UnixMilli(),
		golem.PropAcceptTimeout:               acceptTimeout,
		golem.PropNoteInterval:                noteInterval,
		golem.PropPaymentTimeout:              paymentTimeout,
		golem.PropPlatformAddress(t.platform): t.payer.String(),
		golem.PropProtocolVersion:             "3",
	}
	if t.image != "" {
		props["golem.srv.comp.task_package"] = t.image
	}
	if o.Runtime == "vm" {
		props["golem.srv.comp.vm.package_format"] = "gvmkit-squash"
	}
	maps.Copy(props, o.Properties)
	return props, o.constraint(t)
}

// constraint returns what the Order asks of an Offer.
func (o *Order) constraint(t terms) string {
	parts := []string{
		"(" + golem.PropPricingModel + "=linear)",
		"(golem.node.debug.subnet=" + t.subnet + ")",
		"(golem.runtime.name=" + o.Runtime + ")",
		"(" + golem.PropPlatformAddress(t.platform) + "=*)",
		"(" + golem.PropProtocolVersion + ">1)",
	}
	for _, least := range []struct {
		property string
		value    float64
	}{
		{"golem.inf.cpu.threads", float64(o.MinThreads)},
		{"golem.inf.mem.gib", o.MinMemory},
		{"golem.inf.storage.gib", o.MinStorage},
	} {
		if least.value > 0 {
			parts = append(parts, "("+least.property+">="+strconv.FormatFloat(least.value, 'f', -1, 64)+")")
		}
	}
	for _, c := range o.Capabilities {
		parts = append(parts, "(golem.runtime.capabilities="+c+")")
	}
	if o.Constraint != "" {
		parts = append(parts, o.Constraint)
	}
	return "(&" + strings.Join(parts, "") + ")"
}

// publication returns the form of the REST API.
func publication(props map[string]any, constraint string) (client.Publication, error) {
	b, err := json.Marshal(props)
	if err != nil {
		return client.Publication{}, golem.Errorf(golem.ErrInvalid, "order: properties: %w", err)
	}
	return client.Publication{Properties: b, Constraints: constraint}, nil
}

// setup returns the commands that make an Activity ready for programs.
func (o *Order) setup() []golem.Command {
	deploy := &golem.DeployCommand{Env: o.Env, Progress: &golem.ProgressArgs{UpdateInterval: progressEvery}}
	if len(o.Volumes) > 0 {
		deploy.Volumes, _ = json.Marshal(slices.Clone(o.Volumes)) // strings always can be
	}
	return []golem.Command{{Deploy: deploy}, {Start: &golem.StartCommand{}}}
}

// progressEvery is how often the ExeUnit tells how far it is.
const progressEvery = "250ms"

// String says in a few words what is ordered.
func (o *Order) String() string {
	return fmt.Sprintf("runtime %s, at least %d threads, %v GiB of memory, %v GiB of storage, for %v", o.Runtime, o.MinThreads, o.MinMemory, o.MinStorage, o.Timeout)
}
