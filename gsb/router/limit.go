package router

import (
	"cmp"

	"golang.org/x/time/rate"
)

// Limits bound what one connection may take of a Server. The zero value of a
// field stands for its default.
type Limits struct {
	Calls      int     // calls in flight; default 4096
	CallBytes  int     // bodies of the calls in flight, in bytes; default 64 MiB
	Services   int     // addresses registered; default 1024
	Topics     int     // topics subscribed to; default 256
	Messages   float64 // packets per second, others wait; default without limit
	Bytes      float64 // bytes per second, others wait; default without limit
	Broadcasts float64 // broadcasts per second, others are lost; default without limit
}

func (l Limits) withDefaults() Limits {
	l.Calls = cmp.Or(l.Calls, 4096)
	l.CallBytes = cmp.Or(l.CallBytes, 64<<20)
	l.Services = cmp.Or(l.Services, 1024)
	l.Topics = cmp.Or(l.Topics, 256)
	return l
}

// limiters returns what holds back the packets and bytes of a connection, nil
// for no limit. A second's worth may come at once.
func (l Limits) limiters() (messages, bytes *rate.Limiter) {
	return limiter(l.Messages), limiter(l.Bytes)
}

func limiter(perSecond float64) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
}
