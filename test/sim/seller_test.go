package sim

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity/activitytest"
	"github.com/golem-go/golem/exeunit"
	"github.com/golem-go/golem/provider"
)

// seller is a machine on which an agent sells. It launches ExeUnits that are no
// processes.
type seller struct {
	*machine
	slots int // Agreements at a time
	sold  capacity

	mu    sync.Mutex
	end   func() // of the present agent, nil while there is none
	units *launcher
}

var (
	runtimes = []provider.Descriptor{{Name: "sim", Version: "1.0.0", Supervisor: "none"}}
	presets  = []provider.Preset{{Name: "cheap", ExeUnit: "sim", Start: 0.1, Prices: map[string]float64{"duration": 0.01, "cpu": 0.02}}}
)

func (w *world) seller(name string, slots int) *seller {
	w.t.Helper()
	s := &seller{machine: w.machine(name), slots: slots}
	w.closers = append(w.closers, s.stop)
	s.start()
	return s
}

// start starts the agent, unless it runs.
func (s *seller) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil {
		return
	}
	dice := s.w.dice("agent " + s.name)
	s.units = &launcher{s: s, dice: dice, running: map[*activitytest.ExeUnit]bool{}}
	a, err := provider.New(provider.Config{
		Node: s.client("agent", &s.units.off), Launcher: s.units, Runtimes: runtimes, Presets: presets,
		Session: "agent-" + s.name, Name: s.name, Subnet: "sim", Agreements: s.slots,
		Hardware: provider.Hardware{Threads: 4, Cores: 4, Memory: 8, Storage: 40},
		Terms:    provider.Terms{NoteInterval: 30 * time.Second, AcceptTimeout: 30 * time.Second},
		Rand:     rand.New(rand.NewPCG(dice.Uint64(), dice.Uint64())), Log: slog.New(&chronicle{w: s.w, who: s.name + "'", dead: &s.units.off}),
	})
	s.w.must(err)
	ctx, cancel := context.WithCancel(s.w.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := a.Run(ctx); err != nil {
			s.w.t.Errorf("seed %d: agent %s: %v", s.w.seed, s.name, err)
		}
	}()
	s.end = func() { cancel(); <-ended }
}

// stop kills the agent and its ExeUnits, where there is one.
func (s *seller) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil {
		return
	}
	s.w.say(s.name+"'", "dies")
	s.units.silence()
	s.end()
	s.end = nil
}

// launcher implements [provider.Launcher] for one agent.
type launcher struct {
	s   *seller
	off atomic.Bool // the agent and its ExeUnits reach nobody any more

	mu      sync.Mutex
	dice    *rand.Rand
	running map[*activitytest.ExeUnit]bool
}

var errExit = errors.New("exit code 3")

func (l *launcher) Probe(context.Context, provider.Descriptor) (exeunit.Template, error) {
	return exeunit.BaseTemplate(), nil
}

// Run runs an ExeUnit. It ends with the node, like the agent that is killed says
// nothing more then, and now and then fails by itself.
func (l *launcher) Run(ctx context.Context, t provider.Task) error {
	l.mu.Lock()
	refuses, fails, life := chance(l.dice, 0.05), chance(l.dice, 0.1), upTo(l.dice, time.Minute)
	l.mu.Unlock()
	host := l.s.alive()
	if host == nil || refuses {
		return provider.ErrNotStarted
	}
	defer l.s.sold.take(t.Agreement.ID)()
	unit := activitytest.NewExeUnit(activitytest.UnitConfig{
		Activity: t.Activity, Bus: host.node.Bus(), Start: 100 * time.Millisecond, Rates: []float64{0.5, 1}, // cpu, duration
	})
	own, kill := context.WithCancel(ctx)
	defer kill()
	defer context.AfterFunc(host.ctx, kill)()
	if fails {
		timer := time.AfterFunc(life, func() { unit.SetSilent(true); kill() })
		defer timer.Stop()
	}
	l.mu.Lock()
	l.running[unit] = true
	l.mu.Unlock()
	err := unit.Run(own)
	l.mu.Lock()
	delete(l.running, unit)
	l.mu.Unlock()
	time.Sleep(moment(string(t.Activity))) // several do not end at one instant
	if ctx.Err() == nil && own.Err() != nil {
		return errExit
	}
	return err
}

// silence makes the agent and its ExeUnits say nothing any more.
func (l *launcher) silence() {
	l.off.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	for unit := range l.running {
		unit.SetSilent(true)
	}
}

// capacity counts what a machine runs at a time.
type capacity struct {
	mu    sync.Mutex
	using map[golem.AgreementID]int
	most  int
}

// take counts an ExeUnit until the returned function is called.
func (c *capacity) take(id golem.AgreementID) (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.using == nil {
		c.using = map[golem.AgreementID]int{}
	}
	c.using[id]++
	sum := 0
	for _, n := range c.using {
		sum += n
	}
	c.most = max(c.most, sum)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.using[id]--; c.using[id] == 0 {
			delete(c.using, id)
		}
	}
}

// highest returns the most that ran at a time.
func (c *capacity) highest() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}
