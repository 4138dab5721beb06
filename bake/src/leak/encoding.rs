//! The forms in which a value can be in an artifact.

use std::fmt;

use serde::Serialize;
use zeroize::Zeroizing;

/// The least bytes of a form that is looked for.
const LEAST: usize = 6;
/// How many characters of base64 a piece has that is looked for where lines may be broken.
const PIECE: usize = 24;
/// Forms of base64 that are longer are broken into lines by many tools, at 64 or 76 characters.
const LINE: usize = 64;
const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// How a value is written where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// As it is.
    Raw,
    /// With other ends of lines.
    Crlf,
    /// In one line, with `\n` between what was lines.
    OneLine,
    /// One of its lines alone.
    Line,
    /// Base64 of either alphabet, in any context.
    Base64,
    /// Hexadecimal.
    Hex,
    /// Percent-encoded.
    Percent,
    /// Escaped as in JSON.
    Json,
    /// Escaped as in XML and HTML.
    Xml,
    /// Quoted for a shell.
    Shell,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "as it is",
            Self::Crlf => "with CRLF",
            Self::OneLine => "in one line",
            Self::Line => "one of its lines",
            Self::Base64 => "base64",
            Self::Hex => "hex",
            Self::Percent => "percent-encoded",
            Self::Json => "escaped for JSON",
            Self::Xml => "escaped for XML",
            Self::Shell => "quoted for a shell",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
        })
    }
}

/// One form of a value.
pub(super) type Form = (Encoding, Zeroizing<Vec<u8>>);

/// Collects forms, equal ones once.
#[derive(Default)]
struct Forms {
    forms: Vec<Form>,
}

impl Forms {
    fn add(&mut self, encoding: Encoding, bytes: Vec<u8>) {
        let bytes = Zeroizing::new(bytes);
        if bytes.len() >= LEAST && !self.forms.iter().any(|(_, known)| *known == bytes) {
            self.forms.push((encoding, bytes));
        }
    }
}

/// Returns every form of a value that is looked for.
pub(super) fn forms(value: &[u8]) -> Vec<Form> {
    let mut forms = Forms::default();
    forms.add(Encoding::Raw, value.to_vec());
    lines(value, &mut forms);
    let escaped: [(Encoding, &dyn Fn(u8, &mut Vec<u8>)); 17] = [
        (Encoding::Hex, &|byte, out| out.extend(hex(byte, Case::Lower))),
        (Encoding::Hex, &|byte, out| out.extend(hex(byte, Case::Upper))),
        (Encoding::Percent, &|byte, out| percent(byte, Case::Upper, out)),
        (Encoding::Percent, &|byte, out| percent(byte, Case::Lower, out)),
        (Encoding::Percent, &|byte, out| reserved(byte, Case::Upper, out)),
        (Encoding::Percent, &|byte, out| reserved(byte, Case::Lower, out)),
        (Encoding::Percent, &|byte, out| match byte {
            b' ' => out.push(b'+'),
            _ => reserved(byte, Case::Upper, out),
        }),
        (Encoding::Json, &json),
        (Encoding::Json, &|byte, out| match byte {
            b'/' => out.extend(b"\\/"),
            _ => json(byte, out),
        }),
        // As encoders write it whose text may stand in HTML.
        (Encoding::Json, &|byte, out| match byte {
            b'<' | b'>' | b'&' => {
                out.extend(b"\\u00");
                out.extend(hex(byte, Case::Lower));
            }
            _ => json(byte, out),
        }),
        (Encoding::Xml, &|byte, out| xml(byte, [b"\"", b"'"], out)),
        (Encoding::Xml, &|byte, out| xml(byte, [b"&quot;", b"'"], out)),
        (Encoding::Xml, &|byte, out| xml(byte, [b"&quot;", b"&apos;"], out)),
        (Encoding::Xml, &|byte, out| xml(byte, [b"&quot;", b"&#39;"], out)),
        (Encoding::Xml, &|byte, out| xml(byte, [b"&#34;", b"&#39;"], out)),
        (Encoding::Xml, &|byte, out| xml(byte, [b"&quot;", b"&#x27;"], out)),
        (Encoding::Shell, &|byte, out| match byte {
            b'"' | b'\\' | b'$' | b'`' => out.extend([b'\\', byte]),
            _ => out.push(byte),
        }),
    ];
    for (encoding, escape) in escaped {
        let mut bytes = Vec::with_capacity(value.len() * 3);
        value.iter().for_each(|byte| escape(*byte, &mut bytes));
        forms.add(encoding, bytes);
    }
    shell(value, &mut forms);
    unicode(value, &mut forms);
    base64(value, &mut forms);
    forms.forms
}

/// Adds what becomes of a value of several lines.
fn lines(value: &[u8], forms: &mut Forms) {
    if !value.contains(&b'\n') {
        return;
    }
    let plain: Vec<&[u8]> = value
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .collect();
    forms.add(Encoding::Raw, plain.join(&b"\n"[..]));
    forms.add(Encoding::Crlf, plain.join(&b"\r\n"[..]));
    forms.add(Encoding::OneLine, plain.join(&b"\\n"[..]));
    forms.add(Encoding::OneLine, plain.join(&b"\\r\\n"[..]));
    forms.add(Encoding::OneLine, plain.join(&b" "[..]));
    forms.add(Encoding::OneLine, plain.concat());
    for line in own_lines(value) {
        forms.add(Encoding::Line, line.to_vec());
    }
}

