//! The certificate chain, from the pinned root down to the leaf. Checks 5 to 10.
//!
//! The chain is linear and in order, so there is no path to build; each link is checked where it is.

use p384::ecdsa::{DerSignature, VerifyingKey, signature::Verifier};
use sha2::{Digest, Sha256};
use x509_cert::{
    Certificate,
    certificate::Version,
    der::{Decode, Encode, asn1::ObjectIdentifier, oid::AssociatedOid},
    ext::pkix::{BasicConstraints, KeyUsage},
};

use crate::{
    Anchors, Policy,
    document::Document,
    error::{CertificateProblem, Error, hex},
};

/// ecdsa-with-SHA384, RFC 5758, 3.2.
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
/// id-ecPublicKey, RFC 5480, 2.1.1.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// secp384r1, RFC 5480, 2.1.1.1.
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// The leaf of a verified chain.
pub(crate) struct Leaf {
    pub(crate) key: VerifyingKey,
    /// Last second in which the whole chain is valid, Unix time.
    pub(crate) not_after: u64,
}

/// Checks the chain of `document` at `now`, in Unix seconds.
pub(crate) fn verify(
    document: &Document,
    anchors: &Anchors,
    policy: &Policy,
    now: u64,
) -> Result<Leaf, Error> {
    // Parsing made sure that there is a first one.
    let root = &document.cabundle[0];
    if root != anchors.root() {
        return Err(Error::UnknownRoot {
            got: hex(&Sha256::digest(root)),
            expected: hex(&Sha256::digest(anchors.root())),
        });
    }
    let n_authorities = document.cabundle.len();
    let mut above: Option<Link> = None;
    let mut not_after = u64::MAX;
    for (index, der) in document.cabundle.iter().chain([&document.certificate]).enumerate() {
        let place = if index < n_authorities {
            Place::Authority { below: n_authorities - 1 - index }
        } else {
            Place::Leaf
        };
        let link = Link::parse(der)
            .and_then(|link| link.check(above.as_ref(), place, policy, now).map(|()| link))
            .map_err(|problem| Error::Certificate { index, problem })?;
        not_after = not_after.min(link.not_after());
        above = Some(link);
    }
    let leaf = above.expect("a document has a leaf");
    Ok(Leaf { key: leaf.key, not_after })
}

#[derive(Clone, Copy)]
enum Place {
    /// `below` counts the authorities between this one and the leaf.
    Authority {
        below: usize,
    },
    Leaf,
}

struct Link {
    certificate: Certificate,
    key: VerifyingKey,
}

impl Link {
    fn parse(der: &[u8]) -> Result<Self, CertificateProblem> {
        let certificate = Certificate::from_der(der).map_err(|_| CertificateProblem::Malformed)?;
        // What is checked below, signature included, is the parsed form. Were there a second
        // encoding of it, a third party could be shown other bytes than we saw.
        if certificate.to_der().ok().as_deref() != Some(der) {
            return Err(CertificateProblem::Malformed);
        }
        let spki = certificate.tbs_certificate().subject_public_key_info();
        let curve = spki
            .algorithm
            .parameters
            .as_ref()
            .and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        if spki.algorithm.oid != EC_PUBLIC_KEY || curve != Some(P384) {
            return Err(CertificateProblem::Key);
        }
        let key = spki
            .subject_public_key
            .as_bytes()
            .and_then(|point| VerifyingKey::from_sec1_bytes(point).ok())
            .ok_or(CertificateProblem::Key)?;
        Ok(Self { certificate, key })
    }

