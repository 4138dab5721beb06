//! One deployment through every target, read back by the formats' own readers.

use std::sync::Arc;

use bake_config::kind::{Kind, Pattern, Range};
use bake_config::schema::{
    Case, Delivery, Document, Format as Syntax, Key, Presence, Reload, Secrecy,
};
use bake_config::{
    ConfigDigest, Deployment, DigestKey, Entrypoint, Given, Name, OutputFile, Reference, Scalar,
    Schema, Secret, Settings,
};
use bake_formats::deb::{ControlFile, Deb};
use bake_formats::format::{Epoch, Format};
use bake_formats::input::Source;
use bake_formats::rpm::Rpm;
use bake_formats::sysext::Sysext;
use bake_formats::vm::fat::FatReader;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::*;

const SECRET: &str = "hunter2 is the secret";

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn schema() -> Schema {
    let mut schema = Schema::empty("orders");
    schema.service.unit = Some("orders".into());
    schema.service.user = Some("orders".into());
    let text = || Key::new(Kind::String(Pattern::default()));
    let file = |name: &str| Delivery::File { name: name.into(), path_variable: None };
    let token = Key { secrecy: Secrecy::Secret, delivery: file("token"), ..text() };
    let greeting = Key { presence: Presence::Required, delivery: file("greeting"), ..text() };
    let keys = [
        ("URL", Key { presence: Presence::Required, ..text() }),
        ("PORT", Key::new(Kind::Port(Range::default()))),
        ("GREETING", greeting),
        ("TOKEN", token),
    ];
    for (key, definition) in keys {
        schema.keys.insert(name(key), definition);
    }
    schema.documents.push(Document {
        path: "/etc/orders/orders.json".into(),
        mode: 0o640,
        format: Syntax::Json,
        nest: None,
        case: Case::Lower,
        keys: vec![name("PORT")],
        reload: Reload::Reload,
    });
    schema
}

fn secret() -> Given {
    Given::Secret(Secret::new(SECRET.into()))
}

fn settings(schema: &Schema, token: Option<Given>) -> Settings {
    let text = |text: &str| Given::Plain(Scalar::Text(text.into()));
    let mut given = vec![
        ("URL", text("http://db/\"$x\" {{ y }}")),
        ("PORT", Given::Plain(Scalar::Integer(8080))),
        ("GREETING", text("hello")),
    ];
    given.extend(token.map(|token| ("TOKEN", token)));
    let settled = schema.settle(given);
    assert_eq!(settled.faults, []);
    settled.settings
}

/// Calls with a deployment of `orders` 1.2.0-rc.1 in `prod`.
fn deployed<T>(
    token: Option<Given>,
    entrypoint: Entrypoint,
    act: impl Fn(&Deployment<'_>) -> T,
) -> T {
    let schema = schema();
    let settings = settings(&schema, token);
    let key = DigestKey::new([7; 32]);
    let digest = ConfigDigest::of(&schema, "prod", &settings, Some(&key)).unwrap();
    act(&Deployment {
        schema: &schema,
        settings: &settings,
        environment: "prod",
        digest,
        version: Some("1.2.0-rc.1"),
        entrypoint,
    })
}

fn rendered(token: Option<Given>, target: Target, place: SecretPlace) -> Result<Rendered, Failure> {
    deployed(token, Entrypoint::Direct, |deployment| {
        render(&Request {
            secrets: place,
            version: Some(ConfigVersion::of_time(Epoch(1_709_251_199))),
            ..Request::new(deployment, target)
        })
    })
}

fn paths(rendered: &Rendered) -> Vec<String> {
    rendered.files.iter().map(|file| format!("{:04o} {}", file.mode, file.path)).collect()
}

fn find<'a>(rendered: &'a Rendered, path: &str) -> &'a OutputFile {
    rendered.files.iter().find(|file| file.path == path).unwrap()
}

fn text(rendered: &Rendered, path: &str) -> String {
    String::from_utf8(find(rendered, path).contents.to_vec()).unwrap()
}

