package exeunit

import (
	"context"
	"encoding/hex"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/golem-go/golem"
)

const (
	// maxImage is the most an image may have, in bytes.
	maxImage = 64 << 30

	// lockPeriod is how often a locked image is looked at again.
	lockPeriod = 200 * time.Millisecond

	// cacheTemp is the directory of unfinished images in the cache.
	cacheTemp = "tmp"
)

// image returns the path of the image at a url, which must have a hash, in the
// cache that all Supervisors of a Provider share. It is downloaded once.
func (t *transfers) image(ctx context.Context, text string, p *progress) (string, error) {
	l, err := parseLocation(text, schemeFile)
	switch {
	case err != nil:
		return "", err
	case l.digest == nil:
		return "", golem.Errorf(golem.ErrInvalid, "task package %q has no hash: want hash:sha3:<hex>:<url>", l.text)
	case l.scheme == schemeContainer || l.scheme == schemeFile:
		return "", golem.Errorf(golem.ErrUnsupported, "scheme %s is not supported for images", l.scheme)
	}
	cache, err := os.OpenRoot(t.cacheDir)
	if err != nil {
		return "", golem.Errorf(golem.ErrUnavailable, "cache: %w", bare(err))
	}
	defer cache.Close()
	name := imageName(&l)
	if !cached(cache, name) {
		if err := t.download(ctx, cache, l, name, p); err != nil {
			return "", err
		}
	} else {
		p.message("Deployed image from cache")
	}
	return filepath.Join(t.cacheDir, name), nil
}

// download puts an image into the cache, unless another Supervisor does so first.
func (t *transfers) download(ctx context.Context, cache *os.Root, l location, name string, p *progress) error {
	if err := cache.MkdirAll(cacheTemp, 0o755); err != nil {
		return fileError(err)
	}
	lock, err := lockImage(ctx, cache, name, p)
	if err != nil {
		return err
	}
	defer lock.Close()
	if cached(cache, name) {
		p.message("Deployed image from cache")
		return nil
	}
	cleanTemp(cache, name)
	temp := path.Join(cacheTemp, name+"."+randomName()+".part")
	root, err := cache.OpenRoot(".")
	if err != nil {
		return fileError(err)
	}
	dst := &fileSink{root: root, name: name, temp: temp, durable: true}
	defer dst.close()
	open := func(ctx context.Context) (source, error) { return t.open(ctx, l, nil) }
	j := &job{open: open, dst: dst, digest: l.digest, most: maxImage, progress: p}
	return j.run(ctx)
}

// lockImage waits until no other Supervisor downloads the image. Closing the
// file, also by dying, unlocks it.
func lockImage(ctx context.Context, cache *os.Root, name string, p *progress) (*os.File, error) {
	f, err := cache.OpenFile(path.Join(cacheTemp, name+".lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fileError(err)
	}
	for waited := false; ; waited = true {
		ok, err := tryLock(f)
		if ok {
			return f, nil
		}
		if err == nil {
			if !waited {
				p.message("Waiting for another activity that downloads the image")
			}
			err = sleep(ctx, lockPeriod)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
}

// cleanTemp removes what Supervisors have left that died while they downloaded
// the image. The image is locked.
func cleanTemp(cache *os.Root, name string) {
	dir, err := cache.Open(cacheTemp)
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, n := range names {
		if strings.HasPrefix(n, name+".") && strings.HasSuffix(n, ".part") {
			cache.Remove(path.Join(cacheTemp, n))
		}
	}
}

func cached(cache *os.Root, name string) bool {
	info, err := cache.Lstat(name)
	return err == nil && info.Mode().IsRegular()
}

// imageName returns <stem>_<hash>[.<ext>], made of harmless characters.
func imageName(l *location) string {
	base := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, l.base())
	ext := path.Ext(base)
	stem := strings.Trim(strings.TrimSuffix(base, ext), ".")
	if len(ext) < 2 || len(ext) > 12 {
		ext = ""
	}
	if stem = stem[:min(len(stem), 48)]; stem == "" {
		stem = "image"
	}
	return stem + "_" + hex.EncodeToString(l.digest.sum) + ext
}
