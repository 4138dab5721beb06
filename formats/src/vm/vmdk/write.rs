//! Writing: a rope of the disk becomes a rope of the file.

use super::header::{ENTRIES, Header};
use super::{Marker, SECTOR, descriptor};
use crate::encode::{BlockCodec, BlockSettings, EncodedBlock};
use crate::format::{WriteCx, WriteError};
use crate::rope::Rope;
use crate::vm::Guid;

/// The length of a grain in bytes.
const GRAIN: u64 = 64 << 10;
/// Where the descriptor is, and how many sectors it has.
const DESCRIPTOR: (u64, u64) = (1, 20);
/// The largest disk that VMware's products take.
const SIZE_MAX: u64 = 2040 << 30;
/// How grains are compressed; all are, a reader has no other way to know their length.
const SETTINGS: BlockSettings =
    BlockSettings { block: GRAIN, codec: BlockCodec::Zlib, level: 6, plain: false };

/// Describes a stream-optimised VMDK image of a disk whose size is a multiple of 512 bytes.
///
/// `id` makes the disk's content id. Takes memory for some 200 bytes a grain that is not zeros.
pub fn write(disk: &Rope, id: Guid, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
    let size = disk.len();
    if size == 0 || !size.is_multiple_of(SECTOR) {
        let reason = format!("expected a multiple of 512 bytes, found {size}");
        return Err(WriteError::Field { format: "vmdk", field: "size".into(), reason });
    }
    if size > SIZE_MAX {
        let what = "the size of the disk in bytes".into();
        return Err(WriteError::Limit { format: "vmdk", what, limit: SIZE_MAX, found: size });
    }
    let mut whole = disk.clone();
    whole.align(GRAIN);
    let blocks = cx.encoder.encode_blocks(&whole, SETTINGS)?;
    let header = Header::stream(size / SECTOR, GRAIN / SECTOR, DESCRIPTOR);
    let mut stream = Stream::new(header, id);
    for block in &blocks {
        match block {
            EncodedBlock::Zeros(count) => stream.skip(count)?,
            EncodedBlock::Plain(count) => {
                let what = format!("{count} blocks came back without compression");
                return Err(WriteError::Io(std::io::Error::other(what)));
            }
            EncodedBlock::Packed { digest, offset, len } => {
                stream.push_grain(len, |file| file.push_range(digest, offset, len.into()))?;
            }
        }
    }
    stream.finish()
}

/// The file as far as it is described.
struct Stream {
    file: Rope,
    header: Header,
    /// The number of the next grain.
    next: u64,
    /// The places of the grains of the current table.
    table: Vec<u32>,
    /// The places of the tables before it.
    directory: Vec<u32>,
}

impl Stream {
    fn new(header: Header, id: Guid) -> Self {
        let mut file = Rope::from(header.encode().to_vec());
        file.push_bytes(descriptor::encode(header.capacity * SECTOR, id).as_bytes());
        file.align(GRAIN);
        Self { file, header, next: 0, table: Vec::new(), directory: Vec::new() }
    }

    /// Leaves out grains of zeros.
    fn skip(&mut self, count: u64) -> Result<(), WriteError> {
        let end = self.next + count;
        while self.next < end {
            let count = (end - self.next).min(ENTRIES - self.next % ENTRIES);
            let filled = self.table.len() + usize::try_from(count).unwrap_or(usize::MAX);
            self.table.resize(filled, 0);
            self.next += count;
            self.end_table_if_full()?;
        }
        Ok(())
    }

    /// Pushes a grain of so many compressed bytes, which `push` appends.
    fn push_grain(&mut self, len: u32, push: impl FnOnce(&mut Rope)) -> Result<(), WriteError> {
        self.table.push(self.place()?);
        let mut marker = [0; 12];
        marker[..8].copy_from_slice(&(self.next * self.header.grain).to_le_bytes());
        marker[8..].copy_from_slice(&len.to_le_bytes());
        self.file.push_bytes(&marker);
        push(&mut self.file);
        self.file.align(SECTOR);
        self.next += 1;
        self.end_table_if_full()
    }

    /// Returns the sector that comes next in the file.
    fn place(&self) -> Result<u32, WriteError> {
        let found = self.file.len() / SECTOR;
        u32::try_from(found).map_err(|_| {
            let (what, limit) = ("the length of the file in sectors".into(), u32::MAX.into());
            WriteError::Limit { format: "vmdk", what, limit, found }
        })
    }

    fn end_table_if_full(&mut self) -> Result<(), WriteError> {
        if self.next.is_multiple_of(ENTRIES) { self.end_table() } else { Ok(()) }
    }

    /// Pushes the current table unless all of its grains are zeros.
    fn end_table(&mut self) -> Result<(), WriteError> {
        let mut table = std::mem::take(&mut self.table);
        if table.iter().all(|place| *place == 0) {
            self.directory.push(0);
            return Ok(());
        }
        table.resize(usize::try_from(ENTRIES).unwrap_or(usize::MAX), 0);
        let place = self.push_marked(Marker::GrainTable, &table)?;
        self.directory.push(place);
        Ok(())
    }

    /// Pushes a marker and the numbers that it announces; returns the place of those.
    fn push_marked(&mut self, marker: Marker, numbers: &[u32]) -> Result<u32, WriteError> {
        let sectors = (numbers.len() as u64 * 4).div_ceil(SECTOR);
        self.file.push_bytes(&marker.encode(sectors));
        let place = self.place()?;
        for number in numbers {
            self.file.push_bytes(&number.to_le_bytes());
        }
        self.file.align(SECTOR);
        Ok(place)
    }

    fn finish(mut self) -> Result<Rope, WriteError> {
        if !self.next.is_multiple_of(ENTRIES) {
            self.end_table()?;
        }
        let directory = std::mem::take(&mut self.directory);
        let place = self.push_marked(Marker::GrainDirectory, &directory)?;
        let footer = self.header.footer(place.into());
        self.file.push_bytes(&Marker::Footer.encode(1));
        self.file.push_bytes(&footer.encode());
        self.file.push_bytes(&Marker::EndOfStream.encode(0));
        Ok(self.file)
    }
}
