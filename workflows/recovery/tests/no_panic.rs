//! Nothing anyone can put into a file makes a reader panic, and what is refused is refused well.

use proptest::prelude::*;
use recovery::{Deployment, Diagnostic, SEED, check, parse};

const EMBEDDED: &str = include_str!("../../../deployments/embedded.toml");

proptest! {
    #[test]
    fn random_text_is_read_or_refused(text in "(?s).{0,300}") {
        read_both(&text)?;
    }

    #[test]
    fn yaml_looking_text_is_read_or_refused(text in r#"([ \n\t:{}\[\],&*!|>'"%@`?#~-]|workflow|steps|id|1){0,120}"#) {
        read_both(&text)?;
    }

    #[test]
    fn a_mutated_seed_is_read_or_refused(mutations in arb_mutations()) {
        read_both(&mutate(SEED, &mutations))?;
    }

    #[test]
    fn a_mutated_deployment_is_read_or_refused(mutations in arb_mutations()) {
        read_both(&mutate(EMBEDDED, &mutations))?;
    }

    #[test]
    fn lines_of_the_seed_in_any_order_are_read_or_refused(order in proptest::collection::vec(0usize..71, 0..100)) {
        let lines: Vec<&str> = SEED.lines().collect();
        let text: String = order.iter().flat_map(|idx| [lines[idx % lines.len()], "\n"]).collect();
        read_both(&text)?;
    }
}

fn read_both(text: &str) -> Result<(), TestCaseError> {
    let deployment = Deployment::parse(EMBEDDED, "d.toml").expect("the embedded deployment is one");
    match parse(text, "w.yaml") {
        Ok(document) => {
            prop_assert!(document.workflow.steps().next().is_some());
            if let Err(refused) = check(&document, &deployment) {
                is_refused_well(&refused, text)?;
            }
        }
        Err(refused) => is_refused_well(&refused, text)?,
    }
    if let Err(refused) = Deployment::parse(text, "d.toml") {
        is_refused_well(&refused, text)?;
    }
    Ok(())
}

fn is_refused_well(refused: &Diagnostic, text: &str) -> Result<(), TestCaseError> {
    // YAML and TOML count line ends differently: \r alone is one to YAML.
    let lines = text.matches(['\n', '\r']).count() + 1;
    prop_assert!(
        refused.line >= 1 && usize::try_from(refused.line).expect("small") <= lines + 1,
        "{} of {}",
        refused,
        lines
    );
    prop_assert!(!refused.reason.is_empty() && !refused.hint.is_empty());
    prop_assert!(
        !refused.to_string().contains(|c: char| c.is_control() && c != '\n'),
        "{:?}",
        refused
    );
    Ok(())
}

/// Where, how many characters go, what comes instead.
type Mutation = (prop::sample::Index, usize, String);

fn arb_mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let text = prop_oneof![
        Just(String::new()),
        "[ \n:\"'\\[\\]{}#&*!|>%-]{1,3}",
        "(?s).{1,4}",
        Just("99999999999999999999".to_owned()),
        Just("\n---\n".to_owned()),
    ];
    proptest::collection::vec((any::<prop::sample::Index>(), 0usize..12, text), 1..6)
}

fn mutate(source: &str, mutations: &[Mutation]) -> String {
    let mut text: Vec<char> = source.chars().collect();
    for (at, removed, added) in mutations {
        let start = at.index(text.len().max(1));
        let end = text.len().min(start + removed);
        text.splice(start.min(end)..end, added.chars());
    }
    text.into_iter().collect()
}
