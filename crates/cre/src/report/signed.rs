//! Who signed a report: the nodes of a DON, as Chainlink's registry has them.

use std::collections::BTreeSet;

use alloy_sol_types::sol;
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use sha3::{Digest as _, Keccak256};

use super::{Header, Report, ReportError};
use crate::error::Error;
use crate::evm::Client;
use crate::runtime::Runtime;

sol! {
    // `CapabilitiesRegistry` 2.0.0 of Chainlink, as far as it is read here: what follows in a DON's tuple is left out.
    struct DonInfo {
        uint32 id;
        uint32 configCount;
        uint8 f;
        bool isPublic;
        bool acceptsWorkflows;
        bytes32[] nodeP2PIds;
    }
    struct NodeInfo {
        uint32 nodeOperatorId;
        uint32 configCount;
        uint32 workflowDONId;
        bytes32 signer;
        bytes32 p2pId;
        bytes32 encryptionPublicKey;
        bytes32 csaKey;
        string[] capabilityIds;
        uint256[] capabilitiesDONIds;
    }
    function getDON(uint32 donId) external view returns (DonInfo);
    function getNodesByP2PIds(bytes32[] p2pIds) external view returns (NodeInfo[]);
}

/// A DON: how many of its nodes may be faulty, and the addresses that its nodes sign with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Don {
    /// Faulty nodes that it stands.
    pub f: usize,
    /// Addresses of its nodes' keys.
    pub signers: BTreeSet<[u8; 20]>,
}

/// Chainlink's list of DONs, a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registry {
    /// The chain it is on.
    pub chain_selector: u64,
    /// Its address there.
    pub address: [u8; 20],
}

impl Registry {
    /// Production's, on Ethereum. Source: `don-info.js` of `@chainlink/cre-sdk` 1.21.1.
    pub const PRODUCTION: Self = Self {
        chain_selector: crate::chains::selector("ethereum-mainnet"),
        address: [
            0x76, 0xc9, 0xcf, 0x54, 0x8b, 0x41, 0x79, 0xf8, 0x90, 0x1c, 0xda, 0x1f, 0x86, 0x23,
            0x56, 0x8b, 0x58, 0x21, 0x5e, 0x62,
        ],
    };

    /// A DON as of the last final block, by two calls.
    ///
    /// # Errors
    /// A call failed, or what it answered does not decode.
    pub fn don(&self, runtime: &Runtime, don_id: u32) -> Result<Don, Error> {
        let chain = Client::new(self.chain_selector);
        let don = chain.call(runtime, self.address, &getDONCall { donId: don_id }).wait()?;
        let mut signers = BTreeSet::new();
        if !don.nodeP2PIds.is_empty() {
            let nodes = getNodesByP2PIdsCall { p2pIds: don.nodeP2PIds };
            let nodes = chain.call(runtime, self.address, &nodes).wait()?;
            // An address stands to the left of its word.
            signers.extend(nodes.iter().filter_map(|node| node.signer.first_chunk().copied()));
        }
        Ok(Don { f: don.f.into(), signers })
    }

    /// The header of a report that enough nodes of its DON signed. Which workflow and owner it may be of, is the
    /// caller's to say.
    ///
    /// # Errors
    /// As [`don`](Self::don) and [`Report::verify`].
    pub fn verify(&self, runtime: &Runtime, report: &Report) -> Result<Header, Error> {
        let don = self.don(runtime, report.header()?.don_id)?;
        Ok(report.verify(&don)?)
    }
}

impl Report {
    /// The header, if `f + 1` nodes of the DON signed it. Signatures that do not count are passed over, as
    /// Chainlink's SDKs do; its forwarder takes no more and no fewer than `f + 1`.
    ///
    /// # Errors
    /// [`ReportError::Signatures`], and as [`header`](Report::header).
    pub fn verify(&self, don: &Don) -> Result<Header, ReportError> {
        let header = self.header()?;
        let raw_hash = Keccak256::digest(self.raw());
        let digest = Keccak256::new().chain_update(raw_hash).chain_update(self.context());
        let digest = digest.finalize();
        let needed = don.f + 1;
        let mut signers = BTreeSet::new();
        let mut refused = None;
        for signature in &self.response().sigs {
            match signer(&digest, &signature.signature) {
                Err(reason) => _ = refused.get_or_insert(reason),
                Ok(address) if !don.signers.contains(&address) => {
                    refused.get_or_insert("is of somebody else");
                }
                Ok(address) => {
                    if !signers.insert(address) {
                        refused.get_or_insert("is of a node that signed already");
                    }
                }
            }
        }
        if signers.len() < needed {
            let (don_id, signers) = (header.don_id, signers.len());
            return Err(ReportError::Signatures { don_id, signers, needed, refused });
        }
        Ok(header)
    }
}

