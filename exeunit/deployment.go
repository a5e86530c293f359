package exeunit

import (
	"bytes"
	"encoding/json"
	"path"
	"path/filepath"
	"strings"

	"github.com/golem-go/golem"
)

// StartMode is how a Runtime executes commands after it has been deployed.
type StartMode string

// The start modes.
const (
	StartEmpty    StartMode = "empty"    // a process for each command
	StartBlocking StartMode = "blocking" // one process that serves commands
)

// Volume is a directory that payload and transfers share: Name below the work
// directory, Path in the payload's view.
type Volume struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// Deployed is what a Runtime says after deploying.
type Deployed struct {
	Volumes   []Volume
	StartMode StartMode
}

// maxVolumes is the most volumes a deployment may have.
const maxVolumes = 1024

// deployResult is the JSON a Runtime prints. The member valid is not looked at:
// the exit code decides (spec exeunit.md §7.3).
type deployResult struct {
	Valid     json.RawMessage `json:"valid"`
	Volumes   []Volume        `json:"vols"`
	StartMode StartMode       `json:"startMode"`
}

// EncodeDeployed returns what a Runtime prints after deploying, with a text for
// people.
func EncodeDeployed(d Deployed, text string) ([]byte, error) {
	valid, err := json.Marshal(map[string]string{"Ok": text})
	if err != nil {
		return nil, err
	}
	if d.Volumes == nil {
		d.Volumes = []Volume{}
	}
	return json.Marshal(deployResult{valid, d.Volumes, d.StartMode})
}

// ParseDeployed parses what a Runtime printed while deploying (spec exeunit.md
// §12.2): anything before the first brace is skipped, nothing at all means no
// volumes and a process for each command.
func ParseDeployed(stdout []byte) (*Deployed, error) {
	if len(bytes.TrimSpace(stdout)) == 0 {
		return &Deployed{StartMode: StartEmpty}, nil
	}
	i := bytes.IndexByte(stdout, '{')
	if i < 0 {
		return nil, golem.Errorf(golem.ErrInvalid, "deploy result of the runtime: no JSON object in its output")
	}
	r := deployResult{StartMode: StartEmpty}
	if err := json.NewDecoder(bytes.NewReader(stdout[i:])).Decode(&r); err != nil {
		return nil, golem.Errorf(golem.ErrInvalid, "deploy result of the runtime: %w", err)
	}
	if r.StartMode != StartEmpty && r.StartMode != StartBlocking {
		return nil, golem.Errorf(golem.ErrInvalid, "deploy result of the runtime: start mode %q is unknown", clip(string(r.StartMode)))
	}
	if len(r.Volumes) > maxVolumes {
		return nil, golem.Errorf(golem.ErrTooLarge, "deploy result of the runtime: %d volumes, at most %d", len(r.Volumes), maxVolumes)
	}
	for i, v := range r.Volumes {
		if !filepath.IsLocal(v.Name) || filepath.Clean(v.Name) == "." {
			return nil, golem.Errorf(golem.ErrInvalid, "deploy result of the runtime: volume %q lies outside the work directory", clip(v.Name))
		}
		r.Volumes[i].Path = path.Clean("/" + v.Path)
	}
	return &Deployed{r.Volumes, r.StartMode}, nil
}

// volumeOverride returns the volumes a deploy command asks for as a map from
// path to mount, "" for none; a list of paths asks for directories of the host
// (spec exeunit.md §7.1).
func volumeOverride(volumes json.RawMessage) (string, error) {
	if len(volumes) == 0 || string(volumes) == "null" {
		return "", nil
	}
	var list []string
	mounts := map[string]json.RawMessage{}
	if json.Unmarshal(volumes, &list) == nil {
		for _, p := range list {
			mounts[p] = json.RawMessage(`{"host":{}}`)
		}
	} else if err := json.Unmarshal(volumes, &mounts); err != nil {
		return "", golem.Errorf(golem.ErrInvalid, "volumes: want a list of paths, or an object from path to mount")
	}
	if len(mounts) == 0 {
		return "", nil
	}
	if len(mounts) > maxVolumes {
		return "", golem.Errorf(golem.ErrTooLarge, "volumes: %d, at most %d", len(mounts), maxVolumes)
	}
	for p := range mounts {
		if !path.IsAbs(p) || path.Clean(p) != strings.TrimSuffix(p, "/") && p != "/" {
			return "", golem.Errorf(golem.ErrInvalid, "volume %q: want an absolute path without . and ..", clip(p))
		}
	}
	b, err := json.Marshal(mounts)
	return string(b), err
}

// clip shortens foreign text for use in an error.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
