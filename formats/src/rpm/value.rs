//! The typed values of a header.

/// The type number of bytes.
pub(super) const BIN: u32 = 7;

/// How many values of a type other than bytes one tag may have.
const MAX_COUNT: u64 = 0x000f_ffff;

/// The values of one tag; the discriminant is RPM's number of the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// `CHAR` (1) or `INT8` (2), which bake reads but never writes.
    Int8(Vec<u8>),
    /// `INT16` (3).
    Int16(Vec<u16>),
    /// `INT32` (4).
    Int32(Vec<u32>),
    /// `INT64` (5).
    Int64(Vec<u64>),
    /// `STRING` (6): exactly one.
    String(Vec<u8>),
    /// `BIN` (7).
    Bin(Vec<u8>),
    /// `STRING_ARRAY` (8).
    StringArray(Strings),
    /// `I18NSTRING` (9): one string per locale of `HEADERI18NTABLE`.
    I18nString(Strings),
}

/// Strings one after another, each followed by a NUL byte: no allocation per string.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Strings {
    bytes: Vec<u8>,
    count: usize,
}

impl Strings {
    /// Appends a string; what follows a NUL byte in it is dropped.
    pub(super) fn push(&mut self, string: &[u8]) {
        let string = string.split(|byte| *byte == 0).next().unwrap_or_default();
        self.bytes.extend_from_slice(string);
        self.bytes.push(0);
        self.count += 1;
    }

    /// Returns how many strings there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Returns the strings in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> + '_ {
        self.bytes.split(|byte| *byte == 0).take(self.count)
    }

    /// Returns whether all strings are UTF-8.
    pub(super) fn is_utf8(&self) -> bool {
        std::str::from_utf8(&self.bytes).is_ok()
    }
}

impl<'a> FromIterator<&'a [u8]> for Strings {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(strings: I) -> Self {
        let mut all = Self::default();
        strings.into_iter().for_each(|string| all.push(string));
        all
    }
}

impl Value {
    /// Returns RPM's number of the type.
    pub(super) fn kind(&self) -> u32 {
        match self {
            Self::Int8(_) => 2,
            Self::Int16(_) => 3,
            Self::Int32(_) => 4,
            Self::Int64(_) => 5,
            Self::String(_) => 6,
            Self::Bin(_) => BIN,
            Self::StringArray(_) => 8,
            Self::I18nString(_) => 9,
        }
    }

    /// Returns how many values there are.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Int8(bytes) | Self::Bin(bytes) => bytes.len(),
            Self::Int16(numbers) => numbers.len(),
            Self::Int32(numbers) => numbers.len(),
            Self::Int64(numbers) => numbers.len(),
            Self::String(_) => 1,
            Self::StringArray(strings) | Self::I18nString(strings) => strings.len(),
        }
    }

    /// Returns how many values there may be.
    pub(super) fn max_count(&self) -> u64 {
        if self.kind() == BIN { u64::from(u32::MAX) } else { MAX_COUNT }
    }

    /// Returns whether all strings are UTF-8.
    pub(super) fn is_utf8(&self) -> bool {
        match self {
            Self::String(bytes) => std::str::from_utf8(bytes).is_ok(),
            Self::StringArray(strings) | Self::I18nString(strings) => strings.is_utf8(),
            Self::Int8(_) | Self::Int16(_) | Self::Int32(_) | Self::Int64(_) | Self::Bin(_) => true,
        }
    }

    /// Pads data so that the value may follow.
    pub(super) fn align(&self, data: &mut Vec<u8>) {
        data.resize(data.len().next_multiple_of(alignment(self.kind())), 0);
    }

    /// Appends the value to data that was aligned for it.
    pub(super) fn write(&self, data: &mut Vec<u8>) {
        match self {
            Self::Int8(bytes) | Self::Bin(bytes) => data.extend_from_slice(bytes),
            Self::Int16(numbers) => {
                data.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
            }
            Self::Int32(numbers) => {
                data.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
            }
            Self::Int64(numbers) => {
                data.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
            }
            Self::String(bytes) => {
                data.extend_from_slice(bytes);
                data.push(0);
            }
            Self::StringArray(strings) | Self::I18nString(strings) => {
                data.extend_from_slice(&strings.bytes);
            }
        }
    }

    /// Parses values that start at an offset; returns them and their size. An error is what was
    /// expected and what was found.
    pub(super) fn parse(
        kind: u32,
        offset: usize,
        count: u32,
        data: &[u8],
    ) -> Result<(Self, usize), (String, String)> {
        if !(1..=9).contains(&kind) {
            return Err(("a type from 1 to 9".into(), kind.to_string()));
        }
        if !offset.is_multiple_of(alignment(kind)) {
            let expected = format!("an offset that is a multiple of {}", alignment(kind));
            return Err((expected, offset.to_string()));
        }
        let limit = match kind {
            BIN => u64::from(u32::MAX),
            6 => 1,
            _ => MAX_COUNT,
        };
        if count == 0 || u64::from(count) > limit {
            return Err((format!("a count from 1 to {limit}"), count.to_string()));
        }
        let count = count as usize;
        let size = match kind {
            6 | 8 | 9 => strings_size(data, count),
            _ => count.checked_mul(alignment(kind)).filter(|size| *size <= data.len()),
        };
        let Some(bytes) = size.and_then(|size| data.get(..size)) else {
            let expected = format!("{count} values");
            return Err((expected, format!("only {} bytes of data after it", data.len())));
        };
        let value = match kind {
            1 | 2 => Self::Int8(bytes.to_vec()),
            3 => Self::Int16(numbers(bytes, u16::from_be_bytes)),
            4 => Self::Int32(numbers(bytes, u32::from_be_bytes)),
            5 => Self::Int64(numbers(bytes, u64::from_be_bytes)),
            6 => Self::String(bytes.strip_suffix(&[0]).unwrap_or(bytes).to_vec()),
            BIN => Self::Bin(bytes.to_vec()),
            8 => Self::StringArray(Strings { bytes: bytes.to_vec(), count }),
            _ => Self::I18nString(Strings { bytes: bytes.to_vec(), count }),
        };
        Ok((value, bytes.len()))
    }
}

/// Returns the size of the first `count` strings, if there are so many.
fn strings_size(data: &[u8], count: usize) -> Option<usize> {
    let ends = data.iter().enumerate().filter(|(_, byte)| **byte == 0);
    ends.map(|(at, _)| at + 1).nth(count.checked_sub(1)?)
}

fn numbers<const N: usize, T>(bytes: &[u8], number: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().copied().map(number).collect()
}

/// Returns the alignment of a type, which is also the size of its values if they have one size.
fn alignment(kind: u32) -> usize {
    match kind {
        3 => 2,
        4 => 4,
        5 => 8,
        _ => 1,
    }
}
