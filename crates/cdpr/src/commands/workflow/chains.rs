//! The chains of a simulation: those that the project names, over JSON-RPC, or one in this process. Unless
//! told to broadcast, nothing is sent: a write asks the receiver whether it would take the report.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use devchain::{Genesis, LocalChain};
use don::chain::{Chain, DEVELOPMENT_SELECTOR, Transmitter, WalletTransmitter, id};
use don::{Call, Capability as _, Registry};
use engine::Limits;
use evm::abi::KeystoneForwarder;
use evm::alloy::primitives::{Address, B256, Bytes};
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::alloy::rpc::types::TransactionReceipt;
use evm::alloy::sol_types::SolEvent as _;
use evm::alloy::transports::{TransportError, TransportErrorKind};
use evm::report::{Report, SignedReport, refusal};
use evm::{Fees, Patience, SendError, Wallet};
use primitives::Timestamp;
use serde_json::json;
use sim::Embedded;

use super::project::{ChainSettings, Project};
use super::refuse;
use crate::Failure;

/// Chains that CRE knows, by name. Source: `@chainlink/cre-sdk` 1.21.1, its EVM client's table.
const SELECTORS: &[(&str, u64)] = &[
    ("adi-mainnet", 4_059_281_736_450_291_836),
    ("adi-testnet", 9_418_205_736_192_840_573),
    ("apechain-testnet-curtis", 9_900_119_385_908_781_505),
    ("arc-testnet", 3_034_092_155_422_581_607),
    ("avalanche-mainnet", 6_433_500_567_565_415_381),
    ("avalanche-testnet-fuji", 14_767_482_510_784_806_043),
    ("binance_smart_chain-mainnet", 11_344_663_589_394_136_015),
    ("binance_smart_chain-testnet", 13_264_668_187_771_770_619),
    ("celo-mainnet", 1_346_049_177_634_351_622),
    ("celo-sepolia", 3_761_762_704_474_186_180),
    ("cronos-testnet", 2_995_292_832_068_775_165),
    ("dtcc-mainnet-appchain", 13_879_014_182_901_017_172),
    ("dtcc-testnet-andesite", 15_513_093_881_969_820_114),
    ("ethereum-mainnet", 5_009_297_550_715_157_269),
    ("ethereum-mainnet-arbitrum-1", 4_949_039_107_694_359_620),
    ("ethereum-mainnet-base-1", 15_971_525_489_660_198_786),
    ("ethereum-mainnet-ink-1", 3_461_204_551_265_785_888),
    ("ethereum-mainnet-linea-1", 4_627_098_889_531_055_414),
    ("ethereum-mainnet-mantle-1", 1_556_008_542_357_238_666),
    ("ethereum-mainnet-optimism-1", 3_734_403_246_176_062_136),
    ("ethereum-mainnet-scroll-1", 13_204_309_965_629_103_672),
    ("ethereum-mainnet-worldchain-1", 2_049_429_975_587_534_727),
    ("ethereum-mainnet-xlayer-1", 3_016_212_468_291_539_606),
    ("ethereum-mainnet-zksync-1", 1_562_403_441_176_082_196),
    ("ethereum-testnet-sepolia", 16_015_286_601_757_825_753),
    ("ethereum-testnet-sepolia-arbitrum-1", 3_478_487_238_524_512_106),
    ("ethereum-testnet-sepolia-base-1", 10_344_971_235_874_465_080),
    ("ethereum-testnet-sepolia-linea-1", 5_719_461_335_882_077_547),
    ("ethereum-testnet-sepolia-mantle-1", 8_236_463_271_206_331_221),
    ("ethereum-testnet-sepolia-optimism-1", 5_224_473_277_236_331_295),
    ("ethereum-testnet-sepolia-scroll-1", 2_279_865_765_895_943_307),
    ("ethereum-testnet-sepolia-unichain-1", 14_135_854_469_784_514_356),
    ("ethereum-testnet-sepolia-worldchain-1", 5_299_555_114_858_065_850),
    ("ethereum-testnet-sepolia-zksync-1", 6_898_391_096_552_792_247),
    ("gnosis_chain-mainnet", 465_200_170_687_744_372),
    ("gnosis_chain-testnet-chiado", 8_871_595_565_390_010_547),
    ("hyperliquid-mainnet", 2_442_541_497_099_098_535),
    ("hyperliquid-testnet", 4_286_062_357_653_186_312),
    ("ink-testnet-sepolia", 9_763_904_284_804_119_144),
    ("jovay-mainnet", 1_523_760_397_290_643_893),
    ("jovay-testnet", 945_045_181_441_419_236),
    ("megaeth-mainnet", 6_093_540_873_831_549_674),
    ("megaeth-testnet-2", 18_241_817_625_092_392_675),
    ("monad-mainnet", 8_481_857_512_324_358_265),
    ("monad-testnet", 2_183_018_362_218_727_504),
    ("pharos-atlantic-testnet", 16_098_325_658_947_243_212),
    ("pharos-mainnet", 7_801_139_999_541_420_232),
    ("plasma-mainnet", 9_335_212_494_177_455_608),
    ("plasma-testnet", 3_967_220_077_692_964_309),
    ("polygon-mainnet", 4_051_577_828_743_386_545),
    ("polygon-testnet-amoy", 16_281_711_391_670_634_445),
    ("private-testnet-andesite", 6_915_682_381_028_791_124),
    ("private-testnet-basalt", 18_362_000_170_840_307_455),
    ("private-testnet-pumice", 1_564_738_277_398_880_633),
    ("private-testnet-quartzite", 4_175_996_748_267_305_081),
    ("private-testnet-rhyolite", 604_447_335_222_770_945),
    ("robinhood-testnet", 2_032_988_798_112_970_440),
    ("sonic-mainnet", 1_673_871_237_479_749_969),
    ("sonic-testnet", 1_763_698_235_108_410_440),
    ("stable-testnet", 11_793_402_411_494_852_765),
    ("t-rex-testnet", 17_611_928_792_452_358_269),
    ("tac-testnet", 9_488_606_126_177_218_005),
    ("tempo-testnet-moderato", 8_457_817_439_310_187_923),
    ("xlayer-testnet", 10_212_741_611_335_999_305),
];

