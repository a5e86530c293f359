package client

import (
	"context"

	"github.com/golem-go/golem"
)

// NodeStatus returns how the node is doing. Only our own nodes tell; upstream's
// answer ErrNotFound.
func (c *Client) NodeStatus(ctx context.Context) (s golem.NodeStatus, err error) {
	err = c.do(ctx, "GET", "/golem-api/v1/node", nil, nil, &s)
	return s, err
}
