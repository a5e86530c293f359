package identity

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
)

// Config says what a Service works with. Store is required.
type Config struct {
	Store Store
	Bus   gsb.Binder // serves processes of this machine; nil for none

	// AutoconfSecret is a private key that is the default identity, whatever is
	// stored; "" for none (YAGNA_AUTOCONF_ID_SECRET).
	AutoconfSecret golem.Secret
	// AutoconfAppKey is an app-key of the default identity that is valid without
	// being stored; "" for none (YAGNA_AUTOCONF_APPKEY).
	AutoconfAppKey golem.Secret

	// OnChange is told the identities the node acts as, the default first, when
	// Run begins and after each change; see [Service.IDs]. It is called from Run,
	// never concurrently, and again after a while where it fails. It may be nil.
	OnChange func(ctx context.Context, ids []golem.NodeID) error

	Trace Trace
	Alive func(loop string) // a loop of Run has come round; may be nil
}

// Service is the identities of a node. It is safe for concurrent use, and
// implements golem.Signer and golem.Verifier.
type Service struct {
	cfg     Config
	started time.Time
	turn    chan struct{} // holds a value while a change is made
	changed chan struct{} // wakes Run
	release []func()      // of the bus

	mu      sync.RWMutex
	records []Record // the default first, dropped ones last
	open    map[golem.NodeID]*Key
	apps    map[[32]byte]golem.AppKey // by hash, so that the time of a lookup tells nothing of a key
}

var (
	_ golem.Signer   = (*Service)(nil)
	_ golem.Verifier = (*Service)(nil)
)

// New returns the identities in cfg.Store, and makes the first one where there
// is none. ctx bounds that work alone.
func New(ctx context.Context, cfg Config) (*Service, error) {
	s := &Service{
		cfg:     cfg,
		started: now(),
		turn:    make(chan struct{}, 1),
		changed: make(chan struct{}, 1),
		open:    map[golem.NodeID]*Key{},
	}
	if err := checkAutoconf(cfg.AutoconfAppKey); err != nil {
		return nil, err
	}
	if err := s.load(ctx); err != nil {
		return nil, fmt.Errorf("identities: %w", err)
	}
	if err := s.ensureDefault(ctx); err != nil {
		return nil, fmt.Errorf("default identity: %w", err)
	}
	if err := s.bind(); err != nil {
		return nil, err
	}
	return s, nil
}

// now is the one clock of this package.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// ensureDefault makes the identity of the environment the default, or generates
// one where there is none at all.
func (s *Service) ensureDefault(ctx context.Context) error {
	if s.cfg.AutoconfSecret != "" {
		key, err := ParseKey(s.cfg.AutoconfSecret)
		if err != nil {
			return err
		}
		return s.change(ctx, func(ctx context.Context) error { return s.adopt(ctx, key) })
	}
	if len(s.IDs()) > 0 {
		return nil
	}
	key, err := GenerateKey()
	if err != nil {
		return err
	}
	return s.change(ctx, func(ctx context.Context) error { return s.add(ctx, key, golem.Identity{Default: true}, "") })
}

// adopt makes key the open default identity.
func (s *Service) adopt(ctx context.Context, key *Key) error {
	r, ok := s.live(key.id)
	switch {
	case !ok:
		return s.add(ctx, key, golem.Identity{Default: true}, "")
	case !r.Default:
		if err := s.cfg.Store.ChangeIdentity(ctx, key.id, golem.IdentityChange{Default: true}); err != nil {
			return err
		}
	}
	s.keep(key)
	return nil
}

// change makes one change at a time, so that memory follows the store in the
// order of its commits. f commits; what it leaves is read back.
func (s *Service) change(ctx context.Context, f func(ctx context.Context) error) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.turn }()
	if err := f(ctx); err != nil {
		return err
	}
	if err := s.load(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	select {
	case s.changed <- struct{}{}:
	default: // Run is to look already
	}
	return nil
}

// load reads everything into memory and opens what no password protects.
func (s *Service) load(ctx context.Context) error {
	records, err := s.cfg.Store.Identities(ctx)
	if err != nil {
		return err
	}
	keys, err := s.cfg.Store.AppKeys(ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(records, func(a, b Record) int { return cmp.Compare(rank(a), rank(b)) })
	opened, err := s.openUnprotected(records)
	if err != nil {
		return err
	}
	apps := map[[32]byte]golem.AppKey{}
	for _, k := range s.withAutoconf(records, keys) {
		apps[digest(k.Key)] = k
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records, s.apps = records, apps
	for _, key := range opened {
		s.open[key.id] = key
	}
	return nil
}

// rank puts the default first and the dropped last.
func rank(r Record) int {
	switch {
	case r.Default:
		return 0
	case r.Deleted:
		return 2
	}
	return 1
}

// openUnprotected returns the keys without password that are not open yet.
func (s *Service) openUnprotected(records []Record) (keys []*Key, err error) {
	for _, r := range records {
		if r.Locked || r.Deleted || s.isOpen(r.ID) {
			continue
		}
		key, err := open(r.Keyfile, "")
		if err != nil {
			return nil, fmt.Errorf("identity %s: %w", r.ID, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func digest(secret golem.Secret) [32]byte { return sha256.Sum256([]byte(secret.Reveal())) }

// How often Run looks around, and how long it waits before it repeats itself.
const (
	lookEvery  = 2 * time.Second
	tellWithin = 10 * time.Second
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// Run tells Config.OnChange of changes until ctx ends. It returns nil then.
func (s *Service) Run(ctx context.Context) error {
	defer s.unbind()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	untold, retry, next := true, firstRetry, now()
	for {
		if s.cfg.Alive != nil {
			s.cfg.Alive("identity")
		}
		if untold && !now().Before(next) {
			if err := s.tell(ctx); err == nil {
				untold, retry = false, firstRetry
			} else if ctx.Err() == nil {
				s.cfg.Trace.notTold(err)
				next, retry = now().Add(retry), min(2*retry, lastRetry)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.changed:
			untold, retry, next = true, firstRetry, now()
		case <-look.C:
		}
	}
}

func (s *Service) tell(ctx context.Context) error {
	if s.cfg.OnChange == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, tellWithin, errSlow)
	defer cancel()
	return s.cfg.OnChange(ctx, s.IDs())
}

var errSlow = errors.New("network does not take the identities")