/// Forwarders that take reports of any signers, where simulations of CRE write to. Source: CRE's forwarder
/// directory, August 2026.
const MOCK_FORWARDERS: [(u64, &str); 2] = [
    (16_015_286_601_757_825_753, "0x15fC6ae953E024d975e77382eEeC56A9101f9F88"),
    (5_009_297_550_715_157_269, "0xa3d1ad4ac559a6575a114998affb2fb2ec97a7d9"),
];

/// The selector of a chain's name.
pub(crate) fn selector(name: &str) -> Option<u64> {
    SELECTORS.iter().find(|(known, _)| *known == name).map(|(_, selector)| *selector)
}

/// The chain's name that may have been meant.
pub(crate) fn nearest(name: &str) -> Option<String> {
    let known: Vec<&str> = SELECTORS.iter().map(|(known, _)| *known).collect();
    study::spec::nearest(name, &known)
}

/// What is told of writes, once the execution is over.
pub(crate) type Notes = Rc<RefCell<Vec<String>>>;

/// Connections of one simulation.
#[derive(Debug)]
pub(crate) struct Chains {
    connected: Vec<Connected>,
    is_local: bool,
    notes: Notes,
}

#[derive(Debug)]
struct Connected {
    selectors: Vec<u64>,
    name: String,
    provider: DynProvider,
    /// `None` where nothing is sent.
    sends: Option<(Address, Wallet, Fees)>,
    forwarder: Address,
}

