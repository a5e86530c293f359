package exeunit

import (
	"strings"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// Mode is what a supervisor process is started for.
type Mode string

// The modes; the names are those of the subcommands (spec exeunit.md §4).
const (
	ModeServiceBus    Mode = "service-bus"    // serve one Activity
	ModeFromFile      Mode = "from-file"      // execute one script from a file
	ModeOfferTemplate Mode = "offer-template" // say what can be offered
	ModeTest          Mode = "test"           // check that the Runtime works
)

// Options are the arguments of a supervisor process.
type Options struct {
	Mode   Mode
	Binary string // the Runtime's executable

	RuntimeArgs     []string // given to every invocation of the Runtime
	ManagedHardware bool     // the Runtime enforces limits, and is told them
	ManagedImage    bool     // the Runtime has an image of its own
	InformRuntime   bool     // the Runtime is told the environment of programs, and the limits it keeps them within; we enforce those, too

	ServiceID string // the Activity
	ReportURL string // "" for none
	Script    string // file with a script, in mode from-file
	Agreement string
	WorkDir   string
	CacheDir  string

	CPULimit       time.Duration // of all commands together; 0 for none
	DurationLimit  time.Duration // since the start; 0 for none
	CommandTimeout time.Duration // of each command; 0 for none
	AllowPrivate   bool          // transfers may reach addresses of private networks
}

// Usage is what a supervisor process can be called with, for a person.
const Usage = `usage: -b RUNTIME [options] COMMAND

commands:
  service-bus ACTIVITY REPORT-URL -a FILE -w DIR -c DIR   serve one activity
  from-file SCRIPT -a FILE -w DIR -c DIR                  execute a script, then wait
                 [--service-id ID] [--report-url URL]
  offer-template                                          print what can be offered
  test                                                    test the runtime

options:
  -b, --binary PATH            runtime executable
  -a, --agreement FILE         agreement, JSON
  -w, --work-dir DIR           directory of the activity
  -c, --cache-dir DIR          directory for images, shared by activities
  -r, --runtime-arg ARG        argument for the runtime, may be repeated
      --cap-handoff            the runtime enforces limits
      --inform-runtime         tell the runtime the limits and environment of programs
      --runtime-managed-image  the runtime has its own image
      --cpu-limit DURATION     CPU time of all commands together
      --duration-limit DURATION
      --command-timeout DURATION
      --allow-private          transfers may reach private networks
`

// flags are the options by name. One with take == nil is a switch.
var flags = map[string]struct {
	set  func(o *Options)
	take func(o *Options, value string) error
}{
	"-b": {take: func(o *Options, v string) error { o.Binary = v; return nil }},
	"-a": {take: func(o *Options, v string) error { o.Agreement = v; return nil }},
	"-w": {take: func(o *Options, v string) error { o.WorkDir = v; return nil }},
	"-c": {take: func(o *Options, v string) error { o.CacheDir = v; return nil }},
	"-r": {take: func(o *Options, v string) error { o.RuntimeArgs = append(o.RuntimeArgs, v); return nil }},

	"--service-id": {take: func(o *Options, v string) error { o.ServiceID = v; return nil }},
	"--report-url": {take: func(o *Options, v string) error { o.ReportURL = v; return nil }},

	"--cap-handoff":           {set: func(o *Options) { o.ManagedHardware = true }},
	"--runtime-managed-image": {set: func(o *Options) { o.ManagedImage = true }},
	"--inform-runtime":        {set: func(o *Options) { o.InformRuntime = true }},
	"--allow-private":         {set: func(o *Options) { o.AllowPrivate = true }},

	"--cpu-limit":       {take: func(o *Options, v string) error { return duration(&o.CPULimit, v) }},
	"--duration-limit":  {take: func(o *Options, v string) error { return duration(&o.DurationLimit, v) }},
	"--command-timeout": {take: func(o *Options, v string) error { return duration(&o.CommandTimeout, v) }},

	// For ExeUnits in enclaves; the agent passes them on to any.
	"--sec-key":           {take: func(*Options, string) error { return nil }},
	"--requestor-pub-key": {take: func(*Options, string) error { return nil }},
}

// aliases are the other names of options.
var aliases = map[string]string{
	"--binary": "-b", "--agreement": "-a", "--work-dir": "-w", "--cache-dir": "-c", "--runtime-arg": "-r",
	"--runtime-managed-hardware": "--cap-handoff",
}

// ParseOptions parses the arguments that follow the program's name. Options may
// stand before or after the subcommand.
func ParseOptions(args []string) (Options, error) {
	var o Options
	var words []string
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			words = append(words, arg)
			continue
		}
		name, value, attached := cutOption(arg)
		if long, ok := aliases[name]; ok {
			name = long
		}
		f, ok := flags[name]
		switch {
		case !ok:
			return o, golem.Errorf(golem.ErrInvalid, "option %s is unknown", name)
		case f.take == nil && attached:
			return o, golem.Errorf(golem.ErrInvalid, "option %s takes no value", name)
		case f.take == nil:
			f.set(&o)
			continue
		case !attached && len(args) == 0:
			return o, golem.Errorf(golem.ErrInvalid, "option %s needs a value", name)
		case !attached:
			value, args = args[0], args[1:]
		}
		if err := f.take(&o, value); err != nil {
			return o, golem.Errorf(golem.ErrInvalid, "option %s: %w", name, err)
		}
	}
	if err := o.takeWords(words); err != nil {
		return o, err
	}
	return o, o.validate()
}

