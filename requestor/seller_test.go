package requestor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity/activitytest"
	"github.com/golem-go/golem/gftp"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/rest/client"
	"github.com/golem-go/golem/wire"
)

// manners are how a seller behaves. The zero value is how one should.
type manners struct {
	fee   float64 // tokens for an Activity
	price float64 // tokens for a second of it
	props map[string]any

	deaf      bool          // never answers Proposals
	refuses   string        // Proposals, for that reason
	final     bool          // which is final
	renounces bool          // rejects Agreements
	ponders   time.Duration // before it approves
	mute      bool          // never approves
	idle      bool          // starts no ExeUnits
	notes     time.Duration // between debit notes; 0: none
	greed     float64       // its bills are multiplied by that; 0: 1
	noBill    bool          // sends no Invoice
	lies      bool          // about the hashes of what it sends back
	greedLate bool          // only its Invoices are greedy
	keeps     bool          // the files it says it has sent back

	loses func(golem.RuntimeEvent) bool // events of its ExeUnits
}

// vendor sells at a node: an agent and its ExeUnits.
type vendor struct {
	*peer
	manners
	w       *world
	session string
	running sync.WaitGroup
	stop    func() // the agent and the ExeUnits, as when they are killed

	mu    sync.Mutex
	units map[golem.ActivityID]*unit
	deals []golem.AgreementID // approved, in order
	runs  int                 // programs that were begun
}

// unit is an ExeUnit and what it has on its disk.
type unit struct {
	*activitytest.ExeUnit
	agreement golem.AgreementID
	env       map[string]string
	stop      context.CancelFunc
	ended     chan struct{}

	mu    sync.Mutex
	files map[string][]byte
}

// sell adds a node that sells.
func (w *world) sell(name string, m manners) *vendor {
	w.t.Helper()
	if m.greed == 0 {
		m.greed = 1
	}
	v := &vendor{peer: w.peer(name), manners: m, w: w, session: "s-" + name, units: map[golem.ActivityID]*unit{}}
	sub, err := v.api.Publish(w.ctx, golem.Provider, v.offer(), 0)
	w.must(err)
	ctx, cancel := context.WithCancel(w.ctx)
	v.running.Go(func() { v.negotiate(ctx, sub) })
	v.running.Go(func() { v.serve(ctx) })
	v.running.Go(func() { v.bill(ctx) })
	v.stop = sync.OnceFunc(func() { cancel(); v.running.Wait() })
	w.stops = append(w.stops, v.stop)
	w.settle()
	return v
}

// settle waits until the buyer knows all offers.
func (w *world) settle() { w.pause(10 * time.Second) }

// kill takes the vendor and its node off the network at once.
func (v *vendor) kill() {
	v.w.sw.Isolate(v.net)
}

func (v *vendor) offer() client.Publication {
	props := map[string]any{
		"golem.node.id.name": v.name, "golem.node.debug.subnet": "test",
		"golem.runtime.name": "wasmtime", "golem.runtime.version": "1.0.0",
		"golem.inf.cpu.threads": 2, "golem.inf.mem.gib": 4.0, "golem.inf.storage.gib": 10.0,
		"golem.srv.caps.multi-activity": true, "golem.com.scheme": "payu",
		golem.PropPricingModel: "linear", golem.PropUsageVector: []string{golem.UsageDuration},
		golem.PropCoefficients:                    []float64{v.price, v.fee},
		golem.PropPlatformAddress(local.Platform): v.ID().String(),
		golem.PropProtocolVersion:                 3,
		golem.PropAcceptTimeout:                   240, golem.PropNoteInterval: 120, golem.PropPaymentTimeout: 120,
	}
	maps.Copy(props, v.props)
	b, err := json.Marshal(props)
	v.w.must(err)
	return client.Publication{Properties: b, Constraints: "(&(golem.node.debug.subnet=test)(golem.srv.comp.expiration>1))"}
}

