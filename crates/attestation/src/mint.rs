//! Makes documents under the development root, for the development NSM and for the tests.
//!
//! The chain has AWS's four tiers and their lifetimes, so that what expires in production expires
//! in development too. Everything is a function of its arguments: keys and serials derive from a
//! public constant and the tier's period, signatures are RFC 6979's. The same request at the same
//! time gives the same bytes, which replay needs.
//!
//! None of these keys is a secret. A document under this root proves nothing to anyone outside the
//! development chain, which [`crate::Anchors::development`] and [`crate::verify`] enforce.

use std::collections::BTreeMap;

use p384::ecdsa::{DerSignature, Signature, signature::Signer};
pub use p384::ecdsa::{SigningKey, VerifyingKey};
use sha2::{Digest, Sha256, Sha384};
use x509_cert::der::{
    DateTime, Encode,
    asn1::{GeneralizedTime, UtcTime},
};

use crate::{
    Measurement, cbor,
    document::{PROTECTED_HEADER, to_be_signed},
};

/// One level of the chain: who, how long a certificate lives, how often there is a new one.
struct Tier {
    name: &'static str,
    /// Lifetime in seconds.
    lifetime: u64,
    /// Seconds from one certificate to the next. Each divides the one above, and each lifetime is
    /// below what the certificate above has left at least, so that validities nest.
    period: u64,
    /// `None` for the leaf.
    path_len: Option<u8>,
    key_usage: u8,
}

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// As AWS's, read off documents of 2024 and 2025.
const TIERS: [Tier; 4] = [
    Tier {
        name: "regional",
        lifetime: 20 * DAY,
        period: 12 * DAY,
        path_len: Some(2),
        key_usage: AUTHORITY_USAGE,
    },
    Tier {
        name: "zonal",
        lifetime: 5 * DAY + 14 * HOUR,
        period: 3 * DAY,
        path_len: Some(1),
        key_usage: AUTHORITY_USAGE,
    },
    Tier {
        name: "instance",
        lifetime: DAY,
        period: 12 * HOUR,
        path_len: Some(0),
        key_usage: usage::KEY_CERT_SIGN,
    },
    Tier {
        name: "enclave",
        lifetime: 3 * HOUR,
        period: 90 * 60,
        path_len: None,
        key_usage: usage::DIGITAL_SIGNATURE,
    },
];

const AUTHORITY_USAGE: u8 = usage::DIGITAL_SIGNATURE | usage::KEY_CERT_SIGN | usage::CRL_SIGN;
const ROOT_NAME: &str = "development.nitro-enclaves";
/// 2020-01-01T00:00:00Z.
const ROOT_NOT_BEFORE: u64 = 1_577_836_800;
/// 2049-12-31T23:59:59Z, the last second of X.509's two-digit years.
const ROOT_NOT_AFTER: u64 = 2_524_607_999;

/// Bits of the keyUsage extension's first byte (RFC 5280, 4.2.1.3).
pub mod usage {
    /// Signing anything but certificates and revocation lists.
    pub const DIGITAL_SIGNATURE: u8 = 0x80;
    /// Signing certificates.
    pub const KEY_CERT_SIGN: u8 = 0x04;
    /// Signing revocation lists.
    pub const CRL_SIGN: u8 = 0x02;
}

/// A chain and the key at its end.
#[derive(Clone, Debug)]
pub struct Chain {
    /// DER certificates, root first.
    pub authorities: Vec<Vec<u8>>,
    /// The leaf, DER.
    pub leaf: Vec<u8>,
    /// The leaf's key.
    pub key: SigningKey,
}

impl Chain {
    /// The development chain at `now`, in Unix seconds: root, regional, zonal, instance, leaf.
    ///
    /// Every certificate is valid at `now` and for at least two fifths of its lifetime after it,
    /// as long as the root is.
    pub fn development(now: u64) -> Self {
        let (mut above, root) = development_root();
        let mut authorities = vec![root];
        for tier in &TIERS {
            let (key, certificate) = development_tier(tier.name, now);
            authorities.push(certificate.sign(&above));
            above = key;
        }
        let leaf = authorities.pop().expect("one per tier");
        Self { authorities, leaf, key: above }
    }

    /// First second of the leaf that [`Self::development`] makes at `now`, both in Unix seconds:
    /// times with the same one have the same chain, as the periods above divide each other.
    pub const fn development_leaf_not_before(now: u64) -> u64 {
        now - now % TIERS[3].period
    }
}