// cutOption splits --name=value and -nvalue.
func cutOption(arg string) (name, value string, attached bool) {
	if strings.HasPrefix(arg, "--") {
		return strings.Cut(arg, "=")
	}
	if len(arg) > 2 {
		return arg[:2], strings.TrimPrefix(arg[2:], "="), true
	}
	return arg, "", false
}

// takeWords reads the subcommand and what belongs to it.
func (o *Options) takeWords(words []string) error {
	if len(words) == 0 {
		return golem.Errorf(golem.ErrInvalid, "a command is missing")
	}
	o.Mode = Mode(words[0])
	var into []*string
	switch o.Mode {
	case ModeServiceBus:
		into = []*string{&o.ServiceID, &o.ReportURL}
	case ModeFromFile:
		into = []*string{&o.Script}
	case ModeOfferTemplate, ModeTest:
	default:
		return golem.Errorf(golem.ErrInvalid, "command %q is unknown", words[0])
	}
	if len(words)-1 != len(into) {
		return golem.Errorf(golem.ErrInvalid, "command %s takes %d arguments, got %d", o.Mode, len(into), len(words)-1)
	}
	for i, p := range into {
		*p = words[i+1]
	}
	return nil
}

// validate checks that what the mode needs is there.
func (o *Options) validate() error {
	if o.Binary == "" {
		return golem.Errorf(golem.ErrInvalid, "option -b, the runtime, is missing")
	}
	if o.Mode == ModeOfferTemplate || o.Mode == ModeTest {
		return nil
	}
	for _, need := range []struct{ name, value string }{{"-a", o.Agreement}, {"-w", o.WorkDir}, {"-c", o.CacheDir}} {
		if need.value == "" {
			return golem.Errorf(golem.ErrInvalid, "command %s needs option %s", o.Mode, need.name)
		}
	}
	if o.ReportURL != "" && o.ReportURL != wire.ActivityReportURL {
		return golem.Errorf(golem.ErrUnsupported, "report url %q: only %s is supported", o.ReportURL, wire.ActivityReportURL)
	}
	return nil
}

func duration(into *time.Duration, text string) error {
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = golem.Errorf(golem.ErrInvalid, "%s is negative", text)
	}
	*into = d
	return err
}
