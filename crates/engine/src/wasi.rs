//! WASI preview 1, as far as a workflow has a world: arguments, clocks, randomness and an exit.
//!
//! There is no environment, no file and no socket. Output is dropped, input is empty. Every function of
//! preview 1 exists, since Go's and QuickJS's runtimes import more than they call; what would need a file
//! answers `EBADF`.

use std::time::Duration;

use crate::env::{EFAULT, EINVAL, ask};
use crate::error::Stop;
use crate::memory::{read, read_u32, write, write_u32, write_u64};
use crate::session::Guest;
use crate::Mode;

/// Not a descriptor, or not one that can do this.
pub(crate) const EBADF: i32 = 8;
const ENOTSUP: i32 = 58;
const ESPIPE: i32 = 70;

fn errno(fine: bool) -> i32 {
    if fine { 0 } else { EFAULT }
}

pub(crate) fn args_sizes_get(guest: &mut Guest<'_>, count: i32, size: i32) -> Result<i32, Stop> {
    let bytes = guest.session.args.iter().map(Vec::len).sum::<usize>();
    let Ok(bytes) = u32::try_from(bytes) else {
        return Ok(EINVAL);
    };
    Ok(errno(write_u32(guest.memory, count, 2) && write_u32(guest.memory, size, bytes)))
}

pub(crate) fn args_get(guest: &mut Guest<'_>, mut argv: i32, mut buffer: i32) -> Result<i32, Stop> {
    for arg in &guest.session.args {
        let Ok(len) = i32::try_from(arg.len()) else {
            return Ok(EINVAL);
        };
        if !write_u32(guest.memory, argv, buffer.cast_unsigned())
            || write(guest.memory, arg, buffer, len).is_none()
        {
            return Ok(EFAULT);
        }
        argv = argv.wrapping_add(4);
        buffer = buffer.wrapping_add(len);
    }
    Ok(0)
}

pub(crate) fn environ_sizes_get(guest: &mut Guest<'_>, count: i32, size: i32) -> Result<i32, Stop> {
    Ok(errno(write_u32(guest.memory, count, 0) && write_u32(guest.memory, size, 0)))
}

pub(crate) fn environ_get(_: &mut Guest<'_>, _environ: i32, _buffer: i32) -> Result<i32, Stop> {
    Ok(0)
}

const REALTIME: i32 = 0;
const MONOTONIC: i32 = 1;

pub(crate) fn clock_res_get(guest: &mut Guest<'_>, clock: i32, out: i32) -> Result<i32, Stop> {
    match clock {
        REALTIME | MONOTONIC => Ok(errno(write_u64(guest.memory, out, 1))),
        _ => Ok(EINVAL),
    }
}

/// The node's time in every mode, as runtimes read clocks often and agreement on each would cost a round.
/// The monotonic clock starts with its first reading, at 1, because Go fails on 0.
pub(crate) fn clock_time_get(
    guest: &mut Guest<'_>,
    clock: i32,
    _precision: i64,
    out: i32,
) -> Result<i32, Stop> {
    let Ok(time) = ask(guest.session, |world| world.now(Mode::Node)) else {
        return Ok(EINVAL);
    };
    let base = *guest.session.clock_base.get_or_insert(time.saturating_sub(1));
    let value = match clock {
        REALTIME => time,
        MONOTONIC => time.saturating_sub(base),
        _ => return Ok(EINVAL),
    };
    Ok(errno(write_u64(guest.memory, out, value)))
}

/// Standard input is empty.
pub(crate) fn fd_read(
    guest: &mut Guest<'_>,
    fd: i32,
    _vectors: i32,
    _count: i32,
    read_len: i32,
) -> Result<i32, Stop> {
    Ok(if fd == 0 { errno(write_u32(guest.memory, read_len, 0)) } else { EBADF })
}

/// Standard output and error go nowhere.
pub(crate) fn fd_write(
    guest: &mut Guest<'_>,
    fd: i32,
    vectors: i32,
    count: i32,
    written: i32,
) -> Result<i32, Stop> {
    if fd != 1 && fd != 2 {
        return Ok(EBADF);
    }
    // POSIX's IOV_MAX: more is a mistake, and would be a loop of the host on the module's word.
    if !(0..=1024).contains(&count) {
        return Ok(EINVAL);
    }
    let mut total = 0_u32;
    for i in 0..count {
        let vector = vectors.wrapping_add(i.wrapping_mul(8));
        let Some(len) = read_u32(guest.memory, vector.wrapping_add(4)) else {
            return Ok(EFAULT);
        };
        total = total.saturating_add(len);
    }
    Ok(errno(write_u32(guest.memory, written, total)))
}

pub(crate) fn fd_close(_: &mut Guest<'_>, fd: i32) -> Result<i32, Stop> {
    Ok(if is_standard(fd) { 0 } else { EBADF })
}

