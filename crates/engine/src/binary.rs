//! A module's bytes as they are deployed and as they are run.

use std::io::Read;

use crate::{Error, Limits};

const MAGIC: &[u8] = b"\0asm";

/// The module in `bytes`: as it is, or out of brotli. Never makes more than the limit.
///
/// # Errors
/// [`Error::NotWasm`], [`Error::CorruptBrotli`], [`Error::WasmTooLarge`], [`Error::CompressedTooLarge`].
pub fn unpack<'a>(bytes: &'a [u8], limits: &Limits) -> Result<std::borrow::Cow<'a, [u8]>, Error> {
    let limit = limits.wasm_size_max;
    if bytes.starts_with(MAGIC) {
        if bytes.len() > limit {
            return Err(Error::WasmTooLarge { limit });
        }
        return Ok(bytes.into());
    }
    let (len, compressed_limit) = (bytes.len(), limits.wasm_compressed_size_max);
    if len > compressed_limit {
        return Err(Error::CompressedTooLarge { len, limit: compressed_limit });
    }
    let mut wasm = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let outcome = brotli_decompressor::Decompressor::new(bytes, BUFFER_SIZE)
        .take(bound)
        .read_to_end(&mut wasm);
    if wasm.len() > limit {
        return Err(Error::WasmTooLarge { limit });
    }
    // Brotli has no magic: what it makes of other bytes is told by the module's.
    match (wasm.starts_with(MAGIC), outcome) {
        (true, Ok(_)) => Ok(wasm.into()),
        (true, Err(_)) => Err(Error::CorruptBrotli),
        (false, _) => Err(Error::NotWasm),
    }
}

/// Bytes that brotli's decoder works on at a time.
const BUFFER_SIZE: usize = 1 << 14;

/// The form in which a module is deployed: standard base64, padded, of brotli at its best.
///
/// `wasm` is the raw module; takes some seconds per megabyte.
#[cfg(feature = "deploy")]
pub fn deploy_form(wasm: &[u8]) -> String {
    use base64::Engine as _;
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut { wasm }, &mut compressed, &parameters)
        .expect("reading from a slice and writing to a Vec cannot fail");
    base64::engine::general_purpose::STANDARD.encode(compressed)
}
