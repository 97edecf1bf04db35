//! Carries a node's runtime out of node mode. A reference would not compile; a clone does.

use cre::{Consensus, Error, Workflow};
use cre_standard_tests::{basic_trigger, node_action};

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(()).on(basic_trigger("node-in-don", 0), |_, runtime, _| {
        let mut escaped = None;
        let agreed = runtime.run_in_node_mode(Consensus::identical(), |node| {
            escaped = Some(node.clone());
            Ok("hi".to_owned())
        });
        agreed.wait()?;
        let node = escaped.ok_or("the closure did not run")?;
        Ok(node_action(&node, true).wait()?.output_thing)
    }))
}

cre::workflow!(setup);