impl Chains {
    /// Connects to the project's chains. Where there are none, a chain in this process, empty and at `now`,
    /// stands for each chain that CRE knows and that `config` mentions by its selector; or the dark pool's.
    /// `broadcast` sends what is written.
    pub(crate) fn open(
        project: &Project,
        config: &[u8],
        now: Timestamp,
        (broadcast, patience): (bool, Patience),
        dark_pool: Option<&Embedded>,
    ) -> Result<Self, Failure> {
        let mut connected = Vec::new();
        for chain in &project.chains {
            connected.push(connect(chain, project, broadcast, patience)?);
        }
        let is_local = connected.is_empty();
        if is_local {
            let text = String::from_utf8_lossy(config);
            let numbers =
                text.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() > 3);
            let mut selectors: BTreeSet<u64> =
                numbers.filter_map(|digits| digits.parse().ok()).collect();
            selectors.extend(SELECTORS.iter().map(|(_, selector)| *selector));
            selectors.insert(DEVELOPMENT_SELECTOR);
            connected.push(Connected {
                selectors: selectors.into_iter().collect(),
                name: "the chain in this process".to_owned(),
                provider: dark_pool.map_or_else(
                    || LocalChain::new(Genesis::development(now.0)).connect(),
                    Embedded::provider,
                ),
                sends: None,
                forwarder: Address::ZERO,
            });
        }
        Ok(Self { connected, is_local, notes: Notes::default() })
    }

    /// Names of the chains, for people.
    pub(crate) fn names(&self) -> String {
        let names: Vec<_> = self.connected.iter().map(|chain| chain.name.as_str()).collect();
        names.join(", ")
    }

    /// Whether they are only in this process.
    pub(crate) const fn is_local(&self) -> bool {
        self.is_local
    }

    /// What became of the writes since this was last asked.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.borrow_mut())
    }

    /// The connection of a chain.
    pub(crate) fn provider(&self, selector: u64) -> Option<&DynProvider> {
        let chain = self.connected.iter().find(|chain| chain.selectors.contains(&selector))?;
        Some(&chain.provider)
    }

    /// Adds each chain's capability.
    pub(crate) fn register<'a>(
        &self,
        registry: &mut Registry<'a>,
        limits: &Limits,
        dark_pool: Option<&'a Embedded>,
    ) -> anyhow::Result<()> {
        for chain in &self.connected {
            let Connected { provider, name, sends, forwarder, .. } = chain;
            let transmitter = match (sends, dark_pool) {
                (None, Some(world)) => Sender::Embedded(Box::new(world.transmitter())),
                (Some((forwarder, wallet, fees)), _) => Sender::Wallet(WalletTransmitter::new(
                    provider.clone(),
                    *forwarder,
                    wallet.clone(),
                    *fees,
                )?),
                (None, None) => Sender::DryRun(DryRun {
                    provider: provider.clone(),
                    runtime: event_loop()?,
                    forwarder: *forwarder,
                    chain: name.clone(),
                    notes: self.notes.clone(),
                }),
            };
            let one = Chain::new(provider.clone(), transmitter, limits.clone())?;
            let one = Rc::new(RefCell::new(one));
            for selector in &chain.selectors {
                let one = one.clone();
                registry
                    .register(id(*selector), move |call: &Call<'_>| one.borrow_mut().call(call));
            }
        }
        Ok(())
    }
}

fn connect(
    chain: &ChainSettings,
    project: &Project,
    broadcast: bool,
    patience: Patience,
) -> Result<Connected, Failure> {
    let ChainSettings { name, selector, url, forwarder } = chain;
    if !url.starts_with("http://") && !url.starts_with("https://") {
        let what = format!("project.yaml: {name}: {url:?} is no URL of a JSON-RPC node");
        return Err(refuse(what, "it begins with https:// or http://"));
    }
    let provider = don::http::connect_within(url, patience);
    let known = MOCK_FORWARDERS.iter().find(|(known, _)| known == selector).map(|(_, at)| *at);
    let forwarder = match forwarder.as_deref().or(known) {
        Some(text) => Some(text.parse::<Address>().map_err(|error| {
            let what = format!("project.yaml: {name}: forwarder {text:?}: {error}");
            refuse(what, "0x and forty hexadecimal digits")
        })?),
        None => None,
    };
    let sends = match (broadcast, forwarder) {
        (false, _) => None,
        (true, Some(forwarder)) => {
            let (wallet, fees) = wallet(name, &provider, project)?;
            Some((forwarder, wallet, fees))
        }
        (true, None) => {
            let hint = "give the chain under experimental-chains, with its forwarder";
            return Err(refuse(format!("--broadcast: no forwarder of {name} is known"), hint));
        }
    };
    let forwarder = forwarder.unwrap_or_default();
    let (selectors, name) = (vec![*selector], name.clone());
    Ok(Connected { selectors, name, provider, sends, forwarder })
}

