//! The document: a COSE_Sign1 envelope around a map of claims. Checks 1 to 4.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Measurement,
    cbor::{self, Reader},
    error::{CborProblem, Error, hex},
};

/// Longest document in bytes. AWS's are under 6 KiB.
const LEN_MAX: usize = 32 << 10;
/// `{1: -35}`: the algorithm is ES384, ECDSA on P-384 with SHA-384.
pub(crate) const PROTECTED_HEADER: [u8; 4] = [0xa1, 0x01, 0x38, 0x22];
/// An ES384 signature: r ‖ s, 48 bytes each.
pub(crate) const SIGNATURE_LEN: usize = 96;
/// AWS's bound of a certificate's length in bytes.
const CERTIFICATE_LEN_MAX: usize = 1_024;
/// AWS's chain has four authorities. A bound, so that nobody makes us verify hundreds of signatures.
const AUTHORITIES_MAX: usize = 8;
/// AWS's laxer bound of the three free fields, in bytes.
const FREE_FIELD_LEN_MAX: usize = 1_024;
/// AWS's bound of a register's index.
const REGISTER_MAX: u64 = 31;

/// A well-formed document. Nothing in it is verified: that is [`crate::verify`]'s work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Name of the module that signed; AWS's reads `<instance>-enc<enclave>`.
    pub module_id: String,
    /// When it was signed, Unix time in milliseconds, by the module's clock.
    pub timestamp_ms: u64,
    /// The registers it has, by index.
    pub pcrs: BTreeMap<u8, Measurement>,
    /// The leaf certificate, DER.
    pub certificate: Vec<u8>,
    /// Certificates from the root down to the leaf's issuer, DER.
    pub cabundle: Vec<Vec<u8>>,
    /// The enclave's free field, 0 to 1,024 bytes.
    pub user_data: Option<Vec<u8>>,
    /// The verifier's challenge, 0 to 1,024 bytes.
    pub nonce: Option<Vec<u8>>,
    /// The enclave's free field for a key, 0 to 1,024 bytes.
    pub public_key: Option<Vec<u8>>,
    /// What was signed: the COSE `Sig_structure`.
    pub(crate) signed: Vec<u8>,
    /// r ‖ s.
    pub(crate) signature: [u8; SIGNATURE_LEN],
}

impl Document {
    /// Parses a document: checks 1 to 4.
    ///
    /// # Errors
    /// [`Error::DocumentTooLong`], [`Error::Malformed`], [`Error::Algorithm`],
    /// [`Error::UnprotectedHeader`], [`Error::Missing`], [`Error::Duplicate`], [`Error::Length`],
    /// [`Error::Digest`], [`Error::RegisterIndex`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > LEN_MAX {
            return Err(Error::DocumentTooLong { len: bytes.len(), max: LEN_MAX });
        }
        let envelope = Envelope::parse(bytes)
            .map_err(|problem| Error::Malformed { part: "envelope", problem })?;
        if envelope.protected != PROTECTED_HEADER {
            return Err(Error::Algorithm { got: hex(envelope.protected) });
        }
        if envelope.has_unprotected {
            return Err(Error::UnprotectedHeader);
        }
        let signature = envelope.signature.try_into().map_err(|_| Error::Length {
            field: "signature",
            len: envelope.signature.len(),
            min: SIGNATURE_LEN,
            max: SIGNATURE_LEN,
        })?;
        let fields = Fields::parse(envelope.payload)?;
        Ok(Self {
            module_id: fields.module_id.ok_or(Error::Missing { field: "module_id" })?,
            timestamp_ms: fields.timestamp_ms.ok_or(Error::Missing { field: "timestamp" })?,
            pcrs: fields.pcrs.ok_or(Error::Missing { field: "pcrs" })?,
            certificate: fields.certificate.ok_or(Error::Missing { field: "certificate" })?,
            cabundle: fields.cabundle.ok_or(Error::Missing { field: "cabundle" })?,
            user_data: fields.user_data,
            nonce: fields.nonce,
            public_key: fields.public_key,
            signed: to_be_signed(envelope.payload),
            signature,
        })
    }
}

/// The COSE `Sig_structure` of a payload (RFC 9052, 4.4): context, protected header, no external
/// data, payload.
pub(crate) fn to_be_signed(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 32);
    cbor::put_head(&mut out, 4, 4);
    cbor::put_text(&mut out, "Signature1");
    cbor::put_bytes(&mut out, &PROTECTED_HEADER);
    cbor::put_bytes(&mut out, &[]);
    cbor::put_bytes(&mut out, payload);
    out
}

