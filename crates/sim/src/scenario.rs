//! A scenario: what happens to reserves, when, and who stands ready. Facts and assumptions, in TOML.

use std::collections::BTreeMap;

use primitives::{Amount, Premium, Ratio, Timestamp, sha256};
use protocol::detect::Reserve;
use serde::Deserialize;

/// One scenario, parsed and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Just before the first tick.
    pub start: Timestamp,
    /// Nothing runs past it.
    pub guarantee: Timestamp,
    /// Longest run in ticks.
    pub ticks_max: u32,
    /// Ticks shown after the recovery.
    pub ticks_after: u32,
    /// Coins outstanding at instants, ascending.
    pub supply: Vec<(Timestamp, Amount)>,
    /// What stops counting, ascending.
    pub shocks: Vec<Shock>,
    /// Reserves over supply before the first shock.
    pub ratio: Ratio,
    /// Who stands ready.
    pub panel: Panel,
    /// SHA-256 of the file.
    pub hash: [u8; 32],
}

/// Reserves that stop counting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shock {
    /// When.
    pub at: Timestamp,
    /// How much, at face value.
    pub amount: Amount,
    /// Which part of it no longer counts.
    pub haircut: Premium,
    /// In words.
    pub what: String,
}

impl Shock {
    /// What no longer counts: `amount` less what detection still counts of it, which is rounded down.
    pub fn lost(&self) -> Amount {
        let counted = Premium::new(10_000_u16.saturating_sub(self.haircut.bps()));
        self.amount.saturating_sub(self.amount.share_floor(counted.unwrap_or_default()))
    }
}

/// The makers, as distributions. Premiums in fractions of one, times in the unit named.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Number of makers, 1 to 256.
    pub makers: usize,
    /// Median capacity over supply.
    pub capacity_median: f64,
    /// Standard deviation of its logarithm.
    pub capacity_sigma: f64,
    /// Mean minutes from a request to an order.
    pub latency_minutes: f64,
    /// Yearly funding rate, from and to.
    pub funding: [f64; 2],
    /// Days until the claim pays, from and to.
    pub days: [f64; 2],
    /// Median inventory and effort charge.
    pub effort_median: f64,
    /// Standard deviation of its logarithm.
    pub effort_sigma: f64,
    /// Chance that the claim fails, from and to.
    pub failure: [f64; 2],
    /// Loss given failure, from and to.
    pub loss: [f64; 2],
}