/// Returns the lines of armoured text that are its own: not the first one, which many keys share,
/// nor short ones.
fn own_lines(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_armoured = value.starts_with(b"-----BEGIN ");
    let lines = value.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let is_base64 = |line: &&[u8]| {
        line.len() >= PIECE && line.iter().all(|byte| STANDARD.contains(byte) || *byte == b'=')
    };
    lines.filter(is_base64).skip(1).filter(move |_| is_armoured)
}

#[derive(Clone, Copy)]
enum Case {
    Lower,
    Upper,
}

fn hex(byte: u8, case: Case) -> [u8; 2] {
    let digits = match case {
        Case::Lower => b"0123456789abcdef",
        Case::Upper => b"0123456789ABCDEF",
    };
    [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]
}

fn percent(byte: u8, case: Case, out: &mut Vec<u8>) {
    out.push(b'%');
    out.extend(hex(byte, case));
}

/// Encodes what RFC 3986 does not let stand for itself everywhere.
fn reserved(byte: u8, case: Case, out: &mut Vec<u8>) {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        out.push(byte);
    } else {
        percent(byte, case, out);
    }
}

fn json(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => out.extend([b'\\', byte]),
        b'\n' => out.extend(b"\\n"),
        b'\r' => out.extend(b"\\r"),
        b'\t' => out.extend(b"\\t"),
        8 => out.extend(b"\\b"),
        12 => out.extend(b"\\f"),
        0..=31 => {
            out.extend(b"\\u00");
            out.extend(hex(byte, Case::Lower));
        }
        _ => out.push(byte),
    }
}

fn xml(byte: u8, [double, single]: [&[u8]; 2], out: &mut Vec<u8>) {
    match byte {
        b'&' => out.extend(b"&amp;"),
        b'<' => out.extend(b"&lt;"),
        b'>' => out.extend(b"&gt;"),
        b'"' => out.extend(double),
        b'\'' => out.extend(single),
        _ => out.push(byte),
    }
}

fn shell(value: &[u8], forms: &mut Forms) {
    for quote in [&b"'\\''"[..], b"'\"'\"'"] {
        let parts: Vec<&[u8]> = value.split(|byte| *byte == b'\'').collect();
        forms.add(Encoding::Shell, parts.join(quote));
    }
    // Every character that has a meaning, as `printf %q` writes it.
    let mut bytes = Vec::new();
    for byte in value {
        if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"-_./:=@%+,".contains(byte) {
            bytes.push(b'\\');
        }
        bytes.push(*byte);
    }
    forms.add(Encoding::Shell, bytes);
}

/// Adds forms that are of characters and not of bytes.
fn unicode(value: &[u8], forms: &mut Forms) {
    let Ok(text) = std::str::from_utf8(value) else { return };
    let units: Zeroizing<Vec<u16>> = Zeroizing::new(text.encode_utf16().collect());
    forms.add(Encoding::Utf16Le, units.iter().flat_map(|unit| unit.to_le_bytes()).collect());
    forms.add(Encoding::Utf16Be, units.iter().flat_map(|unit| unit.to_be_bytes()).collect());
    if text.is_ascii() {
        return;
    }
    for case in [Case::Lower, Case::Upper] {
        let mut bytes = Vec::new();
        for unit in units.iter() {
            match u8::try_from(*unit).ok().filter(u8::is_ascii) {
                Some(byte) => json(byte, &mut bytes),
                None => {
                    bytes.extend(b"\\u");
                    bytes.extend(unit.to_be_bytes().into_iter().flat_map(|byte| hex(byte, case)));
                }
            }
        }
        forms.add(Encoding::Json, bytes);
    }
}

/// Adds base64 at each of three alignments: the characters that depend on the value alone.
fn base64(value: &[u8], forms: &mut Forms) {
    for alphabet in [STANDARD, URL] {
        for before in 0..3 {
            let text = Zeroizing::new(characters(value, before, alphabet));
            if text.len() > LINE && !value.contains(&b'\n') {
                pieces(&text, forms);
            }
            forms.add(Encoding::Base64, text.to_vec());
            for line in own_lines(value) {
                pieces(&characters(line, before, alphabet), forms);
            }
        }
    }
}

/// Adds parts of base64 of which at least one stands in a line of 64 or 76 characters as a whole.
fn pieces(text: &[u8], forms: &mut Forms) {
    for piece in text.chunks_exact(PIECE) {
        forms.add(Encoding::Base64, piece.to_vec());
    }
}

/// Returns the characters of base64 that depend on nothing else than the value, if so many bytes
/// stand before it in a group of three.
fn characters(value: &[u8], before: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let known = before * 8..(before + value.len()) * 8;
    let bit = |at: usize| {
        let byte = value.get((at / 8).wrapping_sub(before)).copied().unwrap_or_default();
        (byte >> (7 - at % 8)) & 1
    };
    let first = known.start.div_ceil(6);
    let character = |number: usize| {
        let bits = (0..6).fold(0, |bits, at| bits << 1 | bit(number * 6 + at));
        alphabet[usize::from(bits)]
    };
    (first..known.end / 6).map(character).collect()
}

#[cfg(test)]
mod tests;
