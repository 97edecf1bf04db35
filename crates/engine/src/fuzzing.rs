//! Every host function, on memory and arguments that nobody chose. Run by the fuzzer and by a property.

use std::sync::Arc;
use std::time::Duration;

use cre::messages::sdk;

use crate::Limits;
use crate::imports::{absent, env, wasi};
use crate::lend::lend;
use crate::session::{Guest, Session};
use crate::silent::Agreeable;

/// Calls host functions as `program` says: a byte with the number of calls; per call, a byte for
/// which function and nine little-endian words for its arguments; the rest is the module's memory.
///
/// # Panics
/// Never, or there is a mistake in this crate.
pub fn host_calls(program: &[u8]) {
    const CALL_SIZE: usize = 1 + 4 * 9;
    let Some((n_calls, rest)) = program.split_first() else {
        return;
    };
    let Some((calls, memory)) = rest.split_at_checked(usize::from(*n_calls) * CALL_SIZE) else {
        return;
    };
    let mut memory = memory.to_vec();
    let limits = Limits {
        execution_time_max: Duration::from_millis(5),
        calls_in_flight_max: 2,
        ..Limits::production()
    };
    lend(&mut Agreeable, |world| {
        let request = sdk::ExecuteRequest::default();
        let Ok(mut session) = Session::begin(world, &Arc::new(limits), &request) else {
            return;
        };
        for call in calls.chunks_exact(CALL_SIZE) {
            let mut guest = Guest { memory: &mut memory, session: &mut session };
            call_one(&mut guest, call);
        }
    });
}

fn call_one(guest: &mut Guest<'_>, call: &[u8]) {
    let mut words = call[1..]
        .chunks_exact(4)
        .map(|word| word.try_into().map(i32::from_le_bytes).unwrap_or_default());
    let mut which = usize::from(call[0]);
    macro_rules! dispatch {
        ($guest:ident $words:ident $which:ident $namespace:ident $($name:ident($($arg:ident: $ty:ty),*);)*) => {
            $(
                if $which == 0 {
                    $(let $arg = <$ty>::from($words.next().unwrap_or_default());)*
                    let _ = crate::$namespace::$name($guest, $($arg),*);
                    return;
                }
                $which -= 1;
            )*
        };
    }
    env!(dispatch guest words which env);
    wasi!(dispatch guest words which wasi);
    absent!(dispatch guest words which wasi);
    let mut word = || words.next().unwrap_or_default();
    let (ptr, len, buffer, max) = (word(), word(), word(), word());
    let _ = crate::env::call_capability(guest, ptr, len, buffer, max);
}

#[cfg(test)]
mod tests {
    use super::host_calls;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_memory_and_no_argument_harms_the_host(
            calls in proptest::collection::vec(
                (0u8..60, proptest::collection::vec(prop_oneof![
                    any::<i32>(), -4i32..200, Just(i32::MAX), Just(i32::MIN),
                ], 9)),
                0..30,
            ),
            memory in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut program = vec![u8::try_from(calls.len()).unwrap()];
            for (which, arguments) in calls {
                program.push(which);
                program.extend(arguments.into_iter().flat_map(i32::to_le_bytes));
            }
            program.extend(memory);
            host_calls(&program);
        }
    }
}
