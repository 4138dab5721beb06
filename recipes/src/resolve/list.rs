//! Lists of one format that start from a common list.

use super::Resolver;
use crate::written::{At, ListEdit};

/// An element that a recipe can remove.
pub(super) trait Element: Clone {
    /// Returns whether text names this element, whole or by its name.
    fn is_named(&self, text: &str) -> bool;
}

impl Resolver<'_> {
    /// Applies what a format's table says to the common list.
    ///
    /// `parse` reports what is wrong with an element and returns `None` then.
    pub(super) fn edited<W, T: Element>(
        &self,
        common: Vec<T>,
        edit: Option<&At<ListEdit<W>>>,
        parse: impl Fn(&At<W>) -> Option<T>,
    ) -> Vec<T> {
        match edit.map(|at| &at.value) {
            None => common,
            Some(ListEdit::Replace(list)) => list.iter().filter_map(parse).collect(),
            Some(ListEdit::Edit(changes)) => {
                let mut list = match &changes.replace {
                    Some(list) => list.iter().filter_map(&parse).collect(),
                    None => common,
                };
                for name in &changes.remove {
                    let before = list.len();
                    list.retain(|element| !element.is_named(&name.value));
                    if list.len() == before {
                        let name_text = name.value.escape_debug();
                        self.fault(name, format!("`{name_text}` is not in the list"));
                    }
                }
                list.extend(changes.append.iter().filter_map(parse));
                list
            }
        }
    }
}
