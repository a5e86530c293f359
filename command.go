package golem

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// Command is one step of a batch; exactly one member is set. Its JSON form is
// an object with one key, the command's name (spec exeunit.md §7.1).
type Command struct {
	Sign      *SignCommand      `json:"sign,omitempty"`
	Deploy    *DeployCommand    `json:"deploy,omitempty"`
	Start     *StartCommand     `json:"start,omitempty"`
	Run       *RunCommand       `json:"run,omitempty"`
	Transfer  *TransferCommand  `json:"transfer,omitempty"`
	Terminate *TerminateCommand `json:"terminate,omitempty"`
}

// SignCommand asks for a signature over what the Activity has executed.
type SignCommand struct{}

// DeployCommand prepares the image.
type DeployCommand struct {
	Net      []DeployNetwork   `json:"net,omitempty"`
	Hosts    map[string]string `json:"hosts,omitempty"`
	Hostname string            `json:"hostname,omitempty"`
	Volumes  json.RawMessage   `json:"volumes,omitempty"` // list of paths, or path → mount
	Env      map[string]string `json:"env,omitempty"`
	Progress *ProgressArgs     `json:"progress,omitempty"`
}

// DeployNetwork is a private network the Activity shall join.
type DeployNetwork struct {
	ID      string            `json:"id"`
	IP      string            `json:"ip"`
	Mask    string            `json:"mask,omitempty"`
	Gateway string            `json:"gateway,omitempty"`
	NodeIP  string            `json:"nodeIp"`
	Nodes   map[string]NodeID `json:"nodes,omitempty"` // by IP
}

// StartCommand starts the Runtime.
type StartCommand struct {
	Args []string `json:"args,omitempty"`
}

// RunCommand runs a program of the image. The name entry_point is upstream's.
type RunCommand struct {
	EntryPoint string   `json:"entry_point"`
	Args       []string `json:"args,omitempty"`
	Capture    *Capture `json:"capture,omitempty"`
}

// TransferCommand copies data between two URLs.
type TransferCommand struct {
	From     string          `json:"from"`
	To       string          `json:"to"`
	Format   string          `json:"format,omitempty"`
	Depth    *uint           `json:"depth,omitempty"`
	FileSet  json.RawMessage `json:"fileset,omitempty"`
	Progress *ProgressArgs   `json:"progress,omitempty"`
}

// TerminateCommand stops the Runtime; the Activity can be deployed again.
type TerminateCommand struct{}

// ProgressArgs asks for progress events.
type ProgressArgs struct {
	UpdateInterval string `json:"updateInterval,omitempty"` // such as "300ms"
	UpdateStep     uint64 `json:"updateStep,omitempty"`
}

// Capture says what becomes of the output of a program.
type Capture struct {
	Stdout *CaptureMode `json:"stdout,omitempty"`
	Stderr *CaptureMode `json:"stderr,omitempty"`
}

// CaptureMode is how one stream of output is captured; one member is set.
type CaptureMode struct {
	AtEnd  *CaptureAtEnd  `json:"atEnd,omitempty"`
	Stream *CaptureStream `json:"stream,omitempty"`
}

// CaptureAtEnd keeps output for the result: all, or the given number of bytes of
// its head, its tail, or half of each.
type CaptureAtEnd struct {
	Head     *uint64 `json:"head,omitempty"`
	Tail     *uint64 `json:"tail,omitempty"`
	HeadTail *uint64 `json:"headTail,omitempty"`
	Format   string  `json:"format,omitempty"` // "str" (alias "string"), the default, or "bin" (alias "binary")
}

// CaptureStream sends output as it comes, up to a number of bytes.
type CaptureStream struct {
	Limit  *uint64 `json:"limit,omitempty"`
	Format string  `json:"format,omitempty"`
}

// Name returns the command's name, such as "deploy", or "" if none is set.
func (c *Command) Name() string {
	switch {
	case c.Sign != nil:
		return "sign"
	case c.Deploy != nil:
		return "deploy"
	case c.Start != nil:
		return "start"
	case c.Run != nil:
		return "run"
	case c.Transfer != nil:
		return "transfer"
	case c.Terminate != nil:
		return "terminate"
	}
	return ""
}

