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
                let (at, first, what) = if other.name.value == *name {
                    (offer.name, other.name, format!("the name `{name}`"))
                } else if other.link == *link {
                    (offer.link_at, other.link_at, format!("the link `{link}`"))
                } else {
                    continue;
                };
                let hint = format!("the first one is in line {}", self.place(first).line);
                self.advise(at, format!("{what} stands here twice"), hint);
                break;
            }
        }
    }

    /// Follows links to paths that are links themselves; a circle is reported where it begins.
    fn check_circles(&self, offers: &[Offer<'_>]) {
        let Ok(choices) = TreePath::parse(CHOSEN) else { return };
        let mut next: BTreeMap<TreePath, Vec<TreePath>> = BTreeMap::new();
        for offer in offers {
            let Ok(chosen) = choices.join(&offer.name.value) else { continue };
            next.entry(offer.link.clone()).or_default().push(chosen.clone());
            next.entry(chosen).or_default().push(offer.path.clone());
        }
        let mut known: Vec<TreePath> = Vec::new();
        for offer in offers.iter().filter(|offer| next.contains_key(&offer.path)) {
            let Ok(chosen) = choices.join(&offer.name.value) else { continue };
            let circle = circle(&next, &chosen, &offer.path).unwrap_or_default();
            if circle.iter().all(|path| known.contains(path)) {
                continue;
            }
            let name = &offer.name.value;
            let between = |path: &&TreePath| *path == &offer.path || !path.is_below(&choices);
            let way = circle.iter().filter(between).map(|path| format!("`{path}`"));
            let way: Vec<String> = way.collect();
            let message = format!("`{name}` goes round in a circle: {}", way.join(", then "));
            let hint = "`path` is a file, not the `link` of another alternative";
            self.advise(offer.path_at, message, hint);
            known.extend(circle);
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

/// Returns the paths from the one that was chosen back to it, if its path leads there.
fn circle(
    next: &BTreeMap<TreePath, Vec<TreePath>>,
    chosen: &TreePath,
    path: &TreePath,
) -> Option<Vec<TreePath>> {
    let mut seen = vec![path.clone()];
    let mut ways = vec![vec![path.clone()]];
    while let Some(way) = ways.pop() {
        let last = way.last()?;
        if last == chosen {
            return Some(way);
        }
        for path in next.get(last).into_iter().flatten() {
            if !seen.contains(path) {
                seen.push(path.clone());
                ways.push([way.clone(), vec![path.clone()]].concat());
            }
        }
    }
    None
}