// negotiate answers Proposals and Agreements, as upstream's agent does.
func (v *vendor) negotiate(ctx context.Context, sub golem.SubscriptionID) {
	for ctx.Err() == nil {
		es, err := v.api.MarketEvents(ctx, golem.Provider, sub, 10*time.Second, 10)
		if err != nil {
			v.w.pause(time.Second)
			continue
		}
		for _, e := range es {
			v.running.Go(func() { v.answer(ctx, sub, e) })
		}
	}
}

func (v *vendor) answer(ctx context.Context, sub golem.SubscriptionID, e client.MarketEvent) {
	var err error
	switch {
	case e.Proposal != nil && v.deaf:
	case e.Proposal != nil && v.refuses != "":
		err = v.api.Reject(ctx, golem.Provider, sub, e.Proposal.ID, golem.NewReason(v.refuses, golem.ReasonIsFinal, v.final))
	case e.Proposal != nil:
		_, err = v.api.Counter(ctx, golem.Provider, sub, e.Proposal.ID, v.agreeable(e.Proposal))
	case e.Agreement != nil && v.mute:
	case e.Agreement != nil && v.renounces:
		err = v.api.RejectAgreement(ctx, e.Agreement.ID, golem.NewReason("no capacity", "", nil))
	case e.Agreement != nil:
		v.w.pause(v.ponders)
		if err = v.api.ApproveAgreement(ctx, e.Agreement.ID, v.session, 10*time.Second); err == nil {
			v.mu.Lock()
			v.deals = append(v.deals, e.Agreement.ID)
			v.mu.Unlock()
		}
	}
	if err != nil && ctx.Err() == nil {
		v.w.log.add(fmt.Sprintf("%s: %s: %v", v.name, e.Type, err))
	}
}

// agreeable returns the offer with the terms of payment of the other side.
func (v *vendor) agreeable(p *client.Proposal) client.Publication {
	offer := v.offer()
	var ours, theirs map[string]any
	v.w.must(errors.Join(json.Unmarshal(offer.Properties, &ours), json.Unmarshal(p.Properties, &theirs)))
	for _, name := range []string{golem.PropAcceptTimeout, golem.PropNoteInterval, golem.PropPaymentTimeout} {
		delete(ours, name)
		if value, ok := theirs[name]; ok {
			ours[name] = value
		}
	}
	var err error
	offer.Properties, err = json.Marshal(ours)
	v.w.must(err)
	return offer
}

// serve starts and stops ExeUnits.
func (v *vendor) serve(ctx context.Context) {
	var after time.Time
	for ctx.Err() == nil {
		es, err := v.api.ActivityEvents(ctx, v.session, after, 10, 10*time.Second)
		if err != nil {
			v.w.pause(time.Second)
			continue
		}
		for _, e := range es {
			after = e.Date
			switch {
			case e.Type.Create != nil && !v.idle:
				v.create(ctx, e)
			case e.Type.Destroy != nil:
				v.destroy(e.Activity)
			}
		}
	}
}

func (v *vendor) create(ctx context.Context, e golem.ProviderEvent) {
	run, stop := context.WithCancel(ctx)
	u := &unit{agreement: e.Agreement, stop: stop, ended: make(chan struct{}), files: map[string][]byte{}}
	u.ExeUnit = activitytest.NewExeUnit(activitytest.UnitConfig{
		Activity: e.Activity, Bus: v.Bus(), Rates: []float64{1}, Start: 20 * time.Millisecond, Loses: v.loses,
		Runtime: func(ctx context.Context, c golem.Command, emit func(golem.RuntimeEventKind)) (int, string) {
			return v.execute(ctx, u, c, emit)
		},
	})
	v.mu.Lock()
	v.units[e.Activity] = u
	v.mu.Unlock()
	v.running.Go(func() {
		defer close(u.ended)
		defer stop()
		u.Run(run)
		st := golem.ActivityStatus{State: golem.StatePair{Current: golem.ActivityTerminated}, Reason: "exit code 0"}
		if err := v.api.SetActivityState(context.WithoutCancel(ctx), e.Activity, st); err != nil {
			v.w.log.add(fmt.Sprintf("%s: end of an ExeUnit: %v", v.name, err))
		}
	})
}

func (v *vendor) destroy(id golem.ActivityID) {
	v.mu.Lock()
	u := v.units[id]
	v.mu.Unlock()
	if u != nil {
		u.stop()
	}
}

