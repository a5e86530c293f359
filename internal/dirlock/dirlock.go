// Package dirlock keeps a directory to one process: two nodes, hubs or agents with
// the same state would not know of each other's money.
package dirlock

import (
	"os"
	"path/filepath"

	"github.com/golem-go/golem"
)

// Lock makes the directory, unless it is there, and locks it for this process
// until the file is closed. Processes of another role may have it besides.
func Lock(dir, role string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := lockFile(filepath.Join(dir, role+".lock"))
	if err != nil {
		return nil, golem.Errorf(golem.ErrUnavailable, "directory %s: %w; another %s is running there", dir, err, role)
	}
	return f, nil
}
