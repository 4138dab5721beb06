//! Files made by hand, of both widths and both byte orders, right and wrong.

use super::*;

/// A file under construction: an image that is loaded as a whole to address 0x1000.
struct Builder {
    wide: bool,
    big: bool,
    machine: u16,
    strings: Vec<u8>,
    dynamic: Vec<(u64, u64)>,
    symbols: Vec<u8>,
    numbers: Vec<u8>,
    required: Vec<u8>,
    required_count: u64,
    defined: Vec<u8>,
    defined_count: u64,
    relocations: Vec<u8>,
    interpreter: &'static str,
    /// Whether the number of symbols is in a hash table or follows from the order of tables.
    hash: bool,
}

const BASE: u64 = 0x1000;

impl Builder {
    fn new(wide: bool, big: bool, machine: u16) -> Self {
        Self {
            wide,
            big,
            machine,
            strings: vec![0],
            dynamic: Vec::new(),
            symbols: vec![0; if wide { 24 } else { 16 }],
            numbers: vec![0; 2],
            required: Vec::new(),
            required_count: 0,
            defined: Vec::new(),
            defined_count: 0,
            relocations: Vec::new(),
            interpreter: "",
            hash: false,
        }
    }

    fn half(&self, value: u16) -> Vec<u8> {
        if self.big { value.to_be_bytes().into() } else { value.to_le_bytes().into() }
    }

    fn word(&self, value: u32) -> Vec<u8> {
        if self.big { value.to_be_bytes().into() } else { value.to_le_bytes().into() }
    }

    fn address(&self, value: u64) -> Vec<u8> {
        if !self.wide {
            return self.word(u32::try_from(value).unwrap_or(u32::MAX));
        }
        if self.big { value.to_be_bytes().into() } else { value.to_le_bytes().into() }
    }

    fn string(&mut self, text: &str) -> u32 {
        let at = u32::try_from(self.strings.len()).unwrap();
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        at
    }

    fn tag(mut self, tag: u64, text: &str) -> Self {
        let at = self.string(text);
        self.dynamic.push((tag, at.into()));
        self
    }

    fn needs(mut self, library: &str, versions: &[(&str, u16)]) -> Self {
        let file = self.string(library);
        let count = u16::try_from(versions.len()).unwrap();
        let size = 16 * (u32::from(count) + 1);
        let head =
            [self.half(1), self.half(count), self.word(file), self.word(16), self.word(size)];
        self.required.extend(head.concat());
        for (index, (version, number)) in versions.iter().enumerate() {
            let name = self.string(version);
            let next = if index + 1 == versions.len() { 0 } else { 16 };
            let aux =
                [self.word(7), self.half(0), self.half(*number), self.word(name), self.word(next)];
            self.required.extend(aux.concat());
        }
        self.required_count += 1;
        self
    }

    fn defines(mut self, version: &str, flags: u16, number: u16) -> Self {
        let name = self.string(version);
        let record = [
            self.half(1),
            self.half(flags),
            self.half(number),
            self.half(1),
            self.word(9),
            self.word(20),
            self.word(28),
            self.word(name),
            self.word(0),
        ];
        self.defined.extend(record.concat());
        self.defined_count += 1;
        self
    }

    fn symbol(mut self, name: &str, bind: u8, section: u16, number: u16) -> Self {
        let name = self.string(name);
        let info = vec![bind << 4, 0];
        let (value, size) = (self.address(0), self.address(0));
        let (name, section) = (self.word(name), self.half(section));
        let record = if self.wide {
            [name, info, section, value, size]
        } else {
            [name, value, size, info, section]
        };
        self.symbols.extend(record.concat());
        self.numbers.extend(self.half(number));
        self
    }

    /// Copies a symbol's data, with relocation number `kind`.
    fn copy(mut self, symbol: u64, kind: u64) -> Self {
        let info = if self.wide { symbol << 32 | kind } else { symbol << 8 | kind };
        self.relocations.extend([self.address(0), self.address(info), self.address(0)].concat());
        self
    }

