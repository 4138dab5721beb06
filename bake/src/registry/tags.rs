//! The tags of a repository (distribution-spec, "Listing Tags").

use serde::Deserialize;

use super::call::{Headers, Method, Target};
use super::error::RegistryError;
use super::page::Pages;
use super::repository::Repository;

/// How many tags are asked for at once; no registry gives more (ECR's limit).
const PAGE: usize = 1000;
/// How many tags are listed at most.
const MAX_TAGS: usize = 250_000;

/// One page of the list.
#[derive(Deserialize)]
struct List {
    /// Go writes an empty list as `null`.
    tags: Option<Vec<String>>,
}

impl Repository<'_> {
    /// Returns the tags in the registry's order. One request for each thousand of them.
    pub fn tags(&self) -> Result<Vec<String>, RegistryError> {
        let action = self.action("list the tags of");
        let path = self.path(format_args!("tags/list?n={PAGE}"));
        let first = self.ask(&action, Method::Get, Target::Path(&path), Headers::default())?;
        if first.status != 200 {
            return Err(action.refused(first, "repository"));
        }
        let mut pages = Pages::new(self, &action);
        let (mut tags, mut next) = (Vec::new(), Some(first));
        while let Some(answer) = next {
            let page = pages.read(answer)?;
            let list: List = serde_json::from_slice(&page.bytes).map_err(|error| {
                action.protocol(format!("expected the JSON of a list of tags: {error}"))
            })?;
            tags.extend(list.tags.unwrap_or_default());
            if tags.len() > MAX_TAGS {
                return Err(action.protocol(format!("there are more than {MAX_TAGS} tags")));
            }
            next = pages.next()?;
        }
        Ok(tags)
    }
}
