package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/rest/client"
)

// access is how to use a running node. A node writes its own into its
// directory, for the commands of the person it belongs to.
type access struct {
	URL    string `json:"apiUrl"`
	AppKey string `json:"appKey"`
	GSB    string `json:"gsbUrl,omitempty"`
}

const accessFile = "client.json"

// write stores how to use the node whose directory is dir.
func (ac access) write(dir string) error {
	b, err := json.MarshalIndent(ac, "", "  ")
	if err != nil {
		return err
	}
	name := filepath.Join(dir, accessFile)
	if err := os.WriteFile(name+".new", append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

func readAccess(dir string) (ac access, err error) {
	b, err := os.ReadFile(filepath.Join(dir, accessFile))
	if err != nil {
		return ac, err
	}
	return ac, json.Unmarshal(b, &ac)
}

// connection is the flags by which a command finds its node.
type connection struct {
	a                  *app
	url, key, gsb, dir string
}

// connects adds the flags to a command.
func (a *app) connects(cmd *cobra.Command) *connection {
	c := &connection{a: a}
	f := cmd.PersistentFlags()
	f.StringVar(&c.url, "api-url", a.env("YAGNA_API_URL"), "address of the node [YAGNA_API_URL]")
	f.StringVar(&c.key, "app-key", "", "app-key to act with [YAGNA_APPKEY]")
	f.StringVar(&c.gsb, "gsb-url", a.env("GSB_URL"), "bus socket of the node [GSB_URL]")
	f.StringVar(&c.dir, "data-dir", a.dataDir(), "directory of the node, by which it is found [GOLEM_DATA_DIR]")
	return c
}

// find returns how to use the node: what flags and environment say, else what
// the node in the directory has written, else a devnet's that is running.
func (c *connection) find(ctx context.Context) (access, error) {
	ac := access{c.url, c.key, c.gsb}
	if ac.AppKey == "" {
		ac.AppKey = c.a.env("YAGNA_APPKEY")
	}
	if ac.AppKey != "" {
		if ac.URL == "" {
			ac.URL = client.DefaultURL
		}
		return ac, nil
	}
	for _, dir := range []string{c.dir, filepath.Join(c.a.devnetDir(), "requestor")} {
		found, err := readAccess(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return ac, golem.Errorf(golem.ErrInvalid, "%s: %w", filepath.Join(dir, accessFile), err)
		}
		if ac.URL != "" {
			found.URL = ac.URL
		}
		if ac.GSB != "" {
			found.GSB = ac.GSB
		}
		if answers(ctx, found.client()) {
			return found, nil
		}
	}
	if c.url != "" {
		return ac, hint{golem.Errorf(golem.ErrUnauthorized, "node %s: which app-key?", c.url),
			"set YAGNA_APPKEY, or --app-key; \"golem app-key list\" on the machine of the node shows them"}
	}
	return ac, hint{golem.Errorf(golem.ErrUnavailable, "no node is running here"),
		"start one with \"golem node run\", or a whole network with \"golem devnet\";\n       for a node elsewhere set YAGNA_API_URL and YAGNA_APPKEY"}
}

// client returns the node's REST client.
func (c *connection) client(ctx context.Context) (*client.Client, error) {
	ac, err := c.find(ctx)
	if err != nil {
		return nil, err
	}
	return ac.client(), nil
}

func (ac access) client() *client.Client { return client.New(ac.URL, ac.AppKey, nil) }

// answers reports whether a node is there and knows the app-key.
func answers(ctx context.Context, c *client.Client) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := c.Me(ctx)
	return err == nil
}
