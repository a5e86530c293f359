package devnet

import (
	"os"
	"slices"
	"strings"
)

// nodeVariables are those by which one node of a machine is configured. All nodes
// of a network would take the same identity, app-key or address from them.
var nodeVariables = []string{"CENTRAL_NET_HOST", "NODE_NAME", "SUBNET", "EXE_UNIT_PATH", "DATA_DIR"}

// ownEnv returns the environment of this process without what configures a node.
func ownEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return strings.HasPrefix(name, "YAGNA_") || strings.HasPrefix(name, "GSB_") || strings.HasPrefix(name, "GOLEM_") ||
			slices.Contains(nodeVariables, name)
	})
}
