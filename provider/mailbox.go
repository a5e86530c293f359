package provider

import "sync"

// mailbox holds what a deal is told until it looks. Whoever puts something in
// never waits: those are loops that serve all deals.
type mailbox struct {
	bell chan struct{} // rings when there is something

	mu    sync.Mutex
	mails []func()
}

func newMailbox() *mailbox { return &mailbox{bell: make(chan struct{}, 1)} }

// put adds something that the owner will do.
func (m *mailbox) put(mail func()) {
	m.mu.Lock()
	m.mails = append(m.mails, mail)
	m.mu.Unlock()
	select {
	case m.bell <- struct{}{}:
	default: // it is ringing
	}
}

// empty does what there is, in order, until there is nothing left.
func (m *mailbox) empty() {
	for {
		m.mu.Lock()
		mails := m.mails
		m.mails = nil
		m.mu.Unlock()
		if len(mails) == 0 {
			return
		}
		for _, mail := range mails {
			mail()
		}
	}
}
