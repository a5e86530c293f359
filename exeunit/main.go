package exeunit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/golem-go/golem"
)

// Environment is what a supervisor process gets from the one that makes it, in
// place of environment variables.
type Environment struct {
	// Connect returns the bus of the node, which works until ctx ends. It is
	// called in the modes that serve an Activity. In mode from-file nil will do:
	// then nothing is reported and nothing can be copied by gftp.
	Connect func(ctx context.Context) (Bus, error)
	// Env is the environment from which that of the Runtime is made; see
	// [RuntimeEnv].
	Env []string
	Log *slog.Logger // nil: no log
}

// Main is a supervisor process: it parses args, which do not hold the program's
// name, does what they say, writes results to out and returns the exit status.
// Signals ABRT, INT, TERM and QUIT end the Activity.
func Main(ctx context.Context, args []string, out Stdio, env Environment) int {
	if env.Log == nil {
		env.Log = slog.New(slog.DiscardHandler)
	}
	o, err := ParseOptions(args)
	if err != nil {
		fmt.Fprintf(out.Err, "%v\n\n%s", err, Usage)
		return 2
	}
	if err := o.run(ctx, out, env); err != nil {
		fmt.Fprintln(out.Err, err)
		env.Log.Error("supervisor ended", "activity", o.ServiceID, "err", err)
		return 1
	}
	return 0
}

func (o *Options) run(ctx context.Context, out Stdio, env Environment) error {
	e := &Executable{Path: o.Binary, Args: o.RuntimeArgs, Env: RuntimeEnv(env.Env), NoTaskPackage: o.ManagedImage}
	if err := e.check(); err != nil {
		return err
	}
	switch o.Mode {
	case ModeOfferTemplate:
		return printTemplate(ctx, e, out)
	case ModeTest:
		if err := e.Test(ctx, out); err != nil {
			return fmt.Errorf("Test failed: %w", err)
		}
		return nil
	}
	return o.supervise(ctx, e, env)
}

// printTemplate prints one line of JSON.
func printTemplate(ctx context.Context, e *Executable, out Stdio) error {
	t, err := e.Template(ctx, out.Err)
	if err != nil {
		return err
	}
	b, err := json.Marshal(BaseTemplate().Merge(t))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out.Out, "%s\n", b)
	return err
}

// supervise serves an Activity.
func (o *Options) supervise(ctx context.Context, e *Executable, env Environment) error {
	if err := o.makeDirectories(); err != nil {
		return err
	}
	cfg, err := o.config(e)
	if err != nil {
		return err
	}
	cfg.Log = env.Log
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGABRT, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer signal.Stop(signals)
	cfg.Signals = signals
	// The bus is needed until the node has been told about the end.
	connected, disconnect := context.WithCancel(context.WithoutCancel(ctx))
	defer disconnect()
	if env.Connect != nil {
		if cfg.Bus, err = env.Connect(connected); err != nil {
			return err
		}
		if cfg.Streams, err = env.Connect(connected); err != nil {
			return err
		}
	}
	s, err := New(cfg)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// config returns what the options say about the Supervisor, and completes e.
func (o *Options) config(e *Executable) (cfg Config, err error) {
	agreement, err := ReadAgreement(o.Agreement)
	if err != nil {
		return cfg, err
	}
	e.WorkDir = o.WorkDir
	if o.ManagedHardware || o.InformRuntime {
		e.Hardware = &Hardware{agreement.Threads, agreement.Memory, agreement.Storage}
	}
	cfg = Config{
		Activity: golem.ActivityID(o.ServiceID), Agreement: agreement, Runtime: e,
		WorkDir: o.WorkDir, CacheDir: o.CacheDir, Report: o.ReportURL != "",
		ManagedHardware: o.ManagedHardware, ManagedImage: o.ManagedImage, AllowPrivate: o.AllowPrivate,
		CPULimit: o.CPULimit, DurationLimit: o.DurationLimit, CommandTimeout: o.CommandTimeout,
	}
	if e.TakesEnv = o.InformRuntime; o.InformRuntime {
		cfg.MemoryHeadRoom = informedHeadRoom
	}
	if cfg.Activity == "" {
		cfg.Activity = golem.NewActivityID()
	}
	if o.Mode == ModeFromFile {
		cfg.Script, err = readScript(o.Script)
	}
	return cfg, err
}

// informedHeadRoom is the memory that a Runtime may take for itself which is told
// the limit of its payload, in GiB.
const informedHeadRoom = 0.25

// makeDirectories makes the directories there are to be and their names absolute.
func (o *Options) makeDirectories() (err error) {
	for _, dir := range []*string{&o.WorkDir, &o.CacheDir} {
		if *dir, err = filepath.Abs(*dir); err != nil {
			return err
		}
		if err := os.MkdirAll(*dir, 0o755); err != nil {
			return golem.Errorf(golem.ErrUnavailable, "%w", err)
		}
	}
	return nil
}

// maxScript is the most a script file may have, in bytes.
const maxScript = 16 << 20

func readScript(path string) ([]golem.Command, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "script: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxScript+1))
	if err != nil || len(b) > maxScript {
		return nil, golem.Errorf(golem.ErrInvalid, "script: cannot be read, or has more than %d bytes", maxScript)
	}
	return golem.ParseScript(string(b))
}
