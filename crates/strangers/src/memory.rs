//! Counts the memory that a thread holds.
#![allow(
    unsafe_code,
    reason = "an allocator is unsafe to implement; this one passes everything on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    /// Bytes that this thread took and did not give back. What another thread gives back for it still counts.
    static HELD: Cell<isize> = const { Cell::new(0) };
    /// The most of it since [`peak`] began.
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// What `act` returns, and the most memory in bytes that this thread held during it beyond what it held before.
pub(crate) fn peak<T>(act: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let out = act();
    (out, usize::try_from(PEAK.get() - before).unwrap_or(0))
}

fn count(taken: usize, given: usize) {
    // No allocation has more than `isize::MAX` bytes. A thread that is ending counts no more.
    let change = taken.cast_signed() - given.cast_signed();
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

struct Counting;

// SAFETY: every call is passed on to `System` as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is `System`'s condition.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is `System`'s condition.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        count(len, layout.size());
        // SAFETY: the caller's promise is `System`'s condition.
        unsafe { System.realloc(block, layout, len) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promise is `System`'s condition.
        unsafe { System.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_that_is_held_at_once_counts() {
        let ((), held) = peak(|| {
            for _ in 0..10 {
                drop(std::hint::black_box(vec![0_u8; 1_000]));
            }
        });
        assert_eq!(held, 1_000);
        let (kept, held) = peak(|| (vec![1_u8; 500], Vec::<u8>::with_capacity(700)));
        assert_eq!((held, kept.0.len()), (1_200, 500));
    }
}