pub(crate) fn fd_seek(
    _: &mut Guest<'_>,
    fd: i32,
    _offset: i64,
    _whence: i32,
    _out: i32,
) -> Result<i32, Stop> {
    Ok(if is_standard(fd) { ESPIPE } else { EBADF })
}

/// A character device that can be read or written, and no more.
pub(crate) fn fd_fdstat_get(guest: &mut Guest<'_>, fd: i32, out: i32) -> Result<i32, Stop> {
    const CHARACTER_DEVICE: u8 = 2;
    const RIGHT_READ: u8 = 1 << 1;
    const RIGHT_WRITE: u8 = 1 << 6;
    if !is_standard(fd) {
        return Ok(EBADF);
    }
    let mut stat = [0; 24];
    stat[0] = CHARACTER_DEVICE;
    stat[8] = if fd == 0 { RIGHT_READ } else { RIGHT_WRITE };
    Ok(errno(write(guest.memory, &stat, out, 24).is_some()))
}

/// Go makes its standard descriptors non-blocking.
pub(crate) fn fd_fdstat_set_flags(_: &mut Guest<'_>, fd: i32, _flags: i32) -> Result<i32, Stop> {
    Ok(if is_standard(fd) { 0 } else { EBADF })
}

fn is_standard(fd: i32) -> bool {
    (0..=2).contains(&fd)
}

/// Sleeps for the longest of the relative clock subscriptions, but not past the deadline.
pub(crate) fn poll_oneoff(
    guest: &mut Guest<'_>,
    subscriptions: i32,
    events: i32,
    count: i32,
    n_events: i32,
) -> Result<i32, Stop> {
    const SUBSCRIPTION_SIZE: i32 = 48;
    const EVENT_SIZE: i32 = 32;
    const CLOCK: u8 = 0;
    const FD_READ: u8 = 1;
    const FD_WRITE: u8 = 2;
    let Some(n) = u32::try_from(count)
        .ok()
        .filter(|n| (1..=guest.session.limits.poll_subscriptions_max).contains(n))
    else {
        return Ok(EINVAL);
    };
    let (Some(in_size), Some(out_size)) =
        (count.checked_mul(SUBSCRIPTION_SIZE), count.checked_mul(EVENT_SIZE))
    else {
        return Ok(EINVAL);
    };
    let Ok(asked) = read(guest.memory, subscriptions, in_size) else {
        return Ok(EFAULT);
    };
    let mut answers = Vec::new();
    let mut sleep = Duration::ZERO;
    for subscription in asked.chunks_exact(48) {
        let (user_data, rest) = subscription.split_at(8);
        let kind = rest[0];
        let errno = match kind {
            CLOCK => {
                let timeout = rest[16..24].try_into().map(u64::from_le_bytes).unwrap_or_default();
                let relative = rest[32] == 0 && rest[33] == 0;
                if relative {
                    sleep = sleep.max(Duration::from_nanos(timeout));
                }
                if relative { 0 } else { ENOTSUP }
            },
            FD_READ | FD_WRITE => EBADF,
            _ => EINVAL,
        };
        let mut event = [0; 32];
        event[..8].copy_from_slice(user_data);
        event[8..10].copy_from_slice(&u16::try_from(errno).unwrap_or_default().to_le_bytes());
        event[10] = kind;
        answers.extend(event);
    }
    let left = guest.session.time_left();
    if !sleep.is_zero() {
        std::thread::sleep(sleep.min(left));
        guest.session.check_time()?;
    }
    Ok(errno(
        write(guest.memory, &answers, events, out_size).is_some()
            && write_u32(guest.memory, n_events, n),
    ))
}

pub(crate) fn random_get(guest: &mut Guest<'_>, ptr: i32, len: i32) -> Result<i32, Stop> {
    let (Ok(start), Ok(size)) = (usize::try_from(ptr), usize::try_from(len)) else {
        return Ok(EFAULT);
    };
    let buffer = start.checked_add(size).and_then(|end| guest.memory.get_mut(start..end));
    Ok(match buffer {
        Some(buffer) => {
            guest.session.fill_random(buffer);
            0
        },
        None => EFAULT,
    })
}

pub(crate) fn sched_yield(_: &mut Guest<'_>) -> Result<i32, Stop> {
    Ok(0)
}

pub(crate) fn proc_exit(_: &mut Guest<'_>, status: i32) -> Result<(), Stop> {
    Err(Stop::Exit(status))
}

/// What is there by name and can do nothing, as it would need a file, a socket or a signal.
macro_rules! absent {
    ($($name:ident($($arg:ident: $ty:ty),*);)*) => {
        $(pub(crate) fn $name(_: &mut Guest<'_>, $(_: $ty),*) -> Result<i32, Stop> {
            Ok(EBADF)
        })*
    };
}
crate::imports::absent!(absent);
