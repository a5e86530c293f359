package router

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/golem-go/golem"
)

// DefaultPort is the TCP port of routers and hubs.
const DefaultPort = "7464"

const connectTimeout = 3 * time.Second

// ParseURL takes the address of a router apart into what package net wants:
// tcp://host:port, unix:/path, or a bare host:port (spec net.md §1.2). A host
// without a port gets [DefaultPort].
func ParseURL(url string) (network, address string, err error) {
	bad := func() (string, string, error) {
		return "", "", golem.Errorf(golem.ErrInvalid, "bus address %q: want tcp://host:port, unix:/path or host:port", url)
	}
	if path, ok := strings.CutPrefix(url, "unix:"); ok {
		if rest, ok := strings.CutPrefix(path, "//"); ok { // unix:///path
			path = rest
		}
		if path == "" {
			return bad()
		}
		return "unix", path, nil
	}
	address, _ = strings.CutPrefix(url, "tcp://")
	address = strings.TrimSuffix(address, "/")
	if address == "" || strings.ContainsAny(address, "/@") {
		return bad()
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(strings.Trim(address, "[]"), DefaultPort)
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return bad()
	}
	return "tcp", address, nil
}

// Listen listens at an address that [ParseURL] understands. A unix socket can
// be used by its owner only; a socket file that nobody answers at is replaced, and
// one that somebody does is ErrConflict.
func Listen(ctx context.Context, url string) (net.Listener, error) {
	network, address, err := ParseURL(url)
	if err != nil {
		return nil, err
	}
	config := net.ListenConfig{}
	if network == "unix" {
		if err := clearSocket(ctx, address); err != nil {
			return nil, err
		}
		config.Control = restrict
	}
	l, err := config.Listen(ctx, network, address)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, golem.Errorf(golem.ErrConflict, "bus address %s is in use: %w", url, err)
		}
		return nil, golem.Errorf(golem.ErrUnavailable, "bus address %s: %w", url, err)
	}
	if network == "unix" {
		if err := os.Chmod(address, 0o600); err != nil {
			l.Close()
			return nil, golem.Errorf(golem.ErrUnavailable, "bus address %s: %w", url, err)
		}
	}
	return l, nil
}

// clearSocket removes the socket that a process left when it was killed.
func clearSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return golem.Errorf(golem.ErrUnavailable, "bus address unix:%s: %w", path, err)
	case info.Mode()&fs.ModeSocket == 0:
		return golem.Errorf(golem.ErrConflict, "bus address unix:%s: the file is not a socket", path)
	}
	nc, err := dial(ctx, "unix", path)
	if err == nil {
		nc.Close()
		return golem.Errorf(golem.ErrConflict, "bus address unix:%s is in use", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return golem.Errorf(golem.ErrUnavailable, "bus address unix:%s: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return golem.Errorf(golem.ErrUnavailable, "bus address unix:%s: %w", path, err)
	}
	return nil
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: connectTimeout}
	return d.DialContext(ctx, network, address)
}
