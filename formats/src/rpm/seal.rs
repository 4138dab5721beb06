//! Signatures of a written package: where they are, what they cover, and how to exchange them.
//!
//! A signature stands in the signature header and covers the main header, byte for byte, which in
//! turn has the digests of the payload and of every file. So a package is signed without touching
//! anything but its signature header:
//!
//! | tag | package | what |
//! |---|---|---|
//! | `RSA`, `DSA` | 4 and 6 | one binary OpenPGP signature packet of the main header; `DSA` is for every algorithm but RSA |
//! | `OPENPGP` | 6 | any number of such packets, each as base64 text |
//! | `PGP`, `GPG` | 4 | one packet of the main header and the payload together, as rpm before 4.14 made |
//!
//! Packages have zeros in reserve (`RESERVEDSPACE`, in version 6 `RESERVED`). As `rpmsign` does it,
//! a signature takes its room from there and gives it back there, so that the file keeps its
//! length; when the reserve does not suffice, it goes and the file grows.
//!
//! Specified in rpm's `docs/manual/format_v4.md` and `format_v6.md`, "Signature"; that `DSA` holds
//! EdDSA and ECDSA too is from `sign/rpmgensig.cc`.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::header::{Header, Region};
use super::lead;
use super::sections::{ALIGNMENT, skip_padding};
use super::signature::RESERVED;
use super::tags::signature as tags;
use super::value::{Strings, Value};
use crate::blob::Blob;
use crate::format::{ReadError, WriteError};
use crate::input::ReadAt;
use crate::rope::Rope;

/// OpenPGP's numbers of the RSA algorithms (RFC 9580, 9.1).
const RSA_ALGORITHMS: [u8; 3] = [1, 2, 3];

/// Where a signature stands, and so what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignatureTag {
    /// `RSA`: the main header.
    Rsa,
    /// `DSA`: the main header, by any algorithm but RSA.
    Dsa,
    /// `OPENPGP`: the main header, by any algorithm; as many as there are.
    OpenPgp,
    /// `PGP`: the main header and the payload, by RSA.
    LegacyRsa,
    /// `GPG`: the main header and the payload, by any algorithm but RSA.
    LegacyDsa,
}

impl SignatureTag {
    const ALL: [Self; 5] = [Self::Rsa, Self::Dsa, Self::OpenPgp, Self::LegacyRsa, Self::LegacyDsa];

    fn number(self) -> u32 {
        match self {
            Self::Rsa => tags::RSA,
            Self::Dsa => tags::DSA,
            Self::OpenPgp => tags::OPENPGP,
            Self::LegacyRsa => tags::PGP,
            Self::LegacyDsa => tags::GPG,
        }
    }

    /// Returns the tag's name, e.g. `RSA`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::Dsa => "DSA",
            Self::OpenPgp => "OPENPGP",
            Self::LegacyRsa => "PGP",
            Self::LegacyDsa => "GPG",
        }
    }

    /// Returns whether the payload is covered too, right after the main header.
    pub fn covers_payload(self) -> bool {
        match self {
            Self::Rsa | Self::Dsa | Self::OpenPgp => false,
            Self::LegacyRsa | Self::LegacyDsa => true,
        }
    }
}

/// A signature that a package has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Where it stands.
    pub tag: SignatureTag,
    /// The binary OpenPGP packet.
    pub packet: Vec<u8>,
}

/// The version of the package format, as far as it matters to signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    V4,
    V6,
}

/// The signatures of one package.
#[derive(Debug, Clone)]
pub struct Seal {
    header: Header,
    /// The signature header's length without padding.
    len: usize,
    /// Where the signature header and its padding are.
    place: Range<u64>,
    /// Where the main header is.
    signed: Range<u64>,
    layout: Layout,
    time: Option<u32>,
}

/// What is to be changed in a file: a range that other bytes replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Which bytes go.
    pub range: Range<u64>,
    /// What comes instead.
    pub bytes: Vec<u8>,
}

impl Patch {
    /// Returns whether the file keeps its length, so that it can be written in place.
    pub fn is_in_place(&self) -> bool {
        self.range.end - self.range.start == self.bytes.len() as u64
    }

