//! `cdpr status`: a deployment in words, from its address file and a node of the chain: who may do what, what is open,
//! what waits and for how long, and what is wrong. Nothing is believed that the contracts do not say.

use std::fmt::Display;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use evm::abi::{EnclaveRegistry, PriceFeed, RecoveryGuard, TimelockController};
use evm::alloy::eips::BlockNumberOrTag;
use evm::alloy::primitives::{Address, B256, U256};
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::alloy::sol_types::SolEvent as _;
use evm::second::abi::{DarkPool, ShieldedPool};
use evm::second::scan::Scan;
use evm::second::word;
use primitives::{Disclosure, Timestamp};
use protocol::RequestStatus;
use serde_json::{Value, json};

use super::amount::words;
use super::block_on;
use crate::addresses::{self, Addresses, Connected};
use crate::terminal::{Progress, on_interrupt, say};
use crate::{Ending, Failure};

/// Leaves may wait so long, seconds, before somebody should look: absorbing is anyone's.
const WAIT: u64 = 600;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The address file of the system.
    #[arg(value_name = "FILE", default_value = "cdpr-dev.json")]
    addresses: PathBuf,
    /// A node of the chain, instead of the address file's.
    #[arg(long, value_name = "URL", env = "ETH_RPC_URL", hide_env_values = true)]
    rpc: Option<String>,
    /// One JSON object on stdout: times in Unix seconds, ages in seconds, amounts in tokens.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    on_interrupt("interrupted; nothing was changed".to_owned(), || false);
    let addresses = Addresses::read(&arguments.addresses)?;
    let status = block_on(async {
        let connected = addresses::connect(&addresses, arguments.rpc.as_deref()).await?;
        let progress = Progress::working("asking");
        let status = Status::read(&addresses, &connected).await;
        drop(progress);
        status
    })?;
    say(if arguments.json { format!("{}\n", status.json()) } else { status.text() })?;
    Ok(Ending::Done)
}

/// A section's rows: what people read beside what programs read.
struct Section {
    name: &'static str,
    rows: Vec<(&'static str, String, Value)>,
}

impl Section {
    const fn new(name: &'static str) -> Self {
        Self { name, rows: Vec::new() }
    }

    fn row(&mut self, what: &'static str, words: impl Display, value: impl Into<Value>) {
        self.rows.push((what, words.to_string(), value.into()));
    }
}

struct Status {
    sections: Vec<Section>,
    wrong: Vec<String>,
}

impl Status {
    async fn read(addresses: &Addresses, connected: &Connected) -> Result<Self, Failure> {
        let provider = &connected.provider;
        let newest = provider.get_block_by_number(BlockNumberOrTag::Latest).await;
        let newest = newest.context("the newest block")?.context("the newest block")?.header;
        let mut asked = Asked { addresses, connected, now: newest.timestamp, wrong: Vec::new() };
        let mut chain = Section::new("chain");
        let at = &addresses.contracts;
        chain.row("id", at.chain_id, at.chain_id);
        let when = Timestamp(newest.timestamp);
        chain.row("newest block", format!("{}, {when}", newest.number), newest.number);
        chain.row("time", newest.timestamp, newest.timestamp);
        let failed = "asking the contracts";
        let sections = vec![
            chain,
            asked.pool(newest.number).await.context(failed)?,
            asked.venue().await.context(failed)?,
            asked.guard().await.context(failed)?,
            asked.enclaves(newest.number).await.context(failed)?,
        ];
        Ok(Self { sections, wrong: asked.wrong })
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for Section { name, rows } in &self.sections {
            text += &format!("{name}\n");
            for (what, words, _) in rows {
                text += &format!("  {what:<16}{words}\n");
            }
        }
        if self.wrong.is_empty() {
            return text + "nothing is wrong\n";
        }
        text += "wrong\n";
        for wrong in &self.wrong {
            text += &format!("  {wrong}\n");
        }
        text
    }

    fn json(&self) -> Value {
        let sections = self.sections.iter().map(|Section { name, rows }| {
            let rows = rows.iter().map(|(what, _, value)| (what.replace(' ', "_"), value.clone()));
            ((*name).to_owned(), Value::Object(rows.collect()))
        });
        let mut json = Value::Object(sections.collect());
        json["wrong"] = json!(self.wrong);
        json
    }
}

struct Asked<'a> {
    addresses: &'a Addresses,
    connected: &'a Connected,
    /// The newest block's time.
    now: u64,
    wrong: Vec<String>,
}

