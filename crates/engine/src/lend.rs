//! Lends a borrowed [`World`] to an engine's store.
//!
//! Stores own their data for `'static`, and a `World` is borrowed for one call. The alternative without
//! `unsafe` is to run each module on a thread of its own and to ask the `World` by messages, which costs two
//! context switches per host call: more than the call. So this module, and it alone, is `unsafe`.

use std::cell::Cell;
use std::ptr::NonNull;
use std::rc::Rc;

use crate::World;

/// A [`World`] that may be gone.
///
/// Invariant: the pointer in the cell, when there is one, comes from a `&mut dyn World` whose borrow is alive
/// and used by nobody else. [`lend`] puts it in and takes it out before its borrow ends, even when
/// unwinding; [`Lent::with`] takes it out while in use, so that no two references exist. `Rc` and `Cell`
/// keep all of it on one thread.
#[derive(Clone)]
pub(crate) struct Lent {
    cell: Rc<Cell<Option<NonNull<dyn World>>>>,
}

impl Lent {
    /// Uses the world. `None` if it is no longer lent, or in use further up the stack.
    #[allow(unsafe_code, reason = "see the module")]
    pub(crate) fn with<R>(&self, use_it: impl FnOnce(&mut dyn World) -> R) -> Option<R> {
        struct PutBack<'a>(&'a Cell<Option<NonNull<dyn World>>>, NonNull<dyn World>);
        impl Drop for PutBack<'_> {
            fn drop(&mut self) {
                self.0.set(Some(self.1));
            }
        }
        let taken = self.cell.take()?;
        let mut in_use = PutBack(&self.cell, taken);
        // SAFETY: by the invariant the borrow is alive and, as the cell is now empty, ours alone until
        // `in_use` puts the pointer back. The reference cannot outlive this call: `R` is chosen before it.
        let world = unsafe { in_use.1.as_mut() };
        Some(use_it(world))
    }
}

/// Lends `world` for the time of `run`.
#[allow(unsafe_code, reason = "see the module")]
pub(crate) fn lend<R>(world: &mut dyn World, run: impl FnOnce(Lent) -> R) -> R {
    struct TakeBack(Lent);
    impl Drop for TakeBack {
        fn drop(&mut self) {
            self.0.cell.set(None);
        }
    }
    let pointer: NonNull<dyn World + '_> = NonNull::from(world);
    // SAFETY: only the lifetime changes. The pointer is reachable through the cell alone, and `TakeBack`
    // empties the cell before this function, hence the borrow, ends.
    let pointer: NonNull<dyn World> =
        unsafe { std::mem::transmute::<NonNull<dyn World + '_>, NonNull<dyn World>>(pointer) };
    let lent = Lent { cell: Rc::new(Cell::new(Some(pointer))) };
    let _take_back = TakeBack(lent.clone());
    run(lent)
}

#[cfg(test)]
mod tests {
    use super::lend;
    use crate::silent::Silent;

    #[test]
    fn what_was_lent_is_gone_when_the_call_ends() {
        let kept = lend(&mut Silent, |lent| lent);
        assert!(kept.with(|_| ()).is_none());
    }

    #[test]
    fn the_world_is_not_lent_twice_at_once() {
        lend(&mut Silent, |lent| {
            let inner = lent.with(|_| lent.with(|_| ())).expect("lent");
            assert!(inner.is_none());
            assert!(lent.with(|_| ()).is_some());
        });
    }

    #[test]
    fn a_panic_takes_the_world_back() {
        let mut kept = None;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            lend(&mut Silent, |lent| {
                kept = Some(lent);
                panic!("as a world may");
            });
        }));
        assert!(outcome.is_err());
        assert!(kept.expect("kept").with(|_| ()).is_none());
    }
}