/// Returns whether a text stands in bytes, as it is or in base64.
fn holds(bytes: &[u8], text: &str) -> bool {
    let encoded = BASE64_STANDARD.encode(text);
    // Without the ends, which depend on what stands around.
    [text.as_bytes(), &encoded.as_bytes()[..encoded.len() - 4]]
        .iter()
        .any(|needle| bytes.windows(needle.len()).any(|window| window == *needle))
}

fn assert_no_secret_is_open(rendered: &Rendered) {
    for file in &rendered.files {
        let is_secret = file.secrecy == Secrecy::Secret;
        assert!(is_secret || !holds(&file.contents, SECRET), "{file:?}");
        assert_eq!(file.mode.trailing_zeros() >= 6, is_secret, "{file:?}");
    }
}

const DEB: &str = "orders-config-prod_20240229.235959+DIGEST_all.deb";
const RPM: &str = "orders-config-prod-20240229.235959+DIGEST-1.noarch.rpm";

/// Returns a file's name with the digest of a deployment in it.
fn named(pattern: &str, token: Option<Given>) -> String {
    deployed(token, Entrypoint::Direct, |deployment| {
        pattern.replace("DIGEST", deployment.digest.short())
    })
}

#[test]
fn a_deb_is_the_authority_on_its_files() {
    let rendered = rendered(None, Target::Deb, SecretPlace::Target).unwrap();
    let file = named(DEB, None);
    assert_eq!(paths(&rendered), ["0644 deployment.json".to_owned(), format!("0644 {file}")]);
    let source = Source::from_bytes(find(&rendered, &file).contents.to_vec());
    assert_eq!(Deb::verify(&source).unwrap(), []);
    let unpacked = Deb::read(&source).unwrap();
    let relations: Vec<_> = unpacked
        .model
        .relations
        .iter()
        .map(|(field, relations)| format!("{}: {relations}", field.name()))
        .collect();
    assert_eq!(
        relations,
        [
            "Depends: orders (>= 1.2.0~rc1)",
            "Conflicts: orders-config",
            "Replaces: orders-config",
            "Provides: orders-config",
        ]
    );
    let entries: Vec<_> = unpacked
        .tree
        .iter()
        .filter(|(_, entry)| !entry.is_directory())
        .map(|(path, entry)| {
            let (owner, group) = (&entry.owner.name, &entry.group.name);
            format!("{path} {} {owner}:{group} {}", entry.mode, entry.mark.word())
        })
        .collect();
    assert_eq!(
        entries,
        [
            "/etc/orders/credentials/greeting 0644 root:root plain",
            "/etc/orders/orders.env 0644 root:root plain",
            "/etc/orders/orders.json 0644 root:root plain",
            "/etc/systemd/system/orders.service.d/50-bake-config.conf 0644 root:root plain",
        ]
    );
    let scripts: Vec<_> = unpacked.model.control_files.keys().copied().collect();
    assert_eq!(scripts, [ControlFile::Postinst, ControlFile::Postrm, ControlFile::Preinst]);
    let postinst = &unpacked.model.control_files[&ControlFile::Postinst];
    assert_eq!(
        postinst,
        "#!/bin/sh\nset -e\n\
         if [ \"$1\" = configure ] && [ -z \"${DPKG_ROOT:-}\" ] && [ -d /run/systemd/system ]; then\n\
         \tsystemctl --system daemon-reload >/dev/null || true\n\
         \tif [ -e /run/bake-orders-config.unchanged ]; then\n\
         \t\trm -f /run/bake-orders-config.unchanged\n\
         \telif [ -z \"${2:-}\" ]; then\n\
         \t\tsystemctl --system reset-failed orders.service >/dev/null 2>&1 || true\n\
         \t\tdeb-systemd-invoke restart orders.service >/dev/null || true\n\
         \telse\n\
         \t\tdeb-systemd-invoke try-restart orders.service >/dev/null || true\n\
         \tfi\nfi\n"
    );
}

