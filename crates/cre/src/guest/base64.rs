//! Base64 as hosts write it: RFC 4648, section 4, padded.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The padded standard form.
pub(crate) fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut word = [0; 4];
        word[1..=group.len()].copy_from_slice(group);
        let word = u32::from_be_bytes(word);
        let digit = |idx: usize| DIGITS[(word >> (18 - 6 * idx) & 63) as usize];
        text.extend((0..4).map(|idx| if idx <= group.len() { digit(idx) } else { b'=' }));
    }
    text
}

/// None unless `text` is the padded standard form, without anything around it.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let n_padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let digits = text.get(..text.len().checked_sub(n_padding)?)?;
    if n_padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in digits.chunks(4) {
        let mut word = 0u32;
        for byte in group {
            word = word << 6 | u32::from(digit(*byte)?);
        }
        // A short last group stands for 8 or 16 bits, and the bits below them are zero.
        let n_bytes = group.len() * 6 / 8;
        let n_spare = group.len() * 6 % 8;
        if word & ((1 << n_spare) - 1) != 0 {
            return None;
        }
        bytes.extend_from_slice(&(word >> n_spare).to_be_bytes()[4 - n_bytes..]);
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_rfcs_vectors_decode() {
        let vectors = [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ];
        for (text, bytes) in vectors {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode(b"+/+/"), Some(vec![0xfb, 0xff, 0xbf]));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in ["Zg", "Zg=", "Zh==", "Zm9=", "=", "====", "Z===", "Zm-_", "Zg==Zg==", "Zm9v\n"]
        {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn any_text_decodes_or_does_not(text in "[A-Za-z0-9+/=]{0,24}") {
            let n_digits = text.trim_end_matches('=').len();
            if let Some(bytes) = decode(text.as_bytes()) {
                prop_assert_eq!(bytes.len(), n_digits * 6 / 8);
            }
        }
    }
}
