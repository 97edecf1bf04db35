//! The host functions of module `env`: Chainlink's guest ABI, version 2.
//!
//! Each takes the module's memory and the execution, and is the same under every engine. Texts are those of
//! Chainlink's host, because SDKs and their tests look for them.

use cre::messages::sdk;
use prost::Message;

use crate::error::Stop;
use crate::memory::{read, write, write_error, write_u64};
use crate::session::{Call, Guest, Session};
use crate::{Error, Mode};

/// WASI's `EFAULT`.
pub(crate) const EFAULT: i32 = 21;
/// WASI's `EINVAL`.
pub(crate) const EINVAL: i32 = 28;

/// `ExecutionResult`; the last one counts.
pub(crate) fn send_response(guest: &mut Guest<'_>, ptr: i32, len: i32) -> Result<i32, Stop> {
    let Ok(bytes) = read(guest.memory, ptr, len) else {
        return Ok(EFAULT);
    };
    let (len, limit) = (bytes.len(), guest.session.limits.response_size_max);
    if len > limit {
        return Err(Error::ResponseTooLarge { len, limit }.into());
    }
    match sdk::ExecutionResult::decode(bytes) {
        Ok(response) => {
            guest.session.response = Some(response);
            Ok(0)
        },
        Err(_) => {
            guest.session.malformed_len = Some(len);
            Ok(EFAULT)
        },
    }
}

/// Starts a capability call, with a buffer of its own for an error's text. Modules of the older form pass
/// the request's buffer twice.
pub(crate) fn call_capability(
    guest: &mut Guest<'_>,
    ptr: i32,
    len: i32,
    buffer: i32,
    max: i32,
) -> Result<i64, Stop> {
    let started = read(guest.memory, ptr, len)
        .map_err(|error| format!("error calling wasmRead: {error}"))
        .and_then(|bytes| {
            sdk::CapabilityRequest::decode(bytes)
                .map_err(|error| format!("error calling proto unmarshal: {error}"))
        })
        .and_then(|request| {
            start_call(guest.session, request)
                .map_err(|error| format!("error calling callCapAsync: {error}"))
        });
    guest.session.check_time()?;
    Ok(match started {
        Ok(()) => 0,
        Err(text) => write_error(guest.memory, &text, buffer, max),
    })
}

fn start_call(session: &mut Session, request: sdk::CapabilityRequest) -> Result<(), String> {
    let id = request.callback_id;
    if session.capabilities.used.contains(&id) {
        return Err(DUPLICATE.to_owned());
    }
    check_ids_left(session)?;
    while session.capabilities.in_flight.len() >= session.limits.calls_in_flight_max {
        let Some((_, oldest)) = session.capabilities.in_flight.pop_first() else {
            return Err("no capability call is allowed".to_owned());
        };
        let answer = ask(session, |world| world.answer(oldest));
        session.capabilities.calls.insert(oldest, Call::Answered(answer));
    }
    session.capabilities.used.insert(id);
    let mode = session.mode.unwrap_or(Mode::Don);
    ask(session, |world| world.call(mode, request))?;
    let place = session.capabilities.accepted;
    session.capabilities.accepted += 1;
    session.capabilities.in_flight.insert(place, id);
    session.capabilities.calls.insert(id, Call::InFlight(place));
    Ok(())
}

/// Waits for capability calls, in the order asked.
pub(crate) fn await_capabilities(
    guest: &mut Guest<'_>,
    ptr: i32,
    len: i32,
    buffer: i32,
    max: i32,
) -> Result<i64, Stop> {
    let answered = read(guest.memory, ptr, len)
        .map_err(|error| format!("error reading from wasm {error}"))
        .and_then(|bytes| {
            sdk::AwaitCapabilitiesRequest::decode(bytes).map_err(|error| error.to_string())
        })
        .and_then(|request| finish_calls(guest.session, &request));
    guest.session.check_time()?;
    Ok(give(guest.memory, answered, buffer, max))
}

