package wire

import (
	"encoding/json"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/flexbuffers"
	"github.com/golem-go/golem/p2p"
)

const (
	activityService = "/public/activity" // the Provider's node
	activityLocal   = "/local/activity"  // of this node, for ExeUnits and the agent
	exeUnitService  = "/public/exeunit"  // one ExeUnit: At(activity id)
)

// ActivityReportURL is where an ExeUnit reports to; it is given on its command line.
const ActivityReportURL = activityLocal

// Messages from the Requestor's node to the Provider's.
var (
	// CreateActivity starts an Activity under an approved Agreement. The
	// Provider's node checks that the caller is its Requestor, and answers when
	// the ExeUnit is initialized or has ended. Our nodes propose the id, which
	// makes the message safe to repeat and lets the Requestor destroy what it
	// never got an answer for; upstream's ignore it and choose their own.
	CreateActivity = gsb.Method[CreateActivityRequest, CreateActivityReply]{Service: activityService, Name: "CreateActivity"}

	// DestroyActivity ends an Activity; the Provider's node answers when it has
	// ended, also when it had before. ErrNotFound says that there never was one.
	DestroyActivity = gsb.Method[DestroyActivityRequest, gsb.Unit]{Service: activityService, Name: "DestroyActivity"}

	// ActivityState asks for the state the Provider's node knows.
	ActivityState = gsb.Method[ActivityQuery, golem.ActivityStatus]{Service: activityService, Name: "GetActivityState"}

	// ActivityUsage asks for the usage the Provider's node knows.
	ActivityUsage = gsb.Method[ActivityQuery, golem.Usage]{Service: activityService, Name: "GetActivityUsage"}
)

// Messages from the Requestor's node to an ExeUnit, at the Activity's id.
var (
	// Exec hands over a batch. An ExeUnit that has the batch already and got the
	// same script answers as if it were new, so that repeating a lost message is
	// safe; another script under a known id is refused.
	Exec = gsb.Method[ExecRequest, golem.BatchID]{Service: exeUnitService, Name: "Exec"}

	// BatchResults asks for the finished commands of a batch, waiting for the
	// last of them, or for CommandIndex, at most Timeout.
	BatchResults = gsb.Method[BatchResultsRequest, []golem.CommandResult]{Service: exeUnitService, Name: "GetExecBatchResults", Channel: p2p.Transfer}

	// StreamBatch follows a batch from its beginning to its end.
	StreamBatch = gsb.Stream[StreamBatchRequest, golem.RuntimeEvent]{Service: exeUnitService, Name: "StreamExecBatchResults", Channel: p2p.Transfer}

	// RunningCommands asks what is being executed.
	RunningCommands = gsb.Method[ActivityQuery, []golem.RunningCommand]{Service: exeUnitService, Name: "GetRunningCommand"}

	// ExeUnitState asks the ExeUnit itself for its state.
	ExeUnitState = gsb.Method[ActivityQuery, golem.ActivityStatus]{Service: exeUnitService, Name: "GetActivityState"}

	// ExeUnitUsage asks the ExeUnit itself for its usage.
	ExeUnitUsage = gsb.Method[ActivityQuery, golem.Usage]{Service: exeUnitService, Name: "GetActivityUsage"}
)

// Messages from an ExeUnit to the node it runs on.
var (
	// SetActivityState reports a change of state. An ExeUnit whose Activity is
	// not known any more, or has ended, is told so by ErrNotFound and shuts down.
	SetActivityState = gsb.Method[SetActivityStateRequest, gsb.Unit]{Service: activityLocal, Name: "SetActivityState"}

	// SetActivityUsage reports usage, every second; it is also the sign of life.
	SetActivityUsage = gsb.Method[SetActivityUsageRequest, gsb.Unit]{Service: activityLocal, Name: "SetActivityUsage"}
)

// CreateActivityRequest is the body of [CreateActivity].
type CreateActivityRequest struct {
	Provider  golem.NodeID      `flex:"providerId"`
	Agreement golem.AgreementID `flex:"agreementId"`
	Timeout   *float32          `flex:"timeout"`                       // seconds
	PublicKey []byte            `flex:"requestorPubKey,seq,omitempty"` // for ExeUnits in enclaves
	Proposed  golem.ActivityID  `flex:"activityId,omitempty"`          // chosen by the Requestor's node, "" for upstream's
}

// CreateActivityReply is the answer to [CreateActivity]: the id alone, or an
// object with the id; upstream sends either and reads both.
type CreateActivityReply struct {
	Activity golem.ActivityID `flex:"activityId"`
}

// UnmarshalFlex reads either form.
func (r *CreateActivityReply) UnmarshalFlex(v flexbuffers.Value) error {
	if v.Kind() == flexbuffers.KindString {
		return v.Decode(&r.Activity)
	}
	type object CreateActivityReply
	return v.Decode((*object)(r))
}

// DestroyActivityRequest is the body of [DestroyActivity].
type DestroyActivityRequest struct {
	Agreement golem.AgreementID `flex:"agreementId"`
	Activity  golem.ActivityID  `flex:"activityId"`
	Timeout   *float32          `flex:"timeout"`
}

// ActivityQuery asks something about an Activity.
type ActivityQuery struct {
	Activity golem.ActivityID `flex:"activityId"`
	Timeout  *float32         `flex:"timeout"`
}

// ExecRequest is the body of [Exec].
type ExecRequest struct {
	Activity golem.ActivityID `flex:"activityId"`
	Batch    golem.BatchID    `flex:"batchId"`
	Script   []golem.Command  `flex:"exeScript"`
	Timeout  *float32         `flex:"timeout"`
}

// BatchResultsRequest is the body of [BatchResults].
type BatchResultsRequest struct {
	Activity     golem.ActivityID `flex:"activityId"`
	Batch        golem.BatchID    `flex:"batchId"`
	Timeout      *float32         `flex:"timeout"`
	CommandIndex *int             `flex:"commandIndex"`
}

// StreamBatchRequest is the body of [StreamBatch]; upstream spells it with
// underscores.
type StreamBatchRequest struct {
	Activity golem.ActivityID `flex:"activity_id"`
	Batch    golem.BatchID    `flex:"batch_id"`
}

// SetActivityStateRequest is the body of [SetActivityState].
type SetActivityStateRequest struct {
	Activity    golem.ActivityID     `flex:"activityId"`
	State       golem.ActivityStatus `flex:"state"`
	Timeout     *float32             `flex:"timeout"`
	Credentials json.RawMessage      `flex:"credentials,omitempty"`
}

// SetActivityUsageRequest is the body of [SetActivityUsage].
type SetActivityUsageRequest struct {
	Activity golem.ActivityID `flex:"activityId"`
	Usage    golem.Usage      `flex:"usage"`
	Timeout  *float32         `flex:"timeout"`
}
