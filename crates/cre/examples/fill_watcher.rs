//! A round of a dark pool as the trigger: how its request stands, in words that an alert could carry.

use cre::darkpool::{self, Fill, GetRequestStatusRequest};
use cre::{Error, Runtime, Workflow};

/// The dark pool that the shipped deployment has in simulation.
const DARK_POOL: [u8; 20] = [
    0x1f, 0x84, 0xff, 0x9b, 0x9d, 0x4f, 0x15, 0xbf, 0x55, 0xab, 0x48, 0x77, 0x24, 0xa2, 0x3f, 0x78,
    0x65, 0xf6, 0xf5, 0x4e,
];

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(()).on(darkpool::fill_trigger(DARK_POOL), on_fill))
}

fn on_fill(_: &(), runtime: &mut Runtime, fill: Fill) -> Result<String, Error> {
    let asked = GetRequestStatusRequest {
        dark_pool: DARK_POOL.to_vec(),
        request_id: fill.request_id.clone(),
    };
    let answer = darkpool::get_request_status(runtime, &asked).wait()?;
    // It may have settled since the trigger fired.
    let awaits = answer.fill.is_some_and(|awaiting| awaiting.round == fill.round);
    let word = if awaits { "awaits its settlement" } else { "needs nothing any more" };
    Ok(format!("round {} {word}", fill.round))
}

cre::workflow!(setup);

#[cfg(test)]
mod tests {
    use cre::darkpool::GetRequestStatusResponse;
    use cre::testing::ScriptedHost;

    use super::*;

    #[test]
    fn a_round_that_settled_in_the_meantime_needs_nothing() {
        let round = |round| Fill { request_id: vec![5; 32], round, ..Fill::default() };
        for (awaiting, word) in [
            (Some(round(2)), "awaits its settlement"),
            (Some(round(3)), "needs nothing any more"),
            (None, "needs nothing any more"),
        ] {
            let host = ScriptedHost::new().answer(
                darkpool::ID,
                darkpool::GET_REQUEST_STATUS,
                move |asked: GetRequestStatusRequest| {
                    assert_eq!(asked.request_id, [5; 32]);
                    let fill = awaiting.clone();
                    Ok(GetRequestStatusResponse { fill, ..GetRequestStatusResponse::default() })
                },
            );
            let said = on_fill(&(), &mut host.runtime(), round(2));
            assert_eq!(said, Ok(format!("round 2 {word}")));
        }
    }
}
