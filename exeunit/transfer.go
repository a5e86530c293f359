package exeunit

import (
	"context"
	"io"
	"os"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gftp"
	"github.com/golem-go/golem/gsb"
)

// source is where a transfer reads from.
type source interface {
	// size returns the bytes of the content, or -1 if that is not known.
	size() int64
	// resumable says whether copyTo can begin anywhere but at 0.
	resumable() bool
	// copyTo writes the content to w from offset on, in order.
	copyTo(ctx context.Context, w io.Writer, offset int64) error
	close()
}

// sink is where a transfer writes to.
type sink interface {
	// resumable says whether put can begin anywhere but at 0.
	resumable() bool
	// put makes fill write the content from offset on. The content is complete
	// when fill returns nil. total is its size, or -1 if that is not known.
	put(ctx context.Context, offset, total int64, fill func(io.Writer) error) error
	// commit makes what was put visible, if put does not do so itself.
	commit() error
	close()
}

// transfers copies images and files for the commands deploy and transfer.
type transfers struct {
	bus      gsb.Caller // nil: no gftp
	web      *web
	workDir  string
	cacheDir string
	storage  int64 // the most bytes a file in a volume may have; 0: no limit
}

// transfer executes a transfer command.
func (t *transfers) transfer(ctx context.Context, c *golem.TransferCommand, volumes []Volume, p *progress) error {
	if c.Format != "" || len(c.FileSet) > 0 && string(c.FileSet) != "null" {
		return golem.Errorf(golem.ErrUnsupported, "archives and sets of files are not supported; transfer single files")
	}
	from, err := parseLocation(c.From, schemeContainer)
	if err != nil {
		return err
	}
	to, err := parseLocation(c.To, schemeContainer)
	if err != nil {
		return err
	}
	if to.digest != nil {
		return golem.Errorf(golem.ErrInvalid, "a hash belongs to what a transfer reads from")
	}
	dst, most, err := t.create(to, volumes)
	if err != nil {
		return err
	}
	defer dst.close()
	open := func(ctx context.Context) (source, error) { return t.open(ctx, from, volumes) }
	j := &job{open: open, dst: dst, digest: from.digest, most: most, progress: p}
	return j.run(ctx)
}

// open opens a location for reading.
func (t *transfers) open(ctx context.Context, l location, volumes []Volume) (source, error) {
	switch {
	case l.web != nil:
		return t.web.open(ctx, l.web)
	case l.scheme == gftp.Scheme && t.bus != nil:
		return openGftp(ctx, gftp.Client{Bus: t.bus}, l.file)
	case l.scheme == schemeContainer:
		root, name, err := t.enter(l, volumes)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		return openFile(root, name)
	}
	return nil, golem.Errorf(golem.ErrUnsupported, "scheme %s is not supported", clip(l.scheme))
}

// create makes a sink for a location and says how many bytes it may get.
func (t *transfers) create(l location, volumes []Volume) (s sink, most int64, err error) {
	switch {
	case l.web != nil:
		return webSink{t.web, l.web}, 0, nil
	case l.scheme == gftp.Scheme && t.bus != nil:
		return gftpSink{gftp.Client{Bus: t.bus}, l.file}, 0, nil
	case l.scheme == schemeContainer:
		root, name, err := t.enter(l, volumes)
		if err != nil {
			return nil, 0, err
		}
		s, err := newFileSink(root, name)
		return s, t.storage, err
	}
	return nil, 0, golem.Errorf(golem.ErrUnsupported, "scheme %s is not supported", clip(l.scheme))
}

// enter opens the volume that a location lies in.
func (t *transfers) enter(l location, volumes []Volume) (root *os.Root, name string, err error) {
	v, name, err := locate(volumes, l.path)
	if err != nil {
		return nil, "", err
	}
	root, err = openVolume(t.workDir, v)
	return root, name, err
}