    fn check(
        &self,
        above: Option<&Self>,
        place: Place,
        policy: &Policy,
        now: u64,
    ) -> Result<(), CertificateProblem> {
        let tbs = self.certificate.tbs_certificate();
        if tbs.version() != Version::V3 {
            return Err(CertificateProblem::Version);
        }
        for algorithm in [tbs.signature(), self.certificate.signature_algorithm()] {
            if algorithm.oid != ECDSA_WITH_SHA384 || algorithm.parameters.is_some() {
                return Err(CertificateProblem::Algorithm);
            }
        }
        self.check_validity(now)?;
        self.check_extensions()?;
        match place {
            Place::Authority { below } => self.check_authority(below)?,
            Place::Leaf => self.check_leaf()?,
        }
        let issuer = tbs.issuer().to_der().map_err(|_| CertificateProblem::Malformed)?;
        if policy.is_revoked(&issuer, tbs.serial_number().as_bytes()) {
            return Err(CertificateProblem::Revoked);
        }
        // The root is trusted for being the pinned bytes, not for signing itself.
        let Some(above) = above else { return Ok(()) };
        if tbs.issuer() != above.certificate.tbs_certificate().subject() {
            return Err(CertificateProblem::Issuer);
        }
        let signed = tbs.to_der().map_err(|_| CertificateProblem::Malformed)?;
        self.certificate
            .signature()
            .as_bytes()
            .and_then(|bytes| DerSignature::try_from(bytes).ok())
            .and_then(|signature| above.key.verify(&signed, &signature).ok())
            .ok_or(CertificateProblem::Signature)
    }

    fn check_validity(&self, now: u64) -> Result<(), CertificateProblem> {
        let not_before =
            self.certificate.tbs_certificate().validity().not_before.to_unix_duration().as_secs();
        let not_after = self.not_after();
        if now < not_before {
            return Err(CertificateProblem::NotYetValid { not_before, now });
        }
        if now > not_after {
            return Err(CertificateProblem::Expired { not_after, now });
        }
        Ok(())
    }

    fn not_after(&self) -> u64 {
        self.certificate.tbs_certificate().validity().not_after.to_unix_duration().as_secs()
    }

    fn check_extensions(&self) -> Result<(), CertificateProblem> {
        let extensions =
            self.certificate.tbs_certificate().extensions().map_or(&[][..], Vec::as_slice);
        for (i, extension) in extensions.iter().enumerate() {
            if extensions[..i].iter().any(|earlier| earlier.extn_id == extension.extn_id) {
                return Err(CertificateProblem::DuplicateExtension);
            }
            let is_known = [BasicConstraints::OID, KeyUsage::OID].contains(&extension.extn_id);
            if extension.critical && !is_known {
                return Err(CertificateProblem::CriticalExtension);
            }
        }
        Ok(())
    }

    fn check_authority(&self, below: usize) -> Result<(), CertificateProblem> {
        match self.basic_constraints()? {
            Some(BasicConstraints { ca: true, path_len_constraint }) => {
                if let Some(allowed) =
                    path_len_constraint.filter(|&allowed| below > usize::from(allowed))
                {
                    return Err(CertificateProblem::PathLength { allowed, below });
                }
            }
            _ => return Err(CertificateProblem::NotAuthority),
        }
        if self.key_usage()?.is_some_and(|usage| usage.key_cert_sign()) {
            Ok(())
        } else {
            Err(CertificateProblem::KeyUsage)
        }
    }

    fn check_leaf(&self) -> Result<(), CertificateProblem> {
        if let Some(BasicConstraints { ca, path_len_constraint }) = self.basic_constraints()?
            && (ca || path_len_constraint.is_some())
        {
            return Err(CertificateProblem::AuthorityLeaf);
        }
        if self.key_usage()?.is_some_and(|usage| usage.digital_signature()) {
            Ok(())
        } else {
            Err(CertificateProblem::KeyUsage)
        }
    }

    fn basic_constraints(&self) -> Result<Option<BasicConstraints>, CertificateProblem> {
        self.extension()
    }

    fn key_usage(&self) -> Result<Option<KeyUsage>, CertificateProblem> {
        self.extension()
    }

    /// An extension, if it is there, in its one encoding: the certificate's own re-encoding does
    /// not look inside extensions.
    fn extension<T>(&self) -> Result<Option<T>, CertificateProblem>
    where
        T: for<'a> Decode<'a> + Encode + AssociatedOid,
    {
        let extensions = self.certificate.tbs_certificate().extensions();
        let Some(found) =
            extensions.into_iter().flatten().find(|extension| extension.extn_id == T::OID)
        else {
            return Ok(None);
        };
        let value = found.extn_value.as_bytes();
        T::from_der(value)
            .ok()
            .filter(|extension| extension.to_der().ok().as_deref() == Some(value))
            .map(Some)
            .ok_or(CertificateProblem::Malformed)
    }
}
