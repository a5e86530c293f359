package gftp

import (
	"context"
	"crypto/sha3"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/wire"
)

// Publisher offers files of this machine to other nodes and receives files from
// them. Its methods may be called by many goroutines.
type Publisher struct {
	bus  gsb.Binder
	node golem.NodeID

	mu     sync.Mutex
	open   map[string]*service // by name
	hashes map[stamp]string    // of files as they were
	known  map[string]stamp    // by path
}

// service is what is bound at one name.
type service struct {
	slot  *slot         // nil for a file
	ready chan struct{} // closed when bound, or not; then release and err stay
	uses  int           // times published and not closed; guarded by Publisher.mu

	release []func()
	err     error
}

// NewPublisher returns a Publisher that binds to bus and names node in its URLs.
func NewPublisher(bus gsb.Binder, node golem.NodeID) *Publisher {
	return &Publisher{
		bus: bus, node: node,
		open: map[string]*service{}, hashes: map[stamp]string{}, known: map[string]stamp{},
	}
}

// Publish makes the file at path readable until [Publisher.Close]. Its content
// is hashed once for as long as size and modification time stay the same. A file
// that is published twice is closed by the second Close.
func (p *Publisher) Publish(ctx context.Context, path string) (URL, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return URL{}, err
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return URL{}, golem.Errorf(golem.ErrNotFound, "publish: %w", err)
	} else if err != nil {
		return URL{}, fmt.Errorf("publish: %w", err)
	}
	defer f.Close()
	st, err := stampOf(path, f)
	if err != nil {
		return URL{}, fmt.Errorf("publish: %w", err)
	}
	name, err := p.hashOf(ctx, st, f)
	if err != nil {
		return URL{}, fmt.Errorf("publish %s: %w", path, err)
	}
	return p.serve(name, file{st})
}

// PublishBytes makes b readable until [Publisher.Close]. It must not change.
func (p *Publisher) PublishBytes(b []byte) (URL, error) {
	sum := sha3.Sum256(b)
	return p.serve(hex.EncodeToString(sum[:]), blob(b))
}

// Receive opens a slot that others may upload one file to, which then appears at
// path, replacing what is there. It stays open until [Publisher.Close].
func (p *Publisher) Receive(path string) (URL, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return URL{}, err
	}
	s := &slot{path: path}
	chunk := func(_ context.Context, _ gsb.Peer, r wire.GftpUploadChunkRequest) (gsb.Unit, error) {
		return gsb.Unit{}, s.write(r.Chunk)
	}
	finished := func(_ context.Context, _ gsb.Peer, r wire.GftpUploadFinishedRequest) (gsb.Unit, error) {
		return gsb.Unit{}, s.finish(r.Hash)
	}
	name := slotName()
	return p.bind(name, &service{slot: s}, func(own *service) error {
		return errors.Join(
			own.keep(wire.GftpUploadChunk.At(name).Handle(p.bus, chunk)),
			own.keep(wire.GftpUploadFinished.At(name).Handle(p.bus, finished)),
		)
	})
}

// Failure returns why this machine could not store what was uploaded to the slot
// at u, such as a full disk: what the sender cannot be blamed for. It is nil
// where everything has gone well, or the slot is not open.
func (p *Publisher) Failure(u URL) error {
	p.mu.Lock()
	own := p.open[u.Name]
	p.mu.Unlock()
	if own == nil || own.slot == nil {
		return nil
	}
	return own.slot.failure()
}

// Received reports whether a whole file was uploaded to the slot at u and is in
// its place.
func (p *Publisher) Received(u URL) bool {
	p.mu.Lock()
	own := p.open[u.Name]
	p.mu.Unlock()
	return own != nil && own.slot != nil && own.slot.received()
}

