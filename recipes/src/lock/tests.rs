//! Lock files: what is printed is read again, and what is damaged is refused in words.

use bake_formats::oci::layering::REST;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::error::Look;

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn sample() -> Lock {
    let manifest = |text: &str| LockedManifest {
        digest: digest(text),
        size: 529,
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
    };
    let manifests = ["linux/arm64", "linux/amd64"]
        .map(|platform| (platform.parse().unwrap(), manifest(platform)));
    let base = LockedBase { digest: digest("index"), manifests: manifests.into() };
    let paths = ["/opt/app/lib/a \"b\".jar", "/usr/lib/jvm"];
    Lock {
        bases: BTreeMap::from([("docker.io/library/debian:12-slim".to_owned(), base)]),
        layers: vec![LockedLayer {
            name: "dependencies".into(),
            paths: paths.map(|path| TreePath::parse(path).unwrap()).into(),
        }],
    }
}

#[test]
fn is_printed_in_one_way() {
    let text = sample().to_string();
    let expected = format!(
        "# Written by `bake lock`. Commit it: it says what the names of base images stand for and which files\n\
         # are in which layer, so that every machine makes the same image. `bake lock --update` looks again.\n\
         version = 1\n\
         \n\
         [[base]]\n\
         name = \"docker.io/library/debian:12-slim\"\n\
         digest = \"{}\"\n\
         \n\
         [[base.manifest]]\n\
         platform = \"linux/amd64\"\n\
         digest = \"{}\"\n\
         size = 529\n\
         media-type = \"application/vnd.oci.image.manifest.v1+json\"\n\
         \n\
         [[base.manifest]]\n\
         platform = \"linux/arm64\"\n\
         digest = \"{}\"\n\
         size = 529\n\
         media-type = \"application/vnd.oci.image.manifest.v1+json\"\n\
         \n\
         [[layer]]\n\
         name = \"dependencies\"\n\
         paths = [\n    \"/opt/app/lib/a \\\"b\\\".jar\",\n    \"/usr/lib/jvm\",\n]\n",
        digest("index"),
        digest("linux/amd64"),
        digest("linux/arm64"),
    );
    assert_eq!(text, expected);
    assert_eq!(parse("bake.lock", &text), Ok(sample()));
}

#[test]
fn a_file_that_is_not_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    assert_eq!(load(&path), Ok(None));
    fs_err::write(&path, sample().to_string()).unwrap();
    assert_eq!(load(&path), Ok(Some(sample())));
    fs_err::write(&path, b"version = 1\n\xff").unwrap();
    let errors = load(&path).unwrap_err();
    assert!(errors.to_string().ends_with("2:1: the lock file is not UTF-8"), "{errors}");
    let file = fs_err::File::create(&path).unwrap();
    file.set_len(MAX_LEN + 1).unwrap();
    let errors = load(&path).unwrap_err();
    assert!(errors.to_string().contains("is larger than 16777216 bytes"), "{errors}");
}

/// What is put in place of a part of the sample, and the error.
const CASES: [(&str, &str, &str); 22] = [
    ("version = 1", "version = 2", "3:11: expected version 1 of the lock file, found 2"),
    ("version = 1", "version = 0", "3:11: expected version 1 of the lock file, found 0"),
    ("version = 1", "version = \"1\"", "3:11: expected a whole number, found the string \"1\""),
    ("version = 1", "", "missing key `version`"),
    ("version = 1", "version = 1\nversions = 1", "4:1: unknown key `versions`"),
    (
        "version = 1\n",
        "version = 1\n=======\n",
        "4:1: two versions of the lock file were not merged",
    ),
    ("platform = \"linux/amd64\"", "platform = \"linux/arm64\"", "`linux/arm64` stands here twice"),
    ("platform = \"linux/amd64\"", "platform = \"x86_64\"", "10:12: unknown platform `x86_64`"),
    ("size = 529", "size = -1", "12:8: expected a number of bytes, found -1"),
    ("size = 529", "size = 9223372036854775808", "12:8: "),
    ("size = 529\n", "", "missing key `size`"),
    ("digest = \"sha256:", "digest = \"sha256:0", "7:10: `sha256:0"),
    ("digest = \"sha256:", "digest = \"md5:", "7:10: `md5:"),
    ("name = \"docker", "name = \"\\u001b[31m", "6:8: `\\u{1b}[31m.io/library"),
    (
        "media-type = \"application/vnd.oci.image.manifest.v1+json\"",
        "media-type = \"\"",
        "13:14: `` is not the media type",
    ),
    ("[[layer]]", "[[layers]]", "unknown key `layers`"),
    ("\"dependencies\"", "\"application\"", "`application` is not the name of a layer with paths"),
    ("\"dependencies\"", "\"../x\"", "`../x` is not the name of a layer with paths"),
    (
        "\"/usr/lib/jvm\"",
        "\"/usr/../lib\"",
        "`/usr/../lib` is not a path inside the tree: it contains `..`",
    ),
    (
        "\"/usr/lib/jvm\"",
        "\"/usr//lib\"",
        "`/usr//lib` is not an absolute path in its shortest form",
    ),
    ("\"/usr/lib/jvm\"", "\"usr/lib\"", "`usr/lib` is not an absolute path"),
    ("\"/usr/lib/jvm\"", "\"/opt/app/lib/a \\\"b\\\".jar\"", "is in two layers, or twice in one"),
];

