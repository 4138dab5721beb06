//! What scriptlets do, run by a shell.
