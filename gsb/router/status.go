package router

import "time"

// Status is how a Client is connected.
type Status struct {
	Connected bool
	Since     time.Time     // of the connection, or of its loss
	Problem   error         // why it is not connected, or a service is not registered, where known
	Heard     time.Time     // when the last packet came, zero if not connected
	RTT       time.Duration // to the router and back, zero if not known
	Calls     int           // in flight, in either direction
	Dropped   uint64        // messages and broadcasts lost to a full queue
}

// Status returns how the client is connected.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{Connected: c.up != nil && c.up.joined.Load(), Since: c.since, Problem: c.problem, Dropped: c.dropped.Load()}
	if s.Connected {
		s.Problem = c.refused
	}
	if c.up != nil {
		s.Heard = time.Unix(0, c.up.link.heard.Load())
		s.RTT = time.Duration(c.up.rtt.Load())
		s.Calls = c.up.link.calls.len() + c.up.link.answers.len()
	}
	return s
}