/// Why a scenario file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not TOML, or not this shape.
    #[error("{file}: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// The byte at which it is wrong, where that is one.
        at: Option<usize>,
        /// The parser's words.
        message: String,
    },
    /// A value that cannot be.
    #[error("{file}: key \"{key}\": {reason}\n  hint: {hint}")]
    Value {
        /// The file.
        file: String,
        /// The key; of a table in a list as `list[0].key`.
        key: String,
        /// Why not.
        reason: String,
        /// What would do.
        hint: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    time: RawTime,
    supply: Vec<RawSupply>,
    #[serde(default)]
    shock: Vec<RawShock>,
    reserves: RawReserves,
    panel: RawPanel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTime {
    start: String,
    guarantee: String,
    ticks_max: u32,
    ticks_after: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSupply {
    at: String,
    tokens: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawShock {
    at: String,
    tokens: u64,
    haircut: String,
    what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReserves {
    ratio: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPanel {
    makers: usize,
    capacity_median: String,
    capacity_sigma: f64,
    latency_minutes: f64,
    pricing: RawPricing,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPricing {
    funding: [String; 2],
    days: [f64; 2],
    effort_median: String,
    effort_sigma: f64,
    failure: [String; 2],
    loss: [String; 2],
}

impl Scenario {
    /// Parses and checks a scenario.
    ///
    /// # Errors
    /// [`Error`], naming the file, the key and a way out.
    pub fn parse(source: &str, file: &str) -> Result<Self, Error> {
        let raw: Raw = toml::from_str(source).map_err(|error: toml::de::Error| Error::Syntax {
            file: file.to_owned(),
            at: error.span().map(|span| span.start),
            message: error.message().to_owned(),
        })?;
        let refuse = |key: &str, reason: String, hint| {
            let (file, key) = (file.to_owned(), key.to_owned());
            Error::Value { file, key, reason, hint }
        };
        let instant = |key: &str, text: &str| {
            timestamp(text).ok_or_else(|| {
                refuse(
                    key,
                    format!("\"{text}\" is not an instant"),
                    "write UTC as 2023-03-10T16:40:00Z",
                )
            })
        };
        let percent = |key: &str, text: &str| {
            millionths(text.strip_suffix('%').unwrap_or("")).map(|m| m / 100).ok_or_else(|| {
                refuse(
                    key,
                    format!("\"{text}\" is not a percentage"),
                    "write \"0.5%\", at most four decimals",
                )
            })
        };
        #[expect(clippy::cast_precision_loss, reason = "percentages are far below 2^53 millionths")]
        let fraction = |key: &str, text: &str| percent(key, text).map(|m| m as f64 / 1e6);
        let pair = |key: &str, texts: &[String; 2]| -> Result<[f64; 2], Error> {
            let [from, to] = [fraction(key, &texts[0])?, fraction(key, &texts[1])?];
            if from > to || to >= 1.0 {
                return Err(refuse(
                    key,
                    format!("{from} to {to} is not a range in [0, 1)"),
                    "put the lower bound first",
                ));
            }
            Ok([from, to])
        };
        let start = instant("time.start", &raw.time.start)?;
        let guarantee = instant("time.guarantee", &raw.time.guarantee)?;
        if guarantee <= start {
            return Err(refuse(
                "time.guarantee",
                "it is not after the start".to_owned(),
                "a run needs room",
            ));
        }
        for (key, ticks, least) in [
            ("time.ticks_max", raw.time.ticks_max, 1),
            ("time.ticks_after", raw.time.ticks_after, 0),
        ] {
            if !(least..=2_016).contains(&ticks) {
                let reason = format!("{ticks} ticks is outside {least} to 2016");
                return Err(refuse(key, reason, "2016 are a week of the seed's cron"));
            }
        }
        let mut supply = Vec::new();
        for (index, point) in raw.supply.iter().enumerate() {
            let at = instant(&format!("supply[{index}].at"), &point.at)?;
            supply.push((at, Amount::from_tokens(point.tokens)));
        }
        if supply.is_empty() || !supply.is_sorted_by(|a, b| a.0 < b.0) || supply[0].0 > start {
            let reason = "it does not cover the start in ascending order".to_owned();
            return Err(refuse(
                "supply",
                reason,
                "give at least one point at or before time.start, earliest first",
            ));
        }
        let mut shocks = Vec::new();
        for (index, shock) in raw.shock.iter().enumerate() {
            let key = format!("shock[{index}].haircut");
            let haircut = percent(&key, &shock.haircut)?;
            let haircut = u16::try_from(haircut / 100)
                .ok()
                .filter(|bps| *bps <= 10_000)
                .and_then(Premium::new);
            shocks.push(Shock {
                at: instant(&format!("shock[{index}].at"), &shock.at)?,
                amount: Amount::from_tokens(shock.tokens),
                haircut: haircut.ok_or_else(|| {
                    refuse(
                        &key,
                        format!("{} is outside 0% to 100%", shock.haircut),
                        "what of the unit stops counting",
                    )
                })?,
                what: shock.what.clone(),
            });
        }
        let ratio = millionths(&raw.reserves.ratio)
            .filter(|m| (1..10_000_000).contains(m))
            .ok_or_else(|| {
                let reason = format!("\"{}\" is outside 0.000001 to 9.999999", raw.reserves.ratio);
                refuse("reserves.ratio", reason, "a decimal such as \"1.025\", at most six places")
            })?;
        let first = supply[0].1;
        let reserves = Ratio(ratio).of_ceil(first).unwrap_or(Amount::MAX);
        let shocked =
            shocks.iter().try_fold(Amount::ZERO, |sum, shock| sum.checked_add(shock.amount));
        if shocked.is_ok_and(|sum| sum > reserves) {
            let reason = "shocks take more than there are reserves".to_owned();
            return Err(refuse("shock.tokens", reason, "lower the shocks or raise reserves.ratio"));
        }
        let (panel, pricing) = (&raw.panel, &raw.panel.pricing);
        if !(1..=256).contains(&panel.makers) {
            return Err(refuse(
                "panel.makers",
                format!("{} is outside 1 to 256", panel.makers),
                "each stands ready with an order of its own",
            ));
        }
        for (key, value) in [
            ("panel.capacity_sigma", panel.capacity_sigma),
            ("panel.latency_minutes", panel.latency_minutes),
            ("panel.pricing.effort_sigma", pricing.effort_sigma),
            ("panel.pricing.days", pricing.days[0]),
            ("panel.pricing.days", pricing.days[1] - pricing.days[0]),
        ] {
            if !(0.0..=1_000.0).contains(&value) {
                let reason = format!("{value} is outside 0 to 1000");
                return Err(refuse(key, reason, "of pairs, the lower bound comes first"));
            }
        }
        let share = |key: &str, text: &str| {
            let hint = "a share of the supply, or of the price, for each maker";
            let share = fraction(key, text)?;
            let reason = format!("\"{text}\" is outside 0% to 100%");
            if share <= 1.0 { Ok(share) } else { Err(refuse(key, reason, hint)) }
        };
        Ok(Self {
            name: raw.name,
            start,
            guarantee,
            ticks_max: raw.time.ticks_max,
            ticks_after: raw.time.ticks_after,
            supply,
            shocks,
            ratio: Ratio(ratio),
            panel: Panel {
                makers: panel.makers,
                capacity_median: share("panel.capacity_median", &panel.capacity_median)?,
                capacity_sigma: panel.capacity_sigma,
                latency_minutes: panel.latency_minutes,
                funding: pair("panel.pricing.funding", &pricing.funding)?,
                days: pricing.days,
                effort_median: share("panel.pricing.effort_median", &pricing.effort_median)?,
                effort_sigma: pricing.effort_sigma,
                failure: pair("panel.pricing.failure", &pricing.failure)?,
                loss: pair("panel.pricing.loss", &pricing.loss)?,
            },
            hash: sha256(&[source.as_bytes()]),
        })
    }

    /// Coins outstanding at `now`, interpolated, rounded **down** to the unit; the last point holds on.
    pub fn supply_at(&self, now: Timestamp) -> Amount {
        let after = self.supply.iter().position(|(at, _)| *at > now);
        match after {
            None | Some(0) => self.supply[after.map_or(self.supply.len() - 1, |_| 0)].1,
            Some(index) => {
                let ((t0, a), (t1, b)) = (self.supply[index - 1], self.supply[index]);
                let (span, gone) = (u128::from(t1.since(t0).0), u128::from(now.since(t0).0));
                let (a, b) = (a.units(), b.units());
                let units =
                    if b >= a { a + (b - a) * gone / span } else { a - (a - b) * gone / span };
                Amount::new(units).unwrap_or(Amount::MAX)
            }
        }
    }

    /// Reserve units at `now`. Redemptions are paid from the liquid unit, one for one.
    pub fn reserves_at(&self, now: Timestamp) -> Vec<Reserve> {
        let initial = self.supply_at(self.start);
        let at_start = self.ratio.of_ceil(initial).unwrap_or(Amount::MAX);
        let redeemed = initial.saturating_sub(self.supply_at(now));
        let issued = self.supply_at(now).saturating_sub(initial);
        let exposed = self
            .shocks
            .iter()
            .fold(Amount::ZERO, |sum, shock| sum.checked_add(shock.amount).unwrap_or(sum));
        let liquid = at_start.saturating_sub(exposed).saturating_sub(redeemed);
        let liquid = liquid.checked_add(issued).unwrap_or(Amount::MAX);
        let none = Premium::default();
        let mut units = vec![Reserve { id: 0, amount: liquid, haircut: none }];
        units.extend(self.shocks.iter().zip(1..).map(|(shock, id)| Reserve {
            id,
            amount: shock.amount,
            haircut: if now >= shock.at { shock.haircut } else { none },
        }));
        units
    }

    /// Shocks that struck up to `now`, and after `before` if there is one, in the file's order.
    pub fn shocks_between(
        &self,
        before: Option<Timestamp>,
        now: Timestamp,
    ) -> impl Iterator<Item = &Shock> {
        self.shocks
            .iter()
            .filter(move |shock| before.is_none_or(|before| before < shock.at) && shock.at <= now)
    }
}

/// `1.025` → 1 025 000, exactly; nothing for more than six decimals, signs or exponents.
fn millionths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || !digits(whole)
        || !digits(fraction)
        || fraction.len() > 6
        || text.ends_with('.')
    {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction)
}

/// `2023-03-10T16:40:00Z`, up to the year 2100.
fn timestamp(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|instant| *instant <= Timestamp(4_102_444_800))
}

/// The scenarios that ship with the program, by name.
pub fn shipped() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("usdc-2023-03", include_str!("../../../scenarios/usdc-2023-03.toml")),
        ("healthy", include_str!("../../../scenarios/healthy.toml")),
        ("thin-panel", include_str!("../../../scenarios/thin-panel.toml")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usdc() -> Scenario {
        Scenario::parse(shipped()["usdc-2023-03"], "usdc").unwrap()
    }

    #[test]
    fn shipped_scenarios_parse_and_carry_their_names() {
        for (name, source) in shipped() {
            assert_eq!(Scenario::parse(source, name).unwrap().name, name);
        }
    }

    #[test]
    fn the_shock_opens_the_gap_and_redemptions_do_not() {
        let scenario = usdc();
        let counted = |now| {
            scenario
                .reserves_at(now)
                .iter()
                .map(|unit| {
                    unit.amount
                        .share_floor(Premium::new(10_000 - unit.haircut.bps()).unwrap())
                        .units()
                })
                .sum::<u128>()
        };
        let (before, at) = (
            timestamp("2023-03-10T16:39:59Z").unwrap(),
            timestamp("2023-03-10T16:40:00Z").unwrap(),
        );
        let ratio = |now| counted(now) * 10_000 / scenario.supply_at(now).units();
        assert_eq!(ratio(before), 10_250);
        assert_eq!(ratio(at), 9_473);
        assert_eq!(
            counted(before)
                - counted(at)
                - (scenario.supply_at(before).units() - scenario.supply_at(at).units()),
            3_300_000_000_000_000
        );
    }

    #[test]
    fn what_a_shock_takes_is_what_stops_counting_and_every_shock_is_found() {
        let second = "[[shock]]\nat = \"2023-03-10T16:38:00Z\"\ntokens = 1_000_000_001\nhaircut = \"0.5%\"\n\
                      what = \"bonds\"\n\n[reserves]";
        let source = shipped()["usdc-2023-03"]
            .replace("haircut = \"100%\"", "haircut = \"10%\"")
            .replace("[reserves]", second);
        let scenario = Scenario::parse(&source, "two").unwrap();
        let lost: Vec<Amount> = scenario.shocks.iter().map(Shock::lost).collect();
        assert_eq!(lost, [330_000_000_000_000, 5_000_000_005_000].map(|u| Amount::new(u).unwrap()));
        for shock in &scenario.shocks {
            let counted = |now| {
                let units = scenario.reserves_at(now);
                let whole = |unit: &Reserve| Premium::new(10_000 - unit.haircut.bps()).unwrap();
                units.iter().map(|unit| unit.amount.share_floor(whole(unit)).units()).sum::<u128>()
                    + scenario.supply_at(scenario.start).units()
                    - scenario.supply_at(now).units()
            };
            let (before, at) = (Timestamp(shock.at.0 - 1), shock.at);
            assert_eq!(counted(before) - counted(at), shock.lost().units(), "{}", shock.what);
        }
        let between = |before: &str, now: &str| {
            scenario.shocks_between(timestamp(before), timestamp(now).unwrap()).count()
        };
        assert_eq!(between("2023-03-10T16:35:00Z", "2023-03-10T16:40:00Z"), 2, "in one tick");
        assert_eq!(between("2023-03-10T16:38:00Z", "2023-03-10T16:40:00Z"), 1);
        assert_eq!(between("", "2023-03-10T17:00:00Z"), 2, "before the first tick too");
    }

    #[test]
    fn instants_round_trip() {
        assert_eq!(timestamp("2023-03-12T22:15:00Z"), Some(Timestamp(1_678_659_300)));
        assert_eq!(timestamp("2023-02-30T00:00:00Z"), None);
        assert_eq!(timestamp("tomorrow"), None);
    }

    #[test]
    fn a_bad_value_names_file_key_and_hint() {
        let check = |from: &str, to: &str, key: &str| {
            let source = shipped()["usdc-2023-03"].replacen(from, to, 1);
            let error = Scenario::parse(&source, "x.toml").expect_err(key).to_string();
            assert!(error.starts_with("x.toml") && error.contains(key), "{error}");
        };
        check("start = \"2023-03-10T15:55:00Z\"", "start = \"today\"", "time.start");
        check("guarantee = \"2023-03-12", "guarantee = \"2023-03-09", "time.guarantee");
        check("ticks_max = 144", "ticks_max = 0", "time.ticks_max");
        check("at = \"2023-03-12T00", "at = \"2023-02-30T00", "supply[2].at");
        check("makers = 12", "makers = 0", "panel.makers");
        check("haircut = \"100%\"", "haircut = \"101%\"", "shock[0].haircut");
        check("tokens = 3_300_000_000", "tokens = 99_300_000_000", "shock.tokens");
        check("ratio = \"1.025\"", "ratio = \"lots\"", "reserves.ratio");
        check("failure = [\"3%\", \"7%\"]", "failure = [\"7%\", \"3%\"]", "panel.pricing.failure");
        check("makers = 12", "maker = 12", "maker");
        check(
            "ticks_after = 12",
            "ticks_after = 4_000_000_000",
            "4000000000 ticks is outside 0 to",
        );
        check(
            "effort_median = \"0.3%\"",
            "effort_median = \"300%\"",
            "panel.pricing.effort_median",
        );
        check("latency_minutes = 20", "latency_minutes = nan", "NaN is outside 0 to 1000");
    }
}
