//! The orderings of book, simulator 1, controls, and that confidentiality can lose.

mod common;

use common::{mean, policy, runs, scenario, share, ttr_h};
use risk::{Instrument, Kind, Model, Outcome, Scenario, Trace};

const RUNS: u64 = 150;

/// The prototype had no governance: a request that fails stays failed.
fn base() -> Scenario {
    scenario("[issuer]\ngovernance = \"167 h\"")
}

fn recovered(outcomes: &[Outcome]) -> f64 {
    share(outcomes, |o| o.recovered)
}

fn cost(outcomes: &[Outcome]) -> f64 {
    mean(outcomes, |o| o.cost_bp).0
}

fn run_off(outcomes: &[Outcome]) -> f64 {
    mean(outcomes, |o| o.redeemed_72h).0
}

#[test]
fn a_fixed_half_percent_fails_where_a_clock_succeeds_at_a_price() {
    let world = base();
    let fixed = runs(&world, &policy("kind = \"cdpr-fixed\"", "none"), RUNS);
    let clock = runs(&world, &policy("kind = \"cdpr-clock\"", "none"), RUNS);
    assert!(recovered(&fixed) < 0.05 && recovered(&clock) > 0.95);
    assert!(cost(&fixed) < cost(&clock));
    assert!(run_off(&fixed) > 0.5 && run_off(&clock) < 0.1);
}

#[test]
fn a_faster_clock_is_quicker_and_dearer_and_a_sealed_call_quicker_still() {
    let world = base();
    let slow = runs(&world, &policy("kind = \"cdpr-clock\"", "none"), RUNS);
    let fast = runs(&world, &policy("kind = \"cdpr-clock\", slope = \"4% /h\"", "none"), RUNS);
    let call = runs(&world, &policy("kind = \"cdpr-uniform\", ladder = [\"8%\"]", "none"), RUNS);
    assert!(
        ttr_h(&world, &call) < ttr_h(&world, &fast) && ttr_h(&world, &fast) < ttr_h(&world, &slow)
    );
    assert!(cost(&slow) < cost(&fast) && cost(&fast) < cost(&call));
    assert!(recovered(&call) > 0.95);
}

#[test]
fn a_public_flag_makes_a_clock_slower_dearer_and_its_run_worse() {
    let world = base();
    let secret = runs(&world, &policy("kind = \"cdpr-clock\"", "none"), RUNS);
    let flagged = runs(&world, &policy("kind = \"cdpr-clock\"", "flag"), RUNS);
    assert!(ttr_h(&world, &flagged) > ttr_h(&world, &secret));
    assert!(cost(&flagged) > cost(&secret) && run_off(&flagged) > run_off(&secret));
    let price = |outcomes: &[Outcome]| mean(outcomes, |o| o.discount_max).0;
    assert!(price(&flagged) > price(&secret));
}

#[test]
fn panel_size_matters_more_than_any_price_and_leaks_cost() {
    let invited = |n: u32| {
        let mut world = base();
        world.makers.invited = n;
        runs(&world, &policy("kind = \"cdpr-clock\"", "none"), RUNS)
    };
    let (six, twelve, two_dozen) = (invited(6), invited(12), invited(24));
    assert!(recovered(&six) < 0.75 && recovered(&twelve) > 0.95 && recovered(&two_dozen) > 0.95);
    let mut chatty = base();
    chatty.makers.leak.0 = 0.05;
    let leaking = runs(&chatty, &policy("kind = \"cdpr-clock\"", "none"), RUNS);
    assert!(
        ttr_h(&chatty, &leaking) > ttr_h(&base(), &twelve) && run_off(&leaking) > run_off(&twelve)
    );
}

