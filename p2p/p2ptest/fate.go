package p2ptest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"
)

// fate is what will happen to a message.
type fate struct {
	lost   bool
	at     time.Time     // of its delivery
	copyAt time.Time     // of the delivery of its duplicate; zero for none
	own    time.Duration // less than a millisecond, another one for each message
}

// fates counts equal messages sent at the same instant.
type fates struct {
	now  int64
	seen map[[32]byte]uint64
}

// decide returns the fate of a message that is sent now. It follows from the
// message, not from what else is decided at this instant.
func (s *Switch) decide(from, to *Node, d Delivery, body []byte) fate {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	r := s.fates.source(fmt.Appendf(nil, "%d %d %d %d %d %s %s ", s.cfg.Seed, now.UnixNano(), from.number(), to.number(), d.Channel, d.Kind, d.Addr), now, body)
	f := fate{lost: r.Float64() < s.cfg.Loss}
	twice := r.Float64() < s.cfg.Duplicate && d.Kind != "reply"
	delay, again := s.delay(r, d), s.delay(r, d)
	f.own = time.Duration(r.Int64N(int64(time.Millisecond)))
	f.at = s.book(now, delay)
	if twice {
		f.copyAt = s.book(now, delay+again)
	}
	return f
}

func (s *Switch) delay(r *rand.Rand, d Delivery) time.Duration {
	delay := s.cfg.Latency + time.Duration(r.Int64N(int64(s.cfg.Jitter)+1))
	if r.Float64() < s.cfg.Reorder && d.Kind != "reply" {
		delay *= 10
	}
	return delay
}

// source returns the randomness of one message.
func (f *fates) source(head []byte, now time.Time, body []byte) *rand.Rand {
	if at := now.UnixNano(); f.seen == nil || at != f.now {
		f.now, f.seen = at, map[[32]byte]uint64{}
	}
	key := sha256.Sum256(append(head, body...))
	f.seen[key]++
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(key[:]), binary.BigEndian.Uint64(key[8:])+f.seen[key]))
}

// instant returns an instant that nothing else happens at, d from now.
func (s *Switch) instant(d time.Duration) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book(time.Now(), d)
}

// book reserves the first free instant from d on. It is called with mu held.
func (s *Switch) book(now time.Time, d time.Duration) time.Time {
	const keep = 4096
	if len(s.booked) > keep {
		for at := range s.booked {
			if at < now.UnixNano() {
				delete(s.booked, at)
			}
		}
	}
	at := now.Add(max(d, 1))
	for s.booked[at.UnixNano()] {
		at = at.Add(1)
	}
	s.booked[at.UnixNano()] = true
	return at
}
