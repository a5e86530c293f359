package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/exeunit/wasm"
	"github.com/golem-go/golem/requestor"
)

// runOptions are the flags of run.
type runOptions struct {
	module   string
	args     []string
	in, out  []string
	env      []string
	maxPrice string
	timeout  time.Duration
	patience time.Duration
	subnet   string
	threads  int
	mem      float64
	dryRun   bool
	quiet    bool
}

func (a *app) runCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run MODULE.wasm [flags] -- [ARGS...]",
		Short: "Buy the run of a WASI program",
		Long: `Buy the run of a program from whoever sells it cheapest: find providers, agree,
copy inputs there, run it, copy outputs back, pay. What the program prints
appears as it comes, and golem ends with its exit status.

MODULE is a WebAssembly module for WASI preview 1. Files are copied to and from
three directories of the program: /in, /out and /work.

With --json what the program prints goes to standard error, and one JSON object
that says what was bought to standard output.`,
		Example: `  GOOS=wasip1 GOARCH=wasm go build -o hello.wasm ./hello
  golem run hello.wasm -- world
  golem run resize.wasm --in photo.png:/in/a.png --out /out/b.png:small.png -- 640
  golem run hello.wasm --max-price 0.01 --dry-run`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("which program? golem run MODULE.wasm -- ARGS")
			}
			if dash := cmd.ArgsLenAtDash(); dash > 1 || dash < 0 && len(args) > 1 {
				return fmt.Errorf("%q: arguments of the program go behind --", args[1])
			}
			return nil
		},
	}
	c := a.connects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.module, o.args = args[0], args[1:]
		return a.buyRun(cmd.Context(), c, o)
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.in, "in", nil, "file to copy there, HOST:GUEST; may be repeated")
	f.StringArrayVar(&o.out, "out", nil, "file to copy back, GUEST:HOST; may be repeated")
	f.StringArrayVar(&o.env, "env", nil, "environment variable, K=V; may be repeated")
	f.StringVar(&o.maxPrice, "max-price", "1", "the most the run may cost, tokens")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "after which the run is given up")
	f.DurationVar(&o.patience, "patience", 30*time.Second, "how long to look for a provider")
	f.StringVar(&o.subnet, "subnet", a.env("YAGNA_SUBNET"), "market to trade on; default public [YAGNA_SUBNET]")
	f.IntVar(&o.threads, "threads", 0, "CPU threads the provider must have")
	f.Float64Var(&o.mem, "mem", 0, "memory the program needs, GiB")
	f.BoolVar(&o.dryRun, "dry-run", false, "say who would be asked, at what price, and why others would not; buy nothing")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "do not tell what is going on")
	return cmd
}

