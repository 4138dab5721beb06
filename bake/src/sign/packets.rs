//! Armor, and the packets within (RFC 9580, 4 and 6).

use std::io::{BufReader, Read, Write};

use pgp::armor::{self, BlockType, Dearmor};
use pgp::errors::Error;
use pgp::packet::{Packet, PacketParser, PacketTrait, Signature};
use pgp::ser::Serialize;
use zeroize::Zeroizing;

const BEGIN: &[u8] = b"-----BEGIN PGP ";
/// More signatures of one thing in one place than anybody makes.
const MAX_SIGNATURES: usize = 16;

/// Bytes that are packets already.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn to_writer<W: Write>(&self, writer: &mut W) -> pgp::errors::Result<()> {
        Ok(writer.write_all(self.0)?)
    }

    fn write_len(&self) -> usize {
        self.0.len()
    }
}

/// Returns signature packets in ASCII armor, as `Release.gpg` and `repomd.xml.asc` have them.
pub fn armor(signature: &[u8]) -> String {
    armored(signature, BlockType::Signature)
}

/// Returns packets in ASCII armor of a type.
pub(super) fn armored(packets: &[u8], block: BlockType) -> String {
    let mut text = Vec::new();
    armor::write(&Raw(packets), block, &mut text, None, true).expect("a buffer takes everything");
    String::from_utf8(text).expect("armor is ASCII")
}

/// Returns the packets of a file: binary, or any number of armored blocks with text in between.
///
/// Packets of a kind that is not known are left out, as RFC 9580 wants it; anything that is broken
/// is an error.
pub(super) fn packets(bytes: &[u8]) -> Result<Vec<Packet>, String> {
    if bytes.first().is_some_and(|first| first & 0x80 != 0) {
        return parse(bytes);
    }
    let mut starts: Vec<usize> = Vec::new();
    for (at, window) in bytes.windows(BEGIN.len()).enumerate() {
        if window == BEGIN && (at == 0 || bytes[at - 1] == b'\n') {
            starts.push(at);
        }
    }
    if starts.is_empty() {
        return Err("neither OpenPGP packets nor ASCII armor".into());
    }
    let mut found = Vec::new();
    for (number, start) in starts.iter().enumerate() {
        let end = starts.get(number + 1).copied().unwrap_or(bytes.len());
        found.extend(parse(&dearmor(&bytes[*start..end])?)?);
    }
    Ok(found)
}

/// Returns the signatures of a file that must hold nothing else, and at least one.
pub(super) fn signatures(bytes: &[u8]) -> Result<Vec<Signature>, String> {
    let packets = packets(bytes)?;
    let mut signatures = Vec::new();
    for packet in packets {
        let tag = packet.tag();
        let Packet::Signature(signature) = packet else {
            return Err(format!("expected a signature, found a packet of type {}", u8::from(tag)));
        };
        signatures.push(signature);
    }
    match signatures.len() {
        0 => Err("no signature".into()),
        // Each is checked by reading all that it covers.
        count if count > MAX_SIGNATURES => {
            Err(format!("{count} signatures in one, expected at most {MAX_SIGNATURES}"))
        }
        _ => Ok(signatures),
    }
}

/// Returns a signature as one binary packet.
pub(super) fn to_bytes(signature: &Signature) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    signature.to_writer_with_header(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn dearmor(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    // What is read may be a secret key: a buffer that grew would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut reader = Dearmor::new(BufReader::new(text));
    reader.read_to_end(&mut bytes).map_err(|error| format!("broken armor: {error}"))?;
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Vec<Packet>, String> {
    let mut found = Vec::new();
    for packet in PacketParser::new(bytes) {
        match packet {
            Ok(Packet::Marker(_) | Packet::Padding(_)) => {}
            Ok(packet) => found.push(packet),
            Err(error) if is_unknown(&error) => {}
            Err(error) => return Err(format!("broken OpenPGP packets: {}", plain(&error))),
        }
    }
    if found.is_empty() { Err("no OpenPGP packets".into()) } else { Ok(found) }
}

fn is_unknown(error: &Error) -> bool {
    match error {
        Error::Unsupported { .. } => true,
        Error::InvalidPacketContent { source } => is_unknown(source),
        _ => false,
    }
}

/// Returns an error of the library in words: its own text may hold bytes of what it read.
pub(super) fn plain(error: &Error) -> &'static str {
    match error {
        Error::PacketIncomplete { .. } => "a packet ends early",
        Error::IO { source, .. } if source.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the file ends within a packet"
        }
        _ => "a packet that cannot be parsed",
    }
}
