//! Damage to bytes, from a seed: what a broken download, a hostile author or a bad disk does.

/// A generator of numbers that are random enough (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// Returns the next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below a bound; 0 if the bound is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u64;
        usize::try_from(self.number() % bound).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        self.number().to_le_bytes()[0]
    }
}

/// Numbers that lengths, counts and offsets break at.
const EDGES: [u64; 14] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_fff0,
    0xffff_ffff_ffff_ffff,
];

/// Returns a damaged copy of one seed; `others` are what is spliced in.
pub fn mutate(seed: &[u8], others: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        // Structure is at the start more often than not.
        let reach = if random.below(2) == 0 { bytes.len().min(512) } else { bytes.len() };
        let at = random.below(reach);
        match random.below(8) {
            0 => flip(&mut bytes, at, random),
            1 => bytes.truncate(at),
            2 | 3 => number(&mut bytes, at, random),
            4 => digits(&mut bytes, at, random),
            5 => repeat(&mut bytes, at, random),
            6 => splice(&mut bytes, at, others, random),
            _ => cut(&mut bytes, at, random),
        }
    }
    bytes
}

fn flip(bytes: &mut [u8], at: usize, random: &mut Random) {
    for _ in 0..=random.below(8) {
        let at = at + random.below(16);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << random.below(8);
        }
    }
}

/// Writes a number of two, four or eight bytes over what is there, in either order of bytes.
fn number(bytes: &mut [u8], at: usize, random: &mut Random) {
    let mut value = EDGES[random.below(EDGES.len())];
    if random.below(3) == 0 {
        value = value.wrapping_add(random.number() % 64);
    }
    let width = [2, 4, 8][random.below(3)];
    let at = if random.below(2) == 0 { at / width * width } else { at };
    let little = value.to_le_bytes();
    let big = value.to_be_bytes();
    let source = if random.below(2) == 0 { &little[..width] } else { &big[8 - width..] };
    for (to, from) in bytes.iter_mut().skip(at).zip(source) {
        *to = *from;
    }
}

/// Changes a run of digits, as text formats write their lengths.
fn digits(bytes: &mut [u8], at: usize, random: &mut Random) {
    let Some(start) = bytes.iter().skip(at).position(u8::is_ascii_hexdigit) else { return };
    let digit = b"0123456789abcdefF-+ "[random.below(20)];
    let run = bytes.iter_mut().skip(at + start).take_while(|byte| byte.is_ascii_hexdigit());
    for byte in run.take(1 + random.below(12)) {
        *byte = if random.below(2) == 0 { digit } else { b'0' + random.byte() % 10 };
    }
}

fn repeat(bytes: &mut Vec<u8>, at: usize, random: &mut Random) {
    let end = bytes.len().min(at + 1 + random.below(600));
    let part = bytes[at.min(end)..end].to_vec();
    let copies = 1 + random.below(4);
    bytes.splice(at..at, part.repeat(copies));
}

fn splice(bytes: &mut Vec<u8>, at: usize, others: &[Vec<u8>], random: &mut Random) {
    let Some(other) = others.get(random.below(others.len())) else { return };
    let from = random.below(other.len());
    let end = other.len().min(from + 1 + random.below(2000));
    let to = bytes.len().min(at + random.below(2000));
    bytes.splice(at.min(to)..to, other[from.min(end)..end].iter().copied());
}

fn cut(bytes: &mut Vec<u8>, at: usize, random: &mut Random) {
    let end = bytes.len().min(at + 1 + random.below(600));
    bytes.drain(at.min(end)..end);
}
