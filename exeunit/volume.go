package exeunit

import (
	"os"
	"path"
	"strings"

	"github.com/golem-go/golem"
)

// locate returns the volume a path of the payload's view lies in, the one with
// the longest path that is a prefix by elements, and what follows in it.
func locate(volumes []Volume, p string) (v Volume, rest string, err error) {
	found := false
	for _, candidate := range volumes {
		after, ok := below(candidate.Path, p)
		if ok && (!found || len(candidate.Path) > len(v.Path)) {
			v, rest, found = candidate, after, true
		}
	}
	if !found || strings.HasPrefix(rest, "/") {
		return v, "", golem.Errorf(golem.ErrNotFound, "path not found in container: %s", clip(p))
	}
	return v, path.Clean(rest), nil
}

// below returns what follows the directory dir in p, without the slash between.
func below(dir, p string) (rest string, ok bool) {
	if dir == "/" {
		return p[1:], true
	}
	rest, ok = strings.CutPrefix(p, dir)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return strings.TrimPrefix(rest, "/"), true
}

// openVolume opens the directory of a volume. Nothing done through it leaves the
// volume, whatever links the payload has put there.
func openVolume(workDir string, v Volume) (*os.Root, error) {
	work, err := os.OpenRoot(workDir)
	if err != nil {
		return nil, golem.Errorf(golem.ErrUnavailable, "volume %s: %w", v.Path, err)
	}
	defer work.Close()
	root, err := work.OpenRoot(v.Name)
	if err != nil {
		return nil, golem.Errorf(golem.ErrUnavailable, "volume %s: %w", v.Path, bare(err))
	}
	return root, nil
}

// bare returns err without the paths of this machine, which concern no Requestor.
func bare(err error) error {
	for {
		switch e := err.(type) {
		case *os.PathError:
			err = e.Err
		case *os.LinkError:
			err = e.Err
		default:
			return err
		}
	}
}
