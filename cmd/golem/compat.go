package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/exeunit"
	"github.com/golem-go/golem/exeunit/wasm"
	"github.com/golem-go/golem/gsb/router"
)

// actAs runs one of the roles whose command line is upstream's, and not parsed
// by us: by the name the program is called by, or by its first arguments. These
// processes are started for every Activity and every command of it, so they come
// before anything else is set up.
func (a *app) actAs(ctx context.Context) (code int, ok bool) {
	args := a.args[1:]
	switch name := strings.TrimSuffix(filepath.Base(a.args[0]), ".exe"); {
	case name == "exe-unit":
		return a.exeUnit(ctx, args), true
	case name == "ya-runtime-wasm":
		return wasm.Main(ctx, args, a.stdout, a.stderr), true
	case len(args) > 0 && args[0] == "exeunit":
		return a.exeUnit(ctx, args[1:]), true
	case len(args) > 1 && args[0] == "runtime" && args[1] == "wasm":
		return wasm.Main(ctx, args[2:], a.stdout, a.stderr), true
	}
	return 0, false
}

// exeUnit is the supervisor of one Activity.
func (a *app) exeUnit(ctx context.Context, args []string) int {
	return exeunit.Main(ctx, args, exeunit.Stdio{Out: a.stdout, Err: a.stderr}, exeunit.Environment{
		Connect: a.joinBus,
		Env:     os.Environ(),
		Log:     slog.New(slog.NewTextHandler(a.stderr, nil)),
	})
}

// joinBus connects this process to the bus of its node.
func (a *app) joinBus(ctx context.Context) (exeunit.Bus, error) {
	url := a.env("GSB_URL")
	if url == "" {
		return nil, golem.Errorf(golem.ErrInvalid, "GSB_URL is not set: it says where the bus of the node is")
	}
	return router.Dial(ctx, router.ClientConfig{URL: url, Name: "golem exeunit"})
}