struct Envelope<'a> {
    protected: &'a [u8],
    has_unprotected: bool,
    payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, CborProblem> {
        // The array's head is compared, not read: an indefinite array would be a second encoding.
        let Some((&0x84, _)) = bytes.split_first() else {
            return Err(CborProblem { at: 0, what: "expected an array of four" });
        };
        let mut reader = Reader::new(bytes);
        reader.array()?;
        let protected = reader.bytes()?;
        let mut unprotected = reader.map()?;
        let mut has_unprotected = false;
        while reader.more(&mut unprotected)? {
            has_unprotected = true;
            reader.skip()?;
            reader.skip()?;
        }
        let payload = reader.bytes()?;
        let signature = reader.bytes()?;
        reader.end()?;
        Ok(Self { protected, has_unprotected, payload, signature })
    }
}

#[derive(Default)]
struct Fields {
    module_id: Option<String>,
    timestamp_ms: Option<u64>,
    pcrs: Option<BTreeMap<u8, Measurement>>,
    certificate: Option<Vec<u8>>,
    cabundle: Option<Vec<Vec<u8>>>,
    user_data: Option<Vec<u8>>,
    nonce: Option<Vec<u8>>,
    public_key: Option<Vec<u8>>,
}

impl Fields {
    fn parse(payload: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(payload);
        let mut fields = Self::default();
        let mut seen = BTreeSet::new();
        let mut pairs = reader.map().map_err(malformed)?;
        while reader.more(&mut pairs).map_err(malformed)? {
            let key = reader.text().map_err(malformed)?;
            if !seen.insert(key) {
                return Err(Error::Duplicate { key: key.chars().take(32).collect() });
            }
            match key {
                "module_id" => {
                    let module_id = reader.text().map_err(malformed)?;
                    check_len("module_id", module_id.len(), 1, FREE_FIELD_LEN_MAX)?;
                    fields.module_id = Some(module_id.to_owned());
                }
                "digest" => {
                    let digest = reader.text().map_err(malformed)?;
                    if digest != "SHA384" {
                        return Err(Error::Digest { got: digest.chars().take(32).collect() });
                    }
                }
                "timestamp" => fields.timestamp_ms = Some(reader.unsigned().map_err(malformed)?),
                "pcrs" => fields.pcrs = Some(registers(&mut reader)?),
                "certificate" => {
                    fields.certificate = Some(certificate("certificate", &mut reader)?)
                }
                "cabundle" => fields.cabundle = Some(authorities(&mut reader)?),
                "user_data" => fields.user_data = free_field("user_data", &mut reader)?,
                "nonce" => fields.nonce = free_field("nonce", &mut reader)?,
                "public_key" => fields.public_key = free_field("public_key", &mut reader)?,
                _ => reader.skip().map_err(malformed)?,
            }
        }
        reader.end().map_err(malformed)?;
        if !seen.contains("digest") {
            return Err(Error::Missing { field: "digest" });
        }
        Ok(fields)
    }
}

fn registers(reader: &mut Reader<'_>) -> Result<BTreeMap<u8, Measurement>, Error> {
    let mut registers = BTreeMap::new();
    let mut pairs = reader.map().map_err(malformed)?;
    while reader.more(&mut pairs).map_err(malformed)? {
        let index = reader.unsigned().map_err(malformed)?;
        let value = reader.bytes().map_err(malformed)?;
        let register = u8::try_from(index)
            .ok()
            .filter(|_| index <= REGISTER_MAX)
            .ok_or(Error::RegisterIndex { index, max: REGISTER_MAX })?;
        check_len("pcr", value.len(), 48, 48)?;
        let value = Measurement(value.try_into().expect("checked above"));
        if registers.insert(register, value).is_some() {
            return Err(Error::Duplicate { key: format!("pcr {register}") });
        }
    }
    check_len("pcrs", registers.len(), 1, 32)?;
    Ok(registers)
}

fn authorities(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let mut authorities = Vec::new();
    let mut items = reader.array().map_err(malformed)?;
    while reader.more(&mut items).map_err(malformed)? {
        authorities.push(certificate("cabundle certificate", reader)?);
        check_len("cabundle", authorities.len(), 1, AUTHORITIES_MAX)?;
    }
    check_len("cabundle", authorities.len(), 1, AUTHORITIES_MAX)?;
    Ok(authorities)
}

fn certificate(field: &'static str, reader: &mut Reader<'_>) -> Result<Vec<u8>, Error> {
    let bytes = reader.bytes().map_err(malformed)?;
    check_len(field, bytes.len(), 1, CERTIFICATE_LEN_MAX)?;
    Ok(bytes.to_vec())
}

fn free_field(field: &'static str, reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>, Error> {
    let bytes = reader.nullable_bytes().map_err(malformed)?;
    check_len(field, bytes.map_or(0, <[u8]>::len), 0, FREE_FIELD_LEN_MAX)?;
    Ok(bytes.map(<[u8]>::to_vec))
}

fn check_len(field: &'static str, len: usize, min: usize, max: usize) -> Result<(), Error> {
    if (min..=max).contains(&len) { Ok(()) } else { Err(Error::Length { field, len, min, max }) }
}

fn malformed(problem: CborProblem) -> Error {
    Error::Malformed { part: "payload", problem }
}