// buyRun buys one run, or says what would be bought.
func (a *app) buyRun(ctx context.Context, c *connection, o runOptions) (err error) {
	order, process, err := o.order()
	if err != nil {
		return err
	}
	checked := make(chan error, 1)
	go func() { checked <- checkModule(ctx, o.module) }()
	r, err := a.connectRequestor(ctx, c, o.subnet, order.MaxPrice)
	if wrong := <-checked; wrong != nil {
		return errors.Join(wrong, closeOf(r, err))
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if o.dryRun {
		return a.survey(ctx, r, order)
	}
	tell := newTeller(a, o.quiet)
	order.Progress = tell.progress
	process.Stdout, process.Stderr = tell.beside(a.stdout), tell.beside(a.stderr)
	if a.json {
		process.Stdout = process.Stderr
	}
	rental, err := r.Rent(ctx, order)
	if err != nil {
		return adviseRun(err)
	}
	tell.clear()
	ran := rental.Run(ctx, process)
	if ctx.Err() != nil {
		tell.line("interrupted; ending the rental in order, a second interrupt leaves at once")
	}
	bill, err := rental.Close(context.WithoutCancel(ctx))
	return a.reportRun(tell, bill, ran, err)
}

// adviseRun says what a person at the command line can do when nobody was found.
func adviseRun(err error) error {
	if _, nobody := errors.AsType[*requestor.NoProviderError](err); nobody {
		return hint{err, "--dry-run shows every offer, its price, and why it does not suit; --max-price, --timeout,\n       --mem, --threads and --subnet change what suits"}
	}
	return err
}

// closeOf closes what was connected, if it was.
func closeOf(r *requestor.Requestor, err error) error {
	if err != nil {
		return nil
	}
	return r.Close()
}

// order translates the flags.
func (o *runOptions) order() (order requestor.Order, p requestor.Process, err error) {
	order = requestor.Order{
		Image: requestor.File(o.module), MinThreads: o.threads, MinMemory: o.mem,
		Timeout: o.timeout, Patience: o.patience, Env: map[string]string{},
	}
	p = requestor.Process{Args: o.args, Inputs: map[string]requestor.Source{}, Outputs: map[string]string{}}
	if order.MaxPrice, err = golem.ParseAmount(o.maxPrice); err != nil {
		return order, p, usageError{fmt.Errorf("--max-price: %w", err)}
	}
	if order.MaxPrice.IsZero() {
		return order, p, usageError{errors.New("--max-price: nobody works for nothing, want more than 0")}
	}
	for _, kv := range o.env {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return order, p, usageError{fmt.Errorf("--env %q: want K=V", kv)}
		}
		order.Env[k] = v
	}
	directories := directoriesOf(o.module)
	var inputs []string
	for _, s := range o.in {
		host, guest, err := splitCopy("--in", s, "HOST:GUEST")
		if err != nil {
			return order, p, err
		}
		if err := checkGuest("--in", guest, directories); err != nil {
			return order, p, err
		}
		inputs = append(inputs, host)
		if _, twice := p.Inputs[guest]; twice {
			return order, p, usageError{fmt.Errorf("--in: %s is copied twice", guest)}
		}
		p.Inputs[guest] = requestor.File(host)
	}
	for _, s := range o.out {
		guest, host, err := splitCopy("--out", s, "GUEST:HOST")
		if err != nil {
			return order, p, err
		}
		if err := checkGuest("--out", guest, directories); err != nil {
			return order, p, err
		}
		if p.Outputs[guest] != "" {
			return order, p, usageError{fmt.Errorf("--out: %s is copied twice", guest)}
		}
		p.Outputs[guest] = host
	}
	return order, p, checkFiles(inputs, p.Outputs)
}

// splitCopy takes "a:b" apart at the last colon that leaves a path on both sides.
func splitCopy(flag, s, want string) (from, to string, err error) {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 || i == len(s)-1 {
		return "", "", usageError{fmt.Errorf("%s %q: want %s", flag, s, want)}
	}
	return s[:i], s[i+1:], nil
}

// settlePatience is how long a command waits to see a payment made; the node makes
// it in any case.
const settlePatience = 3 * time.Second

// connectRequestor connects to the node with a budget.
func (a *app) connectRequestor(ctx context.Context, c *connection, subnet string, budget golem.Amount) (*requestor.Requestor, error) {
	ac, err := c.find(ctx)
	if err != nil {
		return nil, err
	}
	return requestor.Connect(ctx, requestor.Config{
		URL: ac.URL, AppKey: golem.Secret(ac.AppKey), GSB: c.gsb, Budget: budget, Subnet: subnet,
		SettlePatience: settlePatience,
	})
}

// runReport is what was bought.
type runReport struct {
	Agreement golem.AgreementID    `json:"agreementId"`
	Provider  golem.NodeID         `json:"providerId"`
	Name      string               `json:"provider"`
	ExitCode  int                  `json:"exitCode"`
	Usage     map[string]float64   `json:"usage"`
	Cost      golem.Amount         `json:"cost"`
	Platform  golem.Platform       `json:"platform"`
	Invoice   golem.InvoiceID      `json:"invoiceId,omitempty"`
	Status    golem.DocumentStatus `json:"invoiceStatus,omitempty"`
	Problem   string               `json:"problem,omitempty"`
}

// reportRun says what was bought and ends as the program did.
func (a *app) reportRun(tell *teller, b requestor.Bill, ran, closed error) error {
	report := runReport{Agreement: b.Agreement, Provider: b.Provider, Name: b.Name, Usage: b.Usage, Cost: b.Cost, Platform: b.Platform, Invoice: b.Invoice, Status: b.Status, Problem: b.Refused}
	var exit *requestor.ExitError
	if errors.As(ran, &exit) {
		report.ExitCode = exit.Code
		report.Problem = cmp.Or(report.Problem, stopped(exit))
		if errors.Is(ran, golem.ErrTooLarge) { // and what it has printed is incomplete
			report.Problem = ran.Error()
		}
	} else if ran != nil {
		report.ExitCode, report.Problem = exitFailed, ran.Error()
	}
	if a.json {
		if err := a.printJSON(report); err != nil {
			return err
		}
	} else {
		tell.line("%s: %s %s, invoice %s", b.Name, b.Cost, strings.ToUpper(b.Platform.Token), strings.ToLower(string(b.Status)))
	}
	if exit != nil && exit.Code > 0 && exit.Code <= mostExitCode {
		if errors.Is(ran, golem.ErrTooLarge) {
			fmt.Fprintf(a.stderr, "golem: %s\n", printable(ran.Error()))
		}
		return exitError{exit.Code}
	}
	return errors.Join(ran, closed)
}