#[test]
fn a_package_needs_the_version_that_the_artifact_says() {
    let cases = [
        ("deb", "1:1.2.0~rc1-3", "orders (>= 1:1.2.0~rc1)"),
        ("deb", "1.2", "orders (>= 1.2)"),
        ("rpm", "1.2.0~rc1-3", "orders (>= 1.2.0~rc1)"),
        ("raw", "1.2.0-rc.1", "orders (>= 1.2.0~rc1)"),
    ];
    for (format, version, expected) in cases {
        let depends = deployed(None, Entrypoint::Direct, |deployment| {
            let Deployment { schema, settings, environment, ref digest, entrypoint, .. } =
                *deployment;
            let digest = digest.clone();
            let deployment = Deployment {
                schema,
                settings,
                environment,
                digest,
                version: Some(version),
                entrypoint,
            };
            let artifact = ConfiguredArtifact {
                name: "orders",
                format,
                version,
                digest: "sha256:aa",
                tree: None,
            };
            let request = Request {
                artifact: Some(artifact),
                version: Some("1".parse().unwrap()),
                ..Request::new(&deployment, Target::Deb)
            };
            let rendered = render(&request).unwrap();
            let deb = rendered.files.iter().find(|file| file.path != "deployment.json").unwrap();
            let unpacked = Deb::read(&Source::from_bytes(deb.contents.to_vec())).unwrap();
            unpacked.model.relations[&bake_formats::deb::RelationField::Depends].to_string()
        });
        assert_eq!(depends, expected, "{format} {version}");
    }
}

