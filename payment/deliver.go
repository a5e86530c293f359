package payment

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

const (
	deliveries  = 32        // nodes that are being told something at a time
	batch       = 100       // messages to one node at a time
	maxRefusals = 20        // of one message, after which it waits to be asked for
	handAgain   = time.Hour // after which an order that is not settled is handed over again
)

// resume brings forward what a driver may have forgotten by a restart.
func (s *Service) resume(ctx context.Context) error {
	return s.step(ctx, func(w *sheet) error {
		orders, err := w.r.MessagesOf(OrderMessage)
		for _, m := range orders {
			m.Next, m.Attempts = w.now, 0
			w.messages = append(w.messages, m)
		}
		return err
	})
}

// requestSync asks, some time after the start, the Requestors whose answer a
// Provider of this node waits for, to repeat what they could not tell it.
func (s *Service) requestSync(ctx context.Context) {
	pause(ctx, s.cfg.SyncDelay)
	if ctx.Err() != nil {
		return
	}
	err := s.step(ctx, func(w *sheet) error {
		waiting, err := w.r.Waiting()
		for _, c := range waiting {
			w.tell(c.Owner, c.Peer, RequestSyncMessage, "")
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		s.trace.failed("payment-request-sync", err)
	}
}

// hasten makes everything that waits to be told to a node due now.
func (s *Service) hasten(ctx context.Context, peer golem.NodeID) error {
	return s.step(ctx, func(w *sheet) error {
		waiting, err := w.r.MessagesTo(peer)
		for _, m := range waiting {
			if m.Next.IsZero() || m.Next.After(w.now) {
				m.Next, m.Refusals = w.now, 0
				w.messages = append(w.messages, m)
			}
		}
		return err
	})
}

// deliverAll tells what must be told until ctx ends: one node does not wait for
// another.
func (s *Service) deliverAll(ctx context.Context) {
	var each sync.WaitGroup
	defer each.Wait()
	s.loop(ctx, "payment-deliver", s.toDeliver, func(ctx context.Context) (time.Time, error) {
		return s.deliver(ctx, &each)
	})
}

// deliver begins to tell everybody to whom something is due, and returns when
// something becomes due next.
func (s *Service) deliver(ctx context.Context, each *sync.WaitGroup) (next time.Time, err error) {
	var due []Correspondent
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		now := s.now()
		if due, err = r.Addressees(now); err != nil {
			return err
		}
		next, err = r.NextMessage(now)
		return err
	})
	if err != nil {
		return next, err
	}
	for i, c := range due {
		if !s.engage(c) {
			continue
		}
		stagger := time.Duration(i+1) * time.Microsecond // so that a simulation sees one after the other
		each.Go(func() {
			defer wake(s.toDeliver)
			defer s.disengage(c)
			pause(ctx, stagger)
			if err := s.deliverTo(ctx, c); err != nil && ctx.Err() == nil {
				s.trace.failed("payment-deliver", err)
				pause(ctx, retryDelay)
			}
		})
	}
	return next, nil
}

// engage reports whether c may be told something now, and says so to others.
func (s *Service) engage(c Correspondent) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[c] || len(s.busy) >= deliveries {
		return false
	}
	s.busy[c] = true
	return true
}

func (s *Service) disengage(c Correspondent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, c)
}

// deliverTo tells a node or driver what is due. The error is that of the books;
// what the other party does not take is noted in its message.
func (s *Service) deliverTo(ctx context.Context, c Correspondent) error {
	var due []Message
	err := s.cfg.Store.View(ctx, func(r Reader) (err error) {
		due, err = r.Outbox(c, s.now(), batch)
		return err
	})
	if err != nil {
		return err
	}
	if c.Peer.IsZero() {
		return s.deliverToDriver(ctx, due)
	}
	if due, err = s.repeat(ctx, due); err != nil {
		return err
	}
	for i := range due {
		err := s.say(ctx, &due[i])
		if ctx.Err() != nil {
			return nil
		}
		if unreachable(err) {
			return s.postpone(ctx, due[i:], err)
		}
		if err := s.conclude(ctx, due[i], err); err != nil {
			return err
		}
	}
	return nil
}

// repeat tells together what could not be told before, and returns what remains
// to be told one by one: the answer does not say which part it refuses.
func (s *Service) repeat(ctx context.Context, due []Message) (rest []Message, err error) {
	var again []Message
	for _, m := range due {
		if m.Attempts > 0 && m.Refusals == 0 && m.syncs() {
			again = append(again, m)
		} else {
			rest = append(rest, m)
		}
	}
	if len(again) == 0 {
		return due, nil
	}
	err = s.sayTogether(ctx, again)
	switch {
	case ctx.Err() != nil:
		return nil, nil
	case err == nil:
		return rest, s.told(ctx, again)
	case unreachable(err) && !notThere(err):
		return nil, s.postpone(ctx, due, err)
	}
	return due, nil
}

