//! An EVM log as the trigger: reads a contract back at the log's block.

use cre::{Error, Runtime, Value, Workflow, evm};

const SEPOLIA: u64 = cre::chains::selector("ethereum-testnet-sepolia");
const TOKEN: [u8; 20] = [0x22; 20];
/// Keccak-256 of `Transfer(address,address,uint256)`.
const TRANSFER: [u8; 32] = [
    0xdd, 0xf2, 0x52, 0xad, 0x1b, 0xe2, 0xc8, 0x9b, 0x69, 0xc2, 0xb0, 0x68, 0xfc, 0x37, 0x8d, 0xaa,
    0x95, 0x2b, 0xa7, 0xf1, 0x63, 0xc4, 0xa1, 0x16, 0x28, 0xf5, 0x5a, 0x4d, 0xf5, 0x23, 0xb3, 0xef,
];
/// `totalSupply()`.
const TOTAL_SUPPLY: [u8; 4] = [0x18, 0x16, 0x0d, 0xdd];

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    let filter = evm::FilterLogTriggerRequest::new([TOKEN])
        .with_topic([TRANSFER])
        .with_confidence(evm::ConfidenceLevel::Finalized);
    Ok(Workflow::new(()).on(evm::Client::new(SEPOLIA).log_trigger(&filter), on_transfer))
}

fn on_transfer(_: &(), runtime: &mut Runtime, log: evm::Log) -> Result<Value, Error> {
    if log.removed {
        return Ok(Value::NOTHING);
    }
    let mut request = evm::CallContractRequest::new(TOKEN, TOTAL_SUPPLY);
    request.block_number = log.block_number.clone();
    let supply = evm::Client::new(SEPOLIA).call_contract(runtime, &request).wait()?.data;
    Ok(Value::map([
        ("transaction", Value::from(log.tx_hash)),
        ("block", Value::from(log.block_number)),
        ("supply", Value::from(supply)),
    ]))
}

cre::workflow!(setup);

#[cfg(test)]
mod tests {
    use cre::messages::values::BigInt;
    use cre::testing::ScriptedHost;

    use super::*;

    #[test]
    fn the_supply_is_read_at_the_logs_block() {
        let host = ScriptedHost::new().answer(
            evm::Client::new(SEPOLIA).id(),
            "CallContract",
            |request: evm::CallContractRequest| {
                assert_eq!(request.block_number, Some(BigInt::from(7u64)));
                Ok(evm::CallContractReply { data: vec![9; 32] })
            },
        );
        let log = evm::Log { block_number: Some(BigInt::from(7u64)), ..Default::default() };
        let mut value = on_transfer(&(), &mut host.runtime(), log).unwrap();
        assert_eq!(value.take_field("supply"), Ok(Value::from(vec![9u8; 32])));
    }

    #[test]
    fn a_log_that_was_undone_is_passed_over() {
        let host = ScriptedHost::new();
        let record = host.record();
        let log = evm::Log { removed: true, ..Default::default() };
        assert_eq!(on_transfer(&(), &mut host.runtime(), log), Ok(Value::NOTHING));
        assert!(record.calls().is_empty());
    }
}
