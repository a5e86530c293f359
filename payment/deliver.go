package payment

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

const (
	deliveries  = 32        // nodes that are being told something at a time
	batch       = 100       // messages to one node at a time
	few         = 8         // messages that are told one by one at first
	maxRefusals = 20        // of one message, after which it waits to be asked for
	handAgain   = time.Hour // after which an order that is not settled is handed over again
)

// resume brings forward what a driver may have forgotten by a restart, and lets
// everything else go on that waits to be told.
func (s *Service) resume(ctx context.Context) error {
	s.mu.Lock()
	s.post.lookAt(s.now())
	s.mu.Unlock()
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
	if err := s.recall(ctx); err != nil {
		return next, err
	}
	due, next := s.engage()
	for _, c := range due {
		each.Go(func() {
			defer s.disengage(c)
			pause(ctx, c.stagger())
			if err := s.deliverTo(ctx, c); err != nil && ctx.Err() == nil {
				s.trace.failed("payment-deliver", err)
				pause(ctx, retryDelay)
				s.redo(c)
			}
		})
	}
	return next, nil
}

// stagger returns a moment that differs from one correspondent to another: a
// simulation sees what is told at once as one thing after the other, always in
// the same order.
func (c Correspondent) stagger() time.Duration {
	h := fnv.New32a()
	h.Write(c.Owner[:])
	h.Write(c.Peer[:])
	return time.Duration(1+h.Sum32()%1000) * time.Microsecond
}

// posted is who has something to be told, as far as it is not all in the books:
// what is due now, and when to look there again.
type posted struct {
	due  []Correspondent
	busy map[Correspondent]bool // being told something
	next time.Time              // zero: never
}

// recall reads from the books who has something due, if it is time to.
func (s *Service) recall(ctx context.Context) error {
	now := s.now()
	s.mu.Lock()
	look := !s.post.next.IsZero() && !s.post.next.After(now)
	if look {
		s.post.next = time.Time{}
	}
	s.mu.Unlock()
	if !look {
		return nil
	}
	var due []Correspondent
	var next time.Time
	err := s.cfg.Store.View(ctx, func(r Reader) (err error) {
		if due, err = r.Addressees(now); err == nil {
			next, err = r.NextMessage(now)
		}
		return err
	})
	if err != nil {
		next = now // look again
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range due {
		s.post.add(c)
	}
	s.post.lookAt(next)
	return err
}

// note takes in what a change of the books says about messages.
func (s *Service) note(ms []Message) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range ms {
		switch {
		case m.Next.IsZero():
		case m.Next.After(now):
			s.post.lookAt(m.Next)
		default:
			s.post.add(m.To())
		}
	}
}

func (p *posted) add(c Correspondent) {
	if !slices.Contains(p.due, c) {
		p.due = append(p.due, c)
	}
}

func (p *posted) lookAt(t time.Time) {
	if !t.IsZero() && (p.next.IsZero() || t.Before(p.next)) {
		p.next = t
	}
}

// engage takes those who can be told something now from the list, and returns
// when to look for more.
func (s *Service) engage() (free []Correspondent, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rest []Correspondent
	for _, c := range s.post.due {
		if s.post.busy[c] || len(s.post.busy) >= deliveries && !c.Peer.IsZero() { // drivers do not wait for nodes
			rest = append(rest, c)
			continue
		}
		s.post.busy[c] = true
		free = append(free, c)
	}
	s.post.due = rest
	return free, s.post.next
}

// redo puts c back on the list: the books could not be read or written.
func (s *Service) redo(c Correspondent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.post.add(c)
}

func (s *Service) disengage(c Correspondent) {
	s.mu.Lock()
	delete(s.post.busy, c)
	s.mu.Unlock()
	wake(s.toDeliver)
}

