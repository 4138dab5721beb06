//! What the three indices say of one package.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::blob::Blob;
use bake_formats::rpm::{FileKind, Listing, Sense, compare_versions};

use super::xml::{escape, quote};

/// How many changes the index `other` has of a package.
const CHANGES: usize = 10;
/// The names of relations, in the order of [`Listing::relations`], which is that of createrepo_c.
const RELATIONS: [&str; 8] = [
    "provides",
    "requires",
    "conflicts",
    "obsoletes",
    "suggests",
    "enhances",
    "recommends",
    "supplements",
];
const PROVIDES: usize = 0;
const REQUIRES: usize = 1;

/// Returns whether `primary` names a file, so that solvers need not read `filelists` for it.
fn is_primary(path: &str) -> bool {
    path.starts_with("/etc/") || path.contains("bin/") || path == "/usr/lib/sendmail"
}

/// Returns a package's text in `primary`, `filelists` and `other`.
pub(super) fn describe(listing: &Listing, href: &str, blob: Blob) -> [String; 3] {
    [primary(listing, href, blob), filelists(listing, blob), other(listing, blob)]
}

fn version(listing: &Listing) -> String {
    let Listing { epoch, version, release, .. } = listing;
    let (version, release) = (quote(version), quote(release));
    format!("  <version epoch=\"{epoch}\" ver=\"{version}\" rel=\"{release}\"/>\n")
}

fn primary(listing: &Listing, href: &str, blob: Blob) -> String {
    let mut text = String::from("<package type=\"rpm\">\n");
    let put = |text: &mut String, indent: &str, name: &str, value: &str| match value {
        "" => text.push_str(&format!("{indent}<{name}/>\n")),
        value => text.push_str(&format!("{indent}<{name}>{}</{name}>\n", escape(value))),
    };
    put(&mut text, "  ", "name", &listing.name);
    put(&mut text, "  ", "arch", &listing.arch);
    text.push_str(&version(listing));
    let digest = blob.digest.hex();
    text.push_str(&format!("  <checksum type=\"sha256\" pkgid=\"YES\">{digest}</checksum>\n"));
    put(&mut text, "  ", "summary", &listing.summary);
    put(&mut text, "  ", "description", &listing.description);
    put(&mut text, "  ", "packager", &listing.packager);
    put(&mut text, "  ", "url", &listing.url);
    // The file's own time would be that of its download; the build's is the package's.
    text.push_str(&format!("  <time file=\"{0}\" build=\"{0}\"/>\n", listing.time));
    let (size, installed, archive) = (blob.size, listing.installed_size, listing.archive_size);
    text.push_str(&format!(
        "  <size package=\"{size}\" installed=\"{installed}\" archive=\"{archive}\"/>\n"
    ));
    text.push_str(&format!("  <location href=\"{}\"/>\n  <format>\n", quote(href)));
    let fields = [
        ("rpm:license", &listing.license),
        ("rpm:vendor", &listing.vendor),
        ("rpm:group", &listing.group),
        ("rpm:buildhost", &listing.buildhost),
        ("rpm:sourcerpm", &listing.sourcerpm),
    ];
    for (name, value) in fields {
        put(&mut text, "    ", name, value);
    }
    let (start, end) = listing.header;
    text.push_str(&format!("    <rpm:header-range start=\"{start}\" end=\"{end}\"/>\n"));
    relations(listing, &mut text);
    for (path, kind) in listing.files.iter().filter(|(path, _)| is_primary(path)) {
        text.push_str(&file("    ", path, *kind));
    }
    text.push_str("  </format>\n</package>\n");
    text
}

fn file(indent: &str, path: &str, kind: FileKind) -> String {
    let path = escape(path);
    match kind {
        FileKind::File => format!("{indent}<file>{path}</file>\n"),
        FileKind::Directory => format!("{indent}<file type=\"dir\">{path}</file>\n"),
        FileKind::Ghost => format!("{indent}<file type=\"ghost\">{path}</file>\n"),
    }
}

fn relations(listing: &Listing, text: &mut String) {
    for (index, (name, senses)) in RELATIONS.iter().zip(&listing.relations).enumerate() {
        let senses =
            if index == REQUIRES { required(listing) } else { senses.iter().collect::<Vec<_>>() };
        if senses.is_empty() {
            continue;
        }
        text.push_str(&format!("    <rpm:{name}>\n"));
        for sense in senses {
            text.push_str(&entry(sense, index == REQUIRES));
        }
        text.push_str(&format!("    </rpm:{name}>\n"));
    }
}

