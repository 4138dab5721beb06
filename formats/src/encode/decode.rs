//! Reading of compressed payloads, whoever wrote them.

use std::io::{self, BufRead, Read};

use crate::encode::Codec;

/// The largest zstd window accepted, as a power of two: 128 MiB, the limit of zstd's own tool.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// How much memory an xz stream may ask for: enough for every preset of xz's own tool.
const XZ_MEMORY_MAX: u64 = 256 << 20;

/// Returns a reader of the bytes before compression.
///
/// Several gzip members, zstd frames or xz streams one after another are read as one payload.
/// Memory is bounded whatever the headers ask for; the length of what comes out is not, and is for
/// the caller to limit.
pub fn decoder<'a>(codec: Codec, reader: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match codec {
        Codec::None => Box::new(reader),
        Codec::Gzip => Box::new(flate2::read::MultiGzDecoder::new(reader)),
        Codec::Zstd => {
            let mut decoder = ::zstd::stream::read::Decoder::new(reader)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
        Codec::Xz => {
            let flags = liblzma::stream::CONCATENATED;
            let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_MAX, flags)?;
            Box::new(liblzma::read::XzDecoder::new_stream(reader, stream))
        }
    })
}

/// Returns a reader of the bytes before compression of one gzip member, zstd frame or xz stream.
///
/// What follows it is left in `reader`; limits are as for [`decoder`].
pub fn member_decoder<'a>(
    codec: Codec,
    reader: impl BufRead + 'a,
) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match codec {
        Codec::None => Box::new(reader),
        Codec::Gzip => Box::new(flate2::bufread::GzDecoder::new(reader)),
        Codec::Zstd => {
            let mut decoder = ::zstd::stream::read::Decoder::with_buffer(reader)?.single_frame();
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
        Codec::Xz => {
            let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_MAX, 0)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(reader, stream))
        }
    })
}

/// Returns the codec whose magic number a payload starts with; six bytes are enough.
///
/// The numbers are those of RFC 1952 section 2.3.1, RFC 8878 sections 3.1.1 and 3.1.2 (a payload
/// may start with a skippable frame) and the .xz file format section 2.1.1.1.
pub fn sniff(first_bytes: &[u8]) -> Codec {
    match first_bytes {
        [0x1f, 0x8b, ..] => Codec::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Codec::Zstd,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Codec::Xz,
        _ => Codec::None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn decode(codec: Codec, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut raw = Vec::new();
        decoder(codec, bytes)?.read_to_end(&mut raw)?;
        Ok(raw)
    }

    /// Compresses with each library's own writer.
    fn encode(codec: Codec, raw: &[u8]) -> Vec<u8> {
        match codec {
            Codec::None => raw.to_vec(),
            Codec::Gzip => {
                let level = flate2::Compression::new(1);
                let mut writer = flate2::write::GzEncoder::new(Vec::new(), level);
                writer.write_all(raw).unwrap();
                writer.finish().unwrap()
            }
            Codec::Zstd => ::zstd::stream::encode_all(raw, 1).unwrap(),
            Codec::Xz => {
                let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 0);
                writer.write_all(raw).unwrap();
                writer.finish().unwrap()
            }
        }
    }

    const COMPRESSED: [Codec; 3] = [Codec::Gzip, Codec::Zstd, Codec::Xz];

    #[test]
    fn reads_several_members_frames_and_streams_as_one() {
        for codec in COMPRESSED {
            let bytes = [encode(codec, b"one "), encode(codec, b""), encode(codec, b"two")];
            assert_eq!(decode(codec, &bytes.concat()).unwrap(), b"one two", "{codec:?}");
        }
    }

    #[test]
    fn one_member_leaves_what_follows_it() {
        for codec in COMPRESSED {
            let bytes = [encode(codec, b"one"), encode(codec, b"two"), b"tail".to_vec()].concat();
            let mut rest = bytes.as_slice();
            for expected in ["one", "two"] {
                let mut text = String::new();
                member_decoder(codec, &mut rest).unwrap().read_to_string(&mut text).unwrap();
                assert_eq!(text, expected, "{codec:?}");
            }
            assert_eq!(rest, b"tail", "{codec:?}");
        }
    }

    #[test]
    fn reports_a_payload_that_ends_early() {
        for codec in COMPRESSED {
            let bytes = encode(codec, b"some bytes that are compressed");
            for len in 1..bytes.len() {
                assert!(decode(codec, &bytes[..len]).is_err(), "{codec:?} {len}");
            }
        }
    }

    #[test]
    fn reports_bytes_that_are_not_compressed() {
        for codec in COMPRESSED {
            assert!(decode(codec, b"plain text, and not too short").is_err(), "{codec:?}");
        }
    }

    #[test]
    fn rejects_a_zstd_window_above_the_limit() {
        let frame = |log: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3, 1, 0, 0];
        assert_eq!(decode(Codec::Zstd, &frame(27)).unwrap(), b"");
        assert!(decode(Codec::Zstd, &frame(28)).is_err());
    }

    #[test]
    fn rejects_an_xz_dictionary_above_the_memory_limit() {
        // An empty LZMA2 block with the dictionary size of section 5.3.1: 2^(size / 2 + 12).
        let stream = |size: u8| {
            let mut bytes = crate::encode::xz::head();
            let header = [2, 0, 0x21, 1, size, 0, 0, 0];
            bytes.extend(header);
            bytes.extend(crc32fast::hash(&header).to_le_bytes());
            bytes.extend([0; 8]);
            bytes
        };
        // Both end early; only the second one asks for too much before that.
        let end = decode(Codec::Xz, &stream(24)).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
        let limit = decode(Codec::Xz, &stream(38)).unwrap_err();
        assert_ne!(limit.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn knows_each_codec_by_its_magic() {
        for codec in COMPRESSED {
            assert_eq!(sniff(&encode(codec, b"bytes")), codec);
        }
        for bytes in [&b""[..], &[0x1f], &[0xfd, b'7'], b"debian-binary"] {
            assert_eq!(sniff(bytes), Codec::None, "{bytes:?}");
        }
        assert_eq!(sniff(&[0x50, 0x2a, 0x4d, 0x18]), Codec::Zstd);
    }
}
