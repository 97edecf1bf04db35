//! The spec as a file: keys, units, defaults, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test may")]

use risk::{Disclosure, Mechanism, Policy, Scenario, schema, validate};

fn keys(prefix: &str, value: &toml::Value, into: &mut Vec<(String, String)>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                keys(&path, value, into);
            }
        }
        toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Array(_) => into.push((prefix.to_owned(), value.to_string())),
    }
}

fn policy(mechanism: &str, disclosure: &str) -> Policy {
    toml::from_str(&format!("name = \"p\"\ndisclosure = \"{disclosure}\"\nmechanism = {mechanism}"))
        .unwrap()
}

#[test]
fn the_schema_has_exactly_the_keys_of_a_default_scenario() {
    let mut written = Vec::new();
    keys("", &toml::Value::try_from(Scenario::default()).unwrap(), &mut written);
    let mut written: Vec<String> = written.into_iter().map(|(path, _)| path).collect();
    let mut listed: Vec<String> = schema().iter().map(|field| field.path.to_owned()).collect();
    written.sort();
    listed.sort();
    assert_eq!(written, listed);
}

#[test]
fn every_default_in_the_schema_is_the_default() {
    for field in schema() {
        let text = field.path.rsplit_once('.').map_or_else(
            || format!("{} = {}", field.path, field.default),
            |(group, key)| format!("[{group}]\n{key} = {}", field.default),
        );
        assert_eq!(
            toml::from_str::<Scenario>(&text).unwrap(),
            Scenario::default(),
            "{}",
            field.path
        );
    }
}

#[test]
fn a_scenario_and_every_policy_survive_a_file() {
    let text = toml::to_string(&Scenario::default()).unwrap();
    assert_eq!(toml::from_str::<Scenario>(&text).unwrap(), Scenario::default());
    for mechanism in Mechanism::all() {
        let kind = mechanism.name();
        // The contracts have an instrument for stuck deposits, and two disclosures.
        let is_workflow = kind == "cdpr-workflow";
        let disclosure = if is_workflow { Disclosure::Flag } else { Disclosure::Public };
        let world = if is_workflow { "shock.kind = \"liquidity\"" } else { "" };
        let before = Policy { name: kind.into(), mechanism, disclosure };
        let text = toml::to_string(&before).unwrap();
        assert!(text.contains(&format!("kind = \"{kind}\"")), "{text}");
        assert_eq!(toml::from_str::<Policy>(&text).unwrap(), before);
        assert_eq!(validate(&toml::from_str(world).unwrap(), &before), Ok(()), "{kind}");
    }
}

#[test]
fn a_bare_number_is_refused_by_its_key_with_the_units() {
    let refuse = |text: &str| toml::from_str::<Scenario>(text).unwrap_err().to_string();
    let message = refuse("[issuer]\nliquid = 0.75");
    assert!(
        message
            .contains(r#"issuer.liquid: 0.75 has no unit; write a share, such as "3%" or "75 bp""#),
        "{message}"
    );
    let message = refuse("[shock]\nkind = \"bad luck\"");
    assert!(
        message.contains(r#"shock.kind: "bad luck" is not "solvency" or "liquidity""#),
        "{message}"
    );
    assert!(refuse("step = 300").contains("step: 300 has no unit"));
}

#[test]
fn an_unknown_key_is_refused_with_those_there_are() {
    let message = toml::from_str::<Scenario>("[makers]\ninvite = 3").unwrap_err().to_string();
    assert!(
        message.contains("unknown field `invite`") && message.contains("`invited`"),
        "{message}"
    );
    assert!(toml::from_str::<Scenario>("[maker]\ninvited = 3").is_err());
    assert!(
        toml::from_str::<Policy>("name = \"p\"\nmechanism = { kind = \"frax\", slope = \"1%\" }")
            .is_err()
    );
}

#[test]
fn what_makes_no_world_is_refused_by_name() {
    let refuse = |text: &str, policy: &Policy| {
        let error = validate(&toml::from_str(text).unwrap(), policy).unwrap_err();
        assert!(!error.hint().is_empty());
        error.to_string()
    };
    let nothing = policy("{ kind = \"nothing\" }", "none");
    assert_eq!(
        refuse("[shock]\nprobability = \"120%\"", &nothing),
        "shock.probability is \"120%\", outside 0 to 1"
    );
    assert_eq!(refuse("[makers]\ninvited = 0", &nothing), "makers.invited is 0, outside 1 to 1000");
    assert_eq!(
        refuse("[makers]\ninvited = 41", &nothing),
        "makers.invited is 41, but makers.population is 40"
    );
    assert_eq!(
        refuse("[shock]\nat = \"200 h\"", &nothing),
        "the shock may come 720000 s after the start, but the horizon is 604800 s"
    );
    assert!(refuse("[issuer]\nliquid = \"50%\"", &nothing).contains("make 0.75 of supply"));
    assert!(refuse("step = \"1 s\"\nhorizon = \"8000 h\"", &nothing).contains("steps of 1 s"));
    let repo = policy("{ kind = \"cdpr-clock\", instrument = \"secured-repo\" }", "none");
    assert_eq!(refuse("", &repo), "secured-repo cannot cure a solvency gap");
    let buy_back = policy("{ kind = \"cdpr-clock\", instrument = \"buy-back\" }", "none");
    assert_eq!(
        refuse("[shock]\nkind = \"liquidity\"", &buy_back),
        "buy-back cannot cure a liquidity gap"
    );
    let secret_flop = policy("{ kind = \"flop\" }", "none");
    assert!(refuse("", &secret_flop).contains("its auction is public from the first minute"));
    let falling = policy("{ kind = \"cdpr-vcg\", ladder = [\"3%\", \"1%\"] }", "none");
    assert_eq!(refuse("", &falling), "cdpr-vcg.ladder must name at least one premium and rise");
    let told = policy("{ kind = \"cdpr-workflow\" }", "range");
    assert_eq!(
        refuse("[shock]\nkind = \"liquidity\"", &told),
        "disclosure range with mechanism cdpr-workflow: the contracts are immediate or sealed"
    );
    let hasty = policy("{ kind = \"cdpr-workflow\", timeout = \"35 min\" }", "none");
    assert_eq!(
        refuse("[shock]\nkind = \"liquidity\"", &hasty),
        "cdpr-workflow.rounds is 4, but cdpr-workflow.timeout has 7 steps: a round takes two"
    );
    let dear = policy("{ kind = \"cdpr-fixed\", premium = \"200%\" }", "none");
    assert_eq!(refuse("", &dear), "cdpr-fixed.premium is \"200%\", outside 0 to 1.6383");
}