/// Key and certificate of one tier of the development chain at `now`, in Unix seconds. The tiers
/// are `regional`, `zonal`, `instance` and `enclave`.
///
/// # Panics
/// If there is no such tier.
pub fn development_tier(name: &str, now: u64) -> (SigningKey, Certificate) {
    let at =
        TIERS.iter().position(|tier| tier.name == name).expect("a tier of the development chain");
    let tier = &TIERS[at];
    let issuer = if at == 0 { ROOT_NAME.to_owned() } else { common_name(&TIERS[at - 1]) };
    let not_before = now - now % tier.period;
    let key = derived_key(tier.name, not_before);
    let constraints = match tier.path_len {
        Some(path_len) => Extension::authority(Some(path_len)),
        None => Extension::not_authority(),
    };
    let certificate = Certificate {
        serial: derived_serial(tier.name, not_before),
        issuer,
        subject: common_name(tier),
        not_before,
        not_after: not_before + tier.lifetime,
        key: *key.verifying_key(),
        extensions: vec![constraints, Extension::key_usage(tier.key_usage)],
    };
    (key, certificate)
}

/// The development root: its key, and the certificate that [`crate::Anchors::development`] pins.
pub fn development_root() -> (SigningKey, Vec<u8>) {
    let key = derived_key("root", 0);
    let root = Certificate {
        serial: derived_serial("root", 0),
        issuer: ROOT_NAME.to_owned(),
        subject: ROOT_NAME.to_owned(),
        not_before: ROOT_NOT_BEFORE,
        not_after: ROOT_NOT_AFTER,
        key: *key.verifying_key(),
        extensions: vec![Extension::authority(None), Extension::key_usage(AUTHORITY_USAGE)],
    };
    let der = root.sign(&key);
    (key, der)
}

/// What a certificate says.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Big-endian; the first byte must be 1 to 127.
    pub serial: [u8; 16],
    /// Common name of the issuer.
    pub issuer: String,
    /// Common name of the subject.
    pub subject: String,
    /// First second of validity, Unix time.
    pub not_before: u64,
    /// Last second of validity, Unix time.
    pub not_after: u64,
    /// The subject's key.
    pub key: VerifyingKey,
    /// In this order.
    pub extensions: Vec<Extension>,
}

/// An extension of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Content of the object identifier's DER.
    pub oid: &'static [u8],
    /// Whether whoever does not know it must refuse the certificate.
    pub critical: bool,
    /// DER.
    pub value: Vec<u8>,
}

impl Extension {
    /// basicConstraints of an authority.
    pub fn authority(path_len: Option<u8>) -> Self {
        let ca = tlv(0x01, &[0xff]);
        let path_len = path_len.map(|path_len| tlv(0x02, &[path_len])).unwrap_or_default();
        Self { oid: &[0x55, 0x1d, 0x13], critical: true, value: sequence(&[&ca, &path_len]) }
    }

    /// basicConstraints of anyone else.
    pub fn not_authority() -> Self {
        Self { oid: &[0x55, 0x1d, 0x13], critical: true, value: sequence(&[]) }
    }

    /// keyUsage, of bits of [`usage`].
    pub fn key_usage(bits: u8) -> Self {
        let unused = u8::try_from(bits.trailing_zeros().min(7)).expect("at most 7");
        Self { oid: &[0x55, 0x1d, 0x0f], critical: true, value: tlv(0x03, &[unused, bits]) }
    }
}

impl Certificate {
    /// The certificate, signed by `issuer`: DER.
    pub fn sign(&self, issuer: &SigningKey) -> Vec<u8> {
        sign_certificate(&self.to_be_signed(), issuer)
    }

    /// The `TBSCertificate` (RFC 5280, 4.1).
    pub fn to_be_signed(&self) -> Vec<u8> {
        let extensions: Vec<u8> = self.extensions.iter().flat_map(Extension::encode).collect();
        sequence(&[
            &tlv(0xa0, &tlv(0x02, &[2])),
            &tlv(0x02, &self.serial),
            &ecdsa_with_sha384(),
            &name(&self.issuer),
            &sequence(&[&time(self.not_before), &time(self.not_after)]),
            &name(&self.subject),
            &public_key(&self.key),
            &tlv(0xa3, &sequence(&[&extensions])),
        ])
    }
}

/// Signs a `TBSCertificate`.
pub fn sign_certificate(to_be_signed: &[u8], issuer: &SigningKey) -> Vec<u8> {
    let signature: DerSignature = issuer.sign(to_be_signed);
    sequence(&[to_be_signed, &ecdsa_with_sha384(), &bit_string(signature.as_bytes())])
}

/// What a document says beside its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Name of the module.
    pub module_id: String,
    /// Unix time in milliseconds.
    pub timestamp_ms: u64,
    /// By index.
    pub pcrs: BTreeMap<u8, Measurement>,
    /// Free field.
    pub user_data: Option<Vec<u8>>,
    /// The challenge.
    pub nonce: Option<Vec<u8>>,
    /// Free field.
    pub public_key: Option<Vec<u8>>,
}

impl Statement {
    /// The document: COSE_Sign1 under `chain`.
    pub fn sign(&self, chain: &Chain) -> Vec<u8> {
        sign_payload(&self.payload(chain), &chain.key)
    }