// told forgets messages that were acknowledged.
func (s *Service) told(ctx context.Context, ms []Message) error {
	err := s.step(ctx, func(w *sheet) error {
		for _, m := range ms {
			w.done = append(w.done, m.Seq)
		}
		return nil
	})
	if err == nil {
		for _, m := range ms {
			s.trace.told(m)
		}
	}
	return err
}

// conclude notes the outcome of telling one message: err is nil or an answer.
func (s *Service) conclude(ctx context.Context, m Message, err error) error {
	if m.Kind == CancelNoteMessage || m.Kind == CancelInvoiceMessage {
		if err == nil || errors.Is(err, golem.ErrNotFound) || errors.Is(err, golem.ErrConflict) {
			return s.concludeCancel(ctx, m, errors.Is(err, golem.ErrConflict))
		}
	}
	if err == nil {
		return s.told(ctx, []Message{m})
	}
	return s.postpone(ctx, []Message{m}, err)
}

// concludeCancel books what a Requestor has answered to a cancellation. A
// document it has never seen is cancelled as well.
func (s *Service) concludeCancel(ctx context.Context, m Message, refused bool) error {
	key, _ := m.subject()
	err := s.step(ctx, func(w *sheet) error {
		w.done = append(w.done, m.Seq)
		d, err := w.document(key)
		if err != nil || refused || d.Status == golem.DocumentCancelled || d.Status.Concluded() {
			return err
		}
		return w.cancel(d)
	})
	if err == nil {
		s.news.Wake(topic{"document", m.Owner, m.Ref})
		s.trace.told(m)
	}
	return err
}

// postpone notes that messages were not taken, and when to try again.
func (s *Service) postpone(ctx context.Context, ms []Message, cause error) error {
	if ctx.Err() != nil {
		return nil // we are leaving, which says nothing about them
	}
	err := s.step(ctx, func(w *sheet) error {
		for _, m := range ms {
			now, err := w.r.Message(m.Seq)
			if errors.Is(err, golem.ErrNotFound) {
				continue // what it told has been overtaken
			}
			if err != nil {
				return err
			}
			now.Attempts++
			now.Problem = cause.Error()
			if wire.Answered(cause) {
				now.Refusals++
			}
			now.Next = w.now.Add(s.backoff(now.Attempts))
			if now.Refusals >= maxRefusals && now.Kind != PaymentMessage {
				now.Next = time.Time{}
			}
			w.messages = append(w.messages, now)
		}
		return nil
	})
	if err == nil {
		for _, m := range ms {
			s.trace.untold(m, cause)
		}
	}
	return err
}

// backoff returns how long to wait after the given number of failed attempts: it
// doubles up to a limit, give or take a tenth.
func (s *Service) backoff(attempts int) time.Duration {
	d := s.cfg.Backoff
	for i := 1; i < attempts && d < s.cfg.MaxBackoff; i++ {
		d *= 2
	}
	d = min(d, s.cfg.MaxBackoff)
	s.mu.Lock()
	defer s.mu.Unlock()
	return d + time.Duration((s.rand.Float64()-0.5)*float64(d)/5)
}

// deliverToDriver hands orders over. They stay until they are settled, and are
// handed over again from time to time.
func (s *Service) deliverToDriver(ctx context.Context, due []Message) error {
	for i := range due {
		m := due[i]
		var err error
		if m.Kind == OrderMessage {
			err = s.pay(ctx, OrderID(m.Ref))
		} else {
			err = s.releaseDeposit(ctx, golem.AllocationID(m.Ref))
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			err = s.postpone(ctx, due[i:i+1], err)
		case m.Kind == OrderMessage:
			err = s.handed(ctx, m)
		default:
			err = s.told(ctx, due[i:i+1])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// handed notes that a driver has an order.
func (s *Service) handed(ctx context.Context, m Message) error {
	return s.step(ctx, func(w *sheet) error {
		now, err := w.r.Message(m.Seq)
		if errors.Is(err, golem.ErrNotFound) {
			return nil // settled already
		}
		now.Next, now.Attempts, now.Problem = w.now.Add(handAgain), 0, ""
		w.messages = append(w.messages, now)
		return err
	})
}