    /// Describes the changed file, given the file as it was.
    pub fn apply(&self, file: Blob) -> Rope {
        let mut rope = Rope::new();
        rope.push_range(file.digest, 0, self.range.start);
        rope.push_bytes(&self.bytes);
        rope.push_range(file.digest, self.range.end, file.size - self.range.end);
        rope
    }
}

impl Seal {
    /// Reads a package's signatures; the payload is not looked at.
    pub fn read(file: &dyn ReadAt) -> Result<Self, ReadError> {
        lead::read(file)?;
        let start = lead::SIZE as u64;
        let (header, bytes) = Header::read(file, start, Region::Signature)?;
        let main = skip_padding(file, start + bytes.len() as u64)?;
        let (immutable, immutable_bytes) = Header::read(file, main, Region::Immutable)?;
        let layout =
            if immutable.get(super::tags::RPMFORMAT).is_some() { Layout::V6 } else { Layout::V4 };
        let signed = main..main + immutable_bytes.len() as u64;
        let time = immutable.int32s(super::tags::BUILDTIME)?.first().copied();
        let seal = Self { header, len: bytes.len(), place: start..main, signed, layout, time };
        seal.read_signatures()?;
        Ok(seal)
    }

    /// Returns which bytes of the file a signature covers: the main header.
    pub fn signed(&self) -> Range<u64> {
        self.signed.clone()
    }

    /// Returns when the package was made, in seconds since 1970, if it says so.
    pub fn time(&self) -> Option<u32> {
        self.time
    }

    /// Returns the signatures, in order of their tags.
    pub fn signatures(&self) -> Vec<Signature> {
        // They were read once before, without an error.
        self.read_signatures().unwrap_or_default()
    }

    fn read_signatures(&self) -> Result<Vec<Signature>, ReadError> {
        let mut all = Vec::new();
        for tag in SignatureTag::ALL {
            let number = tag.number();
            match self.header.get(number) {
                None => {}
                Some(Value::Bin(packet)) if tag != SignatureTag::OpenPgp => {
                    all.push(Signature { tag, packet: packet.clone() });
                }
                Some(Value::StringArray(texts)) if tag == SignatureTag::OpenPgp => {
                    for text in texts.iter() {
                        let packet = BASE64.decode(text).map_err(|error| {
                            self.header.invalid(number, format!("expected base64: {error}"))
                        })?;
                        all.push(Signature { tag, packet });
                    }
                }
                Some(other) => {
                    let reason = format!("expected a signature, found type {}", other.kind());
                    return Err(self.header.invalid(number, reason));
                }
            }
        }
        Ok(all)
    }

    /// Adds a signature: a binary OpenPGP packet over [`Seal::signed`].
    ///
    /// A package of version 4 has room for one RSA signature and one other; what is there already
    /// is an error, not replaced.
    pub fn add(&mut self, packet: &[u8]) -> Result<SignatureTag, WriteError> {
        let algorithm = algorithm(packet).map_err(|reason| invalid("signature", reason))?;
        let tag = match self.layout {
            Layout::V6 => SignatureTag::OpenPgp,
            Layout::V4 if RSA_ALGORITHMS.contains(&algorithm) => SignatureTag::Rsa,
            Layout::V4 => SignatureTag::Dsa,
        };
        let number = tag.number();
        if tag == SignatureTag::OpenPgp {
            let mut texts = match self.header.get(number) {
                Some(Value::StringArray(texts)) => texts.clone(),
                _ => Strings::default(),
            };
            texts.push(BASE64.encode(packet).as_bytes());
            self.header.put(number, Value::StringArray(texts));
        } else if self.header.get(number).is_some() {
            let reason = "a version 4 package holds one signature of this kind, and has it already: \
                          replace it";
            return Err(invalid(tag.name(), reason.into()));
        } else {
            self.header.put(number, Value::Bin(packet.to_vec()));
        }
        Ok(tag)
    }

    /// Removes all signatures and returns whether there were any.
    pub fn clear(&mut self) -> bool {
        let removed: Vec<bool> =
            SignatureTag::ALL.map(|tag| self.header.remove(tag.number()).is_some()).to_vec();
        removed.contains(&true)
    }