fn entry(sense: &Sense, has_pre: bool) -> String {
    let mut text = format!("      <rpm:entry name=\"{}\"", quote(&sense.name));
    if let Some(flags) = sense.flags {
        text.push_str(&format!(" flags=\"{flags}\""));
        let (epoch, version, release) = split(&sense.version);
        let parts = [("epoch", epoch), ("ver", version), ("rel", release)];
        for (name, value) in parts.into_iter().filter(|(_, value)| !value.is_empty()) {
            text.push_str(&format!(" {name}=\"{}\"", quote(value)));
        }
    }
    if has_pre && sense.pre {
        text.push_str(" pre=\"1\"");
    }
    text.push_str("/>\n");
    text
}

/// Splits `[EPOCH:]VERSION[-RELEASE]`; without an epoch it is 0.
fn split(version: &str) -> (&str, &str, &str) {
    if version.is_empty() {
        return ("", "", "");
    }
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) if !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit()) => {
            (epoch, rest)
        }
        _ => ("0", version),
    };
    let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
    (epoch, version, release)
}

/// Returns what a solver needs to know of the requirements: not those on rpm itself, not those
/// that the package fulfils, each once, and of glibc's versions the highest.
fn required(listing: &Listing) -> Vec<&Sense> {
    let key = |sense: &Sense| (sense.name.clone(), sense.flags, sense.version.clone());
    let provided: BTreeSet<_> = listing.relations[PROVIDES].iter().map(key).collect();
    let own: BTreeSet<&str> = listing.files.iter().map(|(path, _)| path.as_str()).collect();
    // Only what stood last under a name counts as a repetition, as in createrepo_c.
    let mut seen: BTreeMap<&str, &Sense> = BTreeMap::new();
    let mut all = Vec::new();
    let mut libc: Option<&Sense> = None;
    for sense in &listing.relations[REQUIRES] {
        let name = sense.name.as_str();
        let is_own = own.contains(name) && is_primary(name);
        if name.starts_with("rpmlib(") || is_own || provided.contains(&key(sense)) {
            continue;
        }
        if seen.insert(name, sense) == Some(sense) {
            continue;
        }
        if name.starts_with("libc.so.6") {
            if libc.is_none_or(|highest| libc_version(highest) < libc_version(sense)) {
                libc = Some(sense);
            }
            continue;
        }
        all.push(sense);
    }
    all.extend(libc);
    all
}

/// Returns the glibc version in `libc.so.6(GLIBC_2.34)(64bit)`, in a form that can be compared.
fn libc_version(sense: &Sense) -> LibcVersion<'_> {
    let inside = sense.name.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    let inside = inside.map_or("", |(inside, _)| inside);
    LibcVersion(inside.trim_start_matches(|c: char| !c.is_ascii_digit()))
}

#[derive(PartialEq, Eq)]
struct LibcVersion<'a>(&'a str);

impl PartialOrd for LibcVersion<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(compare_versions(self.0, other.0))
    }
}

fn opening(listing: &Listing, blob: Blob) -> String {
    let (name, arch) = (quote(&listing.name), quote(&listing.arch));
    let digest = blob.digest.hex();
    let version = version(listing);
    format!("<package pkgid=\"{digest}\" name=\"{name}\" arch=\"{arch}\">\n{version}")
}

fn filelists(listing: &Listing, blob: Blob) -> String {
    let mut text = opening(listing, blob);
    for (path, kind) in &listing.files {
        text.push_str(&file("  ", path, *kind));
    }
    text.push_str("</package>\n");
    text
}

fn other(listing: &Listing, blob: Blob) -> String {
    let mut text = opening(listing, blob);
    let newest = listing.changelog.iter().take(CHANGES);
    let mut changes: Vec<(u32, &str, &str)> = Vec::new();
    for (time, author, change) in newest {
        // Readers keep changes by their time, so that two of one day must differ.
        let mut wanted = *time;
        for (time, _, _) in changes.iter_mut().rev() {
            if *time != wanted {
                break;
            }
            *time = time.saturating_add(1);
            wanted = *time;
        }
        changes.push((*time, author.trim_end(), change));
    }
    for (time, author, change) in changes.into_iter().rev() {
        let (author, change) = (quote(author), escape(change));
        text.push_str(&format!(
            "  <changelog author=\"{author}\" date=\"{time}\">{change}</changelog>\n"
        ));
    }
    text.push_str("</package>\n");
    text
}
