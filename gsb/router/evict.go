package router

import (
	"context"
	"time"

	"github.com/golem-go/golem"
)

func (s *Server) hold(addr string, c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bound[addr] = c
}

func (s *Server) unhold(addr string, c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bound[addr] == c {
		delete(s.bound, addr)
	}
}

// evict closes the connection that holds addr if it is dead: a process that was
// killed with its machine, or lost its network, comes back long before its old
// connection times out. It reports whether addr may be free now.
func (s *Server) evict(ctx context.Context, c *conn, addr string) bool {
	s.mu.Lock()
	holder := s.bound[addr]
	s.mu.Unlock()
	if holder == nil || holder == c || holder.alive(ctx) {
		return false
	}
	holder.close(golem.Errorf(golem.ErrCancelled, "gave no sign of life when %s was wanted", addr))
	return true
}

// alive reports whether the other side gives a sign of life.
func (c *conn) alive(ctx context.Context) bool {
	const look = 50 * time.Millisecond
	before := c.link.received.Load()
	c.ping()
	for range probePatience / look {
		wait(ctx, look)
		if ctx.Err() != nil || c.link.received.Load() != before || c.link.held.Load() {
			return true
		}
	}
	return false
}
