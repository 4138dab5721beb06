//! What the recipe says of a key.

use bake_config::schema::Secrecy;
use bake_config::{Kind, Name};

use crate::cli::environments::EnvironmentArgs;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::request::first_recipe;

/// What a recipe says of a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Declared {
    /// The type of its values.
    pub(super) kind: Kind,
    /// Whether it is a secret.
    pub(super) is_secret: bool,
}

/// Returns what the recipe says of a key; `None` if there is no recipe, or it does not know the key.
///
/// A key that the recipe does not know is worth a word, but no error: several recipes may share environments.
pub(super) fn declared(
    environments: &EnvironmentArgs,
    key: &Name,
    printer: &Printer,
) -> Result<Option<Declared>, Failure> {
    if !environments.has_recipe() {
        return Ok(None);
    }
    let recipe = first_recipe(&environments.file)?;
    let schema = &recipe.config.schema;
    if let Some(declared) = schema.keys.get(key) {
        let is_secret = declared.secrecy == Secrecy::Secret;
        return Ok(Some(Declared { kind: declared.kind.clone(), is_secret }));
    }
    if !schema.keys.is_empty() {
        let names: Vec<&str> = schema.keys.keys().map(Name::as_str).collect();
        let near = bake_recipes::environment::nearest(key.as_str(), &names);
        let meant = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        printer.note(format_args!(
            "warning: `{}` does not know `{key}`{meant}",
            environments.file.display()
        ));
    }
    Ok(None)
}
