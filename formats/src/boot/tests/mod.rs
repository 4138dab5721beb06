//! Kernels, stubs and modules made by hand, and what is made of them.

mod direct;
pub(crate) mod handmade;
mod images;
mod kernels;
mod modules;

pub(super) use handmade::compressed;
