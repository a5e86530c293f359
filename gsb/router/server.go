package router

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/golem-go/golem"
)

// Config configures a Server. Zero durations stand for their defaults, which are
// those of the socket of a node; a hub is more patient (spec net.md §1.2).
type Config struct {
	// Session is called for each connection, with the address of its other end;
	// see [NewLocal].
	Session func(remote net.Addr) Session
	Name    string // in Hello; default "golem"
	Version string // in Hello; default "0.0.0"

	PingInterval   time.Duration // between looks at a connection; default 10 s
	PingTimeout    time.Duration // of silence, after which it is dropped; default 20 s
	ForwardTimeout time.Duration // a packet may wait for a slow reader; default 60 s

	Limits      Limits
	Connections int // default 10,000; more are turned away
	Log         *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Name = cmp.Or(c.Name, "golem")
	c.Version = cmp.Or(c.Version, "0.0.0")
	c.PingInterval = cmp.Or(c.PingInterval, 10*time.Second)
	c.PingTimeout = cmp.Or(c.PingTimeout, 20*time.Second)
	c.ForwardTimeout = cmp.Or(c.ForwardTimeout, 60*time.Second)
	c.Limits = c.Limits.withDefaults()
	c.Connections = cmp.Or(c.Connections, 10_000)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// instance is the number a process gives itself when it starts.
type instance [16]byte

func newInstance() (id instance) {
	rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // UUID, version 4
	return id
}

// Server is the router: the end of the socket that connections are made to.
type Server struct {
	cfg      Config
	instance instance
	topics   topics

	mu    sync.Mutex
	conns map[*conn]struct{}
	known map[instance]*conn // those that said Hello
	bound map[string]*conn   // who registered an address
}

// NewServer returns a Server. It returns ErrInvalid where cfg is incomplete.
func NewServer(cfg Config) (*Server, error) {
	if cfg.Session == nil {
		return nil, golem.Errorf(golem.ErrInvalid, "router: no Session in its configuration")
	}
	return &Server{
		cfg: cfg.withDefaults(), instance: newInstance(),
		conns: map[*conn]struct{}{}, known: map[instance]*conn{}, bound: map[string]*conn{},
	}, nil
}

// Instance returns the id the server gives itself in its Hello.
func (s *Server) Instance() [16]byte { return s.instance }

// Connections returns how many connections there are.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Serve accepts connections from l until ctx ends, and closes l and all of them
// then. It returns nil then, and an error where l does not accept any more.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	var serving sync.WaitGroup
	defer serving.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	pause := time.Duration(0)
	for {
		nc, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return golem.Errorf(golem.ErrUnavailable, "router: %w", err)
		case err != nil: // out of descriptors, most likely: wait for some to be freed
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.cfg.Log.Warn("connection not accepted", "err", err, "pause", pause)
			wait(ctx, pause)
			continue
		}
		pause = 0
		serving.Go(func() { s.serve(ctx, nc) })
	}
}

// wait returns after d or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// serve serves one connection to its end.
func (s *Server) serve(ctx context.Context, nc net.Conn) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := newConn(s, nc, cancel)
	if !s.enter(c) {
		s.cfg.Log.Warn("connection turned away", "remote", nc.RemoteAddr(), "connections", s.cfg.Connections)
		nc.Close()
		return
	}
	s.cfg.Log.Debug("connection opened", "remote", nc.RemoteAddr())
	err := c.run(ctx)
	s.leave(c)
	c.serving.Wait()
	s.cfg.Log.Debug("connection closed", "remote", nc.RemoteAddr(), "err", cmp.Or(context.Cause(ctx), err))
}

func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= s.cfg.Connections {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) leave(c *conn) {
	c.close(errLost)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.known[c.instance] == c {
		delete(s.known, c.instance)
	}
}

// introduce notes the instance of a connection and closes the one it had before:
// a process that connects again has given up its old connection.
func (s *Server) introduce(c *conn, id instance) {
	s.mu.Lock()
	old := s.known[id]
	s.known[id] = c
	c.instance = id
	s.mu.Unlock()
	if old != nil {
		old.close(golem.Errorf(golem.ErrCancelled, "connected again"))
	}
}
