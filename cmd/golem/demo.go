package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/devnet"
	"github.com/golem-go/golem/examples/pathtracer"
	"github.com/golem-go/golem/requestor"
	"github.com/golem-go/golem/rest/client"
)

// The picture of the demonstration is cut into so many tiles.
const demoColumns, demoRows = 6, 4

// demoOptions are the flags of demo.
type demoOptions struct {
	providers int
	out       string
	keep      bool
}

func (a *app) demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Render a picture on a network of this machine, and pay for it",
		Long: `Start a whole Golem network on this machine, on loopback only, and run a real job
on it: a path-traced picture, cut into tiles, each rendered by a WebAssembly
program at some provider. Providers are found, bargained with and paid as they
would be anywhere. Nothing is installed, and nothing but the picture is left.

With --json the result is one JSON object on standard output.`,
		Example: `  golem demo
  golem demo --providers 4 --out picture.png
  golem demo --keep     leaves the network running, to look around`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDemo(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.IntVar(&o.providers, "providers", 2, "nodes that sell")
	f.StringVarP(&o.out, "out", "o", "golem-demo.png", "file of the picture")
	f.BoolVar(&o.keep, "keep", false, "leave the network running until interrupted, and say how to reach it")
	return cmd
}

// runDemo brings the network up, has the picture rendered, and tells what it cost.
func (a *app) runDemo(ctx context.Context, o demoOptions) (err error) {
	picture, err := newPictureFile(o.out)
	if err != nil {
		return err
	}
	defer picture.discard()
	dir, err := os.MkdirTemp("", "golem-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg := devnet.Config{Dir: dir, Providers: o.providers}
	if cfg.Exe, err = executable(); err != nil {
		return err
	}
	d := &demo{a: a, begin: time.Now(), screen: newScreen(a.stderr)}
	d.screen.say("starting a hub, a node that buys and %d that sell", cfg.Providers)
	if d.net, err = devnet.Start(ctx, cfg); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	d.screen.say("the network is up after %.1f s", time.Since(d.begin).Seconds())

	report, err := d.run(ctx, picture)
	if err != nil {
		return err
	}
	report.Picture = o.out
	if err := a.showDemo(report); err != nil || !o.keep {
		return errors.Join(err, report.check())
	}
	return errors.Join(report.check(), d.stay(ctx))
}

// demo is one run of the demonstration.
type demo struct {
	a      *app
	begin  time.Time
	net    *devnet.Network
	screen *screen

	mu    sync.Mutex
	image *image.RGBA
	tiles map[golem.AgreementID]int
	lost  []string // processes that have ended by themselves
}

// demoBudget is the most the picture may cost, a thousand times what it should.
var demoBudget = golem.Tokens(1)

// demoSilence is how soon a provider on this machine is taken for lost.
const demoSilence = 5 * time.Second

// run has the picture rendered and says what that has cost.
func (d *demo) run(ctx context.Context, file *pictureFile) (report *demoReport, err error) {
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { d.watch(watching) })
	defer func() { stop(); watch.Wait() }()

	before := d.balances(ctx)
	r, err := requestor.Connect(ctx, requestor.Config{
		URL: d.net.Requestor.URL, AppKey: golem.Secret(d.net.Requestor.AppKey),
		Budget: demoBudget, Subnet: d.net.Subnet,
		InvoicePatience: 5 * time.Second, SettlePatience: 5 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	bills, err := d.render(ctx, r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	if err := file.write(d.image); err != nil {
		return nil, err
	}
	return d.report(r.Account(), bills, before, d.balances(ctx)), nil
}

// render buys every tile and draws it into the image.
func (d *demo) render(ctx context.Context, r *requestor.Requestor) ([]requestor.Bill, error) {
	p := pathtracer.Picture{Width: pathtracer.Width, Height: pathtracer.Height, Samples: pathtracer.Samples}
	tiles := pathtracer.Tiles(p.Width, p.Height, demoColumns, demoRows)
	d.image = image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	d.tiles = map[golem.AgreementID]int{}
	work, err := os.MkdirTemp("", "golem-tiles-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	d.screen.begin(len(tiles))
	defer d.screen.end()
	order := requestor.Order{Image: requestor.Bytes(pathtracer.Module()), Timeout: 5 * time.Minute, Silence: demoSilence}
	return requestor.Each(ctx, r, order, tiles, len(d.net.Providers), func(ctx context.Context, rental *requestor.Rental, t pathtracer.Tile) error {
		const guest = "/out/tile.ppm"
		file := filepath.Join(work, strings.ReplaceAll(t.String(), ",", "-")+"-"+string(rental.Agreement)[:8])
		bar := d.screen.tile(fmt.Sprintf("tile %2d, %s", slices.Index(tiles, t)+1, rental.Offer.Name))
		err := rental.Run(ctx, requestor.Process{Args: p.Args(t, guest), Outputs: map[string]string{guest: file}, Stdout: bar})
		if err == nil {
			err = d.draw(rental.Agreement, t, file)
		}
		bar.done(err)
		return err
	})
}

// draw puts a tile into the image. One that is not what was asked for is bought
// elsewhere.
func (d *demo) draw(id golem.AgreementID, t pathtracer.Tile, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := pathtracer.Draw(d.image, t, f); err != nil {
		return requestor.Elsewhere(err)
	}
	d.tiles[id]++
	return nil
}

// watch tells of processes that end while they should not.
func (d *demo) watch(ctx context.Context) {
	for {
		lost, err := d.net.Watch(ctx)
		if err != nil {
			return
		}
		d.mu.Lock()
		d.lost = append(d.lost, lost.Name)
		d.mu.Unlock()
		d.screen.say("%s is gone (%v); what it has not done is bought elsewhere", lost.Name, lost.Err)
	}
}

// balances asks every node what it holds; one that does not answer is left out.
func (d *demo) balances(ctx context.Context) map[string]golem.Amount {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	balances := map[string]golem.Amount{}
	for _, n := range append([]devnet.Node{d.net.Requestor}, d.net.Providers...) {
		all, err := client.New(n.URL, n.AppKey, nil).PaymentStatus(ctx)
		if err == nil && len(all) > 0 && all[0].Balance != nil {
			balances[n.Name] = *all[0].Balance
		}
	}
	return balances
}

// stop ends the network. Where parts of it are missing, others may not know how to
// end and have to be made to.
func (d *demo) stop() error {
	err := d.net.Stop()
	if err != nil && len(d.lost) > 0 {
		d.screen.say("%v", err)
		return nil
	}
	return err
}

// stay leaves the network running until it is interrupted.
func (d *demo) stay(ctx context.Context) error {
	if !d.a.json {
		fmt.Fprintln(d.a.stdout)
		describeDevnet(d.a.stdout, d.net)
	}
	return d.a.watchDevnet(ctx, d.net)
}

// demoReport is what came of the demonstration.
type demoReport struct {
	Seconds    float64         `json:"seconds"`
	Picture    string          `json:"picture"`
	Width      int             `json:"width"`
	Height     int             `json:"height"`
	Tiles      int             `json:"tiles"`
	Platform   golem.Platform  `json:"platform"`
	Cost       golem.Amount    `json:"cost"`
	Agreements []demoAgreement `json:"agreements"`
	Balances   []demoBalance   `json:"balances"`
	Lost       []string        `json:"lost"` // processes that have ended by themselves
	Network    *devnet.Network `json:"network"`
}

// demoAgreement is what one Provider has done, for how much.
type demoAgreement struct {
	Agreement golem.AgreementID    `json:"agreementId"`
	Provider  golem.NodeID         `json:"providerId"`
	Name      string               `json:"provider"`
	Tiles     int                  `json:"tiles"`
	Usage     map[string]float64   `json:"usage"`
	Cost      golem.Amount         `json:"cost"`
	Invoice   golem.InvoiceID      `json:"invoiceId,omitempty"`
	Status    golem.DocumentStatus `json:"invoiceStatus,omitempty"`
	Problem   string               `json:"problem,omitempty"`
}

// demoBalance is what a node held before and after; nil where it did not say.
type demoBalance struct {
	Node   string        `json:"node"`
	Before *golem.Amount `json:"before"`
	After  *golem.Amount `json:"after"`
}

func (d *demo) report(account golem.Account, bills []requestor.Bill, before, after map[string]golem.Amount) *demoReport {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := &demoReport{
		Seconds: time.Since(d.begin).Seconds(), Width: d.image.Rect.Dx(), Height: d.image.Rect.Dy(),
		Tiles: demoColumns * demoRows, Platform: account.Platform,
		Lost: append([]string{}, d.lost...), Network: d.net,
	}
	for _, b := range bills {
		r.Cost = r.Cost.Add(b.Cost)
		r.Agreements = append(r.Agreements, demoAgreement{b.Agreement, b.Provider, b.Name, d.tiles[b.Agreement], b.Usage, b.Cost, b.Invoice, b.Status, b.Refused})
	}
	slices.SortFunc(r.Agreements, func(a, b demoAgreement) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Agreement, b.Agreement))
	})
	known := func(m map[string]golem.Amount, name string) *golem.Amount {
		if a, ok := m[name]; ok {
			return &a
		}
		return nil
	}
	for _, n := range append([]devnet.Node{d.net.Requestor}, d.net.Providers...) {
		r.Balances = append(r.Balances, demoBalance{n.Name, known(before, n.Name), known(after, n.Name)})
	}
	return r
}

// check says whether every Agreement ended as it should: paid, unless its
// Provider was lost.
func (r *demoReport) check() error {
	for _, ag := range r.Agreements {
		if ag.Status != golem.DocumentSettled && len(r.Lost) == 0 {
			return golem.Errorf(golem.ErrInternal, "the invoice of %s for agreement %s is %q, not SETTLED", ag.Name, ag.Agreement, ag.Status)
		}
	}
	return nil
}

// showDemo prints what came of it.
func (a *app) showDemo(r *demoReport) error {
	return a.show(r, func(w io.Writer) {
		token := strings.ToUpper(r.Platform.Token)
		var lines [][]any
		for _, ag := range r.Agreements {
			lines = append(lines, []any{
				ag.Name, ag.Agreement[:8] + "…", ag.Tiles, fmt.Sprintf("%.2f s", ag.Usage[golem.UsageCPU]),
				fmt.Sprintf("%.2f s", ag.Usage[golem.UsageDuration]), ag.Cost, cmp.Or(string(ag.Status), "none"),
			})
		}
		fmt.Fprintln(w)
		rows(w, []any{"provider", "agreement", "tiles", "CPU", "time", "cost, " + token, "invoice"}, lines, "tiles", "CPU", "time", "cost, "+token)
		lines = nil
		for _, b := range r.Balances {
			lines = append(lines, []any{b.Node, orUnknown(b.Before), orUnknown(b.After)})
		}
		fmt.Fprintln(w)
		rows(w, []any{"node", "before, " + token, "after, " + token}, lines, "before, "+token, "after, "+token)
		fmt.Fprintf(w, "\n%s: %d×%d pixels for %s %s, in %.1f s\n", r.Picture, r.Width, r.Height, r.Cost, token, r.Seconds)
	})
}

func orUnknown(a *golem.Amount) string {
	if a == nil {
		return "?"
	}
	return a.String()
}

// pictureFile is where the picture goes: tried before anything is bought, and
// there only when it is complete.
type pictureFile struct {
	name string
	temp *os.File
}

func newPictureFile(name string) (*pictureFile, error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".golem-demo-*.png")
	if err != nil {
		return nil, fmt.Errorf("--out %s: %w", name, err)
	}
	return &pictureFile{name, f}, nil
}

func (p *pictureFile) write(img image.Image) error {
	err := errors.Join(png.Encode(p.temp, img), p.temp.Chmod(0o644), p.temp.Close())
	if err == nil {
		err = os.Rename(p.temp.Name(), p.name)
	}
	if err != nil {
		return fmt.Errorf("--out %s: %w", p.name, err)
	}
	return nil
}

// discard removes what is left when there is no picture.
func (p *pictureFile) discard() {
	p.temp.Close()
	os.Remove(p.temp.Name())
}