#[test]
fn public_mechanisms_stand_in_the_prototypes_order() {
    let world = base();
    let halt = runs(&world, &policy("kind = \"halt\"", "none"), RUNS);
    assert!(recovered(&halt) == 0.0 && run_off(&halt) < 0.001, "a halt is safe");
    let price = |outcomes: &[Outcome]| mean(outcomes, |o| o.discount_max).0;
    assert!(price(&halt) > 0.02, "and it is dear");

    let flop = runs(&world, &policy("kind = \"flop\"", "public"), RUNS);
    assert!(recovered(&flop) > 0.95 && (6.0..9.0).contains(&ttr_h(&world, &flop)));
    assert!((0.1..0.3).contains(&run_off(&flop)));
    for lost in ["kind = \"frax\"", "kind = \"reserve\", haircut = false", "kind = \"nothing\""] {
        let lost = runs(&world, &policy(lost, "public"), RUNS);
        assert!(recovered(&lost) == 0.0 && run_off(&lost) > 0.5);
    }
    let clock = runs(&world, &policy("kind = \"cdpr-clock\"", "none"), RUNS);
    assert!(cost(&clock) < cost(&flop) && run_off(&clock) < run_off(&flop));
}

#[test]
fn prices_rules_rank_as_theory_says_for_truthful_makers() {
    let world = base();
    let call =
        |kind: &str| cost(&runs(&world, &policy(&format!("kind = \"{kind}\""), "none"), RUNS));
    let (limit, margin, vcg) = (call("cdpr-pay-as-bid"), call("cdpr-uniform"), call("cdpr-vcg"));
    assert!(limit < margin && margin < vcg * 1.2, "{limit} {margin} {vcg}");
    let mut shaded = base();
    shaded.makers.shading.0 = 0.5;
    assert!(cost(&runs(&shaded, &policy("kind = \"cdpr-pay-as-bid\"", "none"), RUNS)) > limit);
    let mut ring = base();
    ring.makers.colluding = 3;
    assert!(cost(&runs(&ring, &policy("kind = \"cdpr-uniform\"", "none"), RUNS)) > margin);
    let mut patient = base();
    patient.makers.waiting.0 = 1.0;
    let waited = runs(&patient, &policy("kind = \"cdpr-clock\"", "none"), RUNS);
    let myopic = runs(&world, &policy("kind = \"cdpr-clock\"", "none"), RUNS);
    assert!(cost(&waited) > cost(&myopic) && ttr_h(&patient, &waited) > ttr_h(&world, &myopic));
}

#[test]
fn confidentiality_loses_for_a_sound_issuer_under_a_rumour() {
    // Nothing is missing and nine tenths are liquid, but holders have heard otherwise.
    let world = scenario(
        "[issuer]\nliquid = \"90%\"\nilliquid = \"10%\"\n[shock]\ngap = \"0%\"\nrumour = \"45%\"",
    );
    let secret = runs(&world, &policy("kind = \"cdpr-uniform\"", "none"), 60);
    let open = runs(&world, &policy("kind = \"cdpr-uniform\"", "public"), 60);
    assert!(run_off(&secret) > 10.0 * run_off(&open), "{} {}", run_off(&secret), run_off(&open));
    assert!(share(&secret, |o| o.failed) >= share(&open, |o| o.failed));
}

#[test]
fn a_mild_gap_under_a_bare_flag_runs_worse_than_under_the_exact_figure() {
    // Finding 2 of the note: a hole of 0.3 % is milder than what holders fear behind a flag.
    let world = scenario("[shock]\ngap = \"0.3%\"");
    let run_off_of =
        |disclosure| run_off(&runs(&world, &policy("kind = \"nothing\"", disclosure), 60));
    let (secret, exact, flag) = (run_off_of("none"), run_off_of("public"), run_off_of("flag"));
    assert!(secret < exact && exact < flag, "{secret} {exact} {flag}");
}

