// Package conformance gives Chainlink's own host our recovery workflow, and the answers that ours gave it.
package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/smartcontractkit/chainlink-common/pkg/logger"
	"github.com/smartcontractkit/chainlink-common/pkg/settings/cresettings"
	"github.com/smartcontractkit/chainlink-common/pkg/settings/limits"
	"github.com/smartcontractkit/chainlink-common/pkg/workflows/wasm/host"
	"github.com/smartcontractkit/chainlink-protos/cre/go/sdk"
	workflows "github.com/smartcontractkit/chainlink-protos/workflows/go/v2"
	"google.golang.org/protobuf/proto"
)

// Recovery is the committed module, and what it did in our host.
type Recovery struct {
	Wasm       []byte
	Config     []byte
	Executions []Execution
}

// Execution is one of its runs in our host. Bytes are protobuf, calls are in the order served.
type Execution struct {
	Name        string
	Request     []byte // Without configuration.
	ExecutionID string `json:"execution_id"`
	NowNs       int64  `json:"now_ns"`
	Calls       []Call
	Lines       []string
	Result      []byte
}

// Call is a capability request that the workflow made, and the answer it got.
type Call struct {
	ID, Method        string
	Request, Response []byte
}

// Load reads all of it from our repository at root.
func Load(root string) (*Recovery, error) {
	recovery := &Recovery{}
	var recording []byte
	for path, into := range map[string]*[]byte{
		"workflows/recovery/wasm/workflow.wasm":  &recovery.Wasm,
		"workflows/recovery/config.staging.json": &recovery.Config,
		"conformance/go/testdata/recovery.json":  &recording,
	} {
		bytes, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return nil, err
		}
		*into = bytes
	}
	return recovery, json.Unmarshal(recording, &recovery.Executions)
}

// Compile makes the module Chainlink's, and starts it. Whoever has it closes it.
func (r *Recovery) Compile(ctx context.Context) (host.ModuleV2, error) {
	module, err := host.NewModule(ctx, &host.ModuleConfig{
		IsUncompressed: true,
		Logger:         logger.Nop(),
		// The default number, without the default's scope: a node puts the workflow's owner into the context for it.
		PendingCallsLimiter: limits.GlobalResourcePoolLimiter(
			cresettings.Default.PerWorkflow.CapabilityConcurrencyLimit.DefaultValue),
	}, r.Wasm)
	if err != nil {
		return nil, err
	}
	module.Start()
	return module, nil
}

// Prepare makes an execution's request, and who answers it.
func (r *Recovery) Prepare(e *Execution) (*sdk.ExecuteRequest, *Replay, error) {
	request := &sdk.ExecuteRequest{}
	if err := proto.Unmarshal(e.Request, request); err != nil {
		return nil, nil, err
	}
	// Hosts give a pre-hook no configuration.
	if request.GetPreHook() == nil {
		request.Config = r.Config
	}
	replay := &Replay{execution: e, answers: map[int32]*sdk.CapabilityResponse{}, Asked: map[int32]*sdk.CapabilityRequest{}}
	for _, call := range e.Calls {
		asked, answer := &sdk.CapabilityRequest{}, &sdk.CapabilityResponse{}
		if err := proto.Unmarshal(call.Request, asked); err != nil {
			return nil, nil, err
		}
		if err := proto.Unmarshal(call.Response, answer); err != nil {
			return nil, nil, err
		}
		replay.answers[asked.CallbackId] = answer
	}
	return request, replay, nil
}

// Replay answers one execution as ours was answered, call by call. It is asked from many goroutines at once.
type Replay struct {
	execution *Execution
	answers   map[int32]*sdk.CapabilityResponse

	lock  sync.Mutex
	Asked map[int32]*sdk.CapabilityRequest
	Lines []string
}

var _ host.ExecutionHelper = (*Replay)(nil)

// CallCapability gives the answer to the call of the same id.
func (r *Replay) CallCapability(_ context.Context, request *sdk.CapabilityRequest) (*sdk.CapabilityResponse, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.Asked[request.CallbackId] = request
	answer, ok := r.answers[request.CallbackId]
	if !ok {
		return nil, fmt.Errorf("no call %d was recorded", request.CallbackId)
	}
	return answer, nil
}

// GetSecrets refuses: the workflow asks for none on a DON that has registered the dark pool.
func (r *Replay) GetSecrets(context.Context, *sdk.GetSecretsRequest) ([]*sdk.SecretResponse, error) {
	return nil, fmt.Errorf("no secret was recorded")
}

// GetWorkflowExecutionID is the recorded one.
func (r *Replay) GetWorkflowExecutionID() string { return r.execution.ExecutionID }

// GetNodeTime is the recorded instant.
func (r *Replay) GetNodeTime() time.Time { return time.Unix(0, r.execution.NowNs) }

// GetDONTime is the same.
func (r *Replay) GetDONTime() (time.Time, error) { return r.GetNodeTime(), nil }

// EmitUserLog keeps what the workflow logs.
func (r *Replay) EmitUserLog(line string) error {
	r.Lines = append(r.Lines, line)
	return nil
}

// EmitUserMetric refuses: the workflow emits none.
func (r *Replay) EmitUserMetric(context.Context, *workflows.WorkflowUserMetric) error {
	return fmt.Errorf("no metric was recorded")
}
