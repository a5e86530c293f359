package exeunit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/internal/longpoll"
)

// Bus is the service bus of the node, seen from another process.
type Bus interface {
	gsb.Caller
	gsb.Binder
}

// Config is what a Supervisor is made of.
type Config struct {
	Activity  golem.ActivityID
	Agreement *Agreement
	Runtime   Runtime
	WorkDir   string // of this Activity
	CacheDir  string // of the Provider

	Bus     Bus             // nil: nobody to serve, to report to, or to copy files from
	Streams Bus             // the same by another connection, which slow followers may hold up; nil: Bus
	Report  bool            // tell the node about state and usage
	Script  []golem.Command // executed first
	Signals <-chan os.Signal

	ManagedHardware bool // the Runtime enforces memory and storage limits
	ManagedImage    bool // the Runtime has an image of its own
	AllowPrivate    bool // transfers may reach private networks

	// MemoryHeadRoom is how much more memory than the Agreement's the Runtime may
	// have for itself, in GiB, if it keeps its payload within the limit.
	MemoryHeadRoom float64

	CPULimit       time.Duration // 0: none
	DurationLimit  time.Duration // 0: none
	CommandTimeout time.Duration // 0: none
	Patience       time.Duration // how long the node may be silent; 0: a minute

	Log *slog.Logger // nil: no log
}

// Supervisor executes what a Requestor sends to one Activity.
type Supervisor struct {
	cfg       Config
	log       *slog.Logger
	machine   *machine
	changed   chan struct{} // holds an element when the state may have changed
	counters  *counters
	limits    limits
	transfers *transfers
	hub       longpoll.Hub[golem.BatchID]

	running sync.WaitGroup // batches

	mu       sync.Mutex
	work     context.Context         // of batches; nil before Run
	stop     context.CancelCauseFunc // ends work
	batches  map[golem.BatchID]*batch
	order    []*batch // as they came
	finished []*batch // as they ended, without those whose output is forgotten
	kept     int      // memory that finished take, bytes
	volumes  []Volume
	heard    time.Time // of the node, last
}

// New returns a Supervisor that does nothing before [Supervisor.Run].
func New(cfg Config) (*Supervisor, error) {
	switch {
	case cfg.Agreement == nil || cfg.Runtime == nil || cfg.WorkDir == "" || cfg.CacheDir == "":
		return nil, golem.Errorf(golem.ErrInvalid, "a supervisor needs an agreement, a runtime and two directories")
	case cfg.Bus == nil && cfg.Report:
		return nil, golem.Errorf(golem.ErrInvalid, "a supervisor needs a bus to report")
	}
	s := &Supervisor{
		cfg: cfg, log: cfg.Log, changed: make(chan struct{}, 1), batches: map[golem.BatchID]*batch{},
		counters: &counters{cfg.Agreement.Vector, now(), cfg.Runtime, &storage{dir: cfg.WorkDir}},
		limits:   limits{cpu: cfg.CPULimit, duration: cfg.DurationLimit, until: cfg.Agreement.Expiration},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if !cfg.ManagedHardware {
		s.limits.memory, s.limits.storage = cfg.Agreement.Memory, cfg.Agreement.Storage
		if s.limits.memory > 0 {
			s.limits.memory += cfg.MemoryHeadRoom
		}
	}
	s.transfers = &transfers{
		bus: cfg.Bus, web: newWeb(cfg.AllowPrivate), workDir: cfg.WorkDir, cacheDir: cfg.CacheDir,
		storage: int64(s.limits.storage * gib),
	}
	s.machine = newMachine(func() {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	})
	return s, nil
}

// now is the clock. What is measured with it does not follow changes of the
// machine's time.
func now() time.Time { return time.Now().UTC() }

// stamp is the time as Requestors are told it.
func stamp() time.Time { return now().Truncate(time.Microsecond) }

// errFinished is the cause of an end that nobody gave a cause for.
var errFinished = golem.Errorf(golem.ErrCancelled, "Finished")

// Run serves the Activity until ctx ends, a signal arrives, a limit is exceeded
// or the node does not know the Activity any more. It returns when everything it
// started has ended and the node has been told, if it can be: nil where ctx or a
// signal was the cause, else the cause.
func (s *Supervisor) Run(ctx context.Context) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.mu.Lock()
	s.work, s.stop, s.heard = work, stop, now()
	s.mu.Unlock()
	defer s.transfers.web.close()
	release, err := s.serve()
	if err != nil {
		return err
	}
	defer release()

	// Reports go on when the work has been stopped.
	reporting, quit := context.WithCancel(context.WithoutCancel(ctx))
	defer quit()
	var reports, loops sync.WaitGroup
	reports.Go(func() { s.reportStates(reporting) })
	loops.Go(func() { s.reportUsage(work) })
	loops.Go(func() { s.watch(work) })
	loops.Go(func() { s.counters.storage.run(work) })
	loops.Go(func() { s.listen(work) })

	if s.begin() {
		<-work.Done()
	}
	cause := s.cause(work)
	s.end(reporting, cause, &loops)
	reports.Wait()
	if _, signalled := cause.(signalError); signalled || cause == errFinished {
		return nil
	}
	return cause
}