// deliverTo tells a node or driver what is due. The error is that of the books;
// what the other party does not take is noted in its message.
func (s *Service) deliverTo(ctx context.Context, c Correspondent) error {
	for more := true; more && ctx.Err() == nil; {
		var err error
		if more, err = s.deliverSome(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// deliverSome tells a part of what is due, and reports whether there may be more
// that the other party would take.
func (s *Service) deliverSome(ctx context.Context, c Correspondent) (more bool, err error) {
	var due []Message
	err = s.cfg.Store.View(ctx, func(r Reader) (err error) {
		due, err = r.Outbox(c, s.now(), batch)
		return err
	})
	if err != nil || len(due) == 0 {
		return false, err
	}
	if c.Peer.IsZero() {
		return true, s.deliverToDriver(ctx, due)
	}
	rest, err := s.repeat(ctx, due)
	if err != nil {
		return false, err
	}
	return s.sayEach(ctx, rest)
}

// sayEach tells messages one by one, and reports whether the other party could be
// reached.
func (s *Service) sayEach(ctx context.Context, ms []Message) (reached bool, err error) {
	var done []Message
	reached = true
	for i := range ms {
		problem := s.say(ctx, &ms[i])
		switch {
		case ctx.Err() != nil:
			reached = false
		case problem == nil && !ms[i].cancels():
			done = append(done, ms[i])
		case unreachable(problem):
			reached = false
			err = s.postpone(ctx, ms[i:], problem)
		default:
			err = s.conclude(ctx, ms[i], problem)
		}
		if err != nil || !reached {
			break
		}
	}
	return reached, errors.Join(err, s.told(context.WithoutCancel(ctx), done))
}

// repeat tells together what could not be told before, or is much, and returns
// what remains to be told one by one: an answer does not say which part it refuses.
func (s *Service) repeat(ctx context.Context, due []Message) (rest []Message, err error) {
	var again []Message
	for _, m := range due {
		if (m.Attempts > 0 || len(due) > few) && m.Refusals == 0 && m.syncs() {
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

// hasten makes due what waits for a node to be reachable, which it is.
func (w *sheet) hasten(c Correspondent) error {
	waiting, err := w.r.MessagesTo(c.Peer)
	for _, m := range waiting {
		if m.Owner == c.Owner && m.Refusals == 0 && m.Next.After(w.now) && !slices.Contains(w.done, m.Seq) {
			m.Next = w.now
			w.messages = append(w.messages, m)
		}
	}
	return err
}

// told forgets messages that were acknowledged.
func (s *Service) told(ctx context.Context, ms []Message) error {
	if len(ms) == 0 {
		return nil
	}
	err := s.step(ctx, func(w *sheet) error {
		back := false
		for _, m := range ms {
			w.done = append(w.done, m.Seq)
			back = back || m.Attempts > 0
		}
		if !back {
			return nil
		}
		return w.hasten(ms[0].To())
	})
	if err == nil {
		for _, m := range ms {
			s.trace.told(m)
		}
	}
	return err
}

// conclude notes an answer to one message that is more than an acknowledgement.
func (s *Service) conclude(ctx context.Context, m Message, answer error) error {
	if m.cancels() && (answer == nil || errors.Is(answer, golem.ErrNotFound) || errors.Is(answer, golem.ErrConflict)) {
		return s.concludeCancel(ctx, m, errors.Is(answer, golem.ErrConflict))
	}
	return s.postpone(ctx, []Message{m}, answer)
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
	attempts := 0
	for _, m := range ms {
		attempts = max(attempts, m.Attempts+1)
	}
	delay := s.backoff(attempts) // the same for all, so that they are tried together
	err := s.step(ctx, func(w *sheet) error {
		for _, m := range ms {
			if err := w.postpone(m.Seq, delay, cause); err != nil {
				return err
			}
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

// postpone notes a failed attempt to tell a message, unless what it tells has
// been overtaken meanwhile.
func (w *sheet) postpone(seq int64, delay time.Duration, cause error) error {
	m, err := w.r.Message(seq)
	if errors.Is(err, golem.ErrNotFound) {
		return nil
	}
	m.Attempts++
	m.Problem = cause.Error()
	m.Next = w.now.Add(delay)
	if wire.Answered(cause) {
		m.Refusals++
	}
	if m.Refusals >= maxRefusals && m.Kind != PaymentMessage {
		m.Next = time.Time{}
	}
	w.messages = append(w.messages, m)
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
