//! A registry that misbehaves as told, and remembers what it was asked.
