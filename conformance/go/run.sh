#!/bin/sh
# Chainlink's own host judges our modules: its standard tests, run as tests of a dependency, and our recovery
# workflow, which has to do in it what it did in ours.
#
# Exit code: 0 they pass, 77 they can't be run here (the reason is printed), anything else they fail.
# Needs Go with cgo, make, and Rust's target wasm32-unknown-unknown.
set -eu
cd "$(dirname "$0")"
HOST=github.com/smartcontractkit/chainlink-common
SUITE=$HOST/pkg/workflows/wasm/host
programs=$(cd ../cre-standard-tests/programs && pwd)

skip() {
  echo "skipped: $1"
  exit 77
}
command -v go >/dev/null || skip "go is not installed"
command -v make >/dev/null || skip "make is not installed"

# All that the suite links, and not only the host: one module that is refused is enough not to run.
why=$(mktemp)
trap 'rm -f "$why"' EXIT
if ! go list -deps -test "$SUITE" ./... >/dev/null 2>"$why"; then
  skip "$(grep -v '^go: downloading' "$why" | head -n 2 | tr '\n' ' ')"
fi
go test -count=1 -v "$SUITE" -run '^TestStandard' -args -path="$programs"
go test -count=1 -v .
