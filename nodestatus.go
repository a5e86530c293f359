package golem

import "time"

// NodeStatus is how a node is doing, as it sees itself.
type NodeStatus struct {
	Node    NodeID        `json:"nodeId"` // default identity
	Version string        `json:"version"`
	Started time.Time     `json:"started"`
	API     string        `json:"apiUrl"`
	GSB     string        `json:"gsbUrl,omitempty"` // where processes of this machine join the bus
	Network NetworkStatus `json:"network"`
	Loops   []LoopStatus  `json:"loops"`
}

// Problems says what is wrong with the node, in sentences; nothing is well.
func (s *NodeStatus) Problems() (problems []string) {
	if !s.Network.Connected {
		text := "not connected to the " + s.Network.Overlay + " network"
		if s.Network.Problem != "" {
			text += ": " + s.Network.Problem
		}
		problems = append(problems, text)
	}
	for _, l := range s.Loops {
		if l.Stalled {
			problems = append(problems, "loop "+l.Name+" has stalled since "+l.Seen.Format(time.RFC3339))
		}
	}
	return problems
}

// NetworkStatus is how a node is connected to other nodes.
type NetworkStatus struct {
	Overlay   string `json:"overlay"`
	Connected bool   `json:"connected"`
	Problem   string `json:"problem,omitempty"`
	Listen    string `json:"listenIp,omitempty"`
	Public    string `json:"publicIp,omitempty"`
	Peers     int    `json:"sessions"`
}

// LoopStatus is when a core loop of the node was last seen going round.
type LoopStatus struct {
	Name    string    `json:"name"`
	Seen    time.Time `json:"seen"`
	Stalled bool      `json:"stalled"` // has not been seen for too long
}
