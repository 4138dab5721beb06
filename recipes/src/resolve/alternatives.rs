//! `[[alternatives]]`: what update-alternatives would refuse on the machine that installs.

use std::collections::BTreeMap;

use bake_formats::tree::TreePath;

use super::Resolver;
use crate::resolved::{Alternative, FileRule, FileSource, Follower, Output};
use crate::written::{self, At};

/// Where update-alternatives keeps the chosen link of every name.
const CHOSEN: &str = "/etc/alternatives";

/// A name with its link and its path, of a group or of a follower.
struct Offer<'a> {
    name: &'a At<String>,
    link_at: &'a At<String>,
    path_at: &'a At<String>,
    /// The generic path, which all packages share.
    link: TreePath,
    /// This package's path.
    path: TreePath,
    /// The table that it stands in.
    table: &'a At<written::Alternative>,
    role: Role,
}

/// What a name is to its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The one that is chosen.
    Chosen,
    /// One that follows the choice.
    Follower,
}

impl<'a> Resolver<'a> {
    pub(super) fn alternatives(&self, files: &[FileRule]) -> Option<Vec<Alternative>> {
        let mut all = Vec::new();
        let mut offers = Vec::new();
        for at in &self.keys().alternatives {
            let written::Alternative { name, link, path, followers, .. } = &at.value;
            let own = self.offer([name, link, path], at, Role::Chosen);
            let follow = |follower: &'a At<written::Follower>| {
                let written::Follower { name, link, path } = &follower.value;
                self.offer([name, link, path], at, Role::Follower)
            };
            let followers: Vec<_> = followers.iter().map(follow).collect();
            all.push(self.alternative(at, own.as_ref(), &followers));
            offers.extend(own);
            offers.extend(followers.into_iter().flatten());
        }
        self.check_link_names(&offers);
        self.check_circles(&offers);
        self.check_links_are_free(&offers, files);
        all.into_iter().collect()
    }

    fn alternative(
        &self,
        at: &At<written::Alternative>,
        own: Option<&Offer<'_>>,
        followers: &[Option<Offer<'_>>],
    ) -> Option<Alternative> {
        let priority = &at.value.priority;
        let number = i32::try_from(priority.value).ok();
        if number.is_none() {
            let (least, most, found) = (i32::MIN, i32::MAX, priority.value);
            self.fault(
                priority,
                format!("expected a number from {least} to {most}, found {found}"),
            );
        }
        let followers = followers.iter().map(|offer| offer.as_ref().map(follower)).collect();
        let followers: Option<Vec<_>> = followers;
        let own = own?;
        Some(Alternative {
            name: own.name.value.clone(),
            link: own.link.clone(),
            path: own.path.clone(),
            priority: number?,
            followers: followers?,
            place: self.place(at),
        })
    }

    fn offer(
        &self,
        [name, link_at, path_at]: [&'a At<String>; 3],
        table: &'a At<written::Alternative>,
        role: Role,
    ) -> Option<Offer<'a>> {
        let text = &name.value;
        let named = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && c != '/');
        if !named {
            let found = text.escape_debug();
            let message = format!("`{found}` is not the name of an alternative");
            self.advise(name, message, "names are printable ASCII without spaces and `/`");
        }
        let (link, path) = (self.tree_path(link_at), self.tree_path(path_at));
        let (link, path) = (link?, path?);
        if link == path {
            let message = format!("`{text}` leads from `{link}` to itself");
            let hint = "`path` is the file of this package, `link` the path that all share";
            self.advise(path_at, message, hint);
            return None;
        }
        named.then_some(Offer { name, link_at, path_at, link, path, table, role })
    }

    /// A name has one link and a link one name; tables of one name are choices of one package.
    fn check_link_names(&self, offers: &[Offer<'_>]) {
        for (index, offer) in offers.iter().enumerate() {
            let (name, link) = (&offer.name.value, &offer.link);
            for other in offers.iter().take(index).filter(|other| !are_choices(other, offer)) {
                let line = self.place(other.name).line;
                let hint = format!("the first one is in line {line}");
                if other.name.value == *name {
                    self.advise(offer.name, format!("the name `{name}` stands here twice"), hint);
                    break;
                }
                if other.link == *link {
                    let message = format!("the link `{link}` stands here twice");
                    self.advise(offer.link_at, message, hint);
                    break;
                }
            }
        }
    }

    /// Follows links to paths that are links themselves.
    fn check_circles(&self, offers: &[Offer<'_>]) {
        let mut next: BTreeMap<TreePath, Vec<TreePath>> = BTreeMap::new();
        for offer in offers {
            let Some(chosen) = chosen(offer) else { continue };
            next.entry(offer.link.clone()).or_default().push(chosen.clone());
            next.entry(chosen).or_default().push(offer.path.clone());
        }
        for offer in offers {
            if leads_to(&next, &offer.path, &offer.link) {
                let (name, path) = (&offer.name.value, &offer.path);
                let message = format!("`{name}` goes round in a circle: `{path}` leads back to it");
                let hint = "`path` is a file, not the `link` of another alternative";
                self.advise(offer.path_at, message, hint);
            }
        }
    }

    /// update-alternatives does not put a link in the place of a file.
    fn check_links_are_free(&self, offers: &[Offer<'_>], files: &[FileRule]) {
        let packages = |rule: &&FileRule| rule.is_for(Output::Deb) || rule.is_for(Output::Rpm);
        for rule in files.iter().filter(packages) {
            let ghost = matches!(rule.source, FileSource::Ghost);
            let taken = offers.iter().find(|offer| offer.link == rule.to.path);
            if let Some(offer) = taken.filter(|_| !ghost && rule.single_path().is_some()) {
                let message = format!("a rule places something at `{}`", offer.link);
                let line = rule.place.line;
                let hint = format!("the rule in line {line} must place it elsewhere: at `path`");
                self.advise(offer.link_at, message, hint);
            }
        }
    }
}

/// Returns whether two links of one name and path are choices for it.
fn are_choices(one: &Offer<'_>, other: &Offer<'_>) -> bool {
    let same = one.name.value == other.name.value && one.link == other.link;
    let group = |offer: &Offer<'_>| offer.table.value.name.value.clone();
    let tables = one.table.span != other.table.span && group(one) == group(other);
    let paths = one.role == Role::Follower || one.path != other.path;
    same && tables && paths && one.role == other.role
}

fn follower(offer: &Offer<'_>) -> Follower {
    let Offer { name, link, path, .. } = offer;
    Follower { name: name.value.clone(), link: link.clone(), path: path.clone() }
}

/// Returns the link in between: `/etc/alternatives/NAME`.
fn chosen(offer: &Offer<'_>) -> Option<TreePath> {
    TreePath::parse(format!("{CHOSEN}/{}", offer.name.value)).ok()
}

/// Returns whether one path leads to another.
fn leads_to(next: &BTreeMap<TreePath, Vec<TreePath>>, from: &TreePath, to: &TreePath) -> bool {
    let mut seen = Vec::new();
    let mut open = vec![from];
    while let Some(path) = open.pop() {
        if path == to {
            return true;
        }
        if !seen.contains(&path) {
            seen.push(path);
            open.extend(next.get(path).into_iter().flatten());
        }
    }
    false
}