// UnmarshalJSON reads an object with exactly one key. Members of a command
// that are not known are ignored.
func (c *Command) UnmarshalJSON(b []byte) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(b, &keys); err != nil {
		return Errorf(ErrInvalid, "command: %w", err)
	}
	if len(keys) != 1 {
		return Errorf(ErrInvalid, "command: want an object with one key, the command's name")
	}
	type plain Command
	var p plain
	if err := json.Unmarshal(b, &p); err != nil {
		return Errorf(ErrInvalid, "command: %w", err)
	}
	*c = Command(p)
	for key, content := range keys {
		if c.Name() == "" && string(content) == "null" {
			return Errorf(ErrInvalid, "command %q: want an object", clip(key))
		}
		if c.Name() == "" {
			return Errorf(ErrInvalid, "command %q is unknown", clip(key))
		}
	}
	return c.check()
}

// check returns ErrInvalid where a member is missing without which the command
// means nothing.
func (c *Command) check() error {
	switch {
	case c.Run != nil && c.Run.EntryPoint == "":
		return Errorf(ErrInvalid, "command run: entry_point is missing")
	case c.Transfer != nil && (c.Transfer.From == "" || c.Transfer.To == ""):
		return Errorf(ErrInvalid, "command transfer: from or to is missing")
	}
	return nil
}

// ParseScript parses the JSON array of commands that exec is given.
func ParseScript(text string) ([]Command, error) {
	var cs []Command
	if err := json.Unmarshal([]byte(text), &cs); err != nil {
		return nil, Errorf(ErrInvalid, "script: %w", err)
	}
	if len(cs) == 0 {
		return nil, Errorf(ErrInvalid, "script: want at least one command")
	}
	return cs, nil
}

// Output is captured output: text, or bytes where the capture format is bin.
// The zero value, nothing captured, is null in JSON.
type Output struct {
	Text  string
	Bytes []byte // set instead of Text for format bin
}

// IsZero reports whether nothing was captured.
func (o Output) IsZero() bool { return o.Text == "" && len(o.Bytes) == 0 }

// String returns the output as text.
func (o Output) String() string {
	if o.Bytes != nil {
		return string(o.Bytes)
	}
	return o.Text
}

// MarshalJSON writes null, a string, or an array of byte values.
func (o Output) MarshalJSON() ([]byte, error) {
	switch {
	case o.IsZero():
		return []byte("null"), nil
	case o.Bytes == nil:
		return marshal(o.Text)
	}
	text := append(make([]byte, 0, 4*len(o.Bytes)+2), '[')
	for i, b := range o.Bytes {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendUint(text, uint64(b), 10)
	}
	return append(text, ']'), nil
}

// UnmarshalJSON reads the forms that MarshalJSON writes.
func (o *Output) UnmarshalJSON(b []byte) error {
	*o = Output{}
	if string(b) == "null" {
		return nil
	}
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &o.Text)
	}
	list, open := bytes.CutPrefix(bytes.TrimSpace(b), []byte("["))
	list, closed := bytes.CutSuffix(list, []byte("]"))
	o.Bytes = make([]byte, 0, len(list)/3+1)
	if open && closed && len(bytes.TrimSpace(list)) == 0 {
		return nil
	}
	for one := range bytes.SplitSeq(list, []byte(",")) {
		v, err := strconv.ParseUint(string(bytes.TrimSpace(one)), 10, 8)
		if err != nil || !open || !closed {
			*o = Output{}
			return Errorf(ErrInvalid, "output: want a string or an array of byte values")
		}
		o.Bytes = append(o.Bytes, byte(v))
	}
	return nil
}

// CommandResult is the outcome of one finished command of a batch.
type CommandResult struct {
	Index           int       `json:"index"`
	EventDate       time.Time `json:"eventDate"`
	Result          string    `json:"result"` // ResultOk or ResultError
	Stdout          Output    `json:"stdout"`
	Stderr          Output    `json:"stderr"`
	Message         *string   `json:"message"`
	IsBatchFinished bool      `json:"isBatchFinished"`
	Printed         *Printed  `json:"printed,omitempty"` // by the command in all, where it was streamed
}

