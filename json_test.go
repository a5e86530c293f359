package golem_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golem-go/golem"
)

var (
	jsonTime     = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	jsonProvider = golem.NodeID{0x01, 0xba, 0xbe}
	jsonBuyer    = golem.NodeID{0x02, 0xc0, 0xde}
	jsonPlatform = golem.Platform{Driver: "erc20", Network: "hoodi", Token: "tglm"}
	jsonOffer    = golem.Offer{Subscription: golem.Subscription{
		ID: "0f-aa", Properties: `{"golem.com.pricing.model.linear.coeffs":[0.0,1e-7,1]}`, Constraints: "(a<1)", Node: jsonProvider, Created: jsonTime,
	}}
	jsonDemand = golem.Demand{Subscription: golem.Subscription{
		ID: "0d-bb", Properties: "{}", Constraints: "()", Node: jsonBuyer, Created: jsonTime,
	}}
)

// forms are the nouns that have a JSON form, one value of each with everything
// set, and where it differs one with nothing set.
var forms = map[string]any{
	"account":          golem.Account{Platform: jsonPlatform, Address: golem.Address(jsonBuyer), Driver: "erc20", Network: "hoodi", Token: "tglm", Send: true},
	"activity_status":  golem.ActivityStatus{State: golem.StatePair{Current: golem.ActivityInitialized, Pending: golem.ActivityDeployed}, Reason: "r", ErrorMessage: "e"},
	"activity_usage":   golem.Usage{Current: []float64{0, 1.5, 1e-7}, Timestamp: 1767323045},
	"agreement":        golem.Agreement{ID: "a1", Offer: jsonOffer, Demand: jsonDemand, State: golem.AgreementApproved, Created: jsonTime, ValidTo: jsonTime.Add(time.Hour), Approved: jsonTime.Add(time.Second), Session: "s", Signatures: golem.Signatures{Proposed: "0x01", Approved: "0x02", Committed: "NoSignature"}},
	"app_key":          golem.AppKey{Name: "n", Key: "0123", Role: golem.RoleManager, Identity: jsonBuyer, Created: jsonTime, AllowOrigins: []string{"*"}},
	"acceptance":       golem.Acceptance{Amount: golem.Tokens(1), Allocation: "a1"},
	"command_result":   golem.CommandResult{Index: 1, EventDate: jsonTime, Result: golem.ResultError, Stdout: golem.Output{Text: "out\n"}, Stderr: golem.Output{Bytes: []byte{0, 255}}, Message: new("m"), IsBatchFinished: true},
	"command_result_0": golem.CommandResult{EventDate: jsonTime, Result: golem.ResultOk},
	"debit_note":       golem.DebitNote{ID: "d1", Issuer: jsonProvider, Recipient: jsonBuyer, Payee: golem.Address(jsonProvider), Payer: golem.Address(jsonBuyer), Platform: jsonPlatform, Previous: "d0", Timestamp: jsonTime, Agreement: "a1", Activity: "c1", Total: golem.Units(1500), Usage: json.RawMessage(`[0.0,1.5]`), Due: &jsonTime, Status: golem.DocumentIssued},
	"debit_note_0":     golem.DebitNote{ID: "d1", Platform: jsonPlatform, Timestamp: jsonTime, Status: golem.DocumentReceived},
	"demand":           jsonDemand,
	"deposit":          golem.Deposit{ID: "7", Contract: "0x03", Validate: map[string]string{"flatFeeAmount": "1"}},
	"identity":         golem.Identity{ID: jsonBuyer, Alias: "a", Locked: true, Default: true, Deleted: true},
	"identity_0":       golem.Identity{},
	"invoice":          golem.Invoice{ID: "i1", Issuer: jsonProvider, Recipient: jsonBuyer, Payee: golem.Address(jsonProvider), Payer: golem.Address(jsonBuyer), Platform: jsonPlatform, Timestamp: jsonTime, Agreement: "a1", Activities: []golem.ActivityID{"c1", "c2"}, Amount: golem.Tokens(2), Due: jsonTime, Status: golem.DocumentAccepted},
	"new_identity":     golem.NewIdentity{Alias: "a", Password: "p", Keyfile: "{}", PrivateKey: "k"},
	"identity_change":  golem.IdentityChange{Alias: new(""), Default: true},
	"offer":            jsonOffer,
	"payment":          golem.Payment{ID: "p1", Payer: jsonBuyer, Payee: jsonProvider, PayerAddr: golem.Address(jsonBuyer), PayeeAddr: golem.Address(jsonProvider), Platform: jsonPlatform, Amount: golem.Tokens(3), Timestamp: jsonTime, Agreements: []golem.AgreementPayment{{Agreement: "a1", Amount: golem.Tokens(1), Allocation: "l1"}}, Activities: []golem.ActivityPayment{{Activity: "c1", Amount: golem.Tokens(2)}}, Details: "q6s="},
	"reason":           golem.Reason{Message: "m", Extra: map[string]any{"golem.requestor.code": "Success", "n": json.Number("0.0"), "list": []any{nil, true}}},
	"rejection":        golem.Rejection{Reason: golem.BadService, Amount: golem.Tokens(0), Message: "m"},
	"running_command":  golem.RunningCommand{Command: "Run", Progress: "1", Params: []string{"a"}},
	"versions":         golem.Versions{Current: golem.Release{Version: golem.UpstreamVersion, Name: "n", Seen: true, Released: golem.NaiveTime{Time: jsonTime}}, Pending: &golem.Release{Version: "1", Inserted: &golem.NaiveTime{Time: jsonTime}, Updated: &golem.NaiveTime{Time: jsonTime}}},

	"event_started":  event(golem.RuntimeEventKind{Started: &golem.CommandStarted{Command: golem.Command{Sign: &golem.SignCommand{}}}}),
	"event_finished": event(golem.RuntimeEventKind{Finished: &golem.CommandFinished{ReturnCode: -1, Message: new("m")}}),
	"event_stdout":   event(golem.RuntimeEventKind{Stdout: &golem.Output{Text: "out"}}),
	"event_printed":  golem.RuntimeEvent{Batch: "b1", Timestamp: golem.NaiveTime{Time: jsonTime}, Kind: golem.RuntimeEventKind{Stdout: &golem.Output{Text: "out"}}, Printed: &golem.Printed{Stdout: 7, Stderr: 1 << 40}},
	"event_stderr":   event(golem.RuntimeEventKind{Stderr: &golem.Output{Bytes: []byte{104, 105}}}),
	"event_progress": event(golem.RuntimeEventKind{Progress: &golem.CommandProgress{Step: [2]uint64{0, 2}, Progress: [2]*uint64{new(uint64(1024)), nil}, Unit: new("Bytes")}}),

	"command_sign":      golem.Command{Sign: &golem.SignCommand{}},
	"command_deploy":    golem.Command{Deploy: &golem.DeployCommand{Net: []golem.DeployNetwork{{ID: "n", IP: "10.0.0.0", Mask: "255.0.0.0", Gateway: "10.0.0.1", NodeIP: "10.0.0.2", Nodes: map[string]golem.NodeID{"10.0.0.3": jsonBuyer}}}, Hosts: map[string]string{"h": "10.0.0.3"}, Hostname: "h", Volumes: json.RawMessage(`{"/v":{"storage":{"size":"2g"}}}`), Env: map[string]string{"K": "v"}, Progress: &golem.ProgressArgs{UpdateInterval: "300ms", UpdateStep: 10}}},
	"command_deploy_0":  golem.Command{Deploy: &golem.DeployCommand{}},
	"command_start":     golem.Command{Start: &golem.StartCommand{Args: []string{"a"}}},
	"command_run":       golem.Command{Run: &golem.RunCommand{EntryPoint: "/bin/sh", Args: []string{"-c", "echo <hi> & bye"}, Capture: &golem.Capture{Stdout: &golem.CaptureMode{AtEnd: &golem.CaptureAtEnd{HeadTail: new(uint64(10)), Format: "bin"}}, Stderr: &golem.CaptureMode{Stream: &golem.CaptureStream{Limit: new(uint64(0))}}}}},
	"command_transfer":  golem.Command{Transfer: &golem.TransferCommand{From: "gftp://0x/1", To: "container:/a", Format: "tar.gz", Depth: new(uint(2)), FileSet: json.RawMessage(`[{"include":"**"}]`), Progress: &golem.ProgressArgs{}}},
	"command_terminate": golem.Command{Terminate: &golem.TerminateCommand{}},
}

