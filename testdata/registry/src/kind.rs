//! What a request is for.

use std::fmt;

/// What a request is for, by its method, path and query (distribution-spec, "Endpoints").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `GET /v2/`.
    Ping,
    /// A token, asked for by `GET` or `POST`.
    Token,
    /// `HEAD` of a blob.
    BlobHead,
    /// `GET` of a blob or of a part of it.
    BlobGet,
    /// `DELETE` of a blob.
    BlobDelete,
    /// `POST` that begins an upload.
    UploadStart,
    /// `POST` with the whole blob.
    UploadWhole,
    /// `POST` with `mount=`.
    Mount,
    /// `PATCH`.
    UploadPatch,
    /// `PUT` that ends an upload.
    UploadPut,
    /// `GET` of an upload.
    UploadStatus,
    /// `DELETE` of an upload.
    UploadCancel,
    /// `HEAD` of a manifest.
    ManifestHead,
    /// `GET` of a manifest.
    ManifestGet,
    /// `PUT` of a manifest.
    ManifestPut,
    /// `DELETE` of a manifest or tag.
    ManifestDelete,
    /// `GET` of a list of tags.
    Tags,
    /// `GET` of referrers.
    Referrers,
    /// Anything else.
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Ping,
    Token,
    /// Where redirected blobs lie: a digest.
    Storage(String),
    /// Repository, digest.
    Blob(String, String),
    /// Repository.
    Uploads(String),
    /// Repository, name of the upload.
    Upload(String, String),
    /// Repository, tag or digest.
    Manifest(String, String),
    /// Repository.
    Tags(String),
    /// Repository, digest.
    Referrers(String, String),
    Unknown,
}

impl Target {
    /// Reads a path.
    pub(crate) fn of(path: &str) -> Self {
        if path == "/token" {
            return Self::Token;
        }
        if let Some(digest) = path.strip_prefix("/storage/") {
            return Self::Storage(digest.to_owned());
        }
        let Some(rest) = path.strip_prefix("/v2") else { return Self::Unknown };
        let parts: Vec<&str> = rest.trim_start_matches('/').split('/').collect();
        let name = |parts: &[&str]| parts.join("/");
        match parts.as_slice() {
            [""] => Self::Ping,
            [repository @ .., "blobs", "uploads", ""] if !repository.is_empty() => {
                Self::Uploads(name(repository))
            }
            [repository @ .., "blobs", "uploads"] if !repository.is_empty() => {
                Self::Uploads(name(repository))
            }
            [repository @ .., "blobs", "uploads", id] if !repository.is_empty() => {
                Self::Upload(name(repository), (*id).to_owned())
            }
            [repository @ .., "blobs", digest] if !repository.is_empty() => {
                Self::Blob(name(repository), (*digest).to_owned())
            }
            [repository @ .., "manifests", reference] if !repository.is_empty() => {
                Self::Manifest(name(repository), (*reference).to_owned())
            }
            [repository @ .., "tags", "list"] if !repository.is_empty() => {
                Self::Tags(name(repository))
            }
            [repository @ .., "referrers", digest] if !repository.is_empty() => {
                Self::Referrers(name(repository), (*digest).to_owned())
            }
            _ => Self::Unknown,
        }
    }

    /// Returns what a method and query on this target are for.
    pub(crate) fn kind(&self, method: &str, query: &str) -> Kind {
        let has = |name| !crate::http::parameters(query, name).is_empty();
        match (self, method) {
            (Self::Ping, "GET" | "HEAD") => Kind::Ping,
            (Self::Token, _) => Kind::Token,
            (Self::Blob(..) | Self::Storage(_), "HEAD") => Kind::BlobHead,
            (Self::Blob(..) | Self::Storage(_), "GET") => Kind::BlobGet,
            (Self::Blob(..), "DELETE") => Kind::BlobDelete,
            (Self::Uploads(_), "POST") if has("mount") => Kind::Mount,
            (Self::Uploads(_), "POST") if has("digest") => Kind::UploadWhole,
            (Self::Uploads(_), "POST") => Kind::UploadStart,
            (Self::Upload(..), "PATCH") => Kind::UploadPatch,
            (Self::Upload(..), "PUT") => Kind::UploadPut,
            (Self::Upload(..), "GET") => Kind::UploadStatus,
            (Self::Upload(..), "DELETE") => Kind::UploadCancel,
            (Self::Manifest(..), "HEAD") => Kind::ManifestHead,
            (Self::Manifest(..), "GET") => Kind::ManifestGet,
            (Self::Manifest(..), "PUT") => Kind::ManifestPut,
            (Self::Manifest(..), "DELETE") => Kind::ManifestDelete,
            (Self::Tags(_), "GET") => Kind::Tags,
            (Self::Referrers(..), "GET") => Kind::Referrers,
            _ => Kind::Other,
        }
    }

    /// Returns the repository that is asked.
    pub(crate) fn repository(&self) -> Option<&str> {
        match self {
            Self::Blob(name, _)
            | Self::Uploads(name)
            | Self::Upload(name, _)
            | Self::Manifest(name, _)
            | Self::Tags(name)
            | Self::Referrers(name, _) => Some(name),
            Self::Ping | Self::Token | Self::Storage(_) | Self::Unknown => None,
        }
    }
}