// begin makes the Activity ready for its first command.
func (s *Supervisor) begin() bool {
	if s.cfg.Agreement.Manifest {
		s.stop(golem.Errorf(golem.ErrUnsupported, "manifest initialization error: payload manifests are not supported"))
		return false
	}
	s.log.Info("activity started", "activity", s.cfg.Activity, "agreement", s.cfg.Agreement.ID)
	s.machine.initialize()
	if s.cfg.Script != nil {
		if err := s.exec(golem.NewBatchID(), s.cfg.Script); err != nil {
			s.stop(err)
			return false
		}
	}
	return true
}

// listen waits for a signal.
func (s *Supervisor) listen(ctx context.Context) {
	select {
	case sig := <-s.cfg.Signals:
		s.stop(signalError{sig})
	case <-ctx.Done():
	}
}

// signalError says that the process was told to end.
type signalError struct{ signal os.Signal }

func (e signalError) Error() string {
	if n, ok := e.signal.(syscall.Signal); ok {
		return fmt.Sprintf("Interrupted by signal: %d", int(n))
	}
	return fmt.Sprintf("Interrupted by signal: %v", e.signal)
}

// Unwrap makes the text one that may be shown.
func (signalError) Unwrap() error { return golem.ErrCancelled }

// cause returns why the work has ended.
func (s *Supervisor) cause(work context.Context) error {
	select {
	case sig := <-s.cfg.Signals:
		return signalError{sig} // the context of Run may be bound to the same signal
	default:
	}
	if err := context.Cause(work); !errors.Is(err, context.Canceled) {
		return err
	}
	return errFinished
}

// limitPeriod is how often limits are checked.
const limitPeriod = 500 * time.Millisecond

// watch stops the work when a limit is exceeded.
func (s *Supervisor) watch(ctx context.Context) {
	tick := time.NewTicker(limitPeriod)
	defer tick.Stop()
	for {
		if err := s.counters.check(s.limits, now()); err != nil {
			s.stop(err)
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// stopTimeout is how long the Runtime may take to stop, a little more than the
// time after which its processes are killed.
const stopTimeout = killDelay + 2*time.Second

// end stops everything and tells the node. Batches were stopped with the work.
func (s *Supervisor) end(reporting context.Context, cause error, loops *sync.WaitGroup) {
	s.stop(cause)
	s.machine.beginEnd()
	stopping, cancel := context.WithTimeout(reporting, stopTimeout)
	defer cancel()
	s.cfg.Runtime.Stop(stopping)
	s.drain()
	loops.Wait()
	s.sendUsage(reporting)
	summary, _ := json.Marshal(s.summary())
	reason := fmt.Sprintf("%s: %s", golem.Public(cause), summary)
	s.log.Info("activity ended", "activity", s.cfg.Activity, "reason", reason)
	s.machine.terminate(reason)
}

// drain accepts no more batches and waits for those there are.
func (s *Supervisor) drain() {
	s.mu.Lock()
	s.work = nil
	s.mu.Unlock()
	s.running.Wait()
}

// progressSummary is what the reason of the end says about batches.
type progressSummary struct {
	BatchesDone     int `json:"batches_done"`
	BatchesPending  int `json:"batches_pending"`
	CommandsDone    int `json:"cmds_done"`
	CommandsPending int `json:"cmds_pending"`
}

func (s *Supervisor) summary() (p progressSummary) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.order {
		finished, pending := b.counts()
		p.CommandsDone += finished
		p.CommandsPending += pending
		if pending == 0 {
			p.BatchesDone++
		} else {
			p.BatchesPending++
		}
	}
	return p
}

// patience returns how long the node may be silent.
func (s *Supervisor) patience() time.Duration { return cmp.Or(s.cfg.Patience, time.Minute) }