func event(k golem.RuntimeEventKind) golem.RuntimeEvent {
	return golem.RuntimeEvent{Batch: "b1", Index: 2, Timestamp: golem.NaiveTime{Time: jsonTime}, Kind: k}
}

// TestJSONForms pins what we write, and checks that we read it back as it was.
func TestJSONForms(t *testing.T) {
	for name, v := range forms {
		t.Run(name, func(t *testing.T) {
			var compact, indented bytes.Buffer
			enc := json.NewEncoder(&compact)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(v); err != nil {
				t.Fatal(err)
			}
			if err := json.Indent(&indented, compact.Bytes(), "", "  "); err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/json/"+name+".json", indented.String())

			back := reflect.New(reflect.TypeOf(v))
			if err := json.Unmarshal(compact.Bytes(), back.Interface()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v, back.Elem().Interface(), cmp.AllowUnexported(golem.Amount{})); diff != "" {
				t.Errorf("comes back different: %s", diff)
			}
		})
	}
}

// TestJSONFormsAreComplete finds golden files that nothing is compared with.
func TestJSONFormsAreComplete(t *testing.T) {
	files, err := os.ReadDir("testdata/json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if _, ok := forms[strings.TrimSuffix(f.Name(), filepath.Ext(f.Name()))]; !ok {
			t.Errorf("testdata/json/%s belongs to nothing", f.Name())
		}
	}
}

// FuzzForms reads nouns as strangers write them. What is understood must be
// writable, and say the same when read again.
func FuzzForms(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(forms)) {
		b, err := json.Marshal(forms[name])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	types := []func() any{
		func() any { return new(golem.Command) },
		func() any { return new(golem.CommandFinished) },
		func() any { return new(golem.CommandResult) },
		func() any { return new(golem.Reason) },
		func() any { return new(golem.DebitNote) },
		func() any { return new(golem.Invoice) },
		func() any { return new(golem.Payment) },
		func() any { return new(golem.StatePair) },
		func() any { return new(golem.Agreement) },
		func() any { return new(golem.Identity) },
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, make := range types {
			v, again := make(), make()
			if json.Unmarshal(b, v) != nil {
				continue
			}
			once, err := json.Marshal(v)
			if err != nil {
				t.Fatalf("%T from %s cannot be written: %v", v, b, err)
			}
			if err := json.Unmarshal(once, again); err != nil {
				t.Fatalf("%T from %s is written as %s, which cannot be read: %v", v, b, once, err)
			}
			if twice, err := json.Marshal(again); err != nil || string(twice) != string(once) {
				t.Fatalf("%T from %s is written as %s, then as %s, %v", v, b, once, twice, err)
			}
		}
	})
}