#[test]
fn an_rpm_is_the_authority_on_its_files() {
    let rendered = rendered(None, Target::Rpm, SecretPlace::Target).unwrap();
    let file = named(RPM, None);
    assert_eq!(paths(&rendered), ["0644 deployment.json".to_owned(), format!("0644 {file}")]);
    let source = Source::from_bytes(find(&rendered, &file).contents.to_vec());
    assert_eq!(Rpm::verify(&source).unwrap(), []);
    let unpacked = Rpm::read(&source).unwrap();
    let relations = &unpacked.model.relations;
    let texts = |all: &[bake_formats::rpm::Dependency]| {
        all.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(texts(&relations.requires), ["orders >= 1.2.0~rc1"]);
    assert_eq!(texts(&relations.conflicts), ["orders-config"]);
    let version = named("20240229.235959+DIGEST-1", None);
    assert_eq!(texts(&relations.provides), [format!("orders-config = {version}")]);
    let postun = unpacked.model.scripts.postun.unwrap().body;
    assert_eq!(
        postun,
        "if [ \"$1\" -eq 0 ] && [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1 \
         && [ ! -e /etc/systemd/system/orders.service.d/50-bake-config.conf ]; then\n\
         \tsystemctl daemon-reload >/dev/null 2>&1 || :\n\
         \tsystemctl try-restart orders.service >/dev/null 2>&1 || :\nfi\n"
    );
    let marks: Vec<_> = unpacked.tree.iter().map(|(_, entry)| entry.mark.word()).collect();
    assert!(marks.iter().all(|mark| *mark == "plain"), "{marks:?}");
}

#[test]
fn what_many_read_holds_no_secret() {
    for target in [Target::Deb, Target::Rpm, Target::Confext] {
        let failure = rendered(Some(secret()), target, SecretPlace::Target).unwrap_err();
        let Failure::Refused(refusals) = &failure else { panic!("{failure:?}") };
        assert_eq!(refusals.iter().map(|refusal| &*refusal.subject).collect::<Vec<_>>(), ["TOKEN"]);
        assert!(!format!("{failure:?}{failure}").contains(SECRET));

        let elsewhere = rendered(Some(secret()), target, SecretPlace::Elsewhere).unwrap();
        assert!(elsewhere.files.iter().all(|file| file.secrecy == Secrecy::Open), "{elsewhere:?}");
        assert_no_secret_is_open(&elsewhere);
        assert_eq!(
            text(&elsewhere, "secrets.list"),
            "# Files that must be there before the service starts: mode, owner, path.\n\
             0600 root:root /etc/orders/credentials/token\n"
        );
        let beside = rendered(Some(secret()), target, SecretPlace::Beside).unwrap();
        assert_no_secret_is_open(&beside);
        assert_eq!(text(&beside, "secrets/etc/orders/credentials/token"), SECRET);
        let record = text(&beside, "deployment.json");
        assert!(record.contains(r#"{"path":"secrets/etc/orders/credentials/token"}"#), "{record}");
    }
}

#[test]
fn a_reference_to_the_host_is_no_secret() {
    let reference = Reference { provider: "file".into(), location: "/srv/token".into() };
    for target in [Target::Deb, Target::Rpm, Target::Confext, Target::NoCloud] {
        let rendered =
            rendered(Some(Given::Reference(reference.clone())), target, SecretPlace::Target)
                .unwrap();
        assert!(rendered.files.iter().all(|file| file.secrecy == Secrecy::Open), "{rendered:?}");
    }
}

#[test]
fn a_package_needs_a_version() {
    for target in [Target::Deb, Target::Rpm] {
        let failure = deployed(None, Entrypoint::Direct, |deployment| {
            render(&Request::new(deployment, target))
        });
        let Err(Failure::Refused(refusals)) = failure else { panic!("{failure:?}") };
        assert_eq!(refusals[0].subject, "orders-config-prod");
        assert!(refusals[0].hint.as_ref().unwrap().contains("SOURCE_DATE_EPOCH"));
    }
}

fn seed(token: Option<Given>, place: SecretPlace) -> Rendered {
    deployed(token, Entrypoint::Direct, |deployment| {
        let host_name = "web1.example.org".parse().unwrap();
        render(&Request {
            secrets: place,
            host_name: Some(&host_name),
            ..Request::new(deployment, Target::NoCloud)
        })
        .unwrap()
    })
}

#[test]
fn a_seed_is_for_cloud_init_and_for_bakes_own_init() {
    let seed = seed(Some(secret()), SecretPlace::Target);
    assert_no_secret_is_open(&seed);
    assert_eq!(
        paths(&seed),
        [
            "0644 deployment.json",
            "0600 seed.img",
            "0644 seed/bake/config/etc-orders-orders.json",
            "0644 seed/bake/config/greeting",
            "0644 seed/bake/config/orders.env",
            "0600 seed/bake/credentials/token",
            "0644 seed/meta-data",
            "0600 seed/user-data",
        ]
    );
    let instance = named("orders-DIGEST", Some(secret()));
    assert_eq!(
        text(&seed, "seed/meta-data"),
        format!("instance-id: \"{instance}\"\nlocal-hostname: \"web1.example.org\"\n")
    );
    let user_data = text(&seed, "seed/user-data");
    assert!(user_data.starts_with(
        "#cloud-config\n# Configuration of orders in prod, written by bake.\nwrite_files:\n"
    ));
    let token = BASE64_STANDARD.encode(SECRET);
    let written = format!(
        "- path: \"/etc/orders/credentials/token\"\n  owner: \"root:root\"\n  permissions: \"0600\"\n  \
         encoding: \"b64\"\n  content: \"{token}\"\n"
    );
    assert!(user_data.contains(&written), "{user_data}");
    assert!(user_data.ends_with(
        "runcmd:\n- [\"systemctl\", \"daemon-reload\"]\n- [\"systemctl\", \"reset-failed\", \"orders.service\"]\n\
         - [\"systemctl\", \"--no-block\", \"restart\", \"orders.service\"]\n"
    ));
    let volume = FatReader::open(Arc::new(find(&seed, "seed.img").contents.to_vec())).unwrap();
    assert_eq!(volume.label().unwrap().as_deref(), Some("CIDATA"));
    assert_eq!(volume.check().unwrap(), []);
    let on_volume: Vec<_> = volume
        .tree()
        .unwrap()
        .iter()
        .filter(|(_, entry)| !entry.is_directory())
        .map(|(path, _)| format!("seed{path}"))
        .collect();
    let in_folder =
        seed.files.iter().map(|file| file.path.clone()).filter(|path| path.starts_with("seed/"));
    assert_eq!(on_volume, in_folder.collect::<Vec<_>>());
}

#[test]
fn a_volume_without_secrets_takes_them_from_the_firmware() {
    let seed = seed(Some(secret()), SecretPlace::Beside);
    assert_no_secret_is_open(&seed);
    let secrets: Vec<_> =
        seed.files.iter().filter(|file| file.secrecy == Secrecy::Secret).collect();
    assert_eq!(secrets.iter().map(|file| &*file.path).collect::<Vec<_>>(), ["smbios/token"]);
    assert_eq!(
        text(&seed, "smbios/token"),
        format!("io.systemd.credential.binary:token={}", BASE64_STANDARD.encode(SECRET))
    );
    assert_eq!(text(&seed, "smbios.args"), "-smbios type=11,path=smbios/token\n");
    let drop_in = text(&seed, "seed/user-data")
        .lines()
        .filter_map(|line| line.strip_prefix("  content: \"")?.strip_suffix('"'))
        .map(|content| String::from_utf8(BASE64_STANDARD.decode(content).unwrap()).unwrap())
        .find(|content| content.contains("[Service]"))
        .unwrap();
    assert!(drop_in.contains("LoadCredential=token:token\n"), "{drop_in}");
}

#[test]
fn a_secret_that_is_no_file_cannot_come_from_the_firmware() {
    let mut schema = schema();
    schema.keys.get_mut(&name("TOKEN")).unwrap().delivery = Delivery::Variable;
    let settings = settings(&schema, Some(secret()));
    let digest =
        ConfigDigest::of(&schema, "prod", &settings, Some(&DigestKey::new([7; 32]))).unwrap();
    for (entrypoint, expected) in [(Entrypoint::Direct, false), (Entrypoint::BakeInit, true)] {
        let (schema, settings, digest) = (&schema, &settings, digest.clone());
        let deployment =
            Deployment { schema, settings, environment: "prod", digest, version: None, entrypoint };
        let request =
            Request { secrets: SecretPlace::Beside, ..Request::new(&deployment, Target::NoCloud) };
        assert_eq!(render(&request).is_ok(), expected, "{entrypoint:?}");
    }
}

#[test]
fn an_extension_is_a_folder_and_an_image_of_the_same() {
    let rendered = rendered(None, Target::Confext, SecretPlace::Target).unwrap();
    assert_eq!(
        paths(&rendered),
        [
            "0644 deployment.json",
            "0644 orders-config.raw",
            "0644 orders-config/etc/extension-release.d/extension-release.orders-config",
            "0644 orders-config/etc/orders/credentials/greeting",
            "0644 orders-config/etc/orders/orders.env",
            "0644 orders-config/etc/orders/orders.json",
            "0644 orders-config/etc/systemd/system/orders.service.d/50-bake-config.conf",
        ]
    );
    assert_eq!(
        text(&rendered, "orders-config/etc/extension-release.d/extension-release.orders-config"),
        "ID=_any\nEXTENSION_RELOAD_MANAGER=1\n"
    );
    let source = Source::from_bytes(find(&rendered, "orders-config.raw").contents.to_vec());
    assert_eq!(Sysext::verify(&source).unwrap(), []);
    let tree = Sysext::read(&source).unwrap().tree;
    let image: Vec<_> = tree
        .iter()
        .filter(|(_, entry)| !entry.is_directory())
        .map(|(path, _)| (format!("orders-config{path}"), tree.content(path).unwrap().digest))
        .collect();
    let is_merged = |file: &&OutputFile| {
        file.path.starts_with("orders-config/") && !file.path.contains("release")
    };
    let folder: Vec<_> = rendered
        .files
        .iter()
        .filter(is_merged)
        .map(|file| (file.path.clone(), bake_formats::digest::Digest::of(&file.contents)))
        .collect();
    assert_eq!(image, folder);
}

#[test]
fn the_record_names_the_pair_and_every_file() {
    let rendered = deployed(None, Entrypoint::Direct, |deployment| {
        let artifact = ConfiguredArtifact {
            name: "orders",
            format: "oci-layout",
            version: "1.2.0-rc.1",
            digest: "sha256:aa",
            tree: Some("sha256:bb"),
        };
        let request =
            Request { artifact: Some(artifact), ..Request::new(deployment, Target::NoCloud) };
        (render(&request).unwrap(), deployment.digest.to_string(), deployment.schema.digest())
    });
    let (rendered, config, schema) = rendered;
    let sum = |path: &str| bake_formats::digest::Digest::of(&find(&rendered, path).contents).hex();
    let files: Vec<_> = rendered
        .files
        .iter()
        .filter(|file| file.path != "deployment.json")
        .map(|file| format!(r#"{{"path":"{}","sha256":"{}"}}"#, file.path, sum(&file.path)))
        .collect();
    let expected = format!(
        r#"{{"schema":1,"artifact":{{"name":"orders","version":"1.2.0-rc.1","digest":"sha256:aa","tree":"sha256:bb"}},"schema-digest":"{schema}","environment":"prod","config-digest":"{config}","target":"nocloud","files":[{}]}}"#,
        files.join(",")
    );
    assert_eq!(text(&rendered, "deployment.json"), expected + "\n");
}

#[test]
fn one_deployment_is_the_same_bytes() {
    for target in Target::all() {
        let one = rendered(Some(secret()), target, SecretPlace::Beside);
        let other = rendered(Some(secret()), target, SecretPlace::Beside);
        assert_eq!(one.unwrap(), other.unwrap(), "{target}");
        assert_eq!(target.word().parse(), Ok(target));
    }
}

fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs_err::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn an_output_is_whole_and_replaces_its_own_kind_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("new/out");
    let one = rendered(Some(secret()), Target::Deb, SecretPlace::Beside).unwrap();
    write(&one, &folder).unwrap();
    for file in &one.files {
        let path = folder.join(&file.path);
        assert_eq!(fs_err::read(&path).unwrap(), *file.contents);
        assert_eq!(mode(&path), file.mode, "{file:?}");
    }
    assert_eq!((mode(&folder), mode(&folder.join("secrets"))), (0o755, 0o700));

    let other = rendered(None, Target::Confext, SecretPlace::Target).unwrap();
    write(&other, &folder).unwrap();
    assert!(folder.join("orders-config.raw").exists() && !folder.join("secrets").exists());
    let siblings = fs_err::read_dir(scratch.path().join("new")).unwrap().count();
    assert_eq!(siblings, 1, "nothing is left beside it");

    fs_err::write(folder.join("mine"), "kept").unwrap();
    let error = write(&one, &folder).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("`mine` is not of it: expected"), "{cause}");
    assert_eq!(fs_err::read_to_string(folder.join("mine")).unwrap(), "kept");
    assert!(folder.join("orders-config.raw").exists());
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let one = rendered(None, Target::Deb, SecretPlace::Target).unwrap();
    write(&one, scratch.path()).unwrap();
    for (name, text) in [("deployment.json", "{}"), ("other", "x")] {
        let folder = scratch.path().join("sub").join(name.replace('.', "-"));
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(folder.join(name), text).unwrap();
        assert!(write(&one, &folder).is_err(), "{name}");
        assert_eq!(fs_err::read_to_string(folder.join(name)).unwrap(), text);
    }
    let file = scratch.path().join("file");
    fs_err::write(&file, "x").unwrap();
    assert!(write(&one, &file).is_err());
}