    /// Returns what is to be changed in the file that was read.
    ///
    /// The signature header keeps its length if what is in reserve allows; else it gets a new
    /// reserve, and what follows moves.
    pub fn patch(&self) -> Result<Patch, WriteError> {
        let tag = match self.layout {
            Layout::V4 => tags::RESERVEDSPACE,
            Layout::V6 => tags::RESERVED,
        };
        let mut header = self.header.clone();
        header.remove(tag);
        // The zeros are one more index entry, and stand last, so that they move nothing.
        let taken = header.to_bytes()?.len() + super::header::ENTRY;
        let spare = self.len.checked_sub(taken).filter(|spare| *spare > 0);
        header.put(tag, Value::Bin(vec![0; spare.unwrap_or(RESERVED)]));
        let mut bytes = header.to_bytes()?;
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        Ok(Patch { range: self.place.clone(), bytes })
    }
}

/// Returns the public key algorithm of a signature packet (RFC 9580, 4.2 and 5.2).
fn algorithm(packet: &[u8]) -> Result<u8, String> {
    let body = body(packet).ok_or("expected one whole OpenPGP signature packet")?;
    let algorithm = match body.first() {
        Some(3) => body.get(15),
        Some(4 | 6) => body.get(2),
        Some(version) => return Err(format!("version {version} of OpenPGP signatures is unknown")),
        None => None,
    };
    algorithm.copied().ok_or_else(|| "the signature packet is cut short".into())
}

/// Returns the body of a signature packet that is all there is.
fn body(packet: &[u8]) -> Option<&[u8]> {
    const SIGNATURE: u8 = 2;
    let (header, rest) = packet.split_first()?;
    let (kind, len, body) = if header & 0xc0 == 0xc0 {
        let (len, body) = new_length(rest)?;
        (header & 0x3f, len, body)
    } else if header & 0x80 != 0 {
        let size = 1 << (header & 3);
        let (len, body) = rest.split_at_checked(size)?;
        // Type 3, a length that is not said, is for streams only.
        (header >> 2 & 0xf, number(len).filter(|_| size < 8)?, body)
    } else {
        return None;
    };
    (kind == SIGNATURE && body.len() as u64 == len).then_some(body)
}

/// Splits off a length in the form of OpenPGP's new packets, but for partial ones.
fn new_length(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    match first {
        0..=191 => Some((u64::from(*first), rest)),
        192..=223 => {
            let (second, rest) = rest.split_first()?;
            Some((((u64::from(*first) - 192) << 8) + u64::from(*second) + 192, rest))
        }
        224..=254 => None,
        255 => {
            let (len, rest) = rest.split_at_checked(4)?;
            Some((number(len)?, rest))
        }
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0_u64, |number, byte| Some(number.checked_mul(256)? + u64::from(*byte)))
}

