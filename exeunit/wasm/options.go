package wasm

import (
	"slices"
	"strconv"
	"strings"

	"github.com/golem-go/golem"
)

// Name is what the runtime is called as. A program that is more than this
// runtime must call [Main] when it is started under this name: the runtime
// starts itself so.
const Name = "ya-runtime-wasm"

// isolation is how much isolation is asked for.
type isolation string

const (
	isolationAuto    isolation = "auto"    // namespaces where the kernel permits
	isolationFull    isolation = "full"    // namespaces, or nothing is run
	isolationReduced isolation = "reduced" // none
)

// options are the arguments of the runtime.
type options struct {
	command     string
	workDir     string
	taskPackage string
	cacheDir    string
	entryPoint  string
	args        []string // of the payload
	env         []string // of the payload
	volumes     string   // JSON, path to mount
	isolation   isolation
	memory      float64 // GiB; 0: what the engine can address
	storage     float64 // GiB in one file; 0: no limit
	cpu         uint64  // seconds; 0: no limit

	raw       []string // all arguments
	commandAt int      // index of the command in raw

	isolated   bool   // a program has been run in namespaces
	whyReduced string // or else why not
}

const usage = `usage: ` + Name + ` --workdir DIR [options] COMMAND

commands:
  deploy --                          prepare the task package
  start --                           nothing is to be done
  run --entrypoint ENTRY -- ARG...   run a program of it
  offer-template                     print what can be offered
  test                               test the runtime

options:
  --task-package FILE      a .wasm module, or a zip archive with manifest.json
  --cache-dir DIR          for compiled modules; default: beside the task package
  --mem-gib N              memory of a program
  --storage-gib N          size of a file
  --cpu-sec N              CPU time of a program, seconds
  --env NAME=VALUE         for programs; may be repeated
  --volume-override JSON   more volumes, path to {"host":{}}
  --isolation full|reduced|auto
  --cpu-cores N, --hostname NAME   accepted and ignored
`

// parseOptions parses the arguments that follow the program's name.
func parseOptions(args []string) (o options, err error) {
	o.isolation, o.raw = isolationAuto, args
	for len(args) > 0 {
		name, value, attached := strings.Cut(args[0], "=")
		switch {
		case args[0] == "--":
			o.args = args[1:]
			return o, o.validate()
		case !strings.HasPrefix(name, "--"):
			if o.command != "" {
				return o, golem.Errorf(golem.ErrInvalid, "argument %q after %s: arguments follow --", args[0], o.command)
			}
			o.commandAt = len(o.raw) - len(args)
			o.command, args = args[0], args[1:]
			continue
		case !attached && len(args) == 1:
			return o, golem.Errorf(golem.ErrInvalid, "option %s needs a value", name)
		case !attached:
			value, args = args[1], args[1:]
		}
		args = args[1:]
		if err := o.set(name, value); err != nil {
			return o, golem.Errorf(golem.ErrInvalid, "option %s: %w", name, err)
		}
	}
	return o, o.validate()
}

// set takes the value of an option.
func (o *options) set(name, value string) (err error) {
	switch name {
	case "--workdir":
		o.workDir = value
	case "--task-package":
		o.taskPackage = value
	case "--cache-dir":
		o.cacheDir = value
	case "--entrypoint":
		o.entryPoint = value
	case "--volume-override":
		o.volumes = value
	case "--env":
		if name, _, ok := strings.Cut(value, "="); !ok || name == "" || strings.ContainsRune(value, 0) {
			return golem.Errorf(golem.ErrInvalid, "want NAME=VALUE")
		}
		o.env = append(o.env, value)
	case "--isolation":
		o.isolation = isolation(value)
		if o.isolation != isolationAuto && o.isolation != isolationFull && o.isolation != isolationReduced {
			return golem.Errorf(golem.ErrInvalid, "want full, reduced or auto")
		}
	case "--mem-gib":
		o.memory, err = amount(value)
	case "--storage-gib":
		o.storage, err = amount(value)
	case "--cpu-sec":
		o.cpu, err = strconv.ParseUint(value, 10, 32)
	case "--cpu-cores", "--hostname":
	default:
		return golem.Errorf(golem.ErrInvalid, "unknown")
	}
	return err
}

// amount parses a number of GiB.
func amount(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err == nil && !(n >= 0 && n < 1<<40) {
		err = golem.Errorf(golem.ErrInvalid, "%s is not an amount", text)
	}
	return n, err
}

func (o *options) validate() error {
	switch o.command {
	case "offer-template", "test":
		return nil
	case "deploy", "start", "run", commandGuest:
	case "":
		return golem.Errorf(golem.ErrInvalid, "a command is missing")
	default:
		return golem.Errorf(golem.ErrInvalid, "command %q is unknown", o.command)
	}
	switch {
	case o.workDir == "":
		return golem.Errorf(golem.ErrInvalid, "option --workdir is missing")
	case o.command == "deploy" && o.taskPackage == "":
		return golem.Errorf(golem.ErrInvalid, "option --task-package is missing")
	}
	return nil
}

// guestArgs returns the arguments with which this program calls itself to run
// the same command inside of namespaces.
func (o *options) guestArgs() []string {
	if o.raw == nil || o.command != "run" {
		args := []string{"--workdir", o.workDir, "--entrypoint", o.entryPoint, commandGuest, "--"}
		return append(args, o.args...)
	}
	args := slices.Clone(o.raw)
	args[o.commandAt] = commandGuest
	return args
}
