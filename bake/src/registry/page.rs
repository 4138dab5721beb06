//! Lists that a registry gives in pages (distribution-spec, "Listing Tags", "Listing Referrers").

use std::collections::BTreeSet;

use url::Url;

use super::action::Action;
use super::call::{Answer, Headers, Method, Target};
use super::document;
use super::error::RegistryError;
use super::repository::Repository;

/// The longest page that is read.
const MAX_PAGE: u64 = 4 << 20;
/// How many pages a list may have.
const MAX_PAGES: usize = 2000;

/// Reads the pages of a list, one after another.
pub(super) struct Pages<'r> {
    repository: &'r Repository<'r>,
    action: &'r Action,
    next: Option<Url>,
    seen: BTreeSet<String>,
}

/// One page.
pub(super) struct Page {
    /// The headers and where the page is; the body was read.
    pub(super) headers: Headers,
    pub(super) bytes: Vec<u8>,
}

impl<'r> Pages<'r> {
    /// Starts after the first page, whose answer is given.
    pub(super) fn new(repository: &'r Repository<'r>, action: &'r Action) -> Self {
        Self { repository, action, next: None, seen: BTreeSet::new() }
    }

    /// Reads a page, and remembers where the next one is.
    pub(super) fn read(&mut self, answer: Answer) -> Result<Page, RegistryError> {
        self.seen.insert(answer.url.to_string());
        let links: Vec<&str> = answer.headers.all("Link").collect();
        self.next = match next_link(&links) {
            Some(link) => Some(answer.url.join(link).map_err(|error| {
                let shown: String = link.chars().take(200).collect();
                let shown = shown.escape_debug();
                self.action.protocol(format!("the next page `{shown}` has no address: {error}"))
            })?),
            None => None,
        };
        let headers = answer.headers.clone();
        let bytes = document::receive_whole(self.action, answer, MAX_PAGE)?;
        Ok(Page { headers, bytes })
    }

    /// Asks for the next page; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Answer>, RegistryError> {
        let Some(url) = self.next.take() else { return Ok(None) };
        if self.seen.contains(url.as_str()) {
            return Err(self.action.protocol(format!("the pages lead in a circle: again `{url}`")));
        }
        if self.seen.len() >= MAX_PAGES {
            return Err(self.action.protocol(format!("there are more than {MAX_PAGES} pages")));
        }
        let (method, target) = (Method::Get, Target::Url(url));
        let answer = self.repository.ask(self.action, method, target, Headers::default())?;
        match answer.status {
            200 => Ok(Some(answer)),
            _ => Err(self.action.refused(answer, "page")),
        }
    }
}

/// Returns where `Link` headers say that the next page is (RFC 8288): `<URL>; rel="next"`.
fn next_link<'l>(headers: &[&'l str]) -> Option<&'l str> {
    headers.iter().find_map(|header| {
        let mut rest = *header;
        while let Some((_, after)) = rest.split_once('<') {
            let (target, after) = after.split_once('>')?;
            let parameters = after.split_once('<').map_or(after, |(parameters, _)| parameters);
            if parameters.split([';', ',']).any(is_next) {
                return Some(target);
            }
            rest = after;
        }
        None
    })
}

/// Returns whether a parameter says that the link is the next page.
fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
    name.trim().eq_ignore_ascii_case("rel") && relations.any(|rel| rel.eq_ignore_ascii_case("next"))
}
