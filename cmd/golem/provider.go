package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/exeunit/wasm"
	"github.com/golem-go/golem/internal/dirlock"
	"github.com/golem-go/golem/internal/lifeline"
	"github.com/golem-go/golem/provider"
)

func (a *app) providerCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "provider", Short: "Sell computing time"}
	cmd.AddCommand(a.providerRunCommand())
	return cmd
}

// providerOptions are the flags of provider run.
type providerOptions struct {
	provider.Config
	cpuPrice, hourPrice, startPrice float64 // tokens: per thread-hour, per hour, once
	exeUnits                        string
	keep                            bool
}

// Prices unless told otherwise: what golemsp suggests.
const (
	defaultCPUPrice  = 0.025
	defaultHourPrice = 0.005
)

func (a *app) providerRunCommand() *cobra.Command {
	var o providerOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Sell this machine's time until interrupted",
		Long: `Run the agent that sells: it publishes Offers at its node, negotiates, starts an
ExeUnit for each Activity, bills what was used, and closes everything in order
when it is interrupted.

What is sold for how much is told by flags, or by presets.json in the data
directory, in upstream's format. Runtimes other than the built-in one for
WebAssembly are found by their ya-*.json files.

With --json it prints one line when its offers are published.`,
		Example: `  golem provider run --node-name kitchen-server --subnet public
  golem provider run --agreements 4 --threads 8 --mem 16 --cpu-price 0.02`,
		Args: cobra.NoArgs,
	}
	c := a.connects(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.Dir = c.dir
		return a.runProvider(cmd.Context(), c, o)
	}
	f := cmd.Flags()
	f.StringVar(&o.Name, "node-name", a.env("NODE_NAME"), "name of the provider, for people [NODE_NAME]")
	f.StringVar(&o.Subnet, "subnet", a.envOr("SUBNET", "public"), "market to trade on [SUBNET]")
	f.IntVar(&o.Agreements, "agreements", 1, "how many agreements may run at a time")
	f.IntVar(&o.Share, "share", 1, "how many providers sell this machine")
	f.IntVar(&o.Hardware.Threads, "threads", 0, "CPU threads to sell; 0 is all but one")
	f.Float64Var(&o.Hardware.Memory, "mem", 0, "memory to sell, GiB; 0 is most of it")
	f.Float64Var(&o.Hardware.Storage, "storage", 0, "disk space to sell, GiB; 0 is most of it")
	f.Float64Var(&o.cpuPrice, "cpu-price", defaultCPUPrice, "tokens for an hour of a busy thread")
	f.Float64Var(&o.hourPrice, "hour-price", defaultHourPrice, "tokens for an hour")
	f.Float64Var(&o.startPrice, "start-price", 0, "tokens for starting an activity")
	f.StringVar(&o.exeUnits, "exe-unit-path", a.env("EXE_UNIT_PATH"), "files that describe further runtimes, such as /usr/lib/golem/ya-*.json [EXE_UNIT_PATH]")
	f.BoolVar(&o.keep, "keep", false, "keep the directories of activities that have ended")
	return cmd
}

func (a *app) runProvider(ctx context.Context, c *connection, o providerOptions) error {
	log, err := a.log()
	if err != nil {
		return err
	}
	ac, err := c.find(ctx)
	if err != nil {
		return err
	}
	lock, err := dirlock.Lock(o.Dir, "provider")
	if err != nil {
		return err
	}
	defer lock.Close()
	o.Node, o.Log = ac.client(), log
	bus, err := busOf(ctx, ac)
	if err != nil {
		return err
	}
	if err := o.stock(); err != nil {
		return err
	}
	line, err := lifeline.New() // what the agent has started ends with it
	if err != nil {
		return err
	}
	defer line.Close()
	launcher := &provider.Processes{
		Dir: o.Dir, Env: append(withoutSecrets(os.Environ()), "GSB_URL="+bus), Line: line, Keep: o.keep, Log: log,
	}
	if err := launcher.Clean(keepFiles); err != nil {
		log.Warn("cannot remove old files of activities", "err", err)
	}
	o.Launcher = launcher
	o.Ready = func() {
		if a.json {
			a.printLine(map[string]string{"provider": o.Name})
		}
	}
	agent, err := provider.New(o.Config)
	if err != nil {
		return err
	}
	return agent.Run(ctx)
}

// withoutSecrets returns an environment without what gives power over the node:
// ExeUnits run what strangers send.
func withoutSecrets(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		return strings.HasPrefix(v, "YAGNA_APPKEY=") || strings.HasPrefix(v, "YAGNA_AUTOCONF_")
	})
}

// keepFiles is how long images, and what killed activities have left behind, stay
// on disk: the time that upstream's agent keeps them.
const keepFiles = 30 * 24 * time.Hour

// busOf returns where ExeUnits join the node's bus: what was said, else what the
// node says.
func busOf(ctx context.Context, ac access) (string, error) {
	if ac.GSB != "" {
		return ac.GSB, nil
	}
	status, err := ac.client().NodeStatus(ctx)
	if err != nil {
		return "", hint{fmt.Errorf("the bus of the node: %w", err), "--gsb-url says where it is, for nodes that do not"}
	}
	if status.GSB == "" {
		return "", hint{golem.Errorf(golem.ErrUnavailable, "the node has no bus for ExeUnits"), "start it with another --gsb-url than none"}
	}
	return status.GSB, nil
}

// stock settles what there is to sell, and at which prices unless presets.json
// says so.
func (o *providerOptions) stock() error {
	self, err := executable()
	if err != nil {
		return err
	}
	runtime, err := linkRuntime(self, o.Dir)
	if err != nil {
		return err
	}
	o.Runtimes = []provider.Descriptor{provider.Wasm(self, runtime, runtimeVersion)}
	if o.exeUnits != "" {
		more, problems := provider.ReadDescriptors(o.exeUnits)
		for _, p := range problems {
			o.Log.Warn("runtime left out", "err", p)
		}
		o.Runtimes = append(o.Runtimes, more...)
	}
	o.Presets = []provider.Preset{{
		Name: "default", ExeUnit: o.Runtimes[0].Name, Start: o.startPrice,
		Prices: map[string]float64{"cpu": o.cpuPrice / 3600, "duration": o.hourPrice / 3600},
	}}
	return nil
}

// runtimeVersion is the version of the built-in runtime. It changes with what
// payloads can notice.
const runtimeVersion = "0.1.0"

// linkRuntime makes this program known as the runtime for WebAssembly: a runtime
// is an executable with a command line of its own.
func linkRuntime(self, dir string) (string, error) {
	dir, err := filepath.Abs(filepath.Join(dir, "exe-unit"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	link := filepath.Join(dir, wasm.Name)
	if target, err := os.Readlink(link); err == nil && target == self {
		return link, nil
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return link, os.Symlink(self, link)
}
