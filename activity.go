package golem

import (
	"encoding/json"
	"log/slog"
	"time"
)

// ActivityID names an Activity: 32 hex digits, opaque to agents.
type ActivityID string

// NewActivityID returns a fresh id.
func NewActivityID() ActivityID { return ActivityID(randomHex(16)) }

// LogValue makes the id readable in structured logs.
func (id ActivityID) LogValue() slog.Value { return slog.StringValue(string(id)) }

// BatchID names a batch of commands: 32 hex digits, chosen by the Requestor's node.
type BatchID string

// NewBatchID returns a fresh id.
func NewBatchID() BatchID { return BatchID(randomHex(16)) }

// LogValue makes the id readable in structured logs.
func (id BatchID) LogValue() slog.Value { return slog.StringValue(string(id)) }

// ActivityState is the state of an Activity.
type ActivityState string

// The states of an Activity. Unresponsive is set by the Provider's node only,
// while the ExeUnit does not report.
const (
	ActivityNew          ActivityState = "New"
	ActivityInitialized  ActivityState = "Initialized"
	ActivityDeployed     ActivityState = "Deployed"
	ActivityReady        ActivityState = "Ready"
	ActivityTerminated   ActivityState = "Terminated"
	ActivityUnresponsive ActivityState = "Unresponsive"
)

// ActivityEvent is what can happen to an Activity.
type ActivityEvent string

// The events of an Activity. Reset is the command terminate, after which the
// Activity can be deployed again; Destroy ends it for good.
const (
	ActivityInitialize ActivityEvent = "initialize"
	ActivityDeploy     ActivityEvent = "deploy"
	ActivityStart      ActivityEvent = "start"
	ActivityRun        ActivityEvent = "run"
	ActivityReset      ActivityEvent = "reset"
	ActivityDestroy    ActivityEvent = "destroy"
	ActivityLose       ActivityEvent = "lose"
	ActivityRecover    ActivityEvent = "recover"
)

var activityMoves = moves[ActivityState, ActivityEvent]{
	{ActivityNew, ActivityInitialize, ActivityInitialized},
	{ActivityNew, ActivityDestroy, ActivityTerminated},
	{ActivityNew, ActivityLose, ActivityUnresponsive},
	{ActivityInitialized, ActivityDeploy, ActivityDeployed},
	{ActivityInitialized, ActivityReset, ActivityInitialized},
	{ActivityInitialized, ActivityDestroy, ActivityTerminated},
	{ActivityInitialized, ActivityLose, ActivityUnresponsive},
	{ActivityDeployed, ActivityStart, ActivityReady},
	{ActivityDeployed, ActivityReset, ActivityInitialized},
	{ActivityDeployed, ActivityDestroy, ActivityTerminated},
	{ActivityDeployed, ActivityLose, ActivityUnresponsive},
	{ActivityReady, ActivityRun, ActivityReady},
	{ActivityReady, ActivityReset, ActivityInitialized},
	{ActivityReady, ActivityDestroy, ActivityTerminated},
	{ActivityReady, ActivityLose, ActivityUnresponsive},
	{ActivityUnresponsive, ActivityRecover, ActivityInitialized},
	{ActivityUnresponsive, ActivityDestroy, ActivityTerminated},
}

// Next returns the state that follows s on e. Recovering leads to the state the
// ExeUnit reports, for which Initialized stands in the table.
func (s ActivityState) Next(e ActivityEvent) (ActivityState, error) {
	return activityMoves.next("activity", s, e)
}

// Final reports whether nothing can change the state any more.
func (s ActivityState) Final() bool { return activityMoves.final(s) }

// ParseActivityState checks the name of a state.
func ParseActivityState(s string) (ActivityState, error) {
	switch st := ActivityState(s); st {
	case ActivityNew, ActivityInitialized, ActivityDeployed, ActivityReady, ActivityTerminated, ActivityUnresponsive:
		return st, nil
	}
	return "", Errorf(ErrInvalid, "activity state %q is unknown", clip(s))
}

// StatePair is the state of an Activity and the one it is on the way to, ""
// when it rests. Its JSON form is ["Initialized","Deployed"] or ["Ready",null].
type StatePair struct{ Current, Pending ActivityState }

// Alive reports whether the Activity has neither ended nor is ending.
func (p StatePair) Alive() bool {
	return p.Current != ActivityTerminated && p.Pending != ActivityTerminated
}

// MarshalJSON writes the pair as an array of two.
func (p StatePair) MarshalJSON() ([]byte, error) {
	if p.Pending == "" {
		return json.Marshal([2]any{p.Current, nil})
	}
	return json.Marshal([2]any{p.Current, p.Pending})
}

// UnmarshalJSON reads an array of two.
func (p *StatePair) UnmarshalJSON(b []byte) error {
	var a [2]*string
	if err := json.Unmarshal(b, &a); err != nil || a[0] == nil {
		return Errorf(ErrInvalid, "activity state: want [current, pending or null]")
	}
	cur, err := ParseActivityState(*a[0])
	if err != nil {
		return err
	}
	*p = StatePair{Current: cur}
	if a[1] != nil {
		p.Pending, err = ParseActivityState(*a[1])
	}
	return err
}

// ActivityStatus is the state of an Activity with what is known about why.
type ActivityStatus struct {
	State        StatePair `json:"state"`
	Reason       string    `json:"reason,omitempty"`
	ErrorMessage string    `json:"errorMessage,omitempty"`
}

// Usage is what an Activity has used so far: one number for each counter of the
// Agreement's usage vector, in its order.
type Usage struct {
	Current   []float64 `json:"currentUsage,omitempty"`
	Timestamp int64     `json:"timestamp"` // seconds since 1970
}

// Activity is work running, or having run, in a Provider's ExeUnit.
type Activity struct {
	ID        ActivityID
	Agreement AgreementID
	Role      Role   // ours
	Owner     NodeID // the identity of ours that is a party of the Agreement
	Peer      NodeID // the other party
	Status    ActivityStatus
	Usage     Usage
	Created   time.Time
	Updated   time.Time
}

// Names of the usage counters every ExeUnit has (spec provider-agent.md §13.2).
const (
	UsageDuration = "golem.usage.duration_sec"
	UsageCPU      = "golem.usage.cpu_sec"
	UsageMemory   = "golem.usage.gib"
	UsageStorage  = "golem.usage.storage_gib"
)

// ProviderEvent asks the Provider's agent to start or to stop an ExeUnit.
type ProviderEvent struct {
	Activity  ActivityID        `json:"activityId"`
	Agreement AgreementID       `json:"agreementId"`
	Type      ProviderEventType `json:"eventType"`
	Date      time.Time         `json:"eventDate"` // unique and increasing for each Provider
}

// ProviderEventType is what the agent is asked for; exactly one member is set.
type ProviderEventType struct {
	Create  *CreateActivityEvent  `json:"CreateActivity,omitempty"`
	Destroy *DestroyActivityEvent `json:"DestroyActivity,omitempty"`
}

// CreateActivityEvent asks for an ExeUnit to be started.
type CreateActivityEvent struct {
	PublicKey string `json:"requestorPubKey,omitempty"` // hex; for ExeUnits in enclaves
}

// DestroyActivityEvent asks for an ExeUnit to be stopped.
type DestroyActivityEvent struct{}
