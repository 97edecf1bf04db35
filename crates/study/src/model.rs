//! What a run leaves behind: one row of numbers, the same columns for every policy.

use risk::{Outcome, Scenario};
use toml::{Table, Value};

use crate::spec::{self, Model, Reason};
use crate::stats::to_f64;

/// A column of the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// As files write it; the unit stands last.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it means, with its unit.
    pub meaning: &'static str,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Zero or one.
    Flag,
    /// A whole number.
    Count,
    /// A real number, or none.
    Real,
}

const fn column(name: &'static str, kind: Kind, meaning: &'static str) -> Column {
    Column { name, kind, meaning }
}

/// Columns of the recovery model. Those from `seen_` on are what a stranger saw, one a channel.
pub const RECOVERY: &[Column] = &[
    column("deficit", Kind::Flag, "there was a hole"),
    column("gap", Kind::Real, "its size, share of initial supply"),
    column("drill", Kind::Flag, "there was a drill instead"),
    column("watched_h", Kind::Real, "hours from the shock to the horizon"),
    column(
        "recovered",
        Kind::Flag,
        "the need was met within the horizon by others than the holders",
    ),
    column("failed", Kind::Flag, "a redemption waited too long, or holders were cut"),
    column("ttr_h", Kind::Real, "hours from the shock to recovery, none without"),
    column("cost_usd", Kind::Real, "premiums and standby fees of this shock, dollars"),
    column("cost_bp", Kind::Real, "the same in basis points of initial supply"),
    column("cover_cost_usd", Kind::Real, "what a drill cost, dollars"),
    column(
        "redeemed",
        Kind::Real,
        "coins redeemed and paid from the shock to the end, share of initial supply",
    ),
    column("redeemed_72h", Kind::Real, "the same to 72 hours after the shock"),
    column("discount_max", Kind::Real, "largest discount, share of par"),
    column("discount_hours", Kind::Real, "integral of the discount, share of par times hours"),
    column("leaked", Kind::Flag, "a maker talked"),
    column("attempts", Kind::Count, "attempts made"),
    column("hhi", Kind::Real, "Herfindahl index of fills by maker"),
    column("holder_loss_usd", Kind::Real, "holders' loss, dollars"),
    column("maker_pnl_usd", Kind::Real, "makers' profit, dollars"),
    column("seen_flag", Kind::Flag, "something was published about a shortfall"),
    column("seen_request_h", Kind::Real, "first request on chain, hours; -1 if none"),
    column("seen_calldata_bytes", Kind::Count, "bytes settled on chain"),
    column("seen_fill_lots", Kind::Count, "lots settled, as padded"),
    column("seen_deposits", Kind::Count, "makers' deposits into the pool"),
    column("seen_premium_steps", Kind::Count, "how often a public cap rose"),
    column("seen_mint_pause_h", Kind::Real, "hours without minting"),
    column("seen_mints", Kind::Count, "mints"),
    column("seen_discount_mean", Kind::Real, "mean discount on lit markets, share of par"),
    column("seen_attested_h", Kind::Real, "recovery attestation, hours; -1 if none"),
    column("seen_oracle_silent", Kind::Count, "readings that did not come"),
    column("seen_chatter", Kind::Flag, "somebody talked"),
    column("seen_redeemed", Kind::Real, "redemptions, share of initial supply"),
];

/// Columns of CDPR-Bench-1.
pub const BENCH1: &[Column] = &[
    column("recovered", Kind::Flag, "the gap was filled within 20 hours"),
    column("ttr_h", Kind::Real, "hours to recovery, none without"),
    column("cost", Kind::Real, "premiums paid, coins"),
    column("redeemed", Kind::Real, "share of holders that redeemed"),
];

/// The columns a model fills.
pub const fn columns(model: Model) -> &'static [Column] {
    match model {
        Model::Recovery => RECOVERY,
        Model::Bench1 | Model::Bench1Naive => BENCH1,
    }
}

