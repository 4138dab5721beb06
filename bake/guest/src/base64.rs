//! Base64 (RFC 4648, section 4), of which credentials are made that are no text.

/// Decodes padded base64 of the standard alphabet; white space between characters is left out.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut characters: Vec<u8> =
        text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if !characters.len().is_multiple_of(4) {
        return None;
    }
    let padding = characters.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 2 {
        return None;
    }
    characters.truncate(characters.len() - padding);
    let mut bytes = Vec::with_capacity(characters.len() / 4 * 3);
    for group in characters.chunks(4) {
        let mut bits = 0;
        for character in group {
            bits = bits << 6 | u32::from(value(*character)?);
        }
        bits <<= 6 * (4 - group.len());
        let [_, decoded @ ..] = bits.to_be_bytes();
        // What padding stands for must be zero, so that one value has one form.
        let (kept, dropped) = decoded.split_at(group.len() - 1);
        if dropped.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(kept);
    }
    Some(bytes)
}

fn value(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_the_vectors_of_the_specification() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9v\nYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode(b"+/+/").as_deref(), Some(&[0xfb, 0xff, 0xbf][..]));
    }

    #[test]
    fn refuses_what_is_not_base64() {
        for text in
            ["Zg", "Zg=", "Zh==", "Zm9=", "Zm9v=", "====", "Z===", "Zm=v", "Zm9-", "Zm9v Zm"]
        {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }
}
