//! Environments from end to end: secrets are set, unlocked, moved where they must not be, and given to others.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use bake_config::{Given, Name, Reference, Scalar, Secret};
use bake_recipes::environment::{Environment, EnvironmentName, load, path};
use bake_recipes::{Look, RecipeErrors};

use super::digest_key::digest_key;
use super::document::Start;
use super::edit::{self, Renewal, Target};
use super::identities::Identities;
use super::rekey::{Change, Rekeyed, State, heirs, rekey};
use super::unlock::{Commands, Unlock};

const SECRET: &str = "hunter2 'quoted' \"$HOME\" \\ \n#=\u{1f511}";

/// Somebody with a key pair.
struct Person {
    file: tempfile::NamedTempFile,
    recipient: String,
}

impl Person {
    fn new() -> Self {
        let identity = age::x25519::Identity::generate();
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!("# created: today\n{}\n", identity.to_string().expose_secret());
        fs_err::write(file.path(), text).unwrap();
        Self { file, recipient: identity.to_public().to_string() }
    }

    fn identities(&self) -> Identities {
        Identities::find(&[self.file.path().into()], &|_| None).unwrap()
    }
}

fn name(text: &str) -> EnvironmentName {
    text.parse().unwrap()
}

fn key(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Environments in a folder of their own.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, String)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, text: &str) -> PathBuf {
        path(self.path(), &name(text))
    }

    fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.file(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs_err::write(self.file(name), text).unwrap();
    }

    fn load(&self, text: &str) -> Environment {
        load(self.path(), &name(text)).unwrap()
    }

    fn set_secret(&self, text: &str, name_of_key: &str, value: &str) -> Result<(), String> {
        let (environment, key) = (name(text), key(name_of_key));
        let target = Target { folder: self.path(), environment: &environment, key: &key };
        edit::set_secret(&target, value).map_err(rendered)
    }

    fn set(&self, text: &str, name_of_key: &str, value: Scalar) -> Result<bool, String> {
        let (environment, key) = (name(text), key(name_of_key));
        let target = Target { folder: self.path(), environment: &environment, key: &key };
        edit::set_plain(&target, value, Start::There).map_err(rendered)
    }

    fn unlocked(&self, text: &str, who: &Identities) -> Result<BTreeMap<Name, Given>, String> {
        let environment = self.load(text);
        Unlock::new(&environment, who, Commands::Refused).all().map_err(rendered)
    }

    fn rekeyed(
        &self,
        text: &str,
        change: Change<'_>,
        who: &Person,
    ) -> Result<Vec<Rekeyed>, String> {
        rekey(self.path(), &name(text), change, &who.identities()).map_err(rendered)
    }

    /// Returns everything that is in the folder, names and contents.
    fn everything(&self) -> String {
        let mut all = String::new();
        for entry in fs_err::read_dir(self.path()).unwrap() {
            let path = entry.unwrap().path();
            all.push_str(&path.display().to_string());
            all.push_str(&fs_err::read_to_string(path).unwrap());
        }
        all
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn rendered(errors: RecipeErrors) -> String {
    errors.render(Look::Plain)
}

fn secret(text: &str) -> Given {
    Given::Secret(Secret::new(text.into()))
}

const NOTHING: Change<'static> = Change { add: &[], remove: &[] };

fn recipients(people: &[&Person]) -> String {
    let list: Vec<_> = people.iter().map(|person| format!("\"{}\"", person.recipient)).collect();
    format!("recipients = [{}]\n", list.join(", "))
}

#[test]
fn secrets_come_back_and_are_nowhere_in_the_open() {
    let alice = Person::new();
    let folder = Folder::new(&[
        ("base", format!("{}[values]\nA = \"a\"\n", recipients(&[&alice]))),
        ("prod", "extends = [\"base\"]\n".to_owned()),
    ]);
    let long = "x".repeat(100_000);
    folder.set_secret("base", "COMMON", "of base").unwrap();
    folder.set_secret("prod", "ODD", SECRET).unwrap();
    folder.set_secret("prod", "EMPTY", "").unwrap();
    folder.set_secret("prod", "LONG", &long).unwrap();
    folder.write("prod", &(folder.read("prod") + "REF = { ref = \"vault:kv#x\" }\n"));
    let expected = BTreeMap::from([
        (key("A"), Given::Plain(Scalar::Text("a".into()))),
        (key("COMMON"), secret("of base")),
        (key("ODD"), secret(SECRET)),
        (key("EMPTY"), secret("")),
        (key("LONG"), secret(&long)),
        (
            key("REF"),
            Given::Reference(Reference { provider: "vault".into(), location: "kv#x".into() }),
        ),
    ]);
    assert_eq!(folder.unlocked("prod", &alice.identities()), Ok(expected.clone()));
    assert!(!folder.everything().contains("hunter2"));
    let given = folder.unlocked("prod", &alice.identities()).unwrap();
    assert!(!format!("{given:?}{:?}", alice.identities()).contains("hunter2"));
    // Too long to be a value of anything.
    let error = folder.set_secret("prod", "HUGE", &"x".repeat((1 << 20) + 1)).unwrap_err();
    assert!(error.contains("expected at most 1048576 bytes, found 1048577"), "{error}");
}

#[test]
fn what_was_moved_is_refused() {
    let alice = Person::new();
    let folder = Folder::new(&[("prod", recipients(&[&alice])), ("test", recipients(&[&alice]))]);
    folder.set_secret("prod", "DB", "hunter2").unwrap();
    folder.set_secret("prod", "API", "hunter3").unwrap();
    let prod = folder.read("prod");
    let swapped = prod
        .replace("\nDB = ", "\nX = ")
        .replace("\nAPI = ", "\nDB = ")
        .replace("\nX = ", "\nAPI = ");
    folder.write("prod", &swapped);
    folder.write("test", &prod);
    let error = folder.unlocked("prod", &alice.identities()).unwrap_err();
    let expected =
        "it was encrypted for `API` of the environment `prod`, and stands at `DB` of `prod`";
    assert!(error.contains(expected) && error.contains("prod.toml:"), "{error}");
    let error = folder.unlocked("test", &alice.identities()).unwrap_err();
    let expected =
        "it was encrypted for `DB` of the environment `prod`, and stands at `DB` of `test`";
    assert!(error.contains(expected) && !error.contains("hunter"), "{error}");
    let error =
        digest_key(&folder.load("test"), &alice.identities()).unwrap_err().render(Look::Plain);
    assert!(
        error.contains("it was encrypted for `digest-key` of the environment `prod`"),
        "{error}"
    );
}

#[test]
fn rekeying_gives_and_takes() {
    let (alice, bob, eve) = (Person::new(), Person::new(), Person::new());
    let folder = Folder::new(&[
        ("base", format!("# who\n{}", recipients(&[&alice, &eve]))),
        ("prod", "extends = [\"base\"]\n".to_owned()),
    ]);
    folder.set_secret("base", "DB", "hunter2").unwrap();
    folder.set_secret("prod", "API", "hunter2").unwrap();
    let before = digest_key(&folder.load("base"), &eve.identities()).unwrap().unwrap();
    assert_eq!(folder.rekeyed("base", NOTHING, &alice), Ok(vec![kept("DB"), kept("digest-key")]));
    assert_eq!(
        folder.rekeyed("base", NOTHING, &bob).unwrap_err().matches("is not encrypted to").count(),
        2
    );
    let (add, remove) = ([bob.recipient.clone()], [eve.recipient.clone()]);
    let change = Change { add: &add, remove: &remove };
    assert_eq!(folder.rekeyed("base", change, &alice), Ok(vec![anew("DB"), anew("digest-key")]));
    assert_eq!(folder.load("base").recipients.unwrap().list.len(), 2);
    assert!(folder.read("base").starts_with("# who\nrecipients = ["));
    for who in [&alice, &bob] {
        assert_eq!(
            folder.unlocked("base", &who.identities()),
            Ok(BTreeMap::from([(key("DB"), secret("hunter2"))]))
        );
        let after = digest_key(&folder.load("base"), &who.identities()).unwrap().unwrap();
        assert_eq!(after.expose(), before.expose());
    }
    let error = folder.unlocked("base", &eve.identities()).unwrap_err();
    assert!(error.contains(&format!("it is not encrypted to {}", eve.recipient)), "{error}");
    assert!(error.contains(&bob.recipient) && error.contains(&alice.recipient), "{error}");
    // What extends it has ciphertexts of its own, which Eve can still read.
    assert_eq!(heirs(folder.path(), &name("base")), Ok(vec![name("prod")]));
    assert_eq!(folder.rekeyed("prod", NOTHING, &eve), Ok(vec![anew("API"), anew("digest-key")]));
    assert_eq!(folder.rekeyed("prod", NOTHING, &bob), Ok(vec![kept("API"), kept("digest-key")]));
}

fn kept(key: &str) -> Rekeyed {
    Rekeyed { key: key.into(), state: State::Kept }
}

fn anew(key: &str) -> Rekeyed {
    Rekeyed { key: key.into(), state: State::Encrypted }
}

#[test]
fn rekeying_that_cannot_be_changes_nothing() {
    let (alice, bob) = (Person::new(), Person::new());
    let folder = Folder::new(&[
        ("base", recipients(&[&alice])),
        ("prod", "extends = [\"base\"]\n".to_owned()),
    ]);
    folder.set_secret("base", "DB", "hunter2").unwrap();
    let before = folder.everything();
    let (alices, bobs, nobody) =
        ([alice.recipient.clone()], [bob.recipient.clone()], ["age1x".to_owned()]);
    let locked =
        ["age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t".to_owned()];
    for (environment, change, expected) in [
        ("prod", Change { add: &bobs, remove: &[] }, "`prod` inherits its recipients from `base`"),
        (
            "base",
            Change { add: &[], remove: &alices },
            "nobody could decrypt the secrets of `base` any more",
        ),
        ("base", Change { add: &[], remove: &bobs }, "is no recipient of `base`"),
        ("base", Change { add: &nobody, remove: &[] }, "this is no recipient of age"),
        (
            "base",
            Change { add: &locked, remove: &[] },
            "recipients of age's plugins are not supported",
        ),
    ] {
        let error = folder.rekeyed(environment, change, &alice).unwrap_err();
        assert!(error.contains(expected), "{error}\nexpected {expected}");
    }
    let error = folder.rekeyed("base", Change { add: &bobs, remove: &[] }, &bob).unwrap_err();
    assert!(error.contains("cannot encrypt `DB` anew"), "{error}");
    assert_eq!(folder.everything(), before);
}

#[test]
fn edits_keep_what_is_around() {
    let alice = Person::new();
    let start = format!(
        "# The live system.\n{}\n[values]\n# Where orders are.\nDB_URL = \"postgres://old\" # soon\nPORT = 1\nX = \"x\"\n\
         [secrets] # none yet\n# end\n",
        recipients(&[&alice])
    );
    let folder = Folder::new(&[("prod", start.clone())]);
    let file = folder.file("prod");
    fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(folder.set("prod", "DB_URL", Scalar::Text("postgres://new".into())), Ok(true));
    assert_eq!(folder.set("prod", "DB_URL", Scalar::Text("postgres://new".into())), Ok(false));
    assert_eq!(folder.set("prod", "PORT", Scalar::Integer(8080)), Ok(true));
    assert_eq!(folder.set("prod", "LIST", Scalar::List(vec!["a".into(), "b".into()])), Ok(true));
    let expected = start
        .replace("old", "new")
        .replace("PORT = 1", "PORT = 8080")
        .replace("X = \"x\"\n", "X = \"x\"\nLIST = [\"a\", \"b\"]\n");
    assert_eq!(folder.read("prod"), expected);
    assert_eq!(fs_err::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
    // A key is in one table: it moves when it becomes a secret, and back.
    folder.set_secret("prod", "X", "hunter2").unwrap();
    let text = folder.read("prod");
    assert!(
        !text.contains("X = \"x\"") && text.contains("X = { age = \"\"\"\n-----BEGIN AGE"),
        "{text}"
    );
    assert!(
        text.starts_with("# The live system.\n") && text.contains("[secrets] # none yet\n"),
        "{text}"
    );
    folder.set("prod", "X", Scalar::Text("x".into())).unwrap();
    assert_eq!(folder.load("prod").settings[&key("X")].source.word(), "value");
    let prod = name("prod");
    for (text, expected) in [
        ("DB_URL", None),
        ("DB_URL", Some("is not set in `prod`")),
        ("POTR", Some("did you mean `PORT`?")),
    ] {
        let key = key(text);
        let target = Target { folder: folder.path(), environment: &prod, key: &key };
        let error = edit::unset(&target).map_err(rendered).err();
        match expected {
            None => assert_eq!(error, None),
            Some(expected) => assert!(error.as_ref().unwrap().contains(expected), "{error:?}"),
        }
    }
    assert!(!folder.load("prod").settings.contains_key(&key("DB_URL")));
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1, "something was left beside it");
}

#[test]
fn files_of_every_shape_can_be_edited() {
    let alice = Person::new();
    let shapes = [
        "",
        "values = { A = \"a\" }\n",
        "values.A = \"a\"\n",
        "[values]\nA = \"a\"\n\n[secrets.B]\nref = \"vault:b\"\n",
        "[secrets]\r\nB.ref = \"vault:b\"\r\n",
        "\n# a comment and nothing else",
    ];
    for shape in shapes {
        let folder = Folder::new(&[("prod", format!("{}{shape}", recipients(&[&alice])))]);
        for name in ["A", "B", "C"] {
            folder
                .set_secret("prod", name, "hunter2")
                .unwrap_or_else(|error| panic!("{shape}: {error}"));
            folder.set("prod", "D", Scalar::Text(format!("before {name}"))).unwrap();
        }
        let found = folder.unlocked("prod", &alice.identities()).unwrap();
        let expected = ["A", "B", "C"].map(|name| (key(name), secret("hunter2")));
        let mut expected = BTreeMap::from(expected);
        expected.insert(key("D"), Given::Plain(Scalar::Text("before C".into())));
        assert_eq!(found, expected, "{shape}");
    }
}

#[test]
fn an_edit_that_cannot_be_leaves_the_file() {
    let folder = Folder::new(&[
        ("prod", "[values]\nA = \"a\"\n".to_owned()),
        ("bad", "[values\n".to_owned()),
    ]);
    let before = folder.everything();
    for (environment, expected) in [
        ("prod", "nobody could decrypt a secret of `prod`: it has no recipients"),
        ("prdo", "did you mean `prod`?"),
        ("bad", "bad.toml:1:"),
    ] {
        let error = folder.set_secret(environment, "A", "hunter2").unwrap_err();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    }
    assert!(folder.set("new", "A", Scalar::Bool(true)).is_err());
    assert_eq!(folder.everything(), before);
    let (environment, key) = (name("new"), key("A"));
    let target = Target { folder: folder.path(), environment: &environment, key: &key };
    assert_eq!(edit::set_plain(&target, Scalar::Bool(true), Start::New), Ok(true));
    assert_eq!(folder.read("new"), "[values]\nA = true\n");
    let alice = Person::new();
    let change = Change { add: std::slice::from_ref(&alice.recipient), remove: &[] };
    assert_eq!(folder.rekeyed("new", change, &alice), Ok(Vec::new()));
    assert_eq!(folder.read("new"), format!("{}\n[values]\nA = true\n", recipients(&[&alice])));
}

#[test]
fn a_key_of_digests_is_made_once() {
    let alice = Person::new();
    let folder = Folder::new(&[("prod", recipients(&[&alice]))]);
    let of = |folder: &Folder| digest_key(&folder.load("prod"), &alice.identities()).unwrap();
    assert!(of(&folder).is_none());
    folder.set_secret("prod", "A", "a").unwrap();
    let first = of(&folder).unwrap();
    folder.set_secret("prod", "B", "b").unwrap();
    assert_eq!(edit::make_key(folder.path(), &name("prod"), Renewal::Keep), Ok(false));
    assert_eq!(of(&folder).unwrap().expose(), first.expose());
    assert_eq!(edit::make_key(folder.path(), &name("prod"), Renewal::Replace), Ok(true));
    assert_ne!(of(&folder).unwrap().expose(), first.expose());
    assert_eq!(format!("{first:?}"), "DigestKey");
}

#[test]
fn what_is_no_envelope_and_who_is_no_recipient_is_told() {
    let alice = Person::new();
    let recipient: age::x25519::Recipient = alice.recipient.parse().unwrap();
    let cases = [
        (
            age::encrypt_and_armor(&recipient, b"hunter2").unwrap(),
            "what is encrypted is no envelope",
        ),
        ("-----BEGIN AGE ENCRYPTED FILE-----\nhunter2".to_owned(), "what age encrypted is damaged"),
        (
            age::encrypt_and_armor(&age::scrypt::Recipient::new("x".to_owned().into()), b"hunter2")
                .unwrap(),
            "it is encrypted with a passphrase, expected recipients",
        ),
    ];
    for (armored, expected) in cases {
        let text =
            format!("{}[secrets]\nA = {{ age = '''\n{armored}''' }}\n", recipients(&[&alice]));
        let folder = Folder::new(&[("prod", text)]);
        let error = folder.unlocked("prod", &alice.identities()).unwrap_err();
        assert!(error.contains(expected) && error.contains("prod.toml:3:1"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let plain = age::encrypt_and_armor(
        &recipient,
        b"{ \"k\": \"A\", \"v\": \"\\u0068i\", \"e\": \"prod\" }",
    )
    .unwrap();
    let text = format!("{}[secrets]\nA = {{ age = '''\n{plain}''' }}\n", recipients(&[&alice]));
    let folder = Folder::new(&[("prod", text)]);
    assert_eq!(
        folder.unlocked("prod", &alice.identities()),
        Ok(BTreeMap::from([(key("A"), secret("hi"))]))
    );
    // Nobody says to whom it is encrypted, so it is encrypted anew.
    assert_eq!(folder.rekeyed("prod", NOTHING, &alice), Ok(vec![anew("A")]));
}

#[test]
fn programs_run_only_if_they_may() {
    let folder = Folder::new(&[(
        "prod",
        "[secrets]\nA = { command = [\"printf\", \"hunter2\\n\"] }\n".to_owned(),
    )]);
    let error = folder.unlocked("prod", &Identities::none()).unwrap_err();
    assert!(error.contains("it is what `printf` prints, and no program is run unasked"), "{error}");
    assert!(
        error.contains("hint: look at what the environment runs") && !error.contains("hunter2"),
        "{error}"
    );
    let environment = folder.load("prod");
    let all = Unlock::new(&environment, &Identities::none(), Commands::Run).all();
    assert_eq!(all, Ok(BTreeMap::from([(key("A"), secret("hunter2"))])));
}

#[test]
fn identities_are_looked_for_where_it_says() {
    let (alice, bob, eve) = (Person::new(), Person::new(), Person::new());
    let home = tempfile::tempdir().unwrap();
    let known = home.path().join("bake/identities");
    let value = |path: &Path| Some(OsString::from(path));
    let find = |named: &[PathBuf], given: &dyn Fn(&str) -> Option<OsString>| {
        let found = Identities::find(named, given);
        found
            .map(|found| found.recipients().map(str::to_owned).collect::<Vec<_>>())
            .map_err(|error| error.to_string())
    };
    let all = |name: &str| match name {
        "BAKE_IDENTITY" => value(alice.file.path()),
        "XDG_CONFIG_HOME" => value(home.path()),
        "SOPS_AGE_KEY_FILE" => value(eve.file.path()),
        _ => None,
    };
    let without =
        |name: &str| if name == "BAKE_IDENTITY" { Some(OsString::new()) } else { all(name) };
    let eves: PathBuf = eve.file.path().into();
    assert_eq!(find(&[eves], &all), Ok(vec![eve.recipient.clone()]));
    assert_eq!(find(&[], &all), Ok(vec![alice.recipient.clone()]));
    assert_eq!(find(&[], &without), Ok(vec![eve.recipient.clone()]));
    fs_err::create_dir_all(home.path().join("bake")).unwrap();
    fs_err::copy(bob.file.path(), &known).unwrap();
    assert_eq!(find(&[], &without), Ok(vec![bob.recipient.clone()]));
    assert_eq!(find(&[], &|_| None), Ok(Vec::new()));
    let fault =
        Identities::find(&[], &|_| None).unwrap().unfit(std::slice::from_ref(&alice.recipient));
    assert_eq!(
        fault.message,
        "there is no identity to decrypt with; looked at BAKE_IDENTITY, SOPS_AGE_KEY_FILE"
    );
    let text = fs_err::read_to_string(alice.file.path()).unwrap();
    let key_text = text.lines().last().unwrap().to_owned();
    let error = find(&[], &|_| Some(OsString::from(&key_text))).unwrap_err();
    assert!(
        error.contains("BAKE_IDENTITY holds a secret key") && !error.contains("AGE-SECRET-KEY-1"),
        "{error}"
    );
    for (text, expected) in [
        ("", "there is no secret key"),
        ("# nothing\n", "there is no secret key"),
        ("\nhunter2\n", "line 2 is no secret key"),
        (alice.recipient.as_str(), "line 1 is a public key, expected a secret one"),
        ("AGE-PLUGIN-YUBIKEY-1QQQ", "line 1 is of a plugin of age"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\n", "they are locked by a passphrase"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n",
            "this is no private key of SSH",
        ),
    ] {
        fs_err::write(&known, text).unwrap();
        let error = find(std::slice::from_ref(&known), &all).unwrap_err();
        assert!(
            error.contains(expected) && !error.contains("hunter2"),
            "{error}\nexpected {expected}"
        );
    }
}