/// The account that pays, at twice the chain's present price of gas.
fn wallet(
    name: &str,
    provider: &DynProvider,
    project: &Project,
) -> Result<(Wallet, Fees), Failure> {
    const KEY: &str = "CRE_ETH_PRIVATE_KEY";
    let key = project.environment.get(KEY);
    let key: Option<B256> = key.and_then(|key| key.trim_start_matches("0x").parse().ok());
    let Some(key) = key else {
        let hint = format!("export {KEY} with a funded account's key, or write it into .env");
        return Err(refuse(format!("--broadcast needs {KEY}, 64 hexadecimal digits"), hint));
    };
    let asked = event_loop()
        .map_err(|error| Failure::Internal(error.into()))?
        .block_on(async { Ok((provider.get_chain_id().await?, provider.get_gas_price().await?)) });
    let (chain_id, price) = asked.map_err(|error: TransportError| {
        let hint = "check its URL in project.yaml; --rpc-timeout gives it longer";
        refuse(format!("{name}: {}", don::words(&error)), hint)
    })?;
    let wallet = Wallet::new(&key, chain_id).map_err(|error| refuse(error, "use another key"))?;
    let fees = Fees { fee_max: price.saturating_mul(2), priority_fee_max: price / 10 };
    Ok((wallet, fees))
}

pub(crate) fn event_loop() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

enum Sender<'a> {
    Wallet(WalletTransmitter),
    Embedded(Box<dyn Transmitter + 'a>),
    DryRun(DryRun),
}

impl Transmitter for Sender<'_> {
    fn deliver(
        &mut self,
        receiver: Address,
        report: &SignedReport,
        gas_limit: u64,
    ) -> Result<TransactionReceipt, SendError> {
        match self {
            Self::Wallet(wallet) => wallet.deliver(receiver, report, gas_limit),
            Self::Embedded(world) => world.deliver(receiver, report, gas_limit),
            Self::DryRun(dry) => dry.deliver(receiver, report, gas_limit),
        }
    }
}

/// Calls the receiver as the forwarder would, and makes the receipt that a transaction would have had. Its
/// hash is zero: there is none.
struct DryRun {
    provider: DynProvider,
    runtime: tokio::runtime::Runtime,
    forwarder: Address,
    chain: String,
    notes: Notes,
}

impl Transmitter for DryRun {
    fn deliver(
        &mut self,
        receiver: Address,
        report: &SignedReport,
        _gas_limit: u64,
    ) -> Result<TransactionReceipt, SendError> {
        let Self { provider, runtime, forwarder, chain, notes } = self;
        let refused = runtime.block_on(async {
            if provider.get_code_at(receiver).await?.is_empty() {
                return Ok(Some("there is no contract at that address".to_owned()));
            }
            let reason = refusal(provider, *forwarder, receiver, &report.raw).await?;
            Ok(reason.map(|data| {
                if data.is_empty() {
                    "it reverts".to_owned()
                } else {
                    format!("it reverts with {data}")
                }
            }))
        });
        let refused =
            refused.map_err(|source| SendError::Unreachable { hash: B256::ZERO, source })?;
        let outcome = match &refused {
            None => "the receiver takes the report".to_owned(),
            Some(reason) => format!("the receiver refuses the report: {reason}"),
        };
        let payload = report.raw.len().saturating_sub(evm::report::HEADER_LEN);
        notes.borrow_mut().push(format!(
            "{chain}: a report of {payload} bytes to {receiver} was not sent (no --broadcast); {outcome}"
        ));
        let header = Report::parse(&report.raw).ok();
        let event = KeystoneForwarder::ReportProcessed {
            receiver,
            workflowExecutionId: header
                .as_ref()
                .map(|header| header.execution_id)
                .unwrap_or_default(),
            reportId: header.map(|header| header.report_id).unwrap_or_default().into(),
            result: refused.is_none(),
        };
        let log = event.encode_log_data();
        let receipt = json!({
            "type": "0x2", "status": "0x1", "cumulativeGasUsed": "0x0", "gasUsed": "0x0",
            "effectiveGasPrice": "0x0", "logsBloom": Bytes::from(vec![0; 256]),
            "transactionHash": B256::ZERO, "transactionIndex": "0x0", "blockHash": null,
            "blockNumber": null, "from": Address::ZERO, "to": forwarder, "contractAddress": null,
            "logs": [{
                "address": forwarder, "topics": log.topics(), "data": log.data, "blockHash": null,
                "blockNumber": null, "transactionHash": B256::ZERO, "transactionIndex": "0x0",
                "logIndex": "0x0", "removed": false,
            }],
        });
        serde_json::from_value(receipt).map_err(|error| SendError::Unreachable {
            hash: B256::ZERO,
            source: TransportErrorKind::custom(error),
        })
    }
}
