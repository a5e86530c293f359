package devnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/golem-go/golem/internal/dirlock"
	"github.com/golem-go/golem/internal/lifeline"
	"github.com/golem-go/golem/rest/client"
)

// Config says what network to run.
type Config struct {
	Exe       string   // the golem program
	Dir       string   // state of the network
	Providers int      // nodes that sell; 0 is 2
	Subnet    string   // market the nodes trade on; "" is "public", everybody's
	Env       []string // for all processes; nil for this process's own, less what configures one node
}

// Node is how to reach one node of the network.
type Node struct {
	Name   string `json:"name"`
	ID     string `json:"nodeId"`
	URL    string `json:"apiUrl"`
	AppKey string `json:"appKey"`
	GSB    string `json:"gsbUrl"`
	Dir    string `json:"dataDir"`
	PID    int    `json:"pid"`
}

// Network is a running network.
type Network struct {
	Hub       string  `json:"hub"`
	Subnet    string  `json:"subnet"`
	Requestor Node    `json:"requestor"`
	Providers []Node  `json:"providers"`
	Agents    []Agent `json:"agents"`

	cfg  Config
	line *lifeline.Line
	lock *os.File
	gone chan *process // whatever ends while it should not

	mu       sync.Mutex
	stopping bool
	started  []*process // in the order of starting
}

// Agent is a provider agent of the network.
type Agent struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
}

const (
	defaultProviders = 2
	maxProviders     = 64
	startTimeout     = 30 * time.Second
	stopTimeout      = 10 * time.Second
)

// Start starts a network and returns when every node serves and the requestor
// knows the offers of every provider. The caller must call Stop.
func Start(ctx context.Context, cfg Config) (n *Network, err error) {
	if cfg.Providers == 0 {
		cfg.Providers = defaultProviders
	}
	if cfg.Providers < 1 || cfg.Providers > maxProviders {
		return nil, fmt.Errorf("%d providers: want 1 to %d", cfg.Providers, maxProviders)
	}
	if cfg.Subnet == "" {
		cfg.Subnet = "public"
	}
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, err
	}
	if cfg.Env == nil {
		cfg.Env = ownEnv()
	}
	lock, err := dirlock.Lock(cfg.Dir, "devnet")
	if err != nil {
		return nil, err
	}
	line, err := lifeline.New()
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	n = &Network{cfg: cfg, line: line, lock: lock, Subnet: cfg.Subnet, Providers: make([]Node, cfg.Providers), Agents: make([]Agent, cfg.Providers), gone: make(chan *process, 2*maxProviders+2)}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(err, n.Stop())
	}
	return n, nil
}

// start brings up the hub, then all nodes at once, then their agents.
func (n *Network) start(ctx context.Context) error {
	var hub struct{ Hub string }
	if _, err := n.launch(ctx, "hub", &hub, nil, "hub", "run", "--listen", "tcp://127.0.0.1:0"); err != nil {
		return err
	}
	n.Hub = hub.Hub
	g, starting := errgroup.WithContext(ctx)
	g.Go(func() error { return n.startNode(starting, "requestor", &n.Requestor, "--fund") })
	for i := range n.Providers {
		g.Go(func() error {
			name := fmt.Sprintf("provider-%d", i+1)
			if err := n.startNode(starting, name, &n.Providers[i]); err != nil {
				return err
			}
			return n.startAgent(starting, name, n.Providers[i], &n.Agents[i])
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return n.awaitOffers(ctx)
}

// awaitOffers waits until the requestor has heard of every provider.
func (n *Network) awaitOffers(ctx context.Context) error {
	buyer := client.New(n.Requestor.URL, n.Requestor.AppKey, nil)
	missing := map[string]bool{}
	for _, p := range n.Providers {
		missing[p.ID] = true
	}
	for {
		cards, err := buyer.Cards(ctx)
		if err != nil {
			return fmt.Errorf("requestor: offers: %w", err)
		}
		for _, c := range cards {
			delete(missing, c.Node.String())
		}
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the requestor has not heard of %d providers: %w", len(missing), context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (n *Network) startNode(ctx context.Context, name string, node *Node, flags ...string) error {
	p, err := n.launch(ctx, name, node, nil, append([]string{"node", "run", "--api-url", "http://127.0.0.1:0", "--hub", n.Hub}, flags...)...)
	if err != nil {
		return err
	}
	node.Name, node.Dir, node.PID = name, p.dir, p.cmd.Process.Pid
	return nil
}

func (n *Network) startAgent(ctx context.Context, name string, node Node, agent *Agent) error {
	key := []string{"YAGNA_APPKEY=" + node.AppKey} // others can read arguments
	p, err := n.launch(ctx, name+"-agent", nil, key, "provider", "run", "--api-url", node.URL,
		"--node-name", name, "--subnet", n.Subnet, "--share", fmt.Sprint(len(n.Providers)))
	if err != nil {
		return err
	}
	*agent = Agent{Name: p.name, PID: p.cmd.Process.Pid}
	return nil
}

// launch starts one process and waits for the line by which it says that it is
// ready, which is decoded into ready. env is added to the environment of all.
func (n *Network) launch(ctx context.Context, name string, ready any, env []string, args ...string) (*process, error) {
	p := &process{name: name, kind: args[0], env: slices.Concat(n.cfg.Env, env), dir: filepath.Join(n.cfg.Dir, name), exited: make(chan struct{})}
	args = append(args, "--data-dir", p.dir, "--json")
	if err := p.start(n.cfg, n.line, args); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	n.mu.Lock()
	n.started = append(n.started, p)
	n.mu.Unlock()
	go n.watch(p)
	if err := p.awaitReady(ctx, ready); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", name, err, p.lastLog())
	}
	return p, nil
}

// watch reaps p and reports its end, unless the network is being stopped.
func (n *Network) watch(p *process) {
	p.err = p.cmd.Wait()
	close(p.exited)
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.stopping {
		n.gone <- p
	}
}

// Lost is a process of the network that has ended by itself.
type Lost struct {
	Name string
	Err  error  // how it ended
	Log  string // its last lines
}

// Watch blocks until a process of the network ends by itself, or ctx ends.
func (n *Network) Watch(ctx context.Context) (Lost, error) {
	select {
	case p := <-n.gone:
		return Lost{p.name, p.err, p.lastLog()}, nil
	case <-ctx.Done():
		return Lost{}, ctx.Err()
	}
}

// Stop ends every process in the reverse order of starting: agents close their
// Agreements while their nodes still serve. What does not end in time is killed.
func (n *Network) Stop() error {
	n.mu.Lock()
	n.stopping = true
	started := n.started
	n.mu.Unlock()
	defer n.lock.Close()
	defer n.line.Close()

	kinds := map[string][]*process{}
	for _, p := range started {
		kinds[p.kind] = append(kinds[p.kind], p)
	}
	return errors.Join(stopAll(kinds["provider"]), stopAll(kinds["node"]), stopAll(kinds["hub"]))
}
