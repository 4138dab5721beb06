//! Reads a repository for apt, and every package in it, with debian-packaging.
//!
//! `debian-packaging-reader REPOSITORY SUITE KEY` checks the signature of `InRelease`, fetches every index in every
//! compression by its digest, fetches every package by its digest, and compares the package's own control fields with
//! those in the index. It prints one line per package and fails at the first thing that is not as it should be.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufReader, Cursor};

use debian_packaging::deb::reader::resolve_control_file;
use debian_packaging::io::Compression;
use debian_packaging::repository::filesystem::FilesystemRepositoryReader;
use debian_packaging::repository::release::ReleaseFile;
use debian_packaging::repository::{ReleaseReader, RepositoryRootReader};
use futures::executor::block_on;
use futures::AsyncReadExt;
use pgp::{Deserializable, SignedPublicKey};

type Fields = BTreeMap<String, String>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [repository, suite, key] = arguments.as_slice() else {
        return Err("usage: debian-packaging-reader REPOSITORY SUITE KEY".into());
    };
    check_signature(&format!("{repository}/dists/{suite}/InRelease"), key)?;
    block_on(check(repository, suite))
}

/// The reader itself parses signatures without checking them.
fn check_signature(path: &str, key: &str) -> Result<(), Box<dyn Error>> {
    let (key, _) = SignedPublicKey::from_armor_single(std::fs::File::open(key)?)?;
    let text = BufReader::new(std::fs::File::open(path)?);
    let release = ReleaseFile::from_armored_reader(text)?;
    let signatures = release.signatures().ok_or("InRelease has no signature")?;
    signatures.verify(&key)?;
    println!("{path}: signed by {:?}", pgp::types::PublicKeyTrait::key_id(&key));
    Ok(())
}

async fn check(repository: &str, suite: &str) -> Result<(), Box<dyn Error>> {
    let root = FilesystemRepositoryReader::new(repository);
    let mut release = root.release_reader(suite).await?;
    let mut packages = 0;
    for (component, architecture) in indices(release.as_ref())? {
        let mut versions = Vec::new();
        for compression in [Compression::None, Compression::Gzip, Compression::Xz] {
            release.set_preferred_compression(compression);
            let list = release.resolve_packages(&component, &architecture, false).await?;
            let fields: Vec<Fields> = list.iter().map(|control| fields(control)).collect();
            versions.push(fields);
        }
        if versions.iter().any(|fields| *fields != versions[0]) {
            return Err(format!("{component}/{architecture}: compressions differ").into());
        }
        let contents = release.resolve_contents(Some(&component), &architecture, false).await?;
        let (wanted_component, wanted_architecture) = (component.clone(), architecture.clone());
        let here = move |entry: debian_packaging::repository::release::PackagesFileEntry| {
            entry.component == wanted_component && entry.architecture == wanted_architecture
        };
        let fetches = release.resolve_package_fetches(Box::new(here), Box::new(|_| true), 1).await?;
        for fetch in fetches {
            let indexed = fields(&fetch.control_file);
            let name = fetch.control_file.package()?.to_owned();
            let version = fetch.control_file.version()?;
            fetch.control_file.package_dependency_fields()?;
            let mut bytes = Vec::new();
            root.fetch_binary_package_generic(fetch).await?.read_to_end(&mut bytes).await?;
            let control = resolve_control_file(Cursor::new(&bytes))?;
            let mut own = fields(&control);
            for field in ["Filename", "Size", "SHA256"] {
                own.insert(field.into(), indexed.get(field).ok_or(field)?.clone());
            }
            if own != indexed {
                return Err(format!("{name}: the index has {indexed:?}, the package {own:?}").into());
            }
            let label = indexed.get("Section").map_or(name.clone(), |section| format!("{section}/{name}"));
            let files = contents.package_paths(&label).count();
            println!("{component}/{architecture}: {name} {version}, {files} files");
            packages += 1;
        }
    }
    if packages == 0 {
        return Err("there is no package".into());
    }
    println!("{packages} packages are as the indices say");
    Ok(())
}

fn indices(release: &dyn ReleaseReader) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let file = release.release_file();
    let components: Vec<&str> = file.components().ok_or("no Components")?.collect();
    let architectures: Vec<&str> = file.architectures().ok_or("no Architectures")?.collect();
    file.date().ok_or("no Date")??;
    if file.acquire_by_hash() != Some(true) {
        return Err("no Acquire-By-Hash".into());
    }
    let pairs = components.iter().flat_map(|component| {
        architectures.iter().map(|architecture| (component.to_string(), architecture.to_string()))
    });
    Ok(pairs.collect())
}

fn fields(control: &debian_packaging::control::ControlParagraph<'_>) -> Fields {
    control.iter_fields().map(|field| (field.name().into(), field.value_str().into())).collect()
}
