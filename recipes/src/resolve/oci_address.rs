//! Where an image is pushed: `repository` and `tags` of `[oci]`.

use bake_formats::oci::Reference;

use super::{Resolver, settled};
use crate::version::Version;
use crate::written::{self, At};

/// The longest tag (distribution-spec, "Pulling manifests").
const MAX_TAG: usize = 128;
/// Tags that follow from the version, and of which only releases have one.
const LATEST: &str = "latest";
const MAJOR: &str = "major";
const MAJOR_MINOR: &str = "major.minor";

/// Where an image is pushed.
pub(super) struct Address {
    pub(super) repository: Option<Reference>,
    pub(super) tags: Vec<String>,
}

impl Resolver<'_> {
    pub(super) fn image_address(&self, table: &written::Oci, version: &Version) -> Option<Address> {
        let repository = settled(table.repository.as_ref().map(|at| self.repository(at)));
        let tags = self.tags(&table.tags, version);
        Some(Address { repository: repository?, tags: tags? })
    }

    /// Returns a repository; to push to Docker's registry it must be named, lest a forgotten host
    /// sends an image there.
    fn repository(&self, at: &At<String>) -> Option<Reference> {
        let reference = self.parsed(at, at.value.parse::<Reference>())?;
        let host = at.value.split_once('/').map(|(host, _)| host);
        if !host.is_some_and(|host| host == "localhost" || host.contains(['.', ':'])) {
            let message = format!("`{}` names no registry", at.value.escape_debug());
            self.advise(at, message, format!("for Docker Hub, write `{}`", reference.name()));
            return None;
        }
        if reference.tag.is_some() || reference.digest.is_some() {
            let message = format!("`{}` is more than a repository", at.value.escape_debug());
            let hint = format!("write `{}`; tags belong in `tags`", reference.name());
            self.advise(at, message, hint);
            return None;
        }
        Some(reference)
    }

    /// Returns the tags, without those that only releases have if this is none.
    fn tags(&self, list: &[At<String>], version: &Version) -> Option<Vec<String>> {
        let before = self.errors.borrow().len();
        let own = version.oci_tag();
        let mut tags: Vec<String> = Vec::new();
        for (index, at) in list.iter().enumerate() {
            if list.iter().take(index).any(|earlier| earlier.value == at.value) {
                let found = at.value.escape_debug();
                self.fault(at, format!("the tag `{found}` stands here twice"));
            }
            if let Some(tag) = self.tag(at, version)
                && tag != own
                && !tags.contains(&tag)
            {
                tags.push(tag);
            }
        }
        (self.errors.borrow().len() == before).then_some(tags)
    }

    fn tag(&self, at: &At<String>, version: &Version) -> Option<String> {
        let numbers = match at.value.as_str() {
            MAJOR => 1,
            MAJOR_MINOR => 2,
            LATEST => return version.is_release().then(|| LATEST.to_owned()),
            text => return self.plain_tag(at, text),
        };
        let Some(core) = version.core().get(..numbers) else {
            let message = format!("the version `{version}` has no minor number");
            self.advise(at, message, "leave out `major.minor`, or write the tag as it is to be");
            return None;
        };
        version.is_release().then(|| core.join("."))
    }

    fn plain_tag(&self, at: &At<String>, text: &str) -> Option<String> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let starts = text.bytes().next().is_some_and(is_word);
        let all = text.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'));
        if starts && all && text.len() <= MAX_TAG {
            return Some(text.to_owned());
        }
        let message = format!("`{}` is no tag", text.escape_debug());
        let hint = if text.contains(['{', '$', '%']) {
            "there are no templates: write `major`, `major.minor` or `latest`"
        } else {
            "expected 1 to 128 letters, digits, `.`, `-` and `_`, and neither `.` nor `-` first"
        };
        self.advise(at, message, hint);
        None
    }
}