/// Where a column stands.
pub fn position(columns: &[Column], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.name == name)
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// Micro-dollars in dollars.
#[allow(clippy::cast_precision_loss, reason = "eight micro-dollars at forty billion")]
fn dollars(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// The row of an outcome, in the order of [`RECOVERY`].
pub fn row(outcome: &Outcome, scenario: &Scenario) -> Vec<f64> {
    let step_h = scenario.step.hours();
    let seen = &outcome.observation;
    let watched = scenario.steps().saturating_sub(outcome.truth.shock_step);
    vec![
        flag(outcome.truth.deficit),
        outcome.truth.gap,
        flag(outcome.truth.drill),
        f64::from(watched) * step_h,
        flag(outcome.recovered),
        flag(outcome.failed),
        outcome.ttr_steps.map_or(f64::NAN, |steps| f64::from(steps) * step_h),
        dollars(outcome.cost),
        outcome.cost_bp,
        dollars(outcome.cover_cost),
        outcome.redeemed,
        outcome.redeemed_72h,
        outcome.discount_max,
        outcome.discount_hours,
        flag(outcome.leaked),
        f64::from(outcome.attempts),
        outcome.hhi,
        dollars(outcome.holder_loss),
        dollars(outcome.maker_pnl),
        flag(seen.flag),
        seen.request_h,
        to_f64(seen.calldata_bytes),
        to_f64(seen.fill_lots),
        f64::from(seen.deposits),
        f64::from(seen.premium_steps),
        seen.mint_pause_h,
        f64::from(seen.mints),
        seen.discount_mean,
        seen.attested_h,
        f64::from(seen.oracle_silent),
        flag(seen.chatter),
        seen.redeemed,
    ]
}

/// The world a table describes. Unknown keys are named with the nearest one before the model sees them.
///
/// # Errors
/// The key and the reason.
pub fn scenario(table: &Table) -> Result<Scenario, (String, Reason)> {
    let paths: Vec<&str> = risk::schema().iter().map(|field| field.path).collect();
    let groups: Vec<&str> =
        paths.iter().filter_map(|path| path.split_once('.')).map(|(group, _)| group).collect();
    for (group, value) in table {
        let Value::Table(keys) = value else {
            if !paths.contains(&group.as_str()) {
                let all: Vec<&str> = groups.iter().chain(&paths).copied().collect();
                return Err(unknown(group, &all));
            }
            continue;
        };
        if !groups.contains(&group.as_str()) {
            return Err(unknown(group, &groups));
        }
        for key in keys.keys() {
            let path = format!("{group}.{key}");
            if !paths.contains(&path.as_str()) {
                return Err(unknown(&path, &paths));
            }
        }
    }
    Value::Table(table.clone()).try_into().map_err(|error: toml::de::Error| {
        let (key, message) = named(error.message(), |path| paths.contains(&path));
        let key = key.map(|key| format!(".{key}")).unwrap_or_default();
        (format!("scenario{key}"), reason(message))
    })
}

/// The policy a table describes.
///
/// # Errors
/// The key and the reason.
pub fn policy(table: &Table) -> Result<risk::Policy, (String, Reason)> {
    let name = spec::policy_name(table);
    let at = |rest: &str| format!("policy.{name}{rest}");
    for key in table.keys() {
        let names = ["name", "mechanism", "disclosure"];
        if !names.contains(&key.as_str()) {
            let nearest = spec::nearest(key, &names);
            return Err((at(&format!(".{key}")), Reason::Unknown { nearest }));
        }
    }
    if let Some(Value::String(found)) = table.get("disclosure") {
        let known: Vec<&str> = risk::Disclosure::ALL.iter().map(|known| known.name()).collect();
        if !known.contains(&found.as_str()) {
            let known = known.into_iter().map(str::to_owned).collect();
            let reason = Reason::NotOneOf { found: found.clone(), known };
            return Err((at(".disclosure"), reason));
        }
    }
    let kinds = risk::Mechanism::all();
    match table.get("mechanism") {
        None => {
            let example = "mechanism = { kind = \"cdpr-clock\" }";
            return Err((at(".mechanism"), Reason::Missing { example }));
        }
        Some(Value::Table(mechanism)) => {
            let kind = mechanism.get("kind").and_then(Value::as_str).unwrap_or_default();
            let Some(found) = kinds.iter().find(|known| known.name() == kind) else {
                let known = kinds.iter().map(|known| known.name().to_owned()).collect();
                let reason = Reason::NotOneOf { found: kind.to_owned(), known };
                return Err((at(".mechanism.kind"), reason));
            };
            let names: Vec<&str> = found
                .fields()
                .iter()
                .map(|field| field.path.rsplit('.').next().unwrap_or(field.path))
                .collect();
            for key in mechanism.keys().filter(|key| key.as_str() != "kind") {
                if !names.contains(&key.as_str()) {
                    let nearest = spec::nearest(key, &names);
                    return Err((at(&format!(".mechanism.{key}")), Reason::Unknown { nearest }));
                }
            }
        }
        Some(_) => {
            let reason = Reason::NotA {
                found: "it".into(),
                expected: "a table: mechanism = { kind = \"cdpr-clock\" }",
            };
            return Err((at(".mechanism"), reason));
        }
    }
    Value::Table(table.clone()).try_into().map_err(|error: toml::de::Error| {
        let is_field = |path: &str| {
            kinds.iter().any(|kind| kind.fields().iter().any(|field| field.path == path))
        };
        let (key, message) = named(error.message(), is_field);
        let key = key.map(|key| format!(".mechanism.{}", key.rsplit('.').next().unwrap_or(key)));
        (at(&key.unwrap_or_default()), reason(message))
    })
}

/// A word that is none of those the model lists is met with the nearest one.
fn reason(message: String) -> Reason {
    let quoted: Vec<&str> = message.split('"').skip(1).step_by(2).collect();
    let is_word = |text: &&str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    match quoted.as_slice() {
        [found, known @ ..]
            if known.len() > 1 && message.contains(" is not ") && known.iter().all(is_word) =>
        {
            let known = known.iter().map(|word| (*word).to_owned()).collect();
            Reason::NotOneOf { found: (*found).to_owned(), known }
        }
        _ => Reason::Model { message, hint: None },
    }
}

/// The key that the model's message begins with, and the message.
fn named(message: &str, is_key: impl Fn(&str) -> bool) -> (Option<&str>, String) {
    match message.split_once(": ") {
        Some((key, rest)) if is_key(key) => (Some(key), rest.to_owned()),
        _ => (None, message.to_owned()),
    }
}

fn unknown(path: &str, known: &[&str]) -> (String, Reason) {
    let nearest = spec::nearest(path, known).map(|nearest| format!("scenario.{nearest}"));
    (format!("scenario.{path}"), Reason::Unknown { nearest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_filled_and_named_once() {
        let row = row(&Outcome::default(), &Scenario::default());
        assert_eq!(row.len(), RECOVERY.len());
        let mut names: Vec<&str> = RECOVERY.iter().map(|column| column.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RECOVERY.len());
    }

    fn error(source: &str) -> String {
        let (key, reason) = scenario(&source.parse().unwrap()).unwrap_err();
        format!("{key}: {reason} / {}", reason.hint().unwrap_or_default())
    }

    #[test]
    fn a_scenarios_slip_is_named_with_the_nearest_key() {
        assert_eq!(
            error("[makers]\ninvted = 3"),
            "scenario.makers.invted: no such key / did you mean \"scenario.makers.invited\"?"
        );
        assert_eq!(
            error("[maker]\ninvited = 3"),
            "scenario.maker: no such key / did you mean \"scenario.makers\"?"
        );
        assert!(error("[shock]\ngap = 3").contains("has no unit"));
    }

    #[test]
    fn a_policys_slip_is_named_too() {
        let error = |source: &str| {
            let (key, reason) = policy(&source.parse().unwrap()).unwrap_err();
            format!("{key}: {reason} / {}", reason.hint().unwrap_or_default())
        };
        assert!(
            error("name = 'a'\nmechanism = { kind = 'cdpr-clok' }")
                .contains("did you mean \"cdpr-clock\"?")
        );
        assert!(
            error("name = 'a'\nmechanism = { kind = 'cdpr-clock', slop = '1% /h' }")
                .contains("did you mean \"slope\"?")
        );
    }
}
