//! Whether a scenario and a policy make a world.

use crate::fields::{Checked, Field};
use crate::policy::{Disclosure, Instrument, Mechanism, Policy};
use crate::scenario::{CLOCK_FIELDS, Kind, Scenario};
use crate::{Adversary, Error, Holders, Issuer, Makers, Market, Shock, Tee};

/// More steps than a replication may have: four weeks of seconds, or 23 years of five minutes.
const STEPS_MAX: u64 = 2_419_200;

/// Checks one world and one policy. A model made of what passes runs to its end.
///
/// # Errors
/// The first thing that is wrong, in the order of [`schema`].
pub fn validate(scenario: &Scenario, policy: &Policy) -> Result<(), Error> {
    for Checked { field, values, written } in
        scenario.checked().into_iter().chain(policy.mechanism.checked())
    {
        let (min, max) = field.range;
        if values.iter().any(|value| !(min..=max).contains(value)) {
            return Err(Error::OutOfRange {
                path: field.path,
                value: written.to_string(),
                min,
                max,
            });
        }
    }
    let steps = scenario.horizon.0 / scenario.step.0;
    if steps > STEPS_MAX {
        return Err(Error::TooManySteps { steps, step_s: scenario.step.0, max: STEPS_MAX });
    }
    let (issuer, makers) = (&scenario.issuer, &scenario.makers);
    if makers.invited > makers.population {
        return Err(Error::Panel { invited: makers.invited, population: makers.population });
    }
    let (reserves, required) = (issuer.liquid.0 + issuer.illiquid.0, 1.0 + issuer.buffer.0);
    if reserves < required - 1e-12 {
        return Err(Error::ShortFromTheStart { reserves, required });
    }
    let latest_s = scenario.shock.at.0 + scenario.shock.window.0;
    if latest_s >= scenario.horizon.0 {
        return Err(Error::ShockAfterHorizon { latest_s, horizon_s: scenario.horizon.0 });
    }
    check_ladder(&policy.mechanism)?;
    if let Some(instrument) = policy.mechanism.instrument() {
        check_instrument(instrument, scenario.shock.kind)?;
    }
    let is_public =
        matches!(policy.mechanism, Mechanism::Flop(_) | Mechanism::Frax(_) | Mechanism::Reserve(_));
    if is_public && policy.disclosure != Disclosure::Public {
        return Err(Error::Disclosure {
            disclosure: policy.disclosure.name(),
            mechanism: policy.mechanism.name(),
        });
    }
    if let Mechanism::CdprWorkflow(workflow) = &policy.mechanism {
        if !matches!(policy.disclosure, Disclosure::None | Disclosure::Flag) {
            return Err(Error::Workflow { disclosure: policy.disclosure.name() });
        }
        let ticks = workflow.timeout.0.div_ceil(scenario.step.0);
        let is_sealed = policy.disclosure == Disclosure::None;
        if is_sealed && ticks < 2 * u64::from(workflow.rounds) {
            return Err(Error::Rounds { rounds: workflow.rounds, ticks });
        }
    }
    Ok(())
}

/// Every key of a [`Scenario`], in the order a file would have them. A policy's are [`Mechanism::fields`].
pub fn schema() -> &'static [Field] {
    const GROUPS: [&[Field]; 8] = [
        Issuer::FIELDS,
        Shock::FIELDS,
        Holders::FIELDS,
        Market::FIELDS,
        Makers::FIELDS,
        Tee::FIELDS,
        Adversary::FIELDS,
        &CLOCK_FIELDS,
    ];
    const LEN: usize = {
        let (mut len, mut group) = (0, 0);
        while group < GROUPS.len() {
            len += GROUPS[group].len();
            group += 1;
        }
        len
    };
    static ALL: [Field; LEN] = {
        let mut all = [CLOCK_FIELDS[0]; LEN];
        let (mut at, mut group) = (0, 0);
        while group < GROUPS.len() {
            let mut key = 0;
            while key < GROUPS[group].len() {
                all[at] = GROUPS[group][key];
                at += 1;
                key += 1;
            }
            group += 1;
        }
        all
    };
    &ALL
}

fn check_ladder(mechanism: &Mechanism) -> Result<(), Error> {
    let ladder = match mechanism {
        Mechanism::CdprUniform(call) => &call.ladder,
        Mechanism::CdprPayAsBid(call) => &call.ladder,
        Mechanism::CdprVcg(call) => &call.ladder,
        Mechanism::CdprWorkflow(workflow) => &workflow.ladder,
        Mechanism::Nothing(_)
        | Mechanism::Halt(_)
        | Mechanism::Flop(_)
        | Mechanism::Frax(_)
        | Mechanism::Reserve(_)
        | Mechanism::Liquity(_)
        | Mechanism::Gyro(_)
        | Mechanism::Standby(_)
        | Mechanism::CdprFixed(_)
        | Mechanism::CdprClock(_) => return Ok(()),
    };
    let rises = ladder.windows(2).all(|pair| pair[0] <= pair[1]);
    if ladder.is_empty() || !rises {
        return Err(Error::Ladder { path: format!("{}.ladder", mechanism.name()) });
    }
    Ok(())
}

/// Book, simulator 7.6: a loan against good assets, or their sale, brings no capital; a claim that absorbs loss
/// does, and brings cash as well.
fn check_instrument(instrument: Instrument, kind: Kind) -> Result<(), Error> {
    let cures_solvency = match instrument {
        Instrument::JuniorNote
        | Instrument::GovernanceToken
        | Instrument::FirstLoss
        | Instrument::BuyBack => true,
        Instrument::SecuredRepo | Instrument::AssetSale => false,
    };
    // A buy-back retires coins below par; against a hole of liquidity alone there is nothing to write off.
    let cures_liquidity = instrument != Instrument::BuyBack;
    let cures = match kind {
        Kind::Solvency => cures_solvency,
        Kind::Liquidity => cures_liquidity,
    };
    if cures {
        return Ok(());
    }
    Err(Error::Instrument {
        instrument: instrument.name(),
        kind: kind.name(),
        cures: match kind {
            Kind::Solvency => "junior-note, governance-token, first-loss or buy-back",
            Kind::Liquidity => {
                "secured-repo, asset-sale, junior-note, governance-token or first-loss"
            }
        },
    })
}
