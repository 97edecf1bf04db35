//! Frames on the enclave's two byte streams: a `u32` big-endian length, then that many bytes.
//!
//! The stream is an argument; both ends use this one copy.

use std::io::{self, Read, Write};

/// Longest frame in bytes, without its prefix: 64 MiB. The longest real message, a proving key
/// handed to the enclave, has a fraction of that; the bound keeps a lying peer from choosing our
/// memory use.
pub const LEN_MAX: usize = 64 << 20;

/// Why a frame could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The peer closed the stream between frames: the orderly end.
    #[error("the peer closed the stream")]
    Closed,
    /// The frame is longer than [`LEN_MAX`].
    #[error("a frame of {len} bytes exceeds the limit of {max}", max = LEN_MAX)]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The stream failed, or ended inside a frame.
    #[error("the stream failed")]
    Stream(#[source] io::Error),
}

/// Writes `frame` and its prefix in one call, so that a tap sees whole frames.
///
/// # Errors
/// [`FrameError::TooLong`], or [`FrameError::Stream`].
pub fn write(stream: &mut impl Write, frame: &[u8]) -> Result<(), FrameError> {
    let bytes = encode(frame)?;
    stream.write_all(&bytes).and_then(|()| stream.flush()).map_err(FrameError::Stream)
}

/// The bytes of `frame` on the wire: prefix and content.
///
/// # Errors
/// [`FrameError::TooLong`].
pub fn encode(frame: &[u8]) -> Result<Vec<u8>, FrameError> {
    let len = u32::try_from(frame.len())
        .ok()
        .filter(|_| frame.len() <= LEN_MAX)
        .ok_or(FrameError::TooLong { len: frame.len() })?;
    let mut bytes = Vec::with_capacity(4 + frame.len());
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(frame);
    Ok(bytes)
}

/// Reads one frame. Memory is taken as bytes arrive, not as the prefix promises.
///
/// # Errors
/// [`FrameError::Closed`] at the end of the stream, [`FrameError::TooLong`] before reading the
/// content, [`FrameError::Stream`] otherwise, also when the stream ends inside a frame.
pub fn read(stream: &mut impl Read) -> Result<Vec<u8>, FrameError> {
    let mut prefix = [0; 4];
    let mut filled = 0;
    while filled < prefix.len() {
        match stream.read(&mut prefix[filled..]) {
            Ok(0) if filled == 0 => return Err(FrameError::Closed),
            Ok(0) => return Err(FrameError::Stream(io::ErrorKind::UnexpectedEof.into())),
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(FrameError::Stream(error)),
        }
    }
    let len = u32::from_be_bytes(prefix);
    if len as usize > LEN_MAX {
        return Err(FrameError::TooLong { len: len as usize });
    }
    let mut frame = Vec::new();
    let n = stream.take(u64::from(len)).read_to_end(&mut frame).map_err(FrameError::Stream)?;
    if n < len as usize {
        return Err(FrameError::Stream(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_back_in_order() {
        let mut wire = Vec::new();
        write(&mut wire, b"one").unwrap();
        write(&mut wire, b"").unwrap();
        let mut wire = wire.as_slice();
        assert_eq!(read(&mut wire).unwrap(), b"one");
        assert_eq!(read(&mut wire).unwrap(), b"");
        assert!(matches!(read(&mut wire), Err(FrameError::Closed)));
    }

    #[test]
    fn prefix_over_the_limit_is_refused_before_the_content() {
        let mut wire: &[u8] = &(u32::try_from(LEN_MAX).unwrap() + 1).to_be_bytes();
        assert!(matches!(read(&mut wire), Err(FrameError::TooLong { len }) if len == LEN_MAX + 1));
        assert!(matches!(encode(&vec![0; LEN_MAX + 1]), Err(FrameError::TooLong { .. })));
    }

    #[test]
    fn stream_that_ends_inside_a_frame_is_an_error() {
        for cut in 1..7 {
            let mut wire = &encode(b"abc").unwrap()[..cut];
            assert!(matches!(read(&mut wire), Err(FrameError::Stream(_))), "cut at {cut}");
        }
    }
}
