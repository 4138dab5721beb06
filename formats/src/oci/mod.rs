//! The oci format.
