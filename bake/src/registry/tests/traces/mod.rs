//! Traces: which requests are made in which situation, in order.

mod chaos;
mod downloads;
mod manifests;
mod mounts;
mod refusals;
mod script;
mod tags_and_referrers;
mod uploads;