fn finish_calls(
    session: &mut Session,
    request: &sdk::AwaitCapabilitiesRequest,
) -> Result<sdk::AwaitCapabilitiesResponse, String> {
    let mut response = sdk::AwaitCapabilitiesResponse::default();
    for id in &request.ids {
        let answer = match session.capabilities.calls.remove(id) {
            Some(Call::Answered(answer)) => answer,
            Some(Call::InFlight(place)) => {
                session.capabilities.in_flight.remove(&place);
                ask(session, |world| world.answer(*id))
            },
            None => return Err(format!("failed to get call from store : {id}")),
        };
        let answer = answer
            .map_err(|error| format!("failed to wait for capability response {id} : {error}"))?;
        response.responses.insert(*id, answer);
    }
    Ok(response)
}

/// Asks for secrets; they are fetched when awaited.
pub(crate) fn get_secrets(
    guest: &mut Guest<'_>,
    ptr: i32,
    len: i32,
    buffer: i32,
    max: i32,
) -> Result<i64, Stop> {
    let started = read(guest.memory, ptr, len)
        .map_err(|error| format!("error calling wasmRead: {error}"))
        .and_then(|bytes| {
            sdk::GetSecretsRequest::decode(bytes)
                .map_err(|error| format!("error calling proto unmarshal: {error}"))
        })
        .and_then(|request| {
            start_secrets(guest.session, request)
                .map_err(|error| format!("error calling getSecretsAsync: {error}"))
        });
    Ok(match started {
        Ok(()) => 0,
        Err(text) => write_error(guest.memory, &text, buffer, max),
    })
}

fn start_secrets(session: &mut Session, request: sdk::GetSecretsRequest) -> Result<(), String> {
    if session.secrets.used.contains(&request.callback_id) {
        return Err(DUPLICATE.to_owned());
    }
    check_ids_left(session)?;
    let calls_max = session.limits.secrets_calls_max;
    if session.secrets.used.len() >= usize::try_from(calls_max).unwrap_or(usize::MAX) {
        return Err(format!("more than {calls_max} secrets calls in one execution"));
    }
    let (asked, secrets_max) = (request.requests.len(), session.limits.secrets_per_call_max);
    if asked > secrets_max {
        return Err(format!("{asked} secrets in one call, limit {secrets_max}"));
    }
    session.secrets.used.insert(request.callback_id);
    session.secrets.calls.insert(request.callback_id, request);
    Ok(())
}

/// Waits for secrets, in the order asked.
pub(crate) fn await_secrets(
    guest: &mut Guest<'_>,
    ptr: i32,
    len: i32,
    buffer: i32,
    max: i32,
) -> Result<i64, Stop> {
    let answered = read(guest.memory, ptr, len)
        .map_err(|error| format!("error reading from wasm {error}"))
        .and_then(|bytes| {
            sdk::AwaitSecretsRequest::decode(bytes).map_err(|error| error.to_string())
        })
        .and_then(|request| finish_secrets(guest.session, &request));
    guest.session.check_time()?;
    Ok(give(guest.memory, answered, buffer, max))
}

fn finish_secrets(
    session: &mut Session,
    request: &sdk::AwaitSecretsRequest,
) -> Result<sdk::AwaitSecretsResponse, String> {
    let mut response = sdk::AwaitSecretsResponse::default();
    for id in &request.ids {
        let Some(asked) = session.secrets.calls.remove(id) else {
            return Err(format!("failed to get call from store : {id}"));
        };
        let secrets = ask(session, |world| world.secrets(asked))
            .map_err(|error| format!("failed to get secrets for call {id}: {error}"))?;
        let (len, limit) = (secrets.encoded_len(), session.limits.secrets_size_max);
        if len > limit {
            return Err(format!("secrets of call {id} have {len} bytes, limit {limit}"));
        }
        response.responses.insert(*id, secrets);
    }
    Ok(response)
}

