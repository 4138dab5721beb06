//! `nocloud`: a seed, as a folder and as a volume, for cloud-init and for bake's own init.
//!
//! ```text
//! seed/user-data, meta-data          cloud-init's: files, and the restart
//! seed/bake/config/NAME              bake's init: /run/config/NAME
//! seed/bake/credentials/NAME         bake's init: the credential NAME
//! seed.img                           the same files, FAT, labelled CIDATA
//! smbios/NAME, smbios.args           secrets for the firmware's tables, if they are not on the volume
//! ```

use std::collections::BTreeMap;

use bake_config::schema::Secrecy;
use bake_config::{Deployment, OutputFile, Refusal};
use bake_formats::blob::MemoryStore;
use bake_formats::vm::seed;
use zeroize::Zeroizing;

use super::cloud_config;
use super::credential;
use super::failure::Failure;
use super::install::Install;
use super::request::Request;
use super::secrets::{LIST, SecretPlace};

/// The folder.
const FOLDER: &str = "seed";
/// The volume.
const VOLUME: &str = "seed.img";
/// What bake's init takes: the bytes of one file, the files of a folder.
const FILE_MAX: usize = 1 << 20;
const FILES_MAX: usize = 256;

pub(super) fn render(request: &Request<'_>) -> Result<Vec<OutputFile>, Failure> {
    let (install, mut files) = match request.secrets {
        SecretPlace::Target => (Install::of(request.deployment)?, Vec::new()),
        SecretPlace::Elsewhere | SecretPlace::Beside => by_firmware(request)?,
    };
    let mut seed = BTreeMap::new();
    let secrecy = if install.secret.is_empty() { Secrecy::Open } else { Secrecy::Secret };
    let user_data = cloud_config::user_data(request, &install);
    seed.insert("user-data".to_owned(), file(secrecy, user_data.as_bytes()));
    let meta_data = cloud_config::meta_data(request);
    seed.insert("meta-data".to_owned(), file(Secrecy::Open, meta_data.as_bytes()));
    for (folder, those) in [("bake/config", &install.open), ("bake/credentials", &install.secret)] {
        for (name, contents) in for_init(request.deployment, those)? {
            seed.insert(format!("{folder}/{name}"), contents);
        }
    }
    let contents = seed.iter().map(|(name, file)| (name.clone(), file.contents.to_vec())).collect();
    let volume = seed::seed(&contents, None, request.epoch).map_err(Failure::write("seed"))?;
    let volume = Zeroizing::new(volume.to_vec(&MemoryStore::new())?);
    files.push(OutputFile { path: VOLUME.into(), ..file(secrecy, &volume) });
    for (name, file) in seed {
        files.push(OutputFile { path: format!("{FOLDER}/{name}"), ..file });
    }
    Ok(files)
}

/// Returns what a service needs whose secrets are credentials of the machine, and what gives them to it.
fn by_firmware(request: &Request<'_>) -> Result<(Install, Vec<OutputFile>), Failure> {
    let Deployment { schema, environment, version, entrypoint, .. } = *request.deployment;
    let credentials = credential::all(request.deployment)?;
    let settings = credential::referred(request.deployment.settings, &credentials);
    let digest = request.deployment.digest.clone();
    let settings = &settings;
    let install =
        Install::of(&Deployment { schema, settings, environment, digest, version, entrypoint })?;
    if credentials.is_empty() {
        return Ok((install, Vec::new()));
    }
    let mut files = match request.secrets {
        SecretPlace::Beside => credential::firmware(request.deployment, &credentials)?,
        SecretPlace::Target | SecretPlace::Elsewhere => Vec::new(),
    };
    let names = credentials.iter().map(|credential| format!("credential {}\n", credential.name));
    let text = "# Credentials of the machine that must be there before the service starts.\n";
    files.push(OutputFile::open(LIST, names.fold(text.to_owned(), |text, line| text + &line)));
    Ok((install, files))
}

/// Returns a file whose path is still to be said.
fn file(secrecy: Secrecy, bytes: &[u8]) -> OutputFile {
    match secrecy {
        Secrecy::Open => OutputFile::open("", bytes),
        Secrecy::Secret => OutputFile::secret("", Zeroizing::new(bytes.to_vec())),
    }
}

/// Returns files by the names that bake's init knows them by; the drop-in is not for it.
fn for_init(
    deployment: &Deployment<'_>,
    files: &[OutputFile],
) -> Result<BTreeMap<String, OutputFile>, Vec<Refusal>> {
    let (mut named, mut refusals) = (BTreeMap::new(), Vec::new());
    for one in files {
        let Some(name) = init_name(deployment, &one.path) else { continue };
        let mut refuse = |reason: String, hint: &str| {
            refusals.push(Refusal::new(format!("/{}", one.path.escape_debug()), reason, hint));
        };
        let len = one.contents.len();
        if len > FILE_MAX {
            let reason = format!("it has {len} bytes, and bake's init takes at most {FILE_MAX}");
            refuse(reason, "keep large files out of the configuration");
        }
        if named.insert(name.clone(), file(one.secrecy, &one.contents)).is_some() {
            let reason = format!("bake's init would know it as `{name}`, as another file");
            refuse(reason, "choose another path in the recipe");
        }
    }
    if named.len() > FILES_MAX {
        let reason =
            format!("it has {} files, and bake's init takes at most {FILES_MAX}", named.len());
        let hint = "gather values in documents";
        refusals.push(Refusal::new(deployment.name(), reason, hint));
    }
    if refusals.is_empty() { Ok(named) } else { Err(refusals) }
}

/// Returns the name of a file: of one value, that of the value's file; of a rendered one, its path with `-` for `/`.
fn init_name(deployment: &Deployment<'_>, path: &str) -> Option<String> {
    if path.starts_with("etc/systemd/") {
        return None;
    }
    if let Some(name) = path.strip_prefix(&Install::credentials(deployment)) {
        return Some(name.into());
    }
    let own = deployment.name();
    for name in [format!("{own}.env"), format!("{own}.secret.env")] {
        if path == format!("etc/{own}/{name}") {
            return Some(name);
        }
    }
    let plain = |c: char| match c {
        '/' => '-',
        c if c.is_ascii_alphanumeric() || "._-".contains(c) => c,
        _ => '_',
    };
    Some(path.chars().map(plain).collect())
}
