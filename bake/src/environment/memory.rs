//! Secrets stay in memory.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::error::Error;

/// Lets no core dump of this process or its children be written.
pub fn without_core_dumps() -> Result<(), Error> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(|error| Error::Io(error.into()))
}

/// Lets no other process of this user look into this one's memory.
///
/// From then on `/proc/self/fd` is closed to it too, so what is read from there is read before.
pub fn out_of_sight() -> Result<(), Error> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| Error::Io(error.into()))
}
