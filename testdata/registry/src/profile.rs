//! Registries in the wild, as far as they differ from the specification, as rules.
//!
//! What is known of each is what users and authors of clients have reported. A profile is no copy of a
//! registry, it is a set of its traps.

use crate::kind::Kind;
use crate::rule::{Action, Answer, Match, Place, Rule};

/// A kind of registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// The specification and nothing else.
    Strict,
    /// As ECR: `PATCH` answers 201 with a `Range` that is not true, no mounts.
    Ecr,
    /// As GHCR: chunks up to 4 MiB, no referrers.
    Ghcr,
    /// As GAR: no chunks.
    Gar,
    /// As Quay: mounts only with `from`.
    Quay,
    /// As Docker Hub: uploads under a query that changes, blobs at another host, no referrers.
    Hub,
    /// As JFrog: no mounts, and 403 for what is not there.
    Jfrog,
    /// As a registry behind Cloudflare: no body above 100 MiB.
    Cloudflare,
    /// As registries were before the specification: no digests in headers, 204 for a blob's end.
    Ancient,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 9] = [
        Self::Strict,
        Self::Ecr,
        Self::Ghcr,
        Self::Gar,
        Self::Quay,
        Self::Hub,
        Self::Jfrog,
        Self::Cloudflare,
        Self::Ancient,
    ];

    /// Returns its name, e.g. `ecr-like`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Ecr => "ecr-like",
            Self::Ghcr => "ghcr-like",
            Self::Gar => "gar-like",
            Self::Quay => "quay-like",
            Self::Hub => "hub-like",
            Self::Jfrog => "jfrog-like",
            Self::Cloudflare => "cloudflare-like",
            Self::Ancient => "ancient",
        }
    }

    /// Returns the profile of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// Returns the rules.
    pub fn rules(self) -> Vec<Rule> {
        let always = Match::any;
        match self {
            Self::Strict => Vec::new(),
            Self::Ecr => vec![
                Match::kind(Kind::UploadPatch).then(Action::Status(201)),
                Match::kind(Kind::UploadPatch)
                    .then(Action::Header("Range".to_owned(), "0-0".to_owned())),
                always().then(Action::IgnoreMount),
                always().then(Action::IgnoreWhole),
            ],
            Self::Ghcr => {
                vec![always().then(Action::ChunkLimit(4 << 20)), always().then(Action::NoReferrers)]
            }
            Self::Gar => vec![always().then(Action::RefuseChunks)],
            Self::Quay => vec![always().then(Action::MountNeedsFrom)],
            Self::Hub => vec![
                always().then(Action::Location(Place::Query)),
                always().then(Action::NoReferrers),
                Match::kind(Kind::BlobGet).path("/v2/*").then(Action::RedirectBlobs),
                Match::kinds(&[Kind::ManifestGet, Kind::ManifestHead]).then(Action::Header(
                    "ratelimit-remaining".to_owned(),
                    "99;w=21600".to_owned(),
                )),
            ],
            Self::Jfrog => {
                let denied = Answer::error(403, "DENIED", "the requested access is denied");
                let reads = [Kind::BlobHead, Kind::ManifestHead, Kind::ManifestGet];
                vec![
                    always().then(Action::IgnoreMount),
                    Match::kinds(&reads).then(Action::InsteadOf(404, denied)),
                ]
            }
            Self::Cloudflare => vec![always().then(Action::BodyLimit(100 << 20))],
            Self::Ancient => vec![
                always().then(Action::Location(Place::Absolute)),
                always().then(Action::IgnoreMount),
                always().then(Action::IgnoreWhole),
                always().then(Action::NoReferrers),
                always().then(Action::NoHeader("Docker-Content-Digest".to_owned())),
                Match::kind(Kind::UploadPut).then(Action::Status(204)),
            ],
        }
    }
}
