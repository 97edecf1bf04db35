package conformance

import (
	"bytes"
	"slices"
	"testing"

	"github.com/smartcontractkit/chainlink-protos/cre/go/sdk"
	"google.golang.org/protobuf/proto"
)

// The recovery workflow asks Chainlink's host for the same bytes as ours, logs the same, and answers the same.
func TestRecoveryDoesInChainlinksHostWhatItDoesInOurs(t *testing.T) {
	recovery, err := Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	module, err := recovery.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer module.Close()
	for i := range recovery.Executions {
		recorded := &recovery.Executions[i]
		t.Run(recorded.Name, func(t *testing.T) {
			request, replay, err := recovery.Prepare(recorded)
			if err != nil {
				t.Fatal(err)
			}
			result, err := module.Execute(t.Context(), request, replay)
			if err != nil {
				t.Fatal(err)
			}
			check(t, recorded, replay, result)
			t.Logf("%d calls, result: %v", len(recorded.Calls), result)
		})
	}
}

// Without a pre-hook of its own the workflow refuses to run one, for it is given no configuration.
func TestRecoveryHasNoPreHook(t *testing.T) {
	recovery, err := Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, recorded := range recovery.Executions {
		result := &sdk.ExecutionResult{}
		if err := proto.Unmarshal(recorded.Result, result); err != nil {
			t.Fatal(err)
		}
		for _, subscription := range result.GetTriggerSubscriptions().GetSubscriptions() {
			if subscription.PreHook {
				t.Errorf("%s has a pre-hook, and the recording holds no answer of it", subscription.Id)
			}
		}
		if recorded.Name == "pre-hook" && result.GetError() == "" {
			t.Errorf("the pre-hook was answered with %v", result)
		}
	}
}

func check(t *testing.T, recorded *Execution, replay *Replay, result *sdk.ExecutionResult) {
	t.Helper()
	if len(replay.Asked) != len(recorded.Calls) {
		t.Errorf("%d calls, recorded were %d", len(replay.Asked), len(recorded.Calls))
	}
	for _, call := range recorded.Calls {
		asked := &sdk.CapabilityRequest{}
		if err := proto.Unmarshal(call.Request, asked); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(encode(t, replay.Asked[asked.CallbackId]), call.Request) {
			t.Errorf("call %d is %v, recorded was %v", asked.CallbackId, replay.Asked[asked.CallbackId], asked)
		}
	}
	if !slices.Equal(replay.Lines, recorded.Lines) {
		t.Errorf("logged %q, recorded was %q", replay.Lines, recorded.Lines)
	}
	if !bytes.Equal(encode(t, result), recorded.Result) {
		t.Errorf("the result is %v", result)
	}
}

// As our host encodes: fields by number, maps by key.
func encode(t *testing.T, message proto.Message) []byte {
	t.Helper()
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}