impl Asked<'_> {
    fn provider(&self) -> DynProvider {
        self.connected.provider.clone()
    }

    fn age(&self, time: u64) -> u64 {
        self.now.saturating_sub(time)
    }

    async fn pool(&mut self, head: u64) -> anyhow::Result<Section> {
        let mut section = Section::new("pool");
        let at = &self.addresses.contracts;
        let pool = ShieldedPool::new(at.pool, self.provider());
        section.row("address", format!("{}, nobody's", at.pool), at.pool.to_string());
        let window = self.connected.window;
        section.row("window", format!("{window} s from a closing, or an announcement"), window);
        let market = &self.connected.market;
        for (what, token, decimals) in [
            ("collateral", at.cash, market.collateral_decimals),
            ("claim", at.claim, market.consideration_decimals),
        ] {
            let asset = pool.asset(token).call().await?;
            let held = addresses::balance(&self.provider(), token, at.pool).await;
            let held = held.map_err(|_| anyhow::anyhow!("asking {token} for a balance"))?;
            let tokens = |units: U256| {
                u128::try_from(units).map_or_else(|_| units.to_string(), |it| words(it, decimals))
            };
            let said = format!(
                "{} recorded, {} held, at most {}",
                tokens(asset.recorded),
                tokens(held),
                tokens(asset.cap)
            );
            let value = json!({
                "token": token,
                "recorded": tokens(asset.recorded),
                "held": tokens(held),
                "cap": tokens(asset.cap),
            });
            section.row(what, said, value);
            if held < asset.recorded {
                self.wrong.push(format!(
                    "the pool holds {} of {token} and owes {}: the token took some, or lies",
                    tokens(held),
                    tokens(asset.recorded)
                ));
            }
        }
        let entry = pool.entry().call().await?;
        let [first, end] = [entry.head, entry.tail].map(|it| it.to::<u64>());
        let waiting = end.saturating_sub(first);
        let leaves = entry.nextIndex.to::<u64>();
        section.row("leaves", format!("{leaves} places of 4294967296 taken"), leaves);
        let oldest = if waiting > 0 { self.queued(first, head).await? } else { None };
        let age = oldest.map(|time| self.age(time));
        let since = age.map(|age| format!(", the oldest for {age} s")).unwrap_or_default();
        section.row(
            "waiting",
            format!("{waiting}{since}"),
            json!({ "leaves": waiting, "oldest_age": age }),
        );
        if let Some(age) = age.filter(|age| *age > WAIT) {
            self.wrong
                .push(format!("a deposit waits for {age} s: nobody absorbs, which anyone may"));
        }
        Ok(section)
    }

    /// When the leaf at a place of the queue was queued.
    async fn queued(&self, position: u64, head: u64) -> anyhow::Result<Option<u64>> {
        let at = &self.addresses.contracts;
        let mut scan = Scan::new(vec![at.pool], self.addresses.created);
        while !scan.has_read(head) {
            for log in scan.advance(&self.provider(), head).await? {
                let Ok(queued) = ShieldedPool::Queued::decode_log(&log.inner) else { continue };
                if queued.position != U256::from(position) {
                    continue;
                }
                let number = log.block_number.unwrap_or_default();
                let block = self.provider().get_block_by_number(number.into()).await?;
                return Ok(block.map(|block| block.header.timestamp));
            }
        }
        Ok(None)
    }

    async fn venue(&mut self) -> anyhow::Result<Section> {
        let mut section = Section::new("venue");
        let at = &self.addresses.contracts;
        let venue = DarkPool::new(at.dark_pool, self.provider());
        let pool = ShieldedPool::new(at.pool, self.provider());
        section.row("address", at.dark_pool, at.dark_pool.to_string());
        let issuer = venue.issuer().call().await?;
        section.row("issuer", issuer, issuer.to_string());
        let sealed = venue.disclosure().call().await? == Disclosure::Sealed.to_bit();
        let disclosure = if sealed { "sealed" } else { "immediate" };
        section.row("disclosure", disclosure, disclosure);
        let tick = venue.tick().call().await?.to::<u64>();
        section.row("tick", format!("a round closes every {tick} s of a request"), tick);
        let has_mandate = venue.mandate().call().await? != U256::ZERO;
        section.row("mandate", if has_mandate { "registered" } else { "none" }, has_mandate);
        let kept = pool.venue(word(&at.venue())).call().await?;
        let is_open = kept.account != U256::ZERO;
        section.row("account", if is_open { "open" } else { "none" }, is_open);
        let settled = kept.settledAt.to::<u64>();
        let age = (settled > 0).then(|| self.age(settled));
        let said = age.map_or_else(|| "none yet".to_owned(), |age| format!("{age} s ago"));
        section.row("last settlement", said, json!({ "age": age }));
        let id = venue.currentRequestId().call().await?;
        if id == B256::ZERO {
            section.row("request", "none yet", Value::Null);
        } else {
            let request = venue.request(id).call().await?;
            let status = venue.getRequestStatus(id).call().await?;
            let status = RequestStatus::from_number(status).context("a request's status")?;
            let expires = request.expires.to::<u64>();
            let left = expires.saturating_sub(self.now);
            let said = format!(
                "{status:?} at up to {} bp, {} rounds, {left} s left\n  {:<16}{id}",
                request.premiumCapBps, request.rounds, ""
            );
            let value = json!({
                "id": id,
                "status": format!("{status:?}"),
                "premium_cap_bps": request.premiumCapBps,
                "rounds": request.rounds,
                "opened": request.opened.to::<u64>(),
                "expires": expires,
            });
            section.row("request", said, value);
        }
        let price = PriceFeed::new(at.price_feed, self.provider()).latestRoundData().call().await?;
        let (answer, age) = (price._1, self.age(price._3.to::<u64>()));
        let most = venue.priceAgeMax().call().await?.to::<u64>();
        let said = format!("{answer} of 10^8, {age} s old, at most {most} s at a closing");
        let value = json!({ "answer": answer.to_string(), "age": age, "age_max": most });
        section.row("price", said, value);
        if answer.is_negative() || answer.is_zero() {
            self.wrong.push(format!("the feed answers {answer}, which is no price"));
        } else if age > most {
            self.wrong.push(format!(
                "the feed's answer is {age} s old: no round that closes now settles"
            ));
        }
        Ok(section)
    }

    async fn guard(&mut self) -> anyhow::Result<Section> {
        let mut section = Section::new("guard");
        let at = &self.addresses.contracts;
        let guard = RecoveryGuard::new(at.guard, self.provider());
        let may_mint = guard.mintAllowed().call().await?;
        section.row("minting", if may_mint { "allowed" } else { "not allowed" }, may_mint);
        let [attempts, most] = [guard.attempts().call().await?, guard.attemptsMax().call().await?];
        let [attempts, most] = [attempts, most].map(|it| u64::try_from(it).unwrap_or(u64::MAX));
        let value = json!({ "expired": attempts, "max": most });
        section.row("attempts", format!("{attempts} of {most} expired"), value);
        let cap = guard.premiumCapBps().call().await?;
        let cap = u64::try_from(cap).unwrap_or(u64::MAX);
        section.row("premium", format!("at most {cap} bp"), cap);
        let guardian = guard.guardian().call().await?;
        section.row(
            "guardian",
            format!("{guardian} may stop minting, and nothing else"),
            guardian.to_string(),
        );
        let owner = guard.owner().call().await?;
        let timelock = TimelockController::new(at.timelock, self.provider());
        let delay = u64::try_from(timelock.getMinDelay().call().await?).unwrap_or(u64::MAX);
        let value = json!({ "address": owner, "delay": delay });
        section.row("owner", format!("{owner}, {delay} s after it says so"), value);
        if owner != at.timelock {
            self.wrong
                .push(format!("the guard's owner {owner} is not the timelock {}", at.timelock));
        }
        if guard.halted().call().await? {
            self.wrong.push("minting is halted: the owner resumes it".to_owned());
        }
        Ok(section)
    }

    async fn enclaves(&mut self, head: u64) -> anyhow::Result<Section> {
        let mut section = Section::new("enclaves");
        let at = &self.addresses.contracts;
        let registry = EnclaveRegistry::new(at.registry, self.provider());
        let mut scan = Scan::new(vec![at.registry], self.addresses.created);
        let mut signers: Vec<Address> = Vec::new();
        while !scan.has_read(head) {
            for log in scan.advance(&self.provider(), head).await? {
                if let Ok(it) = EnclaveRegistry::EnclaveRegistered::decode_log(&log.inner)
                    && !signers.contains(&it.signer)
                {
                    signers.push(it.signer);
                }
            }
        }
        let mut listed = Vec::new();
        for signer in signers {
            let kept = registry.enclave(signer).call().await?;
            let is_active = registry.isActive(signer).call().await?;
            let left = kept.expiry.saturating_sub(self.now);
            listed.push((signer, is_active, left));
        }
        let active = listed.iter().filter(|(_, is_active, _)| *is_active).count();
        let words = listed.iter().map(|(signer, is_active, left)| {
            let state = if *is_active { "active" } else { "not active" };
            format!("{signer} {state}, {left} s left")
        });
        let words: Vec<String> = words.collect();
        let said = if words.is_empty() {
            "none registered: no round settles".to_owned()
        } else {
            words.join("\n                  ")
        };
        let value: Vec<Value> = listed
            .iter()
            .map(|(signer, is_active, left)| json!({ "signer": signer, "active": is_active, "left": left }))
            .collect();
        section.row("keys", said, value);
        if !listed.is_empty() && active == 0 {
            self.wrong.push("no enclave's key is active: no round settles".to_owned());
        }
        Ok(section)
    }
}