fn invalid(field: &str, reason: String) -> WriteError {
    WriteError::Field { format: "rpm", field: field.into(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{BlobStore, MemoryStore};
    use crate::encode::{Encoder, NoCache};
    use crate::format::{Epoch, Format, WriteCx};
    use crate::input::Source;
    use crate::rpm::{Package, Rpm};
    use crate::tree::TreeBuilder;

    fn unsigned() -> Vec<u8> {
        let package = Package {
            summary: "says hello".into(),
            description: "Says hello.".into(),
            license: "MIT".into(),
            ..Package::new("hello", "1.0", "1", "noarch")
        };
        let store = MemoryStore::new();
        let encoder = Encoder::new(&store, &NoCache, 1);
        let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: Epoch(1) };
        let tree = TreeBuilder::new().finish().unwrap();
        let artifact = Rpm::write(&package, &tree, &cx).unwrap();
        artifact.files[0].rope.to_vec(&store).unwrap()
    }

    /// A packet of version 4 with a length of `size` bytes; only its head is looked at.
    fn packet(algorithm: u8, size: u16) -> Vec<u8> {
        let mut packet = vec![0x89];
        packet.extend(size.to_be_bytes());
        packet.extend([4, 0, algorithm]);
        packet.resize(3 + usize::from(size), 0xaa);
        packet
    }

    fn patched(file: &[u8], seal: &Seal) -> Vec<u8> {
        let patch = seal.patch().unwrap();
        let store = MemoryStore::new();
        let blob = store.put(file).unwrap();
        let rope = patch.apply(blob);
        assert_eq!(rope.len() == file.len() as u64, patch.is_in_place());
        rope.to_vec(&store).unwrap()
    }

    fn read(file: &[u8]) -> Seal {
        Seal::read(&file.to_vec()).unwrap()
    }

    #[test]
    fn signing_keeps_length_header_and_payload_and_can_be_undone() {
        let file = unsigned();
        let mut seal = read(&file);
        assert_eq!(seal.signatures(), []);
        assert_eq!(seal.add(&packet(1, 563)).unwrap(), SignatureTag::Rsa);
        assert_eq!(seal.add(&packet(22, 117)).unwrap(), SignatureTag::Dsa);
        let signed = patched(&file, &seal);
        assert_eq!(signed.len(), file.len());
        let main = usize::try_from(seal.signed().start).unwrap();
        assert_eq!(signed[main..], file[main..]);
        assert_eq!(Rpm::verify(&Source::from_bytes(signed.clone())).unwrap(), []);

        let mut again = read(&signed);
        assert_eq!(again.signed(), seal.signed());
        let expected = [
            Signature { tag: SignatureTag::Rsa, packet: packet(1, 563) },
            Signature { tag: SignatureTag::Dsa, packet: packet(22, 117) },
        ];
        assert_eq!(again.signatures(), expected);
        assert!(again.add(&packet(1, 10)).is_err(), "one of a kind");
        assert!(again.clear());
        assert!(!again.clear());
        assert_eq!(patched(&signed, &again), file);
    }

    #[test]
    fn a_signature_larger_than_the_reserve_makes_the_file_grow() {
        let file = unsigned();
        let mut seal = read(&file);
        seal.add(&packet(1, 5000)).unwrap();
        let signed = patched(&file, &seal);
        assert!(signed.len() > file.len());
        assert_eq!(Rpm::verify(&Source::from_bytes(signed.clone())).unwrap(), []);
        let mut again = read(&signed);
        again.add(&packet(22, 100)).unwrap();
        assert_eq!(patched(&signed, &again).len(), signed.len(), "there is a reserve again");
    }

    #[test]
    fn every_size_around_the_reserve_gives_a_whole_package() {
        let file = unsigned();
        for size in 4080..4140 {
            let mut seal = read(&file);
            seal.add(&packet(1, size)).unwrap();
            let signed = patched(&file, &seal);
            assert_eq!(Rpm::verify(&Source::from_bytes(signed)).unwrap(), [], "{size}");
        }
    }

    #[test]
    fn finds_the_algorithm_of_all_forms_of_packets() {
        let body = |version: u8| match version {
            3 => [vec![3], vec![5; 14], vec![17, 0]].concat(),
            _ => vec![version, 0, 17, 0],
        };
        for version in [3, 4, 6] {
            let body = body(version);
            let len = u8::try_from(body.len()).unwrap();
            for head in [
                vec![0x88, len],
                vec![0x89, 0, len],
                vec![0x8a, 0, 0, 0, len],
                vec![0xc2, len],
                vec![0xc2, 255, 0, 0, 0, len],
            ] {
                assert_eq!(algorithm(&[head, body.clone()].concat()), Ok(17), "{version}");
            }
        }
        let long = [vec![0xc2, 192, 10], vec![4, 0, 22], vec![0; 199]].concat();
        assert_eq!(algorithm(&long), Ok(22));
    }

    #[test]
    fn rejects_what_is_no_signature_packet() {
        let good = packet(1, 20);
        for len in 0..good.len() {
            assert!(algorithm(&good[..len]).is_err(), "{len} bytes");
        }
        let cases: [&[u8]; 7] = [
            &[good.as_slice(), &[0]].concat(),
            &[0x99, 0, 3, 4, 0, 1],
            &[0x8b, 4, 0, 1],
            &[0xc2, 224, 4, 0, 1],
            &[0x88, 3, 5, 0, 1],
            &[0x88, 2, 4, 0],
            b"-----BEGIN PGP SIGNATURE-----",
        ];
        for case in cases {
            assert!(read(&unsigned()).add(case).is_err(), "{case:?}");
        }
    }
}
