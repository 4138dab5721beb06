//! What the rules say about trees: which paths lie below the application.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::tree::{Entry, FileTree, Mark, Node, TreePath};

use super::kind::{Kind, Own, holds_packages, loose, name, root};

/// Paths and their kinds; a directory stands for all below it that has no claim of its own.
#[derive(Debug, Default)]
pub(super) struct Claims {
    paths: BTreeMap<TreePath, Kind>,
}

/// Returns what the rules say about the trees of all platforms together, in whatever order they
/// come.
pub(super) fn claims(trees: &[&FileTree], own: Own<'_>) -> Claims {
    let mut claims = Claims::default();
    let exceptions: BTreeSet<TreePath> =
        trees.iter().flat_map(|tree| own_packages(tree, own)).collect();
    let of_tree = |tree: &&FileTree| {
        let roots = tree.iter().filter_map(|(path, entry)| root(tree, path, entry));
        roots.collect::<Vec<_>>()
    };
    let roots: BTreeMap<TreePath, Kind> = trees.iter().flat_map(of_tree).collect();
    for (path, kind) in roots {
        claims.root(trees, &path, kind, &exceptions);
    }
    let mut all_loose = BTreeMap::new();
    for tree in trees {
        let free = claims.around(tree).filter(|(_, entry, kind)| {
            kind.is_none() && entry.mark != Mark::Ghost && !entry.is_directory()
        });
        all_loose.extend(
            free.filter_map(|(path, entry, _)| {
                Some((path.clone(), loose(tree, path, entry, own)?))
            }),
        );
    }
    claims.paths.extend(all_loose);
    claims
}

/// Returns the application's own packages among those of others.
fn own_packages(tree: &FileTree, own: Own<'_>) -> BTreeSet<TreePath> {
    let is_own = |path: &TreePath| {
        let Some(above) = path.parent() else { return false };
        let is_scope = |path: &TreePath| name(path).is_some_and(|name| name.starts_with('@'));
        let scoped = is_scope(&above) && above.parent().is_some_and(|p| holds_packages(&p));
        holds_packages(&above) || scoped
    };
    // The name is looked at first: of many thousand paths few have it.
    let named = |path: &&TreePath| name(path).is_some_and(|name| own.is_package(name));
    tree.iter().map(|(path, _)| path).filter(named).filter(|path| is_own(path)).cloned().collect()
}

impl Claims {
    /// Returns all claims in the order of the paths.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&TreePath, Kind)> {
        self.paths.iter().map(|(path, kind)| (path, *kind))
    }

    /// Returns the kind of a path: that of the nearest claim.
    fn of(&self, path: &TreePath) -> Option<Kind> {
        let mut above = Some(path.clone());
        while let Some(path) = above {
            if let Some(kind) = self.paths.get(&path) {
                return Some(*kind);
            }
            above = path.parent();
        }
        None
    }

    /// Returns all entries of a tree with the kinds of the nearest claims around them.
    ///
    /// In a tree's order all that is below a directory follows it, so the claims that are open at
    /// an entry are a stack.
    fn around<'a>(
        &'a self,
        tree: &'a FileTree,
    ) -> impl Iterator<Item = (&'a TreePath, &'a Entry, Option<Kind>)> + 'a {
        let mut open: Vec<(&TreePath, Kind)> = Vec::new();
        tree.iter().map(move |(path, entry)| {
            while open.last().is_some_and(|(claim, _)| !path.is_below(claim)) {
                open.pop();
            }
            open.extend(self.paths.get(path).map(|kind| (path, *kind)));
            (path, entry, open.last().map(|(_, kind)| *kind))
        })
    }

    /// Claims a directory, or what is in it if part of it is the application's.
    fn root(
        &mut self,
        trees: &[&FileTree],
        path: &TreePath,
        kind: Kind,
        exceptions: &BTreeSet<TreePath>,
    ) {
        if exceptions.contains(path) || path.relative_str().is_none() || self.of(path) == Some(kind)
        {
            return;
        }
        let next = exceptions.range(path..).next();
        if !next.is_some_and(|exception| exception.is_below(path)) {
            self.paths.insert(path.clone(), kind);
            return;
        }
        let all = trees.iter().flat_map(|tree| tree.iter().map(|(child, _)| child));
        let is_child = |child: &&TreePath| child.parent().as_ref() == Some(path);
        let children: BTreeSet<&TreePath> = all.filter(is_child).collect();
        for child in children {
            self.root(trees, child, kind, exceptions);
        }
    }

    /// Returns whether splitting a tree pays: there is enough below the application, and there is
    /// an application.
    pub(super) fn pay(&self, tree: &FileTree) -> bool {
        let mut below: u64 = 0;
        let mut has_application = false;
        for (_, entry, kind) in self.around(tree).filter(|(_, entry, _)| entry.mark != Mark::Ghost)
        {
            match (&entry.node, kind) {
                (Node::File(content), Some(_)) => below = below.saturating_add(content.size),
                (Node::Directory, _) | (_, Some(_)) => {}
                (_, None) => has_application = true,
            }
        }
        has_application && below >= super::WORTHWHILE
    }
}
