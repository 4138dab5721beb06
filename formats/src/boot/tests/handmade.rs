//! Files with nothing in them but what is read of them.

use std::io::Write;

use crate::encode::Codec;

/// A PE image: 64 bytes of DOS header, then headers up to 1024, then one section of 512 bytes.
pub(crate) fn stub(machine: u16) -> Vec<u8> {
    let mut bytes = vec![0; 1536];
    bytes[..2].copy_from_slice(b"MZ");
    put(&mut bytes, 60, &64_u32.to_le_bytes());
    pe_headers(&mut bytes, 64, machine, 240);
    section(&mut bytes, 64 + 24 + 240, b".text", [0x180, 0x1000, 0x200, 0x400]);
    put(&mut bytes, 64 + 6, &1_u16.to_le_bytes());
    put(&mut bytes, 64 + 24 + 60, &1024_u32.to_le_bytes());
    bytes[1024..].fill(0xcc);
    bytes
}

/// The parts of a PE header that are read, without sections.
pub(super) fn pe_headers(bytes: &mut [u8], at: usize, machine: u16, optional: u16) {
    put(bytes, at, b"PE\0\0");
    put(bytes, at + 4, &machine.to_le_bytes());
    put(bytes, at + 20, &optional.to_le_bytes());
    let optional = at + 24;
    put(bytes, optional, &0x20b_u16.to_le_bytes());
    put(bytes, optional + 32, &512_u32.to_le_bytes());
    put(bytes, optional + 36, &512_u32.to_le_bytes());
    put(bytes, optional + 56, &0x2000_u32.to_le_bytes());
    put(bytes, optional + 64, &0xdead_beef_u32.to_le_bytes());
    put(bytes, optional + 68, &10_u16.to_le_bytes());
    put(bytes, optional + 108, &5_u32.to_le_bytes());
}

/// A section header: virtual size, address, raw size, offset.
pub(super) fn section(bytes: &mut [u8], at: usize, name: &[u8], numbers: [u32; 4]) {
    put(bytes, at, name);
    for (number, field) in numbers.iter().zip([8, 12, 16, 20]) {
        put(bytes, at + field, &number.to_le_bytes());
    }
}

pub(super) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// A bzImage with an EFI stub, two sectors of setup code and a payload.
pub(crate) fn bzimage(payload: &[u8]) -> Vec<u8> {
    let code = payload.len().next_multiple_of(512) + 512;
    let mut bytes = vec![0; 1536 + code];
    bytes[..2].copy_from_slice(b"MZ");
    put(&mut bytes, 60, &64_u32.to_le_bytes());
    pe_headers(&mut bytes, 64, 0x8664, 160);
    let code_len = u32::try_from(code).unwrap();
    section(&mut bytes, 64 + 24 + 160, b".text", [code_len, 0x1000, code_len, 1536]);
    put(&mut bytes, 64 + 6, &1_u16.to_le_bytes());
    put(&mut bytes, 64 + 24 + 56, &0x0001_0000_u32.to_le_bytes());
    bytes[0x1f1] = 2;
    put(&mut bytes, 0x1f4, &(code_len / 16).to_le_bytes());
    put(&mut bytes, 0x202, b"HdrS");
    put(&mut bytes, 0x206, &0x020f_u16.to_le_bytes());
    put(&mut bytes, 0x20e, &0x200_u16.to_le_bytes());
    put(&mut bytes, 0x22c, &0x7fff_ffff_u32.to_le_bytes());
    put(&mut bytes, 0x236, &1_u16.to_le_bytes());
    put(&mut bytes, 0x238, &2047_u32.to_le_bytes());
    put(&mut bytes, 0x248, &512_u32.to_le_bytes());
    put(&mut bytes, 0x24c, &u32::try_from(payload.len()).unwrap().to_le_bytes());
    put(&mut bytes, 0x260, &0x0010_0000_u32.to_le_bytes());
    put(&mut bytes, 0x400, b"6.1.0-test (somebody@host) #1 SMP\0");
    put(&mut bytes, 1536 + 512, payload);
    bytes
}

/// The start of an arm64 Image, without an EFI stub.
pub(super) fn arm64_image() -> Vec<u8> {
    let mut bytes = vec![7; 4096];
    bytes[..2].copy_from_slice(&[0x4d, 0x40]);
    put(&mut bytes, 56, b"ARM\x64");
    bytes
}

/// What is in the handmade kernels: an ELF file by its first bytes.
pub(super) fn elf() -> Vec<u8> {
    [b"\x7fELF".as_slice(), &b"the kernel itself ".repeat(1000)].concat()
}

/// Compresses with each library's own writer.
pub(in super::super) fn compressed(codec: Codec, raw: &[u8]) -> Vec<u8> {
    match codec {
        Codec::None => raw.to_vec(),
        Codec::Gzip => {
            let level = flate2::Compression::new(6);
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), level);
            writer.write_all(raw).unwrap();
            writer.finish().unwrap()
        }
        Codec::Zstd => ::zstd::stream::encode_all(raw, 3).unwrap(),
        Codec::Xz => {
            let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 6);
            writer.write_all(raw).unwrap();
            writer.finish().unwrap()
        }
    }
}

/// A kernel module: an ELF object file whose only sections are `.modinfo` and the names.
pub(super) fn module(texts: &[u8]) -> Vec<u8> {
    const NAMES: &[u8] = b"\0.modinfo\0.shstrtab\0";
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(64, 0);
    put(&mut bytes, 16, &1_u16.to_le_bytes());
    put(&mut bytes, 18, &62_u16.to_le_bytes());
    let texts_at = bytes.len() as u64;
    bytes.extend(texts);
    let names_at = bytes.len() as u64;
    bytes.extend(NAMES);
    let table = bytes.len() as u64;
    for (name, offset, len) in
        [(0_u32, 0, 0), (1, texts_at, texts.len()), (10, names_at, NAMES.len())]
    {
        let mut header = [0; 64];
        put(&mut header, 0, &name.to_le_bytes());
        put(&mut header, 4, &1_u32.to_le_bytes());
        put(&mut header, 24, &offset.to_le_bytes());
        put(&mut header, 32, &(len as u64).to_le_bytes());
        bytes.extend(header);
    }
    put(&mut bytes, 40, &table.to_le_bytes());
    put(&mut bytes, 58, &64_u16.to_le_bytes());
    put(&mut bytes, 60, &3_u16.to_le_bytes());
    put(&mut bytes, 62, &2_u16.to_le_bytes());
    bytes
}
