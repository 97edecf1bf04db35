//! From a document to something to rely on. Checks 11 to 17.

use core::{fmt, marker::PhantomData};

use p384::ecdsa::{Signature, signature::Verifier};

use crate::{
    Anchors, DEVELOPMENT_CHAIN_ID, Document, KeyBundle, Measurement, Measurements, Policy, chain,
    error::Error,
};

/// What evidence is worth. The discriminant is `EnclaveRegistry`'s `trust`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Trust {
    /// Signed under the development root: it shows the code path, not isolation.
    Development = 1,
    /// Signed under AWS's root.
    Hardware = 2,
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Development => "development",
            Self::Hardware => "hardware",
        })
    }
}

/// Marks what was verified under AWS's root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hardware {}

/// Marks what was verified under the development root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Development {}

/// Claims that hold, under the root that `T` names. Made by [`verify`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T> {
    claims: Claims,
    trust: PhantomData<T>,
}

impl<T> Verified<T> {
    /// What holds.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// A verified document. Whoever needs hardware takes [`Verified<Hardware>`] and can be given
/// nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attested {
    /// Under AWS's root.
    Hardware(Verified<Hardware>),
    /// Under the development root, on the development chain.
    Development(Verified<Development>),
}

impl Attested {
    /// What holds, whatever it is worth.
    pub fn claims(&self) -> &Claims {
        match self {
            Self::Hardware(verified) => &verified.claims,
            Self::Development(verified) => &verified.claims,
        }
    }

    /// What it is worth.
    pub fn trust(&self) -> Trust {
        match self {
            Self::Hardware(_) => Trust::Hardware,
            Self::Development(_) => Trust::Development,
        }
    }
}

/// What a verified document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    measurements: Measurements,
    chain_id: u64,
    module_id: String,
    timestamp_ms: u64,
    not_after: u64,
    user_data: Option<Vec<u8>>,
    nonce: Option<Vec<u8>>,
    public_key: Option<Vec<u8>>,
}

impl Claims {
    /// The workload; on the policy's allow-list.
    pub fn measurements(&self) -> &Measurements {
        &self.measurements
    }

    /// The policy's chain.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The module that signed.
    pub fn module_id(&self) -> &str {
        &self.module_id
    }

    /// When it signed, Unix time in milliseconds.
    pub fn timestamp_ms(&self) -> u64 {
        self.timestamp_ms
    }

    /// Last second in which the certificate chain is valid, Unix time.
    pub fn not_after(&self) -> u64 {
        self.not_after
    }

    /// The enclave's free field.
    pub fn user_data(&self) -> Option<&[u8]> {
        self.user_data.as_deref()
    }

    /// The challenge it answers.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    /// The enclave's free field for a key.
    pub fn public_key(&self) -> Option<&[u8]> {
        self.public_key.as_deref()
    }

    /// The key bundle the document vouches for: check 17. `now` is Unix time in milliseconds.
    ///
    /// # Errors
    /// [`Error::Bundle`], [`Error::BundleNotAttested`], [`Error::BundleChain`],
    /// [`Error::BundleExpired`].
    pub fn key_bundle(&self, encoded: &[u8], now: u64) -> Result<KeyBundle, Error> {
        let bundle = KeyBundle::parse(encoded).map_err(Error::Bundle)?;
        if self.user_data() != Some(&bundle.user_data()) {
            return Err(Error::BundleNotAttested);
        }
        if bundle.chain_id != self.chain_id {
            return Err(Error::BundleChain { got: bundle.chain_id, expected: self.chain_id });
        }
        let now = now / 1_000;
        if now > bundle.not_after {
            return Err(Error::BundleExpired { not_after: bundle.not_after, now });
        }
        Ok(bundle)
    }
}

/// Verifies `document` under `anchors` against `policy` at `now`, Unix time in milliseconds.
///
/// # Errors
/// The first of the checks 1 to 16 that fails, see the crate's documentation.
pub fn verify(
    document: &[u8],
    anchors: &Anchors,
    policy: &Policy,
    now: u64,
) -> Result<Attested, Error> {
    // Also checked where the anchor was made. Twice, because that was for the chain its maker
    // named, and this is for the chain of whoever relies on it.
    if anchors.trust() == Trust::Development && policy.chain_id() != DEVELOPMENT_CHAIN_ID {
        return Err(Error::DevelopmentOffDevnet { chain_id: policy.chain_id() });
    }
    let document = Document::parse(document)?;
    let leaf = chain::verify(&document, anchors, policy, now / 1_000)?;
    Signature::from_slice(&document.signature)
        .and_then(|signature| leaf.key.verify(&document.signed, &signature))
        .map_err(|_| Error::Signature)?;
    check_age(document.timestamp_ms, policy.age_ms_max(), now)?;
    if policy.nonce().is_some_and(|nonce| document.nonce.as_deref() != Some(nonce)) {
        return Err(Error::Nonce);
    }
    let measurements = measurements(&document)?;
    if !policy.allowed().contains(&measurements) {
        return Err(Error::Measurement {
            expected: policy.allowed().to_vec(),
            got: Box::new(measurements),
        });
    }
    let claims = Claims {
        measurements,
        chain_id: policy.chain_id(),
        module_id: document.module_id,
        timestamp_ms: document.timestamp_ms,
        not_after: leaf.not_after,
        user_data: document.user_data,
        nonce: document.nonce,
        public_key: document.public_key,
    };
    Ok(match anchors.trust() {
        Trust::Hardware => Attested::Hardware(Verified { claims, trust: PhantomData }),
        Trust::Development => Attested::Development(Verified { claims, trust: PhantomData }),
    })
}

fn check_age(timestamp_ms: u64, max_ms: u64, now: u64) -> Result<(), Error> {
    let age_ms = now.saturating_sub(timestamp_ms);
    if age_ms > max_ms {
        return Err(Error::Stale { age_ms, max_ms });
    }
    let ahead_ms = timestamp_ms.saturating_sub(now);
    if ahead_ms > max_ms {
        return Err(Error::FromTheFuture { ahead_ms, max_ms });
    }
    Ok(())
}

/// Check 14: the three registers, by name, never "those the document has".
fn measurements(document: &Document) -> Result<Measurements, Error> {
    let register = |index: u8, field: &'static str| match document.pcrs.get(&index) {
        None => Err(Error::Missing { field }),
        Some(&Measurement::ZERO) => Err(Error::DebugMode { index }),
        Some(&value) => Ok(value),
    };
    Ok(Measurements {
        pcr0: register(0, "pcr 0")?,
        pcr1: register(1, "pcr 1")?,
        pcr2: register(2, "pcr 2")?,
    })
}