#[test]
fn negative_control_a_coin_without_a_gap_holds() {
    // USDe, October 2025: a venue failed, nothing was missing. Traders sold; redemption stayed open.
    let world = scenario(
        "[shock]\ngap = \"0%\"\nrumour = \"10%\"\n[issuer]\nliquid = \"95%\"\nilliquid = \"5%\"",
    );
    for mechanism in ["kind = \"nothing\"", "kind = \"cdpr-uniform\""] {
        let outcomes = runs(&world, &policy(mechanism, "public"), 60);
        assert!(
            outcomes
                .iter()
                .all(|o| !o.failed && o.redeemed < 0.1 && o.holder_loss < 1_000_000_000_000)
        );
    }
}

#[test]
fn positive_control_a_coin_with_hardly_any_reserves_fails_whatever_is_done() {
    // UST, May 2022: reserves of a few percent of what was outstanding, holders who watch closely.
    let world = scenario("[shock]\ngap = \"70%\"\n[holders]\nattention = \"0.1 /h\"");
    for mechanism in ["kind = \"nothing\"", "kind = \"cdpr-uniform\"", "kind = \"cdpr-clock\""] {
        let outcomes = runs(&world, &policy(mechanism, "public"), 60);
        assert!(
            outcomes.iter().all(|o| !o.recovered) && share(&outcomes, |o| o.failed) > 0.95,
            "{mechanism}"
        );
    }
}

#[test]
fn each_kind_of_gap_is_cured_by_an_instrument_that_fits() {
    let cure = |instrument: Instrument, kind: Kind| {
        let world = scenario(&format!(
            "[shock]\nkind = \"{}\"\n[issuer]\ngovernance = \"167 h\"",
            kind.name()
        ));
        let call = format!("kind = \"cdpr-uniform\", instrument = \"{}\"", instrument.name());
        let outcomes = runs(&world, &policy(&call, "none"), 80);
        (recovered(&outcomes), cost(&outcomes))
    };
    let (note, note_cost) = cure(Instrument::JuniorNote, Kind::Solvency);
    let (repo, repo_cost) = cure(Instrument::SecuredRepo, Kind::Liquidity);
    let (sale, _) = cure(Instrument::AssetSale, Kind::Liquidity);
    let (token, _) = cure(Instrument::GovernanceToken, Kind::Solvency);
    assert!(
        note > 0.95 && repo > 0.95 && sale > 0.95 && token > 0.9,
        "{note} {repo} {sale} {token}"
    );
    assert!(repo_cost < note_cost, "the safer instrument is the cheaper");
    // Buying coins back below par retires a hole only as fast as coins are for sale.
    let (buy, _) = cure(Instrument::BuyBack, Kind::Solvency);
    assert!(buy < 0.05, "{buy}");
}

#[test]
fn a_longer_outage_of_the_enclave_delays_recovery() {
    let base = scenario("");
    let dark = scenario("[tee]\nup = \"2 h\"\ndown = \"2 h\"");
    let call = policy("kind = \"cdpr-uniform\"", "none");
    assert!(ttr_h(&dark, &runs(&dark, &call, 100)) > ttr_h(&base, &runs(&base, &call, 100)) + 0.5);
}

#[test]
fn the_ladder_ends_in_a_haircut_or_a_halt_when_nobody_helps() {
    let world = scenario("[makers]\ncost = \"50%\"\n[issuer]\nfirst_loss = \"1%\"");
    for (haircut, failed) in [(true, true), (false, false)] {
        let call = policy(&format!("kind = \"cdpr-uniform\", haircut = {haircut}"), "none");
        let outcome = Model::new(&world, &call).unwrap().run(1, 1, Trace::Steps);
        assert_eq!((outcome.recovered, outcome.failed), (false, failed));
        let last = outcome.steps.last().unwrap();
        // A third was seized, which is nobody's fill; the rest was cut or stays.
        assert!(outcome.steps.iter().any(|step| step.need == 20_000_000_000_000));
        assert!(outcome.steps.iter().all(|step| step.filled == 0));
        let was_short = outcome.steps.iter().position(|step| step.need > 0).unwrap();
        assert_eq!(outcome.steps[was_short..].iter().any(|step| step.need == 0), haircut);
        assert_eq!(last.breaker == risk::Breaker::Halted, !haircut);
    }
}
