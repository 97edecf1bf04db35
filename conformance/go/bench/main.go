// Runs our recovery workflow in Chainlink's host, for crates/engine/benches/chainlink.rs to compare with ours.
//
//	bench <our repository>
//
// It prints how long compiling took, then answers each line, the name of a recorded execution, with how long that
// took in a cold instance: nanoseconds, reading and checking apart.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"time"

	conformance "cdpr/conformance"

	"github.com/smartcontractkit/chainlink-protos/cre/go/sdk"
	"google.golang.org/protobuf/proto"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: bench <repository>")
	}
	ctx := context.Background()
	recovery, err := conformance.Load(os.Args[1])
	if err != nil {
		return err
	}
	begun := time.Now()
	module, err := recovery.Compile(ctx)
	if err != nil {
		return err
	}
	defer module.Close()
	fmt.Println(time.Since(begun).Nanoseconds())

	recorded := map[string]*conformance.Execution{}
	for i := range recovery.Executions {
		recorded[recovery.Executions[i].Name] = &recovery.Executions[i]
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		execution, ok := recorded[lines.Text()]
		if !ok {
			return fmt.Errorf("no execution %q was recorded", lines.Text())
		}
		request, replay, err := recovery.Prepare(execution)
		if err != nil {
			return err
		}
		begun := time.Now()
		result, err := module.Execute(ctx, request, replay)
		took := time.Since(begun)
		if err != nil {
			return err
		}
		want := &sdk.ExecutionResult{}
		if err := proto.Unmarshal(execution.Result, want); err != nil {
			return err
		}
		if !proto.Equal(result, want) {
			return fmt.Errorf("%s: %v", execution.Name, result)
		}
		fmt.Println(took.Nanoseconds())
	}
	return lines.Err()
}
