//! Trees of the kinds that people bake, and that nothing moves without a reason.

use std::collections::BTreeMap;

use bake_formats::oci::layering::REST;
use bake_formats::tree::{Content, Entry, Mode, TreeBuilder};
use proptest::prelude::*;

use super::*;

const OWN: Own<'static> = Own { name: "catalog", version: "1.4.0" };
const MIB: u64 = 1 << 20;

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

/// Makes a tree of files of one size.
fn tree(size: u64, names: &[&str]) -> FileTree {
    let mut builder = TreeBuilder::new();
    for name in names {
        let content = Content { size, ..Content::of(name.as_bytes()) };
        let entry = Entry::file(content, Mode::PLAIN);
        builder.insert(path(name), entry).unwrap();
    }
    builder.finish().unwrap()
}

fn texts(layers: &[LockedLayer]) -> Vec<(String, Vec<String>)> {
    let texts = |paths: &[TreePath]| paths.iter().map(ToString::to_string).collect();
    layers.iter().map(|layer| (layer.name.clone(), texts(&layer.paths))).collect()
}

/// Returns the layers of a tree without a lock.
fn split(names: &[&str]) -> Vec<(String, Vec<String>)> {
    texts(&assign(&[&tree(8 * MIB, names)], OWN, &[], 100))
}

