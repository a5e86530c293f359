package requestor

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gftp"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
)

// defaultGSB is where nodes that do not say let processes join their bus.
const defaultGSB = "unix:/tmp/yagna.sock"

// files is how files get to Providers and back: over the node's bus, which is
// joined when the first file travels.
type files struct {
	bus gsb.Binder

	mu        sync.Mutex
	publisher *gftp.Publisher
	conn      io.Closer // of bus, where it is ours
	closed    bool
}

// publisher returns what publishes files, connected.
func (r *Requestor) publisher(ctx context.Context) (*gftp.Publisher, error) {
	if p, err := r.files.ready(r.me); p != nil || err != nil {
		return p, err
	}
	url := r.cfg.GSB
	if url == "" {
		status, err := r.api.NodeStatus(ctx)
		if err != nil && golem.KindOf(err) != golem.ErrNotFound && golem.KindOf(err) != golem.ErrUnsupported {
			return nil, err
		}
		url = cmp.Or(status.GSB, defaultGSB)
	}
	conn, err := router.Dial(ctx, router.ClientConfig{URL: url, Name: "golem-requestor", Log: r.log})
	if err != nil {
		return nil, golem.Errorf(golem.ErrUnavailable, "files cannot be sent: %w; set Config.GSB to the bus of the node", err)
	}
	return r.files.join(conn, r.me)
}

// ready returns the publisher, if there is one or can be at once.
func (f *files) ready(me golem.NodeID) (*gftp.Publisher, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return nil, errClosed
	case f.publisher == nil && f.bus != nil:
		f.publisher = gftp.NewPublisher(f.bus, me)
	}
	return f.publisher, nil
}

// join makes a connection the one that files travel over, unless somebody else
// was faster.
func (f *files) join(conn *router.Client, me golem.NodeID) (*gftp.Publisher, error) {
	if p := f.adopt(conn, me); p != nil {
		return p, nil
	}
	conn.Close()
	return f.ready(me)
}

// adopt uses conn unless there is a publisher, or there shall be none any more.
func (f *files) adopt(conn *router.Client, me golem.NodeID) *gftp.Publisher {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.publisher != nil {
		return nil
	}
	f.publisher, f.conn = gftp.NewPublisher(conn, me), conn
	return f.publisher
}

// close withdraws everything and leaves the bus.
func (f *files) close() (err error) {
	f.mu.Lock()
	publisher, conn := f.publisher, f.conn
	f.closed, f.publisher, f.conn = true, nil, nil
	f.mu.Unlock()
	if publisher != nil {
		publisher.Shutdown()
	}
	if conn != nil {
		err = conn.Close()
	}
	if errors.Is(err, golem.ErrUnavailable) {
		return nil // the node has gone first
	}
	return err
}