// crash ends all ExeUnits without anybody having asked for it.
func (v *vendor) crash() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, u := range v.units {
		u.stop()
	}
}

// exceed ends all ExeUnits as one does whose program uses more than was agreed on.
func (v *vendor) exceed() {
	v.mu.Lock()
	units := maps.Clone(v.units)
	v.mu.Unlock()
	for id, u := range units {
		st := golem.ActivityStatus{State: golem.StatePair{Current: golem.ActivityTerminated}, Reason: "Usage limit exceeded: \"golem.usage.gib\" exceeded the value of 4"}
		v.w.must(v.api.SetActivityState(v.w.ctx, id, st))
		u.stop()
	}
}

// began returns how many programs were begun.
func (v *vendor) began() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.runs
}

// agreements returns how many were approved.
func (v *vendor) agreements() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.deals)
}

// execute is the Runtime. Besides those of [activitytest.Scripted] there are
//
//	cat files…        prints files
//	write file text   writes a file
//	bytes n           prints all bytes, n times
//	env               prints the environment
func (v *vendor) execute(ctx context.Context, u *unit, c golem.Command, emit func(golem.RuntimeEventKind)) (int, string) {
	switch {
	case c.Deploy != nil:
		u.mu.Lock()
		u.env = c.Deploy.Env
		u.mu.Unlock()
		return 0, ""
	case c.Start != nil:
		return 0, ""
	case c.Transfer != nil:
		if err := v.transfer(ctx, u, c.Transfer, emit); err != nil {
			return -1, err.Error()
		}
		return 0, ""
	}
	v.mu.Lock()
	v.runs++
	v.mu.Unlock()
	out := &printer{emit: emit, bin: c.Run.Capture != nil && c.Run.Capture.Stdout != nil}
	args := c.Run.Args
	switch c.Run.EntryPoint {
	case "cat":
		for _, name := range args {
			b, ok := u.read(name)
			if !ok {
				return 1, "ExeScript command exited with code 1"
			}
			out.Write(b)
		}
	case "write":
		u.write(args[0], []byte(args[1]))
	case "bytes":
		n, _ := strconv.Atoi(args[0])
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		for range n {
			out.Write(all)
		}
	case "env":
		u.mu.Lock()
		defer u.mu.Unlock()
		fmt.Fprintln(out, u.env)
	default:
		return activitytest.Scripted(ctx, c, func(k golem.RuntimeEventKind) {
			if k.Stdout != nil {
				io.WriteString(out, k.Stdout.Text)
				return
			}
			emit(k)
		})
	}
	return 0, ""
}

// printer emits output, in the format that was asked for.
type printer struct {
	emit func(golem.RuntimeEventKind)
	bin  bool
}

func (p *printer) Write(b []byte) (int, error) {
	if p.bin {
		p.emit(golem.RuntimeEventKind{Stdout: &golem.Output{Bytes: append([]byte{}, b...)}})
	}
	return len(b), nil
}

func (u *unit) read(name string) ([]byte, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	b, ok := u.files[name]
	return b, ok
}

func (u *unit) write(name string, b []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.files[name] = b
}

