//! What may be done to find out what a base image is.

/// What may be done to find out what base images are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether registries may be asked.
    pub network: Network,
    /// Whether `bake.lock` may change.
    pub locking: Locking,
}

impl Rules {
    /// Nothing is asked, nothing is changed.
    pub const READ_ONLY: Self = Self { network: Network::Unneeded, locking: Locking::Frozen };
}

/// Whether registries may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// They may.
    Allowed,
    /// The user forbids it.
    Offline,
    /// The command never does; what is not known is said to be unknown.
    Unneeded,
}

/// Whether `bake.lock` may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locking {
    /// What is locked is used; what is not is looked up and locked.
    Extend,
    /// What is not locked is an error, even if it follows from what is.
    Frozen,
}
