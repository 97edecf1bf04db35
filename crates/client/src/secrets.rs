//! Where a party's secrets come from.

use core::fmt;

/// 32 secret bytes per use, as a function of a label and a counter: whoever holds one seed makes every key and
/// every envelope again, byte for byte, and needs to keep nothing else. The function must be pseudorandom and
/// keep uses apart; two messages sealed under one `(label, counter)` share an ephemeral key.
pub struct Secrets(Box<Draw>);

type Draw = dyn Fn(&str, u64) -> [u8; 32] + Send + Sync;

/// Nothing of it is shown.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// Secrets that `draw` derives.
    pub fn new(draw: impl Fn(&str, u64) -> [u8; 32] + Send + Sync + 'static) -> Self {
        Self(Box::new(draw))
    }

    pub(crate) fn draw(&self, label: &str, counter: u64) -> [u8; 32] {
        (self.0)(label, counter)
    }
}