/// Names of layers and their paths.
type Rules<'a> = &'a [(&'a str, &'a [&'a str])];

fn expected(layers: Rules<'_>) -> Vec<(String, Vec<String>)> {
    let texts = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    layers.iter().map(|(name, paths)| ((*name).to_owned(), texts(paths))).collect()
}

#[test]
fn a_java_service_is_split_as_jib_does() {
    let found = split(&[
        "/opt/java/release",
        "/opt/java/bin/java",
        "/opt/java/lib/jrt-fs.jar",
        "/opt/java/lib/modules",
        "/opt/catalog/lib/guava-33.0.0-jre.jar",
        "/opt/catalog/lib/guava-gwt.jar",
        "/opt/catalog/lib/prices-2.0-SNAPSHOT.jar",
        "/opt/catalog/lib/catalog-1.4.0.jar",
        "/opt/catalog/lib/catalog-core-1.4.0.jar",
        "/opt/catalog/classes/App.class",
        "/opt/catalog/catalog.jar",
        "/opt/catalog/tool.jar",
    ]);
    let jars = ["/opt/catalog/lib/guava-33.0.0-jre.jar", "/opt/catalog/lib/guava-gwt.jar"];
    let layers = expected(&[
        ("runtime", &["/opt/java"]),
        ("dependencies", &jars),
        ("snapshot-dependencies", &["/opt/catalog/lib/prices-2.0-SNAPSHOT.jar"]),
    ]);
    assert_eq!(found, layers);
}

#[test]
fn a_node_service_is_split() {
    let found = split(&[
        "/usr/bin/node",
        "/usr/lib/node_modules/npm/index.js",
        "/usr/lib/node_modules/catalog/index.js",
        "/usr/lib/node_modules/catalog/node_modules/express/index.js",
        "/usr/lib/node_modules/@acme/catalog/index.js",
        "/usr/lib/node_modules/@acme/prices/index.js",
        "/usr/share/catalog/bin/node.txt",
    ]);
    let modules = [
        "/usr/lib/node_modules/@acme/prices",
        "/usr/lib/node_modules/catalog/node_modules",
        "/usr/lib/node_modules/npm",
    ];
    assert_eq!(found, expected(&[("runtime", &["/usr/bin/node"]), ("dependencies", &modules)]));
}

#[test]
fn a_python_environment_is_split() {
    let found = split(&[
        "/opt/catalog/pyvenv.cfg",
        "/opt/catalog/bin/python3.12",
        "/opt/catalog/bin/catalog",
        "/opt/catalog/lib/python3.12/site-packages/catalog/__init__.py",
        "/opt/catalog/lib/python3.12/site-packages/Catalog-1.4.0.dist-info/RECORD",
        "/opt/catalog/lib/python3.12/site-packages/catalogue/__init__.py",
        "/opt/catalog/lib/python3.12/site-packages/requests/__init__.py",
        "/opt/python/bin/python3.12",
        "/opt/python/lib/python3.12/os.py",
        "/opt/python/lib/python3.12/site-packages/pip/__init__.py",
    ]);
    let runtime = ["/opt/catalog/bin/python3.12", "/opt/python/lib/python3.12"];
    let packages = [
        "/opt/catalog/lib/python3.12/site-packages/catalogue",
        "/opt/catalog/lib/python3.12/site-packages/requests",
        "/opt/python/lib/python3.12/site-packages",
    ];
    assert_eq!(found, expected(&[("runtime", &runtime), ("dependencies", &packages)]));
}

#[test]
fn gems_and_libraries_of_the_system_are_told() {
    let found = split(&[
        "/usr/lib/x86_64-linux-gnu/libssl.so.3",
        "/usr/lib64/libc.so.6",
        "/usr/lib/catalog/libplugin.so",
        "/srv/catalog/vendor/bundle/ruby/3.3.0/gems/rack-3/rack.rb",
        "/usr/lib/ruby/3.3.0/gems/json/json.rb",
        "/usr/bin/catalog",
    ]);
    let libraries = ["/usr/lib/x86_64-linux-gnu/libssl.so.3", "/usr/lib64/libc.so.6"];
    let gems = ["/srv/catalog/vendor/bundle", "/usr/lib/ruby/3.3.0/gems"];
    assert_eq!(found, expected(&[("runtime", &libraries), ("dependencies", &gems)]));
}

#[test]
fn what_does_not_pay_stays_one_layer() {
    let names = ["/opt/app/lib/a.jar", "/opt/app/lib/b.jar", "/usr/bin/catalog"];
    let layers = |size| assign(&[&tree(size, &names)], OWN, &[], 100);
    assert_eq!(layers(2 * MIB - 1), []);
    assert_eq!(texts(&layers(2 * MIB)).len(), 1);
    assert_eq!(split(&["/opt/java/release", "/opt/java/bin/java"]), []);
    assert_eq!(split(&["/usr/bin/catalog"]), []);
}

#[test]
fn the_lowest_layers_are_merged_if_there_are_too_many() {
    let names =
        ["/usr/bin/node", "/opt/a/lib/a.jar", "/opt/a/lib/b-SNAPSHOT.jar", "/usr/bin/catalog"];
    let tree = tree(8 * MIB, &names);
    let layers = |most| texts(&assign(&[&tree], OWN, &[], most));
    assert_eq!(layers(1), []);
    let all = ["/opt/a/lib/a.jar", "/opt/a/lib/b-SNAPSHOT.jar", "/usr/bin/node"];
    assert_eq!(layers(2), expected(&[("snapshot-dependencies", &all)]));
    let lower = ["/opt/a/lib/a.jar", "/usr/bin/node"];
    let upper = ("snapshot-dependencies", &["/opt/a/lib/b-SNAPSHOT.jar"] as &[&str]);
    assert_eq!(layers(3), expected(&[("dependencies", &lower), upper]));
    assert_eq!(layers(4).len(), 3);
}

#[test]
fn what_is_locked_wins_and_what_is_gone_is_forgotten() {
    let lock = |name: &str, paths: &[&str]| LockedLayer {
        name: name.into(),
        paths: paths.iter().map(|text| path(text)).collect(),
    };
    let locked = [
        lock("mine", &["/opt/app/lib/a.jar", "/gone"]),
        lock("dependencies", &["/srv/vendored"]),
        lock("empty", &["/gone/too"]),
    ];
    let names = [
        "/opt/app/lib/a.jar",
        "/opt/app/lib/b.jar",
        "/usr/bin/node",
        "/srv/vendored/x/node_modules/y/z.js",
    ];
    // It is small, and split as it was.
    let found = assign(&[&tree(1, &names)], OWN, &locked, 100);
    let jars = ["/opt/app/lib/b.jar", "/srv/vendored"];
    let layers = expected(&[
        ("mine", &["/opt/app/lib/a.jar"]),
        ("runtime", &["/usr/bin/node"]),
        ("dependencies", &jars),
    ]);
    assert_eq!(texts(&found), layers);
}

#[test]
fn platforms_share_one_assignment() {
    let one = tree(8 * MIB, &["/usr/lib/x86_64-linux-gnu/liba.so.1", "/usr/bin/catalog"]);
    let two = tree(8 * MIB, &["/usr/lib/aarch64-linux-gnu/liba.so.1", "/usr/bin/catalog"]);
    let both = assign(&[&one, &two], OWN, &[], 100);
    let libraries = ["/usr/lib/aarch64-linux-gnu/liba.so.1", "/usr/lib/x86_64-linux-gnu/liba.so.1"];
    assert_eq!(texts(&both), expected(&[("runtime", &libraries)]));
    assert_eq!(assign(&[&two, &one], OWN, &[], 100), both);
    // What one platform's application has among packages is the application's on all.
    let one = tree(8 * MIB, &["/a/node_modules/x/i.js", "/usr/bin/catalog"]);
    let two = tree(8 * MIB, &["/a/node_modules/y/i.js", "/a/node_modules/catalog/i.js"]);
    let both = assign(&[&one, &two], OWN, &[], 100);
    let packages = ["/a/node_modules/x", "/a/node_modules/y"];
    assert_eq!(texts(&both), expected(&[("dependencies", &packages)]));
    assert_eq!(assign(&[&two, &one], OWN, &[], 100), both);
}

/// Resolves an `[oci]` table in a recipe.
fn recipe(table: &str) -> Recipe {
    let text = format!(
        "name = \"catalog\"\nversion = \"1.4.0\"\nsummary = \"A catalogue\"\n[oci]\n{table}\n"
    );
    let written = bake_recipes::load::parse("bake.toml", &text).unwrap();
    let base = std::path::Path::new(".");
    let platform = "linux/amd64".parse().unwrap();
    let cx = bake_recipes::ResolveCx { platform, env: &|_| None, base };
    bake_recipes::resolve(&written, cx).unwrap()
}

#[test]
fn the_recipe_has_the_last_word() {
    let tree = tree(8 * MIB, &["/opt/a/lib/a.jar", "/opt/b/lib/b.jar", "/usr/bin/catalog"]);
    let cases: [(&str, Rules<'_>); 4] = [
        ("", &[("dependencies", &["/opt/a/lib/a.jar", "/opt/b/lib/b.jar"])]),
        ("layers = \"one\"", &[]),
        (
            "layers = [{ name = \"b\", paths = [\"/opt/b\", \"/gone\"] }, { name = \"c\", paths = [\"/c\"] }]",
            &[("b", &["/opt/b"])],
        ),
        ("max-layers = 1", &[]),
    ];
    for (table, rules) in cases {
        let recipe = recipe(table);
        let oci = recipe.oci.as_ref().unwrap();
        let found = layering(&recipe, oci, &tree, &[]);
        let found: Vec<_> = found
            .rules
            .into_iter()
            .map(|rule| LockedLayer { name: rule.name, paths: rule.paths })
            .collect();
        assert_eq!(texts(&found), expected(rules), "{table}");
        let lock = assignment(&recipe, oci, &[&tree], &[]);
        let is_auto = table.is_empty();
        assert_eq!(!lock.is_empty(), is_auto, "{table}");
    }
}

/// Returns the layer of each file, found in another way than the code does: the longest path.
fn places(tree: &FileTree, layers: &[LockedLayer]) -> BTreeMap<TreePath, String> {
    let files = tree.iter().filter(|(_, entry)| !entry.is_directory());
    let place = |file: &TreePath| {
        let all = layers.iter().flat_map(|l| l.paths.iter().map(move |p| (p, l.name.clone())));
        let around = all.filter(|(path, _)| *path == file || file.is_below(path));
        let longest = around.max_by_key(|(path, _)| path.depth());
        longest.map_or_else(|| REST.to_owned(), |(_, name)| name)
    };
    files.map(|(path, _)| (path.clone(), place(path))).collect()
}

const FOLDERS: [&str; 15] = [
    "opt",
    "usr",
    "lib",
    "bin",
    "node_modules",
    "@acme",
    "catalog",
    "site-packages",
    "vendor",
    "bundle",
    "ruby",
    "gems",
    "python3.12",
    "java",
    "x86_64-linux-gnu",
];
const FILES: [&str; 9] = [
    "a.jar",
    "b-SNAPSHOT.jar",
    "catalog-1.4.0.jar",
    "libz.so.1",
    "node",
    "index.js",
    "modules",
    "python3",
    "c.jar",
];

/// Paths made of the words that rules look at, without the files that turn a directory into a
/// runtime.
fn names() -> impl Strategy<Value = Vec<String>> {
    let folder = prop::collection::vec(prop::sample::select(&FOLDERS[..]), 1..6);
    let name = (folder, prop::sample::select(&FILES[..]))
        .prop_map(|(folders, file)| format!("/{}/{file}", folders.join("/")));
    prop::collection::vec(name, 1..25)
}

/// Makes a tree of the names that do not stand in each other's way; large enough to be split.
fn tree_of(names: &[String]) -> FileTree {
    let is_folder = |name: &String| names.iter().any(|n| n.starts_with(&format!("{name}/")));
    let mut names: Vec<&str> =
        names.iter().filter(|name| !is_folder(name)).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names.push("/etc/application");
    tree(8 * MIB, &names)
}

proptest! {
    #[test]
    fn adding_files_moves_no_others(old in names(), new in names()) {
        let before = tree_of(&old);
        let lock = assign(&[&before], OWN, &[], 100);
        prop_assume!(!lock.is_empty());
        let after = tree_of(&[old, new].concat());
        let layers = assign(&[&after], OWN, &lock, 100);
        let (old, new) = (places(&before, &lock), places(&after, &layers));
        for (path, layer) in old {
            if let Some(found) = new.get(&path) {
                prop_assert_eq!(found, &layer, "{}", path);
            }
        }
    }

    #[test]
    fn removing_files_moves_no_others(old in names(), keep in prop::collection::vec(any::<bool>(), 25)) {
        let before = tree_of(&old);
        let lock = assign(&[&before], OWN, &[], 100);
        let kept: Vec<String> =
            old.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(name, _)| name).collect();
        let after = tree_of(&kept);
        let layers = assign(&[&after], OWN, &lock, 100);
        prop_assume!(!lock.is_empty());
        let old = places(&before, &lock);
        for (path, layer) in places(&after, &layers) {
            if let Some(found) = old.get(&path) {
                prop_assert_eq!(found, &layer, "{}", path);
            }
        }
    }

    #[test]
    fn the_order_of_platforms_does_not_matter(one in names(), two in names()) {
        let (one, two) = (tree_of(&one), tree_of(&two));
        let found = assign(&[&one, &two], OWN, &[], 100);
        prop_assert_eq!(assign(&[&two, &one], OWN, &[], 100), found);
    }

    #[test]
    fn what_is_assigned_stays_assigned(names in names(), most in 1_usize..6) {
        let tree = tree_of(&names);
        let once = assign(&[&tree], OWN, &[], most);
        prop_assert!(once.len() < most);
        prop_assert_eq!(assign(&[&tree], OWN, &once, most), once.clone());
        // A path that is written says something that the others do not.
        let all = places(&tree, &once);
        for layer in &once {
            prop_assert!(all.values().any(|name| *name == layer.name), "{:?}", once);
        }
    }
}