    fn build(mut self) -> Vec<u8> {
        let (header, program) = if self.wide { (64, 56) } else { (52, 32) };
        let mut image = vec![0; header + 3 * program];
        let put = |image: &mut Vec<u8>, bytes: &[u8]| {
            let at = image.len() as u64;
            image.extend_from_slice(bytes);
            at
        };
        let interpreter = put(&mut image, format!("{}\0", self.interpreter).as_bytes());
        let mut tags = std::mem::take(&mut self.dynamic);
        let symbols = put(&mut image, &self.symbols);
        let strings = put(&mut image, &self.strings);
        let numbers = put(&mut image, &self.numbers);
        let required = put(&mut image, &self.required);
        let defined = put(&mut image, &self.defined);
        let relocations = put(&mut image, &self.relocations);
        let count = self.symbols.len() / if self.wide { 24 } else { 16 };
        let hash = [self.word(1), self.word(u32::try_from(count).unwrap()), vec![0; 16]].concat();
        let hash = put(&mut image, &hash);
        tags.extend([
            (5, BASE + strings),
            (10, self.strings.len() as u64),
            (6, BASE + symbols),
            (0x6fff_fff0, BASE + numbers),
        ]);
        if self.required_count > 0 {
            tags.extend([(0x6fff_fffe, BASE + required), (0x6fff_ffff, self.required_count)]);
        }
        if self.defined_count > 0 {
            tags.extend([(0x6fff_fffc, BASE + defined), (0x6fff_fffd, self.defined_count)]);
        }
        if !self.relocations.is_empty() {
            tags.extend([(7, BASE + relocations), (8, self.relocations.len() as u64)]);
        }
        tags.push(if self.hash { (4, BASE + hash) } else { (0x6fff_fef5, 0) });
        tags.push((0, 0));
        let dynamic = image.len() as u64;
        for (tag, value) in tags {
            image.extend([self.address(tag), self.address(value)].concat());
        }
        let end = image.len() as u64;
        self.headers(&mut image, interpreter, dynamic, end);
        image
    }

    fn headers(&self, image: &mut [u8], interpreter: u64, dynamic: u64, end: u64) {
        let (header, program) = if self.wide { (64_u16, 56_u16) } else { (52, 32) };
        let ident = [0x7f, b'E', b'L', b'F', 1 + u8::from(self.wide), 1 + u8::from(self.big), 1];
        let mut head = ident.to_vec();
        head.resize(16, 0);
        head.extend([self.half(3), self.half(self.machine), self.word(1)].concat());
        head.extend([self.address(0), self.address(header.into()), self.address(0)].concat());
        head.extend(self.word(0));
        for value in [header, program, 3, 0, 0, 0] {
            head.extend(self.half(value));
        }
        let length = self.interpreter.len() as u64 + 1;
        let segments = [(3, interpreter, length), (1, 0, end), (2, dynamic, end - dynamic)];
        for (kind, offset, size) in segments {
            let rest =
                [offset, BASE + offset, BASE + offset, size, size].map(|value| self.address(value));
            let record = if self.wide {
                [self.word(kind), self.word(4), rest.concat(), self.address(1)]
            } else {
                [self.word(kind), rest.concat(), self.word(4), self.word(1)]
            };
            head.extend(record.concat());
        }
        image[..head.len()].copy_from_slice(&head);
    }
}

const LAYOUTS: [(bool, bool, u16, u64); 4] =
    [(true, false, 62, 5), (true, true, 22, 9), (false, false, 40, 20), (false, true, 20, 19)];

fn sample(wide: bool, big: bool, machine: u16) -> Builder {
    let mut builder = Builder::new(wide, big, machine);
    builder.interpreter = "/lib/ld.so.1";
    builder
        .tag(1, "libc.so.6")
        .tag(1, "libm.so.6")
        .tag(14, "libx.so.1")
        .tag(15, "/rpath")
        .tag(29, "$ORIGIN/lib::/opt/lib")
        .needs("libc.so.6", &[("GLIBC_2.34", 2), ("GLIBC_2.17", 3)])
        .needs("libm.so.6", &[("GLIBC_2.29", 4)])
        .defines("libx.so.1", 1, 1)
        .defines("X_1.0", 0, 5)
        .defines("X_2.0", 2, 6)
        .symbol("open", 1, 0, 2)
        .symbol("weak_hook", 2, 0, 0)
        .symbol("x_new", 1, 7, 0x8005)
        .symbol("stdout", 1, 9, 3)
}