// Close withdraws what was published or opened as u, or returns ErrNotFound. An
// unfinished upload is dropped.
func (p *Publisher) Close(u URL) error {
	own, last := p.drop(u)
	if own == nil {
		return golem.Errorf(golem.ErrNotFound, "%s is not published here", u)
	}
	if last {
		own.close()
	}
	return nil
}

// drop ends one use of the service at u and reports whether it was the last.
func (p *Publisher) drop(u URL) (own *service, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	own = p.open[u.Name]
	if own == nil || own.uses == 0 || u.Node != p.node {
		return nil, false
	}
	own.uses--
	if own.uses == 0 {
		delete(p.open, u.Name)
	}
	return own, own.uses == 0
}

// Shutdown withdraws everything.
func (p *Publisher) Shutdown() {
	p.mu.Lock()
	open := p.open
	p.open = map[string]*service{}
	p.mu.Unlock()
	for _, own := range open {
		<-own.ready
		own.close()
	}
}

// serve binds c at name, unless the same content is served already. Where another
// process of this machine serves it, ours gets a name of its own.
func (p *Publisher) serve(name string, c content) (URL, error) {
	u, err := p.serveAt(name, c)
	if golem.KindOf(err) == golem.ErrConflict {
		return p.serveAt(name+saltMark+salt(), c)
	}
	return u, err
}

func (p *Publisher) serveAt(name string, c content) (URL, error) {
	return p.bind(name, &service{}, func(own *service) error {
		return errors.Join(
			own.keep(wire.GftpMetadata.At(name).Handle(p.bus, func(context.Context, gsb.Peer, gsb.Unit) (wire.GftpMetadataReply, error) {
				return wire.GftpMetadataReply{FileSize: uint64(c.length())}, nil
			})),
			own.keep(wire.GftpGetChunk.At(name).Handle(p.bus, func(_ context.Context, _ gsb.Peer, r wire.GftpGetChunkRequest) (wire.GftpChunk, error) {
				return readChunk(c, r)
			})),
		)
	})
}

// bind makes own the service at name, or uses the one that is there.
func (p *Publisher) bind(name string, own *service, handle func(*service) error) (URL, error) {
	for {
		there, first := p.reserve(name, own)
		if first {
			own.err = handle(own)
			close(own.ready)
		}
		<-there.ready
		p.mu.Lock()
		current := p.open[name] == there
		if current && there.err == nil {
			there.uses++
		} else if current {
			delete(p.open, name)
		}
		p.mu.Unlock()
		switch {
		case there.err != nil:
			there.close()
			return URL{}, fmt.Errorf("file %s: %w", name, there.err)
		case current:
			return URL{p.node, name}, nil
		}
	}
}

// reserve puts own at name, unless there is a service already, and returns what
// is there.
func (p *Publisher) reserve(name string, own *service) (there *service, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if there = p.open[name]; there != nil {
		return there, false
	}
	own.ready = make(chan struct{})
	p.open[name] = own
	return own, true
}

// hashOf returns the hash of an open file, computed unless it is known.
func (p *Publisher) hashOf(ctx context.Context, st stamp, f *os.File) (string, error) {
	p.mu.Lock()
	name, ok := p.hashes[st]
	p.mu.Unlock()
	if ok {
		return name, nil
	}
	h := sha3.New256()
	if _, err := io.Copy(h, reader{ctx, f}); err != nil {
		return "", err
	}
	if after, err := stampOf(st.path, f); err != nil || after != st {
		return "", golem.Errorf(golem.ErrConflict, "the file changes while it is read")
	}
	name = hex.EncodeToString(h.Sum(nil))
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.hashes, p.known[st.path])
	p.known[st.path], p.hashes[st] = st, name
	return name, nil
}

// keep notes what undoes a binding.
func (s *service) keep(release func(), err error) error {
	if release != nil {
		s.release = append(s.release, release)
	}
	return err
}

func (s *service) close() {
	for _, release := range s.release {
		release()
	}
	if s.slot != nil {
		s.slot.close()
	}
}

// reader is a reader that gives up with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}
