package golem

// UpstreamVersion is the release of upstream's node whose protocols and API this
// implementation speaks. SDKs refuse nodes that advertise an old one (spec
// rest-api.md §3.2), so it, not our own number, is what a node calls its version.
const UpstreamVersion = "0.17.6"

// Release describes one version of the node software in upstream's form.
type Release struct {
	Version  string     `json:"version"`
	Name     string     `json:"name"` // of the software and its own version
	Seen     bool       `json:"seen"`
	Released NaiveTime  `json:"releaseTs"`
	Inserted *NaiveTime `json:"insertionTs"`
	Updated  *NaiveTime `json:"updateTs"`
}

// Versions is the answer to which version a node runs, and which it could.
type Versions struct {
	Current Release  `json:"current"`
	Pending *Release `json:"pending"` // newer, nil for none known
}