// The values of CommandResult.Result.
const (
	ResultOk    = "Ok"
	ResultError = "Error"
)

// RuntimeEvent is one event of a running batch. Timestamps have no zone on the
// wire; they are UTC.
type RuntimeEvent struct {
	Batch     BatchID          `json:"batch_id"`
	Index     int              `json:"index"`
	Timestamp NaiveTime        `json:"timestamp"`
	Kind      RuntimeEventKind `json:"kind"`

	// Printed is the output of the command in the events before this one, whether
	// they can still be had or not: who adds up what has come sees what is missing.
	// Our ExeUnits say so with output and with the end; others ignore it.
	Printed *Printed `json:"printed,omitempty"`
}

// Printed is how much output of a command was streamed, in bytes of what the
// events carry.
type Printed struct {
	Stdout uint64 `json:"stdout"`
	Stderr uint64 `json:"stderr"`
}

// RuntimeEventKind is what happened; exactly one member is set.
type RuntimeEventKind struct {
	Started  *CommandStarted  `json:"started,omitempty"`
	Finished *CommandFinished `json:"finished,omitempty"`
	Stdout   *Output          `json:"stdout,omitempty"`
	Stderr   *Output          `json:"stderr,omitempty"`
	Progress *CommandProgress `json:"progress,omitempty"`
}

// CommandStarted says that a command has begun.
type CommandStarted struct {
	Command Command `json:"command"`
}

// CommandFinished says that a command has ended: code 0 is success, a positive
// one is the exit code of a program, -1 is any other failure.
type CommandFinished struct {
	ReturnCode int     `json:"return_code"`
	Message    *string `json:"message"`
}

// CommandProgress says how far a command is.
type CommandProgress struct {
	Step     [2]uint64  `json:"step"` // done, total
	Message  *string    `json:"message"`
	Progress [2]*uint64 `json:"progress"` // done, total or null
	Unit     *string    `json:"unit"`
}

// RunningCommand describes a command that is being executed.
type RunningCommand struct {
	Command  string   `json:"command"`
	Progress string   `json:"progress,omitempty"`
	Params   []string `json:"params,omitempty"`
}

// NaiveTime is a UTC time whose text form carries no zone, as some of
// upstream's messages have it. Fractions have 0, 3, 6 or 9 digits.
type NaiveTime struct{ time.Time }

// MarshalText returns a form such as 2026-01-02T03:04:05.123456.
func (t NaiveTime) MarshalText() ([]byte, error) {
	u := t.UTC()
	layout := "2006-01-02T15:04:05"
	switch ns := u.Nanosecond(); {
	case ns == 0:
	case ns%1e6 == 0:
		layout += ".000"
	case ns%1e3 == 0:
		layout += ".000000"
	default:
		layout += ".000000000"
	}
	return u.AppendFormat(nil, layout), nil
}

// UnmarshalText parses the form of MarshalText; a zone is accepted.
func (t *NaiveTime) UnmarshalText(b []byte) (err error) {
	if t.Time, err = time.Parse("2006-01-02T15:04:05.999999999", string(b)); err == nil {
		return nil
	}
	if t.Time, err = time.Parse(time.RFC3339Nano, string(b)); err != nil {
		return Errorf(ErrInvalid, "time %q: want a form such as 2026-01-02T03:04:05.123", clip(string(b)))
	}
	t.Time = t.UTC()
	return nil
}

// MarshalJSON returns the text form as a JSON string; without it the embedded
// time.Time would be written with a zone.
func (t NaiveTime) MarshalJSON() ([]byte, error) {
	b, _ := t.MarshalText()
	return marshal(string(b))
}

// UnmarshalJSON parses a JSON string.
func (t *NaiveTime) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return Errorf(ErrInvalid, "time: %w", err)
	}
	return t.UnmarshalText([]byte(s))
}