    /// The map that gets signed, its keys in AWS's order.
    pub fn payload(&self, chain: &Chain) -> Vec<u8> {
        let mut out = Vec::new();
        cbor::put_head(&mut out, 5, 9);
        cbor::put_text(&mut out, "module_id");
        cbor::put_text(&mut out, &self.module_id);
        cbor::put_text(&mut out, "digest");
        cbor::put_text(&mut out, "SHA384");
        cbor::put_text(&mut out, "timestamp");
        cbor::put_head(&mut out, 0, self.timestamp_ms);
        cbor::put_text(&mut out, "pcrs");
        cbor::put_head(&mut out, 5, self.pcrs.len() as u64);
        for (index, value) in &self.pcrs {
            cbor::put_head(&mut out, 0, u64::from(*index));
            cbor::put_bytes(&mut out, &value.0);
        }
        cbor::put_text(&mut out, "certificate");
        cbor::put_bytes(&mut out, &chain.leaf);
        cbor::put_text(&mut out, "cabundle");
        cbor::put_head(&mut out, 4, chain.authorities.len() as u64);
        for authority in &chain.authorities {
            cbor::put_bytes(&mut out, authority);
        }
        for (key, field) in [
            ("public_key", &self.public_key),
            ("user_data", &self.user_data),
            ("nonce", &self.nonce),
        ] {
            cbor::put_text(&mut out, key);
            match field {
                Some(bytes) => cbor::put_bytes(&mut out, bytes),
                None => out.push(0xf6),
            }
        }
        out
    }
}

/// Signs any payload as a COSE_Sign1 document.
pub fn sign_payload(payload: &[u8], key: &SigningKey) -> Vec<u8> {
    let signature: Signature = key.sign(&to_be_signed(payload));
    let mut out = Vec::with_capacity(payload.len() + 128);
    cbor::put_head(&mut out, 4, 4);
    cbor::put_bytes(&mut out, &PROTECTED_HEADER);
    cbor::put_head(&mut out, 5, 0);
    cbor::put_bytes(&mut out, payload);
    cbor::put_bytes(&mut out, &signature.to_bytes());
    out
}

fn common_name(tier: &Tier) -> String {
    format!("{}.{ROOT_NAME}", tier.name)
}

fn derived_key(tier: &str, not_before: u64) -> SigningKey {
    // A hash is no scalar once in 2^190 tries; the loop is there for form's sake.
    (0u8..=u8::MAX)
        .find_map(|attempt| {
            let seed = Sha384::new()
                .chain_update(b"cdpr/development/key/v1")
                .chain_update(tier)
                .chain_update(not_before.to_be_bytes())
                .chain_update([attempt])
                .finalize();
            SigningKey::from_slice(&seed).ok()
        })
        .expect("256 hashes in a row are not all outside the field")
}

fn derived_serial(tier: &str, not_before: u64) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(b"cdpr/development/serial/v1")
        .chain_update(tier)
        .chain_update(not_before.to_be_bytes())
        .finalize()
        .into();
    let mut serial: [u8; 16] = *digest.first_chunk().expect("32 bytes hold 16");
    // Positive, and no leading zero byte: DER has one form for an integer.
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

impl Extension {
    fn encode(&self) -> Vec<u8> {
        let critical = if self.critical { tlv(0x01, &[0xff]) } else { Vec::new() };
        sequence(&[&tlv(0x06, self.oid), &critical, &tlv(0x04, &self.value)])
    }
}

fn ecdsa_with_sha384() -> Vec<u8> {
    sequence(&[&tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03])])
}

fn public_key(key: &VerifyingKey) -> Vec<u8> {
    let ec_public_key = tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]);
    let p384 = tlv(0x06, &[0x2b, 0x81, 0x04, 0x00, 0x22]);
    sequence(&[
        &sequence(&[&ec_public_key, &p384]),
        &bit_string(key.to_sec1_point(false).as_bytes()),
    ])
}

/// `O=CDPR, OU=development, CN=…`.
fn name(common_name: &str) -> Vec<u8> {
    let attribute = |id: u8, value: &str| {
        tlv(0x31, &sequence(&[&tlv(0x06, &[0x55, 0x04, id]), &tlv(0x0c, value.as_bytes())]))
    };
    sequence(&[&attribute(10, "CDPR"), &attribute(11, "development"), &attribute(3, common_name)])
}

/// Two-digit years to 2049, four digits from then on (RFC 5280, 4.1.2.5).
fn time(unix: u64) -> Vec<u8> {
    let duration = core::time::Duration::from_secs(unix);
    let time = DateTime::from_unix_duration(duration).expect("a year below 10,000");
    if time.year() < 2050 {
        UtcTime::from_unix_duration(duration).and_then(|time| time.to_der())
    } else {
        GeneralizedTime::from_unix_duration(duration).and_then(|time| time.to_der())
    }
    .expect("a time that fits its type is encodable")
}

fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes].concat())
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        len @ 0..0x80 => out.push(len.to_be_bytes()[7]),
        len @ 0x80..0x100 => out.extend_from_slice(&[0x81, len.to_be_bytes()[7]]),
        len => {
            let len = u16::try_from(len).expect("a certificate is below 64 KiB");
            out.push(0x82);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
    out.extend_from_slice(content);
    out
}
