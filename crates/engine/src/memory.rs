//! Reads from and writes to a module's memory, as Chainlink's host does it, texts included.
//!
//! Pointers and lengths are the module's word: any `i32`.

/// The bytes at `ptr`, or the text that the module gets instead.
pub(crate) fn read(memory: &[u8], ptr: i32, len: i32) -> Result<&[u8], String> {
    let (Ok(start), Ok(size)) = (usize::try_from(ptr), usize::try_from(len)) else {
        return Err(format!("invalid memory access: ptr: {ptr}, size: {len}"));
    };
    start
        .checked_add(size)
        .and_then(|end| memory.get(start..end))
        .ok_or_else(|| "out of bounds memory access".to_owned())
}

/// Writes all of `bytes` to a buffer of `max`; how many. `None` when they, or the buffer, do not fit.
pub(crate) fn write(memory: &mut [u8], bytes: &[u8], ptr: i32, max: i32) -> Option<usize> {
    let (start, size) = (usize::try_from(ptr).ok()?, usize::try_from(max).ok()?);
    let buffer = memory.get_mut(start..start.checked_add(size)?)?;
    buffer.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(bytes.len())
}

/// Writes as much of an error's `text` as fits. The result is what the module's call returns: minus the
/// bytes written, −1 when there is nowhere to write.
pub(crate) fn write_error(memory: &mut [u8], text: &str, ptr: i32, max: i32) -> i64 {
    let (Ok(start), Ok(size)) = (usize::try_from(ptr), usize::try_from(max)) else {
        return -1;
    };
    let Some(buffer) = memory.get_mut(start..) else {
        return -1;
    };
    let len = text.len().min(size).min(buffer.len());
    buffer[..len].copy_from_slice(&text.as_bytes()[..len]);
    -i64::try_from(len).unwrap_or(i64::MAX)
}

/// A little-endian `u32` at `ptr`.
pub(crate) fn read_u32(memory: &[u8], ptr: i32) -> Option<u32> {
    read(memory, ptr, 4).ok()?.try_into().ok().map(u32::from_le_bytes)
}

/// Writes a little-endian `u32`; whether it fits.
pub(crate) fn write_u32(memory: &mut [u8], ptr: i32, value: u32) -> bool {
    write(memory, &value.to_le_bytes(), ptr, 4).is_some()
}

/// Writes a little-endian `u64`; whether it fits.
pub(crate) fn write_u64(memory: &mut [u8], ptr: i32, value: u64) -> bool {
    write(memory, &value.to_le_bytes(), ptr, 8).is_some()
}

#[cfg(test)]
mod tests {
    use super::{read, write, write_error};
    use proptest::prelude::*;

    #[test]
    fn the_texts_are_chainlinks() {
        let memory = [0; 8];
        assert_eq!(read(&memory, -1, 2), Err("invalid memory access: ptr: -1, size: 2".to_owned()));
        assert_eq!(read(&memory, 4, 5), Err("out of bounds memory access".to_owned()));
        assert_eq!(
            read(&memory, i32::MAX, i32::MAX),
            Err("out of bounds memory access".to_owned())
        );
    }

    #[test]
    fn an_error_text_is_cut_to_the_buffer_and_to_the_memory() {
        let mut memory = [0; 8];
        assert_eq!(write_error(&mut memory, "abcdef", 2, 3), -3);
        assert_eq!(&memory, b"\0\0abc\0\0\0");
        assert_eq!(write_error(&mut memory, "abcdef", 6, i32::MAX), -2);
        assert_eq!(write_error(&mut memory, "abcdef", 9, 1), -1);
        assert_eq!(write_error(&mut memory, "abcdef", 0, -1), -1);
    }

    proptest! {
        #[test]
        fn no_pointer_reaches_outside(ptr: i32, len: i32, max: i32, size in 0usize..64) {
            let mut memory = vec![0xaa; size];
            if let Ok(bytes) = read(&memory, ptr, len) {
                prop_assert_eq!(bytes.len(), usize::try_from(len).unwrap());
            }
            let bytes = vec![0; 5];
            if let Some(written) = write(&mut memory, &bytes, ptr, max) {
                prop_assert!(i64::from(ptr) + i64::try_from(written).unwrap() <= i64::try_from(size).unwrap());
            }
            prop_assert!(write_error(&mut memory, "error", ptr, max) <= 0);
        }
    }
}
