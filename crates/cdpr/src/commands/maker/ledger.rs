//! What a maker has, from its words and the pool's logs alone. Nothing is cached: a seed and a chain give the same
//! answer each time.

use core::fmt;

use anyhow::Context as _;
use client::second::{Maker, Market};
use evm::alloy::primitives::Address;
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::second::call::Slots;
use evm::second::{element, log, roots, scan::Scan};
use indicatif::ProgressBar;
use pool::Fr;
use pool::second::wallet::{At, Held, Spend, Trees};
use serde_json::json;

use super::place::Place;
use crate::Failure;
use crate::addresses::{self, Connected};
use crate::commands::amount::words;
use crate::commands::refuse;
use crate::terminal::Progress;

/// A maker as of a block.
pub(super) struct Ledger {
    pub(super) provider: DynProvider,
    pub(super) maker: Maker,
    pub(super) trees: Trees,
    market: Market,
    /// See [`Connected::window`].
    pub(super) window: u64,
    /// The newest block that was read, and its time, Unix seconds.
    pub(super) block: u64,
    pub(super) time: u64,
    /// The node's newest.
    head: u64,
}

impl Ledger {
    /// Reads the chain up to its newest final block.
    pub(super) async fn open(place: &Place, rpc: Option<&str>) -> Result<Self, Failure> {
        let addresses = place.addresses();
        let connected = addresses::connect(addresses, rpc).await?;
        let (block, time) = connected.final_block().await?;
        let Connected { provider, market, window } = connected;
        let mut maker = place.maker(market)?;
        let head = provider.get_block_number().await.context("asking for the newest block")?;
        let mut trees = Trees::default();
        let mut scan = Scan::new(vec![addresses.contracts.pool], addresses.created);
        let bar = ProgressBar::new(block).with_position(addresses.created);
        let template = "{bar:30} block {pos} of {len} ({eta})";
        let progress = Progress::new(bar, template, |bar| {
            format!("reading: block {} of {}", bar.position(), bar.length().unwrap_or_default())
        });
        while !scan.has_read(block) {
            let logs = scan.advance(&provider, block).await.context("reading the pool")?;
            for log in logs {
                let at = log::cursor(&log).context("reading the pool")?;
                let event = log::event(&log, addresses.contracts.pool);
                let Some(event) = event.context("reading the pool")? else { continue };
                trees.apply(&event).context("the node left something out: ask another")?;
                maker.scan(at, &event).context("reading the pool")?;
            }
            progress.bar.set_position(scan.next());
        }
        drop(progress);
        Ok(Self { provider, maker, trees, market, window, block, time, head })
    }

    pub(super) const fn market(&self) -> &Market {
        &self.market
    }

    pub(super) fn pool(&self) -> Address {
        Address::from(self.market.pool.0)
    }

    pub(super) fn decimals(&self, asset: Fr) -> u8 {
        let is_claim = asset == element(Address::from(self.market.consideration.0));
        if is_claim { self.market.consideration_decimals } else { self.market.collateral_decimals }
    }

    /// Notes that can be spent now.
    pub(super) fn ready(&self, asset: Fr) -> impl Iterator<Item = &Held> {
        let held = self.maker.wallet().held().iter().filter(move |it| it.note.asset == asset);
        held.filter(|held| held.is_ready(self.time, self.window))
    }

    /// Where the pool keeps the roots that the plan is over.
    pub(super) async fn slots(&self, plan: &Spend) -> Result<Slots, Failure> {
        let gone =
            || refuse("the pool has moved on since the chain was read", "run the same again");
        let (provider, pool) = (&self.provider, self.pool());
        let entry = roots::entry_slot(provider, pool, &plan.entry_root).await.context("roots")?;
        let entry = entry.ok_or_else(gone)?;
        if plan.venue == Fr::from(0u8) {
            return Ok(Slots { entry, venue: 0 });
        }
        let venue = roots::venue_slot(provider, pool, &plan.venue, &plan.venue_root).await;
        Ok(Slots { entry, venue: venue.context("roots")?.ok_or_else(gone)? })
    }

    fn rows(&self) -> [Row; 2] {
        let Market { collateral, consideration, .. } = self.market;
        [("collateral", collateral), ("claim", consideration)].map(|(name, token)| {
            let asset = element(Address::from(token.0));
            let mut row = Row { name, token: Address::from(token.0), ..Row::default() };
            row.decimals = self.decimals(asset);
            for held in self.maker.wallet().held().iter().filter(|it| it.note.asset == asset) {
                let of = if matches!(held.at, At::Queue(_)) {
                    &mut row.waiting
                } else if held.is_ready(self.time, self.window) {
                    &mut row.spendable
                } else if held.announced == 0 {
                    &mut row.locked
                } else {
                    &mut row.announced
                };
                *of += held.note.amount;
            }
            row
        })
    }

    pub(super) fn to_json(&self) -> String {
        let rows = self.rows().map(|row| {
            let of = |units| words(units, row.decimals);
            json!({
                "asset": row.name,
                "token": row.token,
                "spendable": of(row.spendable),
                "locked": of(row.locked),
                "announced": of(row.announced),
                "waiting": of(row.waiting),
            })
        });
        let unread = self.maker.wallet().unread().len();
        let json = json!({
            "scanned": { "to": self.block, "of": self.head },
            "assets": rows,
            "unread_payouts": unread,
        });
        format!("{json}\n")
    }
}

/// What there is of an asset, base units.
#[derive(Default)]
struct Row {
    name: &'static str,
    token: Address,
    decimals: u8,
    spendable: u128,
    locked: u128,
    announced: u128,
    waiting: u128,
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<12}{:>20}{:>20}{:>20}", "", "spendable", "locked", "announced")?;
        for row in self.rows() {
            let of = |units| words(units, row.decimals);
            writeln!(
                f,
                "{:<12}{:>20}{:>20}{:>20}",
                row.name,
                of(row.spendable),
                of(row.locked),
                of(row.announced)
            )?;
            if row.waiting > 0 {
                writeln!(f, "  and {} waiting to be absorbed", of(row.waiting))?;
            }
        }
        let unread = self.maker.wallet().unread().len();
        if unread > 0 {
            writeln!(f, "and {unread} payouts at terms that this seed's lines do not tell")?;
        }
        writeln!(f, "read to block {} of {}", self.block, self.head)
    }
}
