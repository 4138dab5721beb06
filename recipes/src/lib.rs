//! The recipe as data: what is written, what it means for one platform, and what is wrong with it.
//!
//! ```text
//! bake.toml ──load──► written::Recipe ──resolve──► resolved::Recipe
//! bake.lock ──load──► Lock
//! environments/NAME.toml ──load──► Environment
//! ```
//!
//! The only input besides the recipe is what it asks for by name: the file, the git tag or the
//! build identity variable that its version or revision comes from. There are no templates, no
//! includes and no environments, so nothing that differs between environments can enter an
//! artifact.
//!
//! Modules stand in dependency order: each uses only those above it.

mod suggestion;

mod date;

mod changelog;

pub mod error;

pub mod name;

pub mod platform;

pub mod version;

pub mod resolved;

pub mod written;

pub mod load;

pub mod lock;

pub mod environment;

mod service;

pub mod resolve;

pub mod schema;

pub use error::{Look, Place, RecipeError, RecipeErrors};
pub use load::load;
pub use lock::Lock;
pub use platform::Platform;
pub use resolve::{ResolveCx, platforms, resolve};
pub use schema::json_schema;