// mostExitCode is the greatest exit status a process can have: of greater ones
// systems keep a part, which may be 0.
const mostExitCode = 255

// stopped says why a program has no exit code of its own.
func stopped(e *requestor.ExitError) string {
	if e.Code < 0 {
		return e.Error()
	}
	return ""
}

// survey says who would be asked.
func (a *app) survey(ctx context.Context, r *requestor.Requestor, o requestor.Order) error {
	found, err := r.Survey(ctx, o)
	if err != nil {
		return err
	}
	type row struct {
		Provider golem.NodeID `json:"providerId"`
		Name     string       `json:"name"`
		Runtime  string       `json:"runtime"`
		Estimate golem.Amount `json:"estimate"`
		Signed   bool         `json:"signed"`
		Asked    bool         `json:"wouldBeAsked"`
		Reason   string       `json:"whyNot,omitempty"`
	}
	list := []row{}
	for _, c := range found {
		list = append(list, row{c.Provider, c.Name, c.Runtime, c.Estimate, c.Signed, c.Reason == "", c.Reason})
	}
	return a.show(list, func(w io.Writer) {
		if len(found) == 0 {
			fmt.Fprintln(w, "the node knows no offers yet; \"golem devnet\" makes some")
			return
		}
		var lines [][]any
		for i, c := range found {
			order := "–"
			if c.Reason == "" {
				order = fmt.Sprint(i + 1)
			}
			lines = append(lines, []any{order, c.Name, short(c.Provider.String()), c.Runtime, c.Estimate, c.Reason})
		}
		rows(w, []any{"asked", "provider", "id", "runtime", "at most", "why not"}, lines, "asked", "at most")
	})
}

// checkModule says what is wrong with a program before any money is spent. A
// package with several is judged by the Provider.
func checkModule(ctx context.Context, name string) error {
	code, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("program: %w", err)
	}
	if bytes.HasPrefix(code, []byte(zipMagic)) {
		return nil
	}
	if err := wasm.Check(ctx, code); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// checkGuest says whether a path of the program can be one that files are copied
// to and from. Where directories is empty only the program's package knows them.
func checkGuest(flag, guest string, directories []string) error {
	fits := func(dir string) bool { return strings.HasPrefix(guest, dir+"/") }
	if !path.IsAbs(guest) || path.Clean(guest) != guest || len(directories) > 0 && !slices.ContainsFunc(directories, fits) {
		return usageError{fmt.Errorf("%s: path %q of the program: want a file below /in, /out or /work", flag, guest)}
	}
	return nil
}

// directoriesOf returns the directories a program has that files can be copied to
// and from, nil where that is said in its package.
func directoriesOf(module string) []string {
	f, err := os.Open(module)
	if err != nil {
		return nil // which is said later
	}
	defer f.Close()
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err == nil && string(magic[:]) == zipMagic {
		return nil
	}
	return []string{"/in", "/out", "/work"}
}

// zipMagic is how packages of several programs begin.
const zipMagic = "PK\x03\x04"

// checkFiles says which files are missing, and which places cannot be written to,
// before any money is spent.
func checkFiles(inputs []string, outputs map[string]string) error {
	for _, host := range inputs {
		if fi, err := os.Stat(host); err != nil {
			return fmt.Errorf("--in: %w", err)
		} else if !fi.Mode().IsRegular() {
			return fmt.Errorf("--in: %s is not a file", host)
		}
	}
	for _, host := range outputs {
		dir := filepath.Dir(host)
		if fi, err := os.Stat(dir); err != nil {
			return fmt.Errorf("--out: %w; make the directory first", err)
		} else if !fi.IsDir() {
			return fmt.Errorf("--out: %s is not a directory", dir)
		}
		if fi, err := os.Lstat(host); err == nil && !fi.Mode().IsRegular() {
			return fmt.Errorf("--out: %s is there and not a regular file: it would be replaced; want the name of a file", host)
		}
	}
	return nil
}
