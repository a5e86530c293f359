package market

import (
	"context"
	"slices"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// signText returns the signature of an identity, or "" where the node does not
// sign.
func (s *Service) signText(ctx context.Context, who golem.NodeID, digest [32]byte) (string, error) {
	if s.cfg.Signer == nil {
		return "", nil
	}
	sig, err := s.cfg.Signer.Sign(ctx, who, digest)
	if err != nil {
		return "", err
	}
	return sig.String(), nil
}

// sign returns our signature of a step of the handshake.
func (s *Service) sign(ctx context.Context, h *Handshake, step golem.SignedStep) (string, error) {
	text, err := s.signText(ctx, h.Owner(), h.Digest(step))
	if text == "" {
		text = golem.NoSignature
	}
	return text, err
}

// verify checks the other party's signature of a step and returns its text as
// it is kept. Upstream's nodes write a placeholder; it is taken from nodes that
// do not announce that they sign.
func (s *Service) verify(ctx context.Context, h *Handshake, step golem.SignedStep, text string) (string, error) {
	by := h.Peer()
	if text != "" && text != golem.NoSignature {
		if s.cfg.Verifier == nil {
			return golem.NoSignature, nil
		}
		if !s.signed(by, h.Digest(step), text) {
			return "", notSigned(h)
		}
		return text, nil
	}
	if s.cfg.Verifier == nil || s.isOwn(by) {
		return golem.NoSignature, nil
	}
	features, err := s.cfg.Features(ctx, by)
	if err != nil {
		return "", golem.Errorf(golem.ErrUnavailable, "features of %s: %w", by, err)
	}
	if slices.Contains(features, wire.FeatureSignedAgreements) {
		return "", notSigned(h)
	}
	return golem.NoSignature, nil
}

func notSigned(h *Handshake) error {
	return &wire.Refusal{Why: wire.WhyNotSigned, ID: string(h.ID.For(h.Role.Other()))}
}

// signed reports whether text is the signature of digest by a node.
func (s *Service) signed(by golem.NodeID, digest [32]byte, text string) bool {
	sig, err := golem.ParseSignature(text)
	if err != nil {
		return false
	}
	node, err := s.cfg.Verifier.Recover(digest, sig)
	return err == nil && node == by
}