// transfer copies between the unit's files and other nodes.
func (v *vendor) transfer(ctx context.Context, u *unit, t *golem.TransferCommand, emit func(golem.RuntimeEventKind)) error {
	dir, err := os.MkdirTemp("", "unit")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, path := gftp.Client{Bus: v.Bus()}, filepath.Join(dir, "f")
	if name, ok := contained(t.From); ok {
		b, ok := u.read(name)
		if !ok {
			return fmt.Errorf("path not found in container: %s", name)
		}
		to, err := gftp.ParseURL(t.To)
		if err != nil {
			return err
		}
		if v.keeps {
			return nil
		}
		if v.lies {
			return v.lie(ctx, to, b)
		}
		_, err = c.Upload(ctx, to, strings.NewReader(string(b)))
		return err
	}
	from, err := gftp.ParseURL(t.From[strings.Index(t.From, "gftp://"):])
	if err != nil {
		return err
	}
	if err := c.Download(ctx, from, path); err != nil {
		return err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	size := uint64(len(b))
	emit(golem.RuntimeEventKind{Progress: &golem.CommandProgress{Progress: [2]*uint64{&size, &size}}})
	name, _ := contained(t.To)
	u.write(name, b)
	return nil
}

// lie uploads a file with the hash of another.
func (v *vendor) lie(ctx context.Context, to gftp.URL, b []byte) error {
	part := wire.GftpUploadChunkRequest{Chunk: wire.GftpChunk{Content: b}}
	if _, err := wire.GftpUploadChunk.At(to.Name).Call(ctx, v.Bus(), golem.NodeID{}, to.Node, part); err != nil {
		return err
	}
	hash := strings.Repeat("ab", 32)
	_, err := wire.GftpUploadFinished.At(to.Name).Call(ctx, v.Bus(), golem.NodeID{}, to.Node, wire.GftpUploadFinishedRequest{Hash: &hash})
	return err
}

func contained(text string) (string, bool) {
	path, ok := strings.CutPrefix(text, "container:")
	name, err := url.PathUnescape(path)
	return name, ok && err == nil
}

// bill sends debit notes, and an Invoice when an Agreement has ended.
func (v *vendor) bill(ctx context.Context) {
	if v.notes > 0 {
		v.running.Go(func() {
			for ctx.Err() == nil {
				v.w.pause(v.notes)
				v.note(ctx)
			}
		})
	}
	after := time.Unix(0, 0)
	for ctx.Err() == nil {
		es, err := v.api.AgreementChanges(ctx, v.session, after, 10*time.Second, 10)
		if err != nil {
			v.w.pause(time.Second)
			continue
		}
		for _, e := range es {
			after = e.At
			if e.Type == golem.AgreementTerminatedEvent && !v.noBill {
				v.running.Go(func() { v.invoice(ctx, e.Agreement) })
			}
		}
	}
}

func (v *vendor) cost(u *unit, late bool) golem.Amount {
	greed := v.greed
	if v.greedLate && !late {
		greed = 1
	}
	p := golem.LinearPricing{Prices: []float64{v.price * greed}, Start: v.fee * greed}
	a, err := p.Cost(u.Usage().Current)
	v.w.must(err)
	return a
}

// note sends a debit note for each ExeUnit.
func (v *vendor) note(ctx context.Context) {
	v.mu.Lock()
	units := maps.Clone(v.units)
	v.mu.Unlock()
	for id, u := range units {
		select {
		case <-u.ended:
			continue
		default:
		}
		usage, err := json.Marshal(u.Usage().Current)
		v.w.must(err)
		n, err := v.api.IssueDebitNote(ctx, client.NewDebitNote{Activity: id, Total: v.cost(u, false), Usage: usage})
		if err == nil {
			err = v.api.SendDebitNote(ctx, n.ID, 10*time.Second)
		}
		if err != nil && ctx.Err() == nil {
			v.w.log.add(fmt.Sprintf("%s: debit note: %v", v.name, err))
		}
	}
}

// invoice bills an Agreement when its ExeUnits have ended.
func (v *vendor) invoice(ctx context.Context, id golem.AgreementID) {
	v.mu.Lock()
	units := maps.Clone(v.units)
	v.mu.Unlock()
	var total golem.Amount
	var activities []golem.ActivityID
	for activity, u := range units {
		if u.agreement != id {
			continue
		}
		u.stop()
		<-u.ended
		total = total.Add(v.cost(u, true))
		activities = append(activities, activity)
	}
	i, err := v.api.IssueInvoice(ctx, client.NewInvoice{Agreement: id, Activities: activities, Amount: total, Due: time.Now().Add(24 * time.Hour)})
	for attempt := 0; err == nil && attempt < 100; attempt++ {
		if err = v.api.SendInvoice(ctx, i.ID, 10*time.Second); err == nil {
			return
		}
		if golem.KindOf(err).Retryable() {
			v.w.pause(5 * time.Second)
			err = nil
		}
	}
	if err != nil && ctx.Err() == nil {
		v.w.log.add(fmt.Sprintf("%s: invoice: %v", v.name, err))
	}
}