/// A line of text; dropped when no mode was set, when too long and when there are too many.
pub(crate) fn log(guest: &mut Guest<'_>, ptr: i32, len: i32) -> Result<(), Stop> {
    let session = &mut *guest.session;
    let Some(mode) = session.mode else {
        return Ok(());
    };
    let lines = match mode {
        Mode::Don => &mut session.log_lines.don,
        Mode::Node => &mut session.log_lines.node,
    };
    if *lines >= session.limits.log_lines_max {
        return Ok(());
    }
    *lines += 1;
    if let Ok(line) = read(guest.memory, ptr, len)
        && line.len() <= session.limits.log_line_size_max
    {
        let line = String::from_utf8_lossy(line);
        session.world.with(|world| world.log(mode, &line));
    }
    Ok(())
}

/// A metric of the workflow's own. Chainlink has this off unless enabled; here it is off.
#[allow(clippy::unnecessary_wraps, reason = "host functions have one shape")]
pub(crate) fn emit_metric(_: &mut Guest<'_>, _ptr: i32, _len: i32) -> Result<i32, Stop> {
    Ok(-1)
}

/// Says in which mode the module is from now on.
#[allow(clippy::unnecessary_wraps, reason = "host functions have one shape")]
pub(crate) fn switch_modes(guest: &mut Guest<'_>, mode: i32) -> Result<(), Stop> {
    guest.session.mode = match sdk::Mode::try_from(mode) {
        Ok(sdk::Mode::Don) => Some(Mode::Don),
        Ok(sdk::Mode::Node) => Some(Mode::Node),
        Ok(sdk::Mode::Unspecified) | Err(_) => None,
    };
    Ok(())
}

/// Seed of a mode's randomness, −1 for no mode.
#[allow(clippy::unnecessary_wraps, reason = "host functions have one shape")]
pub(crate) fn random_seed(guest: &mut Guest<'_>, mode: i32) -> Result<i64, Stop> {
    Ok(match sdk::Mode::try_from(mode) {
        Ok(sdk::Mode::Don) => guest.session.don_seed.cast_signed(),
        Ok(sdk::Mode::Node) => guest.session.node_seed().cast_signed(),
        Ok(sdk::Mode::Unspecified) | Err(_) => -1,
    })
}

/// The mode's time, Unix nanoseconds. Without a mode it is the node's, so that a module may read it while
/// it starts.
pub(crate) fn now(guest: &mut Guest<'_>, out: i32) -> Result<i32, Stop> {
    let mode = guest.session.mode.unwrap_or(Mode::Node);
    let time = ask(guest.session, |world| world.now(mode));
    guest.session.check_time()?;
    Ok(match time {
        Ok(time) if write_u64(guest.memory, out, time) => 0,
        Ok(_) | Err(_) => EINVAL,
    })
}

const DUPLICATE: &str = "duplicate callback id not allowed";

fn check_ids_left(session: &Session) -> Result<(), String> {
    let limit = session.limits.callback_ids_max;
    if session.capabilities.used.len() + session.secrets.used.len() >= limit {
        return Err(format!("more than {limit} calls in one execution"));
    }
    Ok(())
}

/// Asks the world something that can fail.
pub(crate) fn ask<R>(
    session: &Session,
    question: impl FnOnce(&mut dyn crate::World) -> Result<R, String>,
) -> Result<R, String> {
    session.world.with(question).unwrap_or_else(|| Err("the host is gone".to_owned()))
}

/// Writes an answer, or the text of the error, into the module's buffer.
fn give(
    memory: &mut [u8],
    answer: Result<impl Message, String>,
    buffer: i32,
    max: i32,
) -> i64 {
    let text = match answer {
        Ok(message) => {
            // The length is known before the bytes: an answer that does not fit is never encoded.
            let fits = usize::try_from(max).is_ok_and(|max| message.encoded_len() <= max);
            let written =
                if fits { write(memory, &message.encode_to_vec(), buffer, max) } else { None };
            match written.map(i64::try_from) {
                Some(Ok(len)) => return len,
                Some(Err(_)) | None => "response buffer too small".to_owned(),
            }
        },
        Err(text) => text,
    };
    write_error(memory, &text, buffer, max)
}
