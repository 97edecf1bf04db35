//! Draws in DON mode, around node mode that draws or does not.

use cre::{Error, Workflow};
use cre_standard_tests::{NodeOutput, basic_trigger, node_action, node_consensus};

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(()).on(basic_trigger("random", 0), |_, runtime, _| {
        let first = runtime.random_u64()?;
        let observed = runtime.run_in_node_mode(node_consensus(), |node| {
            let output_thing = node_action(node, true).wait()?.output_thing;
            if output_thing < 100 {
                node.log(format!("***{}", node.random_u64()?));
            }
            Ok(NodeOutput { output_thing })
        });
        observed.wait()?;
        Ok(first.wrapping_add(runtime.random_u64()?))
    }))
}

cre::workflow!(setup);
