//! Patterns of module aliases, matched as modprobe matches them.

/// Returns whether a pattern covers all of a name.
///
/// `*` stands for any characters, `?` for one, `[…]` for one of a set with ranges and a leading `!` or
/// `^`. Outside of sets `-` and `_` are the same, as they are in names of modules.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where to go on if what follows the last `*` does not match.
    let mut retry: Option<(usize, usize)> = None;
    while seen < name.len() {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, seen));
            continue;
        }
        if let Some(length) = one(&pattern[at..], name[seen]) {
            at += length;
            seen += 1;
            continue;
        }
        let Some((after, from)) = retry else { return false };
        retry = Some((after, from + 1));
        (at, seen) = (after, from + 1);
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Returns the length of the pattern's first element if it matches a character.
fn one(pattern: &[u8], character: u8) -> Option<usize> {
    match pattern.first()? {
        b'?' => Some(1),
        b'[' => match set(&pattern[1..], character) {
            Some((length, true)) => Some(length + 1),
            Some((_, false)) => None,
            // A set that does not end is a bracket.
            None => (character == b'[').then_some(1),
        },
        literal => (fold(*literal) == fold(character)).then_some(1),
    }
}

/// Returns the length of a set with its closing bracket, and whether it holds a character.
fn set(inside: &[u8], character: u8) -> Option<(usize, bool)> {
    let negated = matches!(inside.first(), Some(b'!' | b'^'));
    let first = usize::from(negated);
    let mut at = first;
    let mut found = false;
    loop {
        let low = *inside.get(at)?;
        if low == b']' && at > first {
            return Some((at + 1, found != negated));
        }
        let range =
            inside.get(at + 1) == Some(&b'-') && inside.get(at + 2).is_some_and(|c| *c != b']');
        let high = if range { inside[at + 2] } else { low };
        found |= (low..=high).contains(&character);
        at += if range { 3 } else { 1 };
    }
}

fn fold(character: u8) -> u8 {
    if character == b'-' { b'_' } else { character }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_modprobe_does() {
        for (pattern, name) in [
            ("virtio:d00000002v*", "virtio:d00000002v00001AF4"),
            (
                "pci:v00001AF4d*sv*sd*bc*sc*i*",
                "pci:v00001AF4d00001042sv00001AF4sd00001100bc01sc00i00",
            ),
            ("pci:v*d*sv*sd*bc01sc08i02*", "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02"),
            ("scsi:t-0x00*", "scsi:t-0x00"),
            ("scsi:t_0x00*", "scsi:t-0x00"),
            ("usb:v*p*d*dc*dsc*dp*ic08isc06ip[5-68]in*", "usb:v0p0d0dc0dsc0dp0ic08isc06ip8in00"),
            (
                "cpu:type:x86,ven*fam*mod*:feature:*00E1*",
                "cpu:type:x86,ven0000fam0006mod003F:feature:,0000,00E1,",
            ),
            ("fs-erofs", "fs-erofs"),
            ("a[!b]c", "axc"),
            ("a[]]c", "a]c"),
            ("a[c", "a[c"),
            ("*", ""),
            ("a**b", "aXb"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("virtio:d00000002v*", "virtio:d00000001v00001AF4"),
            ("fs-ext4", "fs-ext4x"),
            ("fs-ext4x", "fs-ext4"),
            ("a?", "a"),
            ("", "a"),
            ("a[!b]c", "abc"),
            ("a[5-6]", "a7"),
            ("a[c", "ac"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_long_time() {
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199)));
        assert!(!matches(&format!("{}b", "a*".repeat(500)), &"a".repeat(5000)));
    }
}
