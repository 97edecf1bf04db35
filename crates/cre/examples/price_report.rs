//! Cron, HTTP in node mode, median, report, write: what most workflows are.
//!
//! ```console
//! $ cargo build -p cre --example price_report --target wasm32-unknown-unknown --profile workflow
//! ```

use cre::{Consensus, Error, NodeRuntime, Runtime, Workflow, cron, evm, http};

/// Ethereum Sepolia, in Chainlink's list of chain selectors.
const SEPOLIA: u64 = cre::chains::selector("ethereum-testnet-sepolia");
const RECEIVER: [u8; 20] = [0x11; 20];
const GAS_LIMIT: u64 = 300_000;

/// The configuration: where the price is, as one line of text.
struct Config {
    url: String,
}

fn setup(config: &[u8]) -> Result<Workflow<Config>, Error> {
    let url = std::str::from_utf8(config).map_err(Error::workflow)?.trim().to_owned();
    Ok(Workflow::new(Config { url }).on(cron::trigger("*/30 * * * * *"), on_tick))
}

fn on_tick(config: &Config, runtime: &mut Runtime, _: cron::Payload) -> Result<f64, Error> {
    let price = runtime.run_in_node_mode(Consensus::median(), |node| fetch(config, node)).wait()?;
    let report = runtime.report(abi_encode(price)?).wait()?;
    let written = evm::Client::new(SEPOLIA)
        .write_report(runtime, RECEIVER, report, Some(GAS_LIMIT))
        .wait()?;
    if written.tx_status() != evm::TxStatus::Success {
        return Err(Error::workflow(written.error_message.unwrap_or_default()));
    }
    runtime.log(format!("wrote {price}"));
    Ok(price)
}

/// One node's observation. Its error is an observation too.
fn fetch(config: &Config, node: &NodeRuntime) -> Result<f64, Error> {
    let response = http::Request::get(&config.url).send(node).wait()?;
    if response.status_code != 200 {
        return Err(Error::workflow(format!("status {}", response.status_code)));
    }
    let body = String::from_utf8(response.body).map_err(Error::workflow)?;
    body.trim().parse().map_err(Error::workflow)
}

/// One word: the price with 6 decimals, rounded down.
fn abi_encode(price: f64) -> Result<Vec<u8>, Error> {
    let scaled = (price * 1e6).floor();
    // Below 2^53 a double is exact.
    if !(0.0..9e15).contains(&scaled) {
        return Err(Error::workflow(format!("no price: {price}")));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    let word = scaled as u128;
    Ok([[0; 16], word.to_be_bytes()].concat())
}

cre::workflow!(setup);

#[cfg(test)]
mod tests {
    use cre::testing::ScriptedHost;

    use super::*;

    #[test]
    fn the_price_that_nodes_agree_on_is_written() {
        let host = ScriptedHost::new()
            .answer(http::ACTION_ID, "SendRequest", |request: http::Request| {
                assert_eq!(request.url, "https://prices.example/usdc");
                Ok(http::Response {
                    status_code: 200,
                    body: b"0.97\n".into(),
                    ..Default::default()
                })
            })
            .answer(
                evm::Client::new(SEPOLIA).id(),
                "WriteReport",
                |request: evm::WriteReportRequest| {
                    let raw = request.report.unwrap().raw_report;
                    assert_eq!(raw[raw.len() - 16..], 970_000u128.to_be_bytes());
                    Ok(evm::WriteReportReply {
                        tx_status: evm::TxStatus::Success as i32,
                        ..Default::default()
                    })
                },
            );
        let record = host.record();
        let config = Config { url: "https://prices.example/usdc".to_owned() };
        let price = on_tick(&config, &mut host.runtime(), cron::Payload::default());
        assert_eq!(price, Ok(0.97));
        assert_eq!(record.logs().len(), 1);
    }
}
