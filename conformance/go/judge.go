// Package conformance keeps the host among this module's dependencies, so that its own tests run from here.
package conformance

import _ "github.com/smartcontractkit/chainlink-common/pkg/workflows/wasm/host"
