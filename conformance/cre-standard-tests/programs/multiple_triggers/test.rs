//! Three triggers of two kinds.

use cre::messages::{action_and_trigger, basic_trigger as basic};
use cre::{Error, Runtime, Trigger, Workflow};
use cre_standard_tests::basic_trigger;

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    let second = action_and_trigger::Config { name: "second-trigger".to_owned(), number: 150 };
    Ok(Workflow::new(())
        .on(basic_trigger("first-trigger", 100), |(), _: &mut Runtime, fired: basic::Outputs| {
            Ok(format!("called 0 with {}", fired.cool_output))
        })
        .on(
            Trigger::new("basic-test-action-trigger@1.0.0", "Trigger", &second),
            |(), _: &mut Runtime, fired: action_and_trigger::TriggerEvent| {
                Ok(format!("called 1 with {}", fired.cool_output))
            },
        )
        .on(basic_trigger("third-trigger", 200), |(), _: &mut Runtime, fired: basic::Outputs| {
            Ok(format!("called 2 with {}", fired.cool_output))
        }))
}

cre::workflow!(setup);
