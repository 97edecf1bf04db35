//! When the public learns what happened: the one choice that every layer, from circuit to command line, has to
//! agree on.

use borsh::{BorshDeserialize as Decode, BorshSerialize as Encode};

/// What the public learns, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Disclosure {
    /// The seed's: the status bit, fill status and recovery are public as they happen.
    Immediate,
    /// An epoch at a time: every tick looks like every other until the epoch opens.
    Sealed,
}

impl Disclosure {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Immediate, Self::Sealed];

    /// `immediate` or `sealed`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::Sealed => "sealed",
        }
    }

    /// The one of that [`Self::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|disclosure| disclosure.name() == name)
    }

    /// As the contracts and the circuit's public input have it: 0 immediate, 1 sealed.
    #[must_use]
    pub const fn to_bit(self) -> u8 {
        match self {
            Self::Immediate => 0,
            Self::Sealed => 1,
        }
    }
}