/// Address of whoever signed: `r ‖ s ‖ v`, v of 0, 1, 27 or 28.
fn signer(digest: &[u8], signature: &[u8]) -> Result<[u8; 20], &'static str> {
    let (scalars, v) = match signature.split_last_chunk::<1>() {
        Some((scalars, [v])) if scalars.len() == 64 => (scalars, *v),
        _ => return Err("has not 65 bytes"),
    };
    let parity = if v >= 27 { v - 27 } else { v };
    let id = RecoveryId::from_byte(parity).filter(|id| !id.is_x_reduced());
    let id = id.ok_or("has a last byte that is none of 0, 1, 27 and 28")?;
    let signature = Signature::from_slice(scalars).map_err(|_| "is no signature")?;
    let key = VerifyingKey::recover_from_prehash(digest, &signature, id)
        .map_err(|_| "is no signature")?;
    let point = key.to_sec1_point(false);
    let hash = Keccak256::digest(&point.as_bytes()[1..]);
    let mut address = [0; 20];
    address.copy_from_slice(&hash[12..]);
    Ok(address)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{B256, U256};
    use k256::ecdsa::SigningKey;

    use super::*;
    use crate::messages::evm::{CallContractReply, CallContractRequest};
    use crate::report::HEADER_LEN;
    use crate::testing::ScriptedHost;

    mod whole {
        alloy_sol_types::sol! {
            // All of the tuple, of which the SDK reads the front.
            struct WholeDon {
                uint32 id;
                uint32 configCount;
                uint8 f;
                bool isPublic;
                bool acceptsWorkflows;
                bytes32[] nodeP2PIds;
                string[] donFamilies;
                string name;
                bytes config;
            }
            function getDON(uint32 donId) external view returns (WholeDon);
        }
    }

    const DON: u32 = 7;
    const REGISTRY: Registry = Registry { chain_selector: 1, address: [9; 20] };

    fn keys() -> Vec<SigningKey> {
        (1..=4).map(|byte| SigningKey::from_slice(&[byte; 32]).unwrap()).collect()
    }

    fn address(key: &SigningKey) -> [u8; 20] {
        let digest = [7; 32];
        signer(&digest, &sign(key, &digest)).unwrap()
    }

    fn sign(key: &SigningKey, digest: &[u8]) -> Vec<u8> {
        let (signature, id) = key.sign_prehash_recoverable(digest);
        [&signature.to_bytes()[..], &[id.to_byte()]].concat()
    }

    fn don() -> Don {
        Don { f: 1, signers: keys().iter().map(address).collect() }
    }

    fn raw() -> Vec<u8> {
        let mut raw = vec![0; HEADER_LEN];
        raw[0] = 1;
        raw[37..41].copy_from_slice(&DON.to_be_bytes());
        [raw, b"payload".to_vec()].concat()
    }

    fn digest(raw: &[u8]) -> Vec<u8> {
        let inner = Keccak256::digest(raw);
        Keccak256::new().chain_update(inner).chain_update([3; 96]).finalize().to_vec()
    }

    /// The report, signed by these of the keys.
    fn signed(by: &[usize]) -> Report {
        let (keys, raw) = (keys(), raw());
        let signatures: Vec<_> = by.iter().map(|at| sign(&keys[*at], &digest(&raw))).collect();
        Report::parse(raw, signatures, [3; 96]).unwrap()
    }

    fn host(f: u8, answer: impl Fn(Vec<B256>) -> Vec<NodeInfo> + 'static) -> ScriptedHost {
        ScriptedHost::new()
            .answer_call(1, REGISTRY.address, move |call: whole::getDONCall| {
                Ok(whole::WholeDon {
                    id: call.donId,
                    configCount: 3,
                    f,
                    isPublic: true,
                    acceptsWorkflows: true,
                    nodeP2PIds: (1..=4).map(B256::repeat_byte).collect(),
                    donFamilies: vec!["zone-a".to_owned()],
                    name: "workflow".to_owned(),
                    config: vec![1; 40].into(),
                })
            })
            .answer_call(1, REGISTRY.address, move |call: getNodesByP2PIdsCall| {
                Ok(answer(call.p2pIds))
            })
    }

    fn nodes(ids: Vec<B256>) -> Vec<NodeInfo> {
        let node = |(id, key): (B256, &SigningKey)| NodeInfo {
            nodeOperatorId: 5,
            configCount: 1,
            workflowDONId: DON,
            signer: B256::right_padding_from(&address(key)),
            p2pId: id,
            encryptionPublicKey: B256::ZERO,
            csaKey: B256::ZERO,
            capabilityIds: vec!["cron-trigger@1.0.0".to_owned()],
            capabilitiesDONIds: vec![U256::from(1)],
        };
        ids.into_iter().zip(&keys()).map(node).collect()
    }

    #[test]
    fn a_report_of_enough_nodes_of_the_registrys_don_is_taken() {
        let runtime = host(1, nodes).runtime();
        assert_eq!(REGISTRY.don(&runtime, DON), Ok(don()));
        for by in [&[0, 1][..], &[3, 2], &[1, 1, 2], &[0, 1, 2, 3]] {
            let header = REGISTRY.verify(&runtime, &signed(by)).unwrap();
            assert_eq!(header.don_id, DON);
        }
        let too_few = REGISTRY.verify(&host(2, nodes).runtime(), &signed(&[0, 1]));
        assert!(matches!(too_few, Err(Error::Report(ReportError::Signatures { needed: 3, .. }))));
        let nobody = REGISTRY.verify(&host(0, |_| Vec::new()).runtime(), &signed(&[0]));
        assert!(matches!(nobody, Err(Error::Report(ReportError::Signatures { signers: 0, .. }))));
    }

    #[test]
    fn signatures_that_do_not_count_are_told() {
        let refused = |report: &Report| {
            let error = report.verify(&don()).unwrap_err();
            let ReportError::Signatures { don_id: DON, signers: 1, needed: 2, refused } = error
            else {
                panic!("{error}");
            };
            refused
        };
        assert_eq!(refused(&signed(&[2])), None);
        assert_eq!(refused(&signed(&[2, 2])), Some("is of a node that signed already"));
        let with = |signature: Vec<u8>| {
            let first = signed(&[0]).response().sigs[0].signature.clone();
            refused(&Report::parse(raw(), [first, signature], [3; 96]).unwrap())
        };
        let stranger = SigningKey::from_slice(&[9; 32]).unwrap();
        let theirs = sign(&stranger, &digest(&raw()));
        assert_eq!(with(theirs.clone()), Some("is of somebody else"));
        assert_eq!(with(theirs[..64].to_vec()), Some("has not 65 bytes"));
        let last_byte = "has a last byte that is none of 0, 1, 27 and 28";
        for v in [2, 3, 4, 26, 29, 30, 255] {
            assert_eq!(with([&theirs[..64], &[v]].concat()), Some(last_byte), "{v}");
        }
        assert_eq!(with(vec![0; 65]), Some("is no signature"));
    }

    #[test]
    fn ethereums_recovery_bytes_count_too() {
        let mut response = signed(&[0, 1]).into_response();
        for signature in &mut response.sigs {
            signature.signature[64] += 27;
        }
        assert!(Report::new(response).verify(&don()).is_ok());
    }

    #[test]
    fn whatever_is_signed_cannot_be_changed() {
        let response = signed(&[0, 1]).into_response();
        for at in 1..response.raw_report.len() {
            let mut changed = response.clone();
            changed.raw_report[at] ^= 1;
            assert!(Report::new(changed).verify(&don()).is_err(), "byte {at}");
        }
        for at in 0..96 {
            let mut changed = response.clone();
            changed.report_context[at] ^= 1;
            assert!(Report::new(changed).verify(&don()).is_err(), "context, byte {at}");
        }
    }

    #[test]
    fn a_registry_that_answers_something_else_is_named() {
        let answer = |_: CallContractRequest| Ok(CallContractReply { data: vec![0; 31] });
        let host = ScriptedHost::new().answer("evm:ChainSelector:1@1.0.0", "CallContract", answer);
        let error = REGISTRY.don(&host.runtime(), DON).unwrap_err();
        assert!(matches!(error, Error::Abi { signature: "getDON(uint32)", .. }), "{error}");
    }

    /// A report that production's DON signed, and the signers that production's registry named.
    #[test]
    fn a_report_of_production_is_taken() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/vectors/cre/production-report.json"
        );
        let Ok(text) = std::fs::read_to_string(path) else {
            let _ = std::io::Write::write_all(
                &mut std::io::stdout(),
                b"skipped: the recorded report is not there\n",
            );
            return;
        };
        let recorded: serde_json::Value = serde_json::from_str(&text).unwrap();
        let hex = |value: &serde_json::Value| {
            let text = value.as_str().unwrap();
            let bytes =
                (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16));
            bytes.collect::<Result<Vec<u8>, _>>().unwrap()
        };
        let all = |key: &str| recorded[key].as_array().unwrap().iter().map(hex);
        let report = Report::parse(
            hex(&recorded["rawReport"]),
            all("signatures"),
            hex(&recorded["reportContext"]),
        )
        .unwrap();
        let signers = all("signers").map(|signer| signer.try_into().unwrap()).collect();
        let header = report.verify(&Don { f: 3, signers }).unwrap();
        assert_eq!((header.don_id, header.timestamp), (1, 1_774_809_002));
        assert_eq!(&header.workflow_name, b"6a2c982ddd");
        assert_eq!(report.payload(), b"Hello, World!");
        assert_eq!(report.response().seq_nr, 23_145_419);
    }
}
