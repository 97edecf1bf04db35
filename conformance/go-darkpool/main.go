// Calls darkpool@1.0.0 as a Chainlink node does: Go's gRPC, over a unix socket.
//
//	go-darkpool <socket> <dark pool, hex> <open request, hex>
//
// The request must have a proved round. Exits with 0 and prints "ok" if every answer is as it has to be.
package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	capabilities "cdpr/conformance/darkpool/capabilitiespb"
	darkpool "cdpr/conformance/darkpool/darkpoolpb"
)

const id = "darkpool@1.0.0"

func main() {
	if len(os.Args) != 4 {
		fail("usage: go-darkpool <socket> <dark pool> <request>")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := grpc.NewClient("unix:"+os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	defer conn.Close()
	pool, err := hex.DecodeString(os.Args[2])
	check(err)
	request, err := hex.DecodeString(os.Args[3])
	check(err)

	info, err := capabilities.NewBaseCapabilityClient(conn).Info(ctx, &emptypb.Empty{})
	check(err)
	if info.Id != id {
		fail("id is " + info.Id)
	}

	executable := capabilities.NewExecutableClient(conn)
	answer := execute(ctx, executable, &darkpool.GetRequestStatusRequest{DarkPool: pool, RequestId: request})
	if answer.Error != "" {
		fail(answer.Error)
	}
	var status darkpool.GetRequestStatusResponse
	check(answer.Payload.UnmarshalTo(&status))
	if status.Fill == nil || !bytes.Equal(status.Fill.RequestId, request) {
		fail("the status has no fill of this request")
	}
	unknown := execute(ctx, executable, &darkpool.GetRequestStatusRequest{DarkPool: pool, RequestId: make([]byte, 32)})
	if !strings.HasPrefix(unknown.Error, "Public:User:NotFound:") {
		fail("an unknown request gives " + unknown.Error)
	}

	triggers := capabilities.NewTriggerExecutableClient(conn)
	config, err := anypb.New(&darkpool.FillTriggerConfig{DarkPool: pool})
	check(err)
	registration := &capabilities.TriggerRegistrationRequest{TriggerId: "go_0", Payload: config, Method: "Fill"}
	stream, err := triggers.RegisterTrigger(ctx, registration)
	check(err)
	first, err := stream.Recv()
	check(err)
	if first.GetAck() == nil {
		fail("the first message is no acknowledgement")
	}
	second, err := stream.Recv()
	check(err)
	event := second.GetResponse().GetEvent()
	var fill darkpool.Fill
	check(event.GetPayload().UnmarshalTo(&fill))
	if !proto.Equal(&fill, status.Fill) {
		fail("trigger and status have different fills")
	}
	_, err = triggers.AckEvent(ctx, &capabilities.AckEventRequest{TriggerId: "go_0", EventId: event.Id, Method: "Fill"})
	check(err)
	_, err = triggers.UnregisterTrigger(ctx, registration)
	check(err)
	fmt.Println("ok")
}

func execute(ctx context.Context, client capabilities.ExecutableClient, request proto.Message) *capabilities.CapabilityResponse {
	payload, err := anypb.New(request)
	check(err)
	call := &capabilities.CapabilityRequest{Payload: payload, Method: "GetRequestStatus", CapabilityId: id}
	stream, err := client.Execute(ctx, call)
	check(err)
	answer, err := stream.Recv()
	check(err)
	return answer
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, text)
	os.Exit(1)
}
