#!/bin/sh
# Regenerates the Go client from our .proto files. Needs protoc (Debian: protobuf-compiler) and Go.
set -eu
cd "$(dirname "$0")"
proto=${PROTO:-../../crates/darkpool/proto}
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11
GOBIN=$bin go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.0
module=cdpr/conformance/darkpool
PATH=$bin:$PATH protoc -I "$proto" \
  --go_out=. --go_opt=module=$module \
  --go_opt=Mcapabilities.proto=$module/capabilitiespb --go_opt=Mdarkpool.proto=$module/darkpoolpb \
  --go-grpc_out=. --go-grpc_opt=module=$module \
  --go-grpc_opt=Mcapabilities.proto=$module/capabilitiespb --go-grpc_opt=Mdarkpool.proto=$module/darkpoolpb \
  capabilities.proto darkpool.proto
