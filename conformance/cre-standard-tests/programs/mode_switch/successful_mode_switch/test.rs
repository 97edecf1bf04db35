//! DON mode, node mode and back, asking for the time in each.

use cre::{Error, Workflow};
use cre_standard_tests::{NodeOutput, basic_action, basic_trigger, node_action, node_consensus};

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(()).on(basic_trigger("mode-switch", 0), |_, runtime, _| {
        runtime.now()?;
        let adapted = basic_action(runtime, true).wait()?.adapted_thing;
        let observed = runtime.run_in_node_mode(node_consensus(), |node| {
            node.now()?;
            Ok(NodeOutput { output_thing: node_action(node, true).wait()?.output_thing })
        });
        runtime.now()?;
        Ok(format!("{adapted}{}", observed.wait()?.output_thing))
    }))
}

cre::workflow!(setup);