#[test]
fn says_what_is_wrong_and_where() {
    let text = sample().to_string();
    for (from, to, expected) in CASES {
        let damaged = text.replacen(from, to, 1);
        assert_ne!(damaged, text, "{from}");
        let errors = parse("bake.lock", &damaged).unwrap_err();
        assert!(errors.to_string().contains(expected), "{to}:\n{errors}\nexpected {expected}");
        let all_advise = errors.iter().all(|error| error.hint.is_some());
        assert!(all_advise, "{}", errors.render(Look::Plain));
    }
    let twice =
        text.replace("[[layer]]", "[[layer]]\nname = \"dependencies\"\npaths = []\n[[layer]]");
    let errors = parse("bake.lock", &twice).unwrap_err();
    assert!(errors.to_string().contains("there are two layers called `dependencies`"), "{errors}");
    let base = format!("[[base]]\nname = \"a\"\ndigest = \"{}\"\n", digest("a"));
    let errors = parse("bake.lock", &format!("version = 1\n{base}{base}")).unwrap_err();
    assert!(errors.to_string().contains("the base `a` stands here twice"), "{errors}");
}

fn locks() -> impl Strategy<Value = Lock> {
    let digests = any::<[u8; 4]>().prop_map(|bytes| Digest::of(&bytes));
    let platforms: Vec<Platform> = Platform::all().collect();
    let manifests = (digests.clone(), 0..=i64::MAX as u64, "[!-~äöü\"\\\\]{1,20}")
        .prop_map(|(digest, size, media_type)| LockedManifest { digest, size, media_type });
    let manifests = btree_map(prop::sample::select(platforms), manifests, 0..4);
    let bases =
        (digests, manifests).prop_map(|(digest, manifests)| LockedBase { digest, manifests });
    let paths = vec("[^/\\x00]{1,8}(/[a-z.\"\\\\\\x01-\\x1f]{1,5}){0,3}", 0..5);
    let layers = vec(("[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?", paths), 0..4);
    (btree_map("[ -~ä]{1,12}", bases, 0..4), layers).prop_map(|(bases, layers)| {
        let mut known = std::collections::BTreeSet::new();
        let mut names = std::collections::BTreeSet::from([REST.to_owned()]);
        let layers = layers.into_iter().filter(|(name, _)| names.insert(name.clone()));
        let layers = layers.map(|(name, paths)| LockedLayer {
            name,
            paths: paths
                .iter()
                .filter_map(|path| TreePath::parse(path).ok())
                .filter(|path| !path.is_root() && known.insert(path.clone()))
                .collect(),
        });
        let layers = layers.collect();
        Lock { bases, layers }
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(lock in locks()) {
        let text = lock.to_string();
        prop_assert_eq!(parse("bake.lock", &text).map_err(|errors| errors.to_string()), Ok(lock));
    }

    #[test]
    fn any_damage_is_an_error_that_can_be_shown_or_another_lock(
        start in 0_usize..900, len in 0_usize..20, put in "\\PC{0,6}|[\\[\\]\"=,\\n]{0,4}"
    ) {
        let mut bytes = sample().to_string().into_bytes();
        let start = start.min(bytes.len());
        let end = (start + len).min(bytes.len());
        bytes.splice(start..end, put.bytes());
        match parse("bake.lock", &String::from_utf8_lossy(&bytes)) {
            Ok(lock) => prop_assert_eq!(parse("bake.lock", &lock.to_string()), Ok(lock)),
            Err(errors) => {
                let shown = errors.render(Look::Plain);
                prop_assert!(shown.starts_with("error: "));
                prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{:?}", shown);
            }
        }
    }
}