fn undefined(bytes: &[u8]) -> Result<Vec<String>, ElfError> {
    let mut names = Vec::new();
    undefined_symbols(&bytes.to_vec(), &mut |symbol| {
        let weak = if symbol.weak { " weak" } else { "" };
        names.push(format!("{}@{}{weak}", symbol.name, symbol.version.unwrap_or("Base")));
    })?;
    Ok(names)
}

#[test]
fn every_width_and_byte_order_says_the_same() {
    for (wide, big, machine, _) in LAYOUTS {
        let elf = read(&sample(wide, big, machine).build()).unwrap();
        assert_eq!((elf.machine.wide, elf.machine.big_endian), (wide, big));
        assert_eq!(elf.interpreter.as_deref(), Some("/lib/ld.so.1"));
        assert_eq!(elf.needed, ["libc.so.6", "libm.so.6"]);
        assert_eq!(elf.soname.as_deref(), Some("libx.so.1"));
        assert_eq!(elf.search, ["$ORIGIN/lib", "/opt/lib"]);
        let versions: Vec<_> = elf.versions_of("libc.so.6").collect();
        assert_eq!(versions, ["GLIBC_2.34", "GLIBC_2.17"]);
        assert_eq!(elf.versions_of("libm.so.6").collect::<Vec<_>>(), ["GLIBC_2.29"]);
        assert_eq!(elf.version_base.as_deref(), Some("libx.so.1"));
        assert_eq!(elf.defines, ["X_1.0", "X_2.0"]);
        assert!(elf.has_gnu_hash && !elf.has_hash && !elf.has_debug && elf.is_dynamic);
    }
}

#[test]
fn symbols_from_elsewhere_are_the_undefined_and_the_copied() {
    for (wide, big, machine, copy) in LAYOUTS {
        for hash in [false, true] {
            // The hash table of 64-bit S/390 has wider words than the builder writes.
            let mut builder = sample(wide, big, machine).copy(4, copy).copy(3, copy + 1);
            builder.hash = hash && machine != 22;
            let names = undefined(&builder.build()).unwrap();
            assert_eq!(names, ["open@GLIBC_2.34", "weak_hook@Base weak", "stdout@GLIBC_2.17"]);
        }
    }
}

#[test]
fn machines_have_debians_names() {
    let machine = |wide, big, machine| read(&sample(wide, big, machine).build()).unwrap().machine;
    let amd64 = machine(true, false, 62);
    assert!(amd64.is_debian("amd64") && !amd64.is_debian("arm64") && !amd64.is_debian("x"));
    assert_eq!(amd64.to_string(), "64-bit x86-64");
    assert!(machine(true, true, 22).is_debian("s390x"));
    assert!(machine(false, false, 40).is_debian("armhf"));
    // x32 is no amd64, and big-endian PowerPC no ppc64el.
    assert!(!machine(false, false, 62).is_debian("amd64"));
    assert!(!machine(true, true, 21).is_debian("ppc64el"));
    assert!(amd64.is_marked_64bit() && !machine(true, false, 0x9026).is_marked_64bit());
}

#[test]
fn what_nothing_loads_needs_nothing() {
    let mut bytes = sample(true, false, 62).build();
    bytes[16] = 1;
    let elf = read(&bytes).unwrap();
    assert!(!elf.is_dynamic && elf.needed.is_empty());
    assert_eq!(undefined(&bytes).unwrap(), [""; 0]);
}

#[test]
fn every_truncation_is_an_error_or_says_less() {
    let bytes = sample(true, false, 62).copy(4, 5).build();
    let whole = read(&bytes).unwrap();
    for len in 0..bytes.len() {
        match read(&bytes[..len].to_vec()) {
            Ok(elf) => assert_ne!(elf, whole, "{len}"),
            Err(error) => assert!(error.is_invalid(), "{len}: {error}"),
        }
        if let Err(error) = undefined(&bytes[..len]) {
            assert!(error.is_invalid(), "{len}: {error}");
        }
    }
}

