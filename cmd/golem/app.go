package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/golem-go/golem"
)

// Exit codes. A program run by "golem run" ends golem with its own.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// app is one run of the program: where it reads and writes, and the flags all
// commands share.
type app struct {
	args           []string
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) string

	json     bool
	logLevel string
	logJSON  bool
}

// main runs the program and returns its exit code.
func (a *app) main(ctx context.Context) int {
	cmd := a.root()
	cmd.SetArgs(a.args[1:])
	cmd.SetIn(a.stdin)
	cmd.SetOut(a.stdout)
	cmd.SetErr(a.stderr)
	return a.exitCode(cmd.ExecuteContext(ctx))
}

// exitCode reports err to the person or program in front of us.
func (a *app) exitCode(err error) int {
	var exit exitError
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &usage):
		fmt.Fprintf(a.stderr, "golem: %s\n", printable(err.Error()))
		return exitUsage
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(a.stderr, "golem: interrupted")
		return exitFailed
	}
	fmt.Fprintf(a.stderr, "golem: %s\n", printable(err.Error()))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(a.stderr, "       %s\n", hint)
	}
	return exitFailed
}

// exitError ends the program with a code and no further words.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// usageError is a mistake in the command line.
type usageError struct{ error }

// hint is an error with advice for the person who sees it.
type hint struct {
	error
	advice string
}

func (h hint) Unwrap() error { return h.error }

func hintOf(err error) string {
	var h hint
	if errors.As(err, &h) {
		return h.advice
	}
	return ""
}

// root returns the command tree.
func (a *app) root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "golem",
		Short: "Rent and lend computers without a middleman",
		Long: `Golem is an open market where anyone rents out a computer and anyone buys its
time. This program is a node of it, a provider, and a requestor's tool.

Try it on this machine alone, nothing else is needed:

    golem demo                      a picture, rendered by two providers and paid for
    golem devnet                    a network to play with; Ctrl-C ends it
    golem run program.wasm -- args  buys the run of your own program`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	flags := cmd.PersistentFlags()
	flags.BoolVar(&a.json, "json", false, "print JSON")
	flags.StringVar(&a.logLevel, "log-level", a.envOr("GOLEM_LOG_LEVEL", "info"), "debug, info, warn or error")
	flags.BoolVar(&a.logJSON, "log-json", a.env("GOLEM_LOG_JSON") != "", "write logs as JSON lines")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\n       see %s --help", err, cmd.CommandPath())}
	})
	cmd.AddCommand(a.commands()...)
	strict(cmd)
	return cmd
}

// strict makes what is wrong with a command line a [usageError] everywhere, and a
// word that is no command of a group an error: cobra by itself prints the help of
// the group and succeeds.
func strict(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		strict(c)
	}
	if cmd.HasSubCommands() {
		run := cmd.RunE
		if run == nil {
			run = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return run(cmd, args)
		}
		return
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{fmt.Errorf("%w\n       see %s --help", err, cmd.CommandPath())}
			}
			return nil
		}
	}
}

// unknownCommand says that there is no such command, and which there are.
func unknownCommand(cmd *cobra.Command, name string) error {
	text := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), name)
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		text += ", perhaps " + strings.Join(near, " or ")
	}
	return usageError{fmt.Errorf("%s\n       see %s --help", text, cmd.CommandPath())}
}

// envOr returns an environment variable, or def where it is not set.
func (a *app) envOr(name, def string) string {
	if v := a.env(name); v != "" {
		return v
	}
	return def
}

// log returns the logger of a long-running command: readable on a terminal.
func (a *app) log() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return nil, usageError{fmt.Errorf("log level %q: want debug, info, warn or error", a.logLevel)}
	}
	if a.logJSON {
		return slog.New(slog.NewJSONHandler(a.stderr, &slog.HandlerOptions{Level: level})), nil
	}
	return slog.New(tint.NewTextHandler(a.stderr, &tint.Options{
		Level: level, TimeFormat: time.DateTime + ".000", NoColor: !isTerminal(a.stderr),
	})), nil
}

// isTerminal reports whether w shows what is written to a person.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// dataDir returns the directory of a node's state unless told otherwise.
func (a *app) dataDir() string {
	if dir := a.envOr("GOLEM_DATA_DIR", a.env("YAGNA_DATADIR")); dir != "" {
		return dir
	}
	if dir := a.env("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "golem")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "golem")
	}
	return "golem-data"
}

// executable returns the path of this program, for starting its other roles.
func executable() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", golem.Errorf(golem.ErrUnavailable, "cannot find this program on disk: %w", err)
	}
	return exe, nil
}

// list splits a comma-separated list.
func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
