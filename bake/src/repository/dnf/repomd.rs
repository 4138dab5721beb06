//! The file `repomd.xml`: the digests of all indices.

use std::collections::BTreeMap;

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;

use super::xml::{attribute, element, quote};
use crate::error::Error;
use crate::repository::refuse_with;

/// The indices that every repository has.
pub(super) const KINDS: [&str; 3] = ["primary", "filelists", "other"];

/// One index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Data {
    /// The path below the repository's folder.
    pub(super) path: String,
    /// The file as it is there.
    pub(super) packed: Blob,
    /// The file before compression, if it is compressed.
    pub(super) plain: Option<Blob>,
    /// When it was made, in seconds since 1970.
    pub(super) time: u64,
}

/// What `repomd.xml` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Repomd {
    /// The repository's time, in seconds since 1970.
    pub(super) revision: u64,
    /// The indices by their kinds.
    pub(super) data: BTreeMap<String, Data>,
}

impl Repomd {
    /// Returns the text, as it is signed.
    pub(super) fn print(&self) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        text.push_str("<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" ");
        text.push_str("xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n");
        text.push_str(&format!("  <revision>{}</revision>\n", self.revision));
        let first = KINDS.iter().filter_map(|kind| self.data.get_key_value(*kind));
        let others = self.data.iter().filter(|(kind, _)| !KINDS.contains(&kind.as_str()));
        for (kind, data) in first.chain(others) {
            let Data { path, packed, plain, time } = data;
            text.push_str(&format!("  <data type=\"{}\">\n", quote(kind)));
            let mut put = |name: &str, attribute: &str, value: &str| {
                text.push_str(&format!("    <{name}{attribute}>{value}</{name}>\n"));
            };
            let sha256 = " type=\"sha256\"";
            put("checksum", sha256, &packed.digest.hex());
            if let Some(plain) = plain {
                put("open-checksum", sha256, &plain.digest.hex());
                put("open-size", "", &plain.size.to_string());
            }
            put("timestamp", "", &time.to_string());
            put("size", "", &packed.size.to_string());
            text.push_str(&format!("    <location href=\"{}\"/>\n  </data>\n", quote(path)));
        }
        text.push_str("</repomd>\n");
        text
    }

    /// Parses what [`Repomd::print`] and `createrepo_c` print.
    pub(super) fn parse(place: &str, text: &str) -> Result<Self, Error> {
        let fail = |what: &str| {
            let hint = "make a new repository from the packages: `bake repo dnf NEW PACKAGE...`";
            refuse_with(place, format!("it is not a repomd.xml that bake knows: {what}"), hint)
        };
        let revision = element(text, "revision").and_then(|text| text.parse().ok());
        let mut repomd = Self { revision: revision.unwrap_or_default(), ..Self::default() };
        for part in text.split("<data ").skip(1) {
            let part = format!("<data {}", part.split("</data>").next().unwrap_or_default());
            let kind =
                attribute(&part, "data", "type").ok_or_else(|| fail("data without a type"))?;
            let broken = |what: &str| fail(&format!("{kind}: {what}"));
            let blob = |checksum: &str, size: &str| {
                let is_sha256 = attribute(&part, checksum, "type").as_deref() == Some("sha256");
                let digest = element(&part, checksum).filter(|_| is_sha256);
                let digest = digest.and_then(|hex| Digest::from_hex(hex.trim()).ok())?;
                Some(Blob { digest, size: element(&part, size)?.trim().parse().ok()? })
            };
            let packed = blob("checksum", "size").ok_or_else(|| broken("no SHA-256 and size"))?;
            let path = attribute(&part, "location", "href").ok_or_else(|| broken("no location"))?;
            let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.');
            if !path.starts_with("repodata/") || !path.split('/').all(is_plain) {
                return Err(broken(&format!("`{path}` is not below repodata/")));
            }
            // A few kinds give seconds with a fraction.
            let time = element(&part, "timestamp").unwrap_or_default();
            let time = time.split('.').next().and_then(|text| text.trim().parse().ok());
            let plain = blob("open-checksum", "open-size");
            let data = Data { path, packed, plain, time: time.unwrap_or_default() };
            if repomd.data.insert(kind.clone(), data).is_some() {
                return Err(broken("it is there twice"));
            }
        }
        match KINDS.iter().find(|kind| !repomd.data.contains_key(**kind)) {
            Some(missing) => Err(fail(&format!("there is no {missing}"))),
            None => Ok(repomd),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Repomd {
        let data = |kind: &str| {
            let path = format!("repodata/1-{kind}.xml.gz");
            let (packed, plain) = (Blob::of(b"x"), Some(Blob::of(b"yy")));
            (kind.to_owned(), Data { path, packed, plain, time: 7 })
        };
        Repomd { revision: 5, data: ["primary", "filelists", "other", "group"].map(data).into() }
    }

    #[test]
    fn reads_what_it_prints() {
        let text = sample().print();
        assert_eq!(Repomd::parse("repomd.xml", &text).unwrap(), sample());
        assert!(
            text.contains("<checksum type=\"sha256\">2d711642") && !text.contains("</checksum ")
        );
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let good = sample().print();
        let bad = [
            String::new(),
            good.replace("type=\"other\"", "type=\"primary\""),
            good.replace("type=\"other\"", "type=\"another\""),
            good.replace("repodata/1-other", "repodata/../../other"),
            good.replace("repodata/1-other", "/etc/other"),
            good.replace("sha256", "sha1"),
            good.replace("<size>1", "<size>one"),
        ];
        for text in bad {
            assert!(Repomd::parse("repomd.xml", &text).is_err(), "{text}");
        }
    }
}