#[test]
fn no_byte_can_make_it_panic_or_run_on() {
    for (wide, big, machine, copy) in LAYOUTS {
        let bytes = sample(wide, big, machine).copy(4, copy).build();
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                for found in [read(&bytes).err(), undefined(&bytes).err()] {
                    assert!(found.is_none_or(|error| error.is_invalid()), "{at} {value}");
                }
            }
        }
    }
}

/// Replaces the value of a dynamic entry of a 64-bit little-endian file.
fn with_entry(mut bytes: Vec<u8>, tag: u64, value: u64) -> Vec<u8> {
    let tag = tag.to_le_bytes();
    // The dynamic section is the last table.
    let at = (0..bytes.len() - 16).rev().find(|at| bytes[*at..*at + 8] == tag).unwrap() + 8;
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    bytes
}

#[test]
fn lies_about_places_and_counts_are_named() {
    let bytes = || sample(true, false, 62).build();
    let reason = |bytes: Vec<u8>| read(&bytes).unwrap_err().to_string();
    // A string table and versions outside of every segment.
    let text = reason(with_entry(bytes(), 5, 1 << 60));
    assert!(text.contains("string table") && text.contains("0x1000000000000000"), "{text}");
    let text = reason(with_entry(bytes(), 0x6fff_fffe, 1));
    assert!(text.contains("the needed versions"), "{text}");
    // A name beyond the string table.
    let text = reason(with_entry(bytes(), 14, 1 << 50));
    assert!(text.contains("the soname") && text.contains("expected an index below"), "{text}");
    // A count of 2^60 versions ends with the chain.
    let elf = read(&with_entry(bytes(), 0x6fff_ffff, 1 << 60));
    assert!(elf.is_err_and(|error| error.is_invalid()));
    // More program headers than there are bytes.
    let mut many = bytes();
    many[56..58].copy_from_slice(&0xfffe_u16.to_le_bytes());
    assert!(reason(many).contains("program headers"));
    // Section headers of nonsense: 2^62 of them, by way of the first.
    let mut sections = bytes();
    sections[40..48].copy_from_slice(&64_u64.to_le_bytes());
    sections[58..60].copy_from_slice(&64_u16.to_le_bytes());
    sections[96..104].copy_from_slice(&(1_u64 << 62).to_le_bytes());
    assert!(reason(sections).contains("section headers"));
}

#[test]
fn chains_that_overlap_or_stand_still_end() {
    // Each record points 1 byte on: as many as the count says, never around.
    let mut looped = sample(true, false, 62);
    looped.required[12..16].copy_from_slice(&1_u32.to_le_bytes());
    looped.required_count = 1 << 40;
    let error = read(&looped.build()).unwrap_err();
    assert!(error.is_invalid(), "{error}");
    let mut still = sample(true, false, 62);
    still.required[12..16].copy_from_slice(&0_u32.to_le_bytes());
    still.required_count = 1 << 40;
    assert_eq!(read(&still.build()).unwrap().requires.len(), 1);
}

#[test]
fn many_records_of_one_long_name_are_refused() {
    let mut builder = Builder::new(true, false, 62).tag(1, &"x".repeat(60_000));
    let entry = builder.dynamic[0];
    builder.dynamic.resize(1000, entry);
    let text = read(&builder.build()).unwrap_err().to_string();
    assert!(text.contains("expected names of at most 4194304 bytes in all"), "{text}");
}

#[test]
fn debug_files_have_headers_without_bytes() {
    // Section headers without a dynamic section: what the program header points at is not there.
    let mut bytes = sample(true, false, 62).build();
    let sections = bytes.len() as u64;
    bytes.extend([0; 64]);
    bytes[40..48].copy_from_slice(&sections.to_le_bytes());
    bytes[58..60].copy_from_slice(&64_u16.to_le_bytes());
    bytes[60..62].copy_from_slice(&1_u16.to_le_bytes());
    let elf = read(&bytes).unwrap();
    assert!(!elf.is_dynamic && elf.needed.is_empty() && elf.interpreter.is_some());
}
