// Chainlink's own host, as a dependency: its standard tests judge the modules of crates/cre-standard-tests.
module cdpr/conformance

go 1.26.6

require github.com/smartcontractkit/chainlink-common v0.11.2-0.20260821184143-ceb4f7f4e973
