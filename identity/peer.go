package identity

import (
	"context"
	"errors"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/flexbuffers"
	"github.com/golem-go/golem/wire"
)

// bind serves the bus, if there is one.
func (s *Service) bind() error {
	if s.cfg.Bus == nil {
		return nil
	}
	err := errors.Join(
		handle(s, wire.ListIdentities, s.onList),
		handle(s, wire.FindIdentity, s.onFind),
		handle(s, wire.CreateIdentity, s.onCreate),
		handle(s, wire.UpdateIdentity, s.onUpdate),
		handle(s, wire.LockIdentity, s.onLock),
		handle(s, wire.UnlockIdentity, s.onUnlock),
		handle(s, wire.DropIdentity, s.onDrop),
		handle(s, wire.SignDigest, s.onSign),
		handle(s, wire.PublicKey, s.onPublicKey),
		handle(s, wire.Keyfile, s.onKeyfile),
		handle(s, wire.CreateAppKey, s.onCreateAppKey),
		handle(s, wire.FindAppKey, s.onFindAppKey),
		handle(s, wire.AppKeyByName, s.onAppKeyByName),
		handle(s, wire.ListAppKeys, s.onListAppKeys),
		handle(s, wire.RemoveAppKey, s.onRemoveAppKey),
	)
	if err != nil {
		s.unbind()
	}
	return err
}

func (s *Service) unbind() {
	for _, release := range s.release {
		release()
	}
}

// handle makes f answer m for processes of this machine alone. The addresses
// are below /local, which other nodes cannot reach; this is the second lock.
func handle[Req, Resp any](s *Service, m gsb.Method[Req, Resp], f func(ctx context.Context, req Req) (Resp, error)) error {
	release, err := m.Handle(s.cfg.Bus, func(ctx context.Context, from gsb.Peer, req Req) (resp Resp, err error) {
		if !from.Local() {
			return resp, golem.Errorf(golem.ErrForbidden, "%s is for processes of this machine", m.Addr())
		}
		return f(ctx, req)
	})
	if err == nil {
		s.release = append(s.release, release)
	}
	return err
}

func (s *Service) onList(context.Context, wire.ListIdentitiesRequest) ([]golem.Identity, error) {
	return s.List(), nil
}

func (s *Service) onFind(_ context.Context, r wire.FindIdentityRequest) (*golem.Identity, error) {
	i, ok := s.find(func(rec Record) bool {
		switch {
		case r.ByNode != nil:
			return rec.ID == *r.ByNode
		case r.ByAlias != nil:
			return rec.Alias == *r.ByAlias && rec.Alias != ""
		}
		return rec.Default
	})
	if !ok {
		return nil, nil
	}
	return &i, nil
}

func (s *Service) onCreate(ctx context.Context, r wire.CreateIdentityRequest) (golem.Identity, error) {
	return s.Create(ctx, golem.NewIdentity{Alias: orZero(r.Alias), Keyfile: orZero(r.Keyfile)})
}

func (s *Service) onUpdate(ctx context.Context, r wire.UpdateIdentityRequest) (golem.Identity, error) {
	return s.Update(ctx, r.Node, golem.IdentityChange{Alias: r.Alias, Default: r.SetDefault})
}

func (s *Service) onLock(ctx context.Context, r wire.LockIdentityRequest) (golem.Identity, error) {
	return s.Lock(ctx, r.Node, orZero(r.Password))
}

func (s *Service) onUnlock(ctx context.Context, r wire.UnlockIdentityRequest) (golem.Identity, error) {
	return s.Unlock(ctx, r.Node, r.Password)
}

func (s *Service) onDrop(ctx context.Context, r wire.DropIdentityRequest) (golem.Identity, error) {
	return s.Drop(ctx, r.Node)
}

func (s *Service) onSign(ctx context.Context, r wire.SignRequest) (flexbuffers.Bytes8, error) {
	if len(r.Payload) != 32 {
		return nil, golem.Errorf(golem.ErrInvalid, "payload of %d bytes: want a digest of 32", len(r.Payload))
	}
	sig, err := s.Sign(ctx, r.Node, [32]byte(r.Payload))
	return sig[:], err
}

func (s *Service) onPublicKey(_ context.Context, id golem.NodeID) (flexbuffers.Bytes8, error) {
	public, err := s.PublicKey(id)
	return public[:], err
}

func (s *Service) onKeyfile(_ context.Context, id golem.NodeID) (string, error) { return s.Export(id) }

func (s *Service) onCreateAppKey(ctx context.Context, r wire.CreateAppKeyRequest) (golem.Secret, error) {
	k, err := s.CreateAppKey(ctx, golem.AppKey{Name: r.Name, Role: r.Role, Identity: r.Identity, AllowOrigins: r.AllowOrigins})
	return k.Key, err
}

func (s *Service) onFindAppKey(ctx context.Context, r wire.FindAppKeyRequest) (golem.AppKey, error) {
	return s.AppKey(ctx, r.Key.Reveal())
}

func (s *Service) onAppKeyByName(_ context.Context, r wire.AppKeyByNameRequest) (golem.AppKey, error) {
	return s.AppKeyByName(r.Name)
}

// onListAppKeys answers with a page of the list, counted from 1.
func (s *Service) onListAppKeys(_ context.Context, r wire.ListAppKeysRequest) (page wire.AppKeyPage, err error) {
	var id golem.NodeID
	if r.Identity != nil {
		i, err := s.Find(*r.Identity)
		if err != nil {
			return page, err
		}
		id = i.ID
	}
	keys := s.AppKeys(id)
	size := min(max(int(r.PerPage), 1), maxPage)
	page.Pages = uint32((len(keys) + size - 1) / size)
	from := min(max(int(min(r.Page, page.Pages+1)), 1)-1, int(page.Pages)) * size
	from = min(from, len(keys))
	page.Keys = keys[from:min(from+size, len(keys))]
	return page, nil
}

// maxPage bounds what a caller may ask for at a time.
const maxPage = 1000

func (s *Service) onRemoveAppKey(ctx context.Context, r wire.RemoveAppKeyRequest) (gsb.Unit, error) {
	if r.Identity != nil {
		i, err := s.Find(*r.Identity)
		if err != nil {
			return gsb.Unit{}, err
		}
		if k, err := s.AppKeyByName(r.Name); err != nil || k.Identity != i.ID {
			return gsb.Unit{}, golem.Errorf(golem.ErrNotFound, "app-key %q of %s not found", r.Name, i.ID)
		}
	}
	return gsb.Unit{}, s.DropAppKey(ctx, r.Name)
}

func orZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
