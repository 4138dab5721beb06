//! From what is written to what it means for one platform: the only bridge between the two.

mod advice;
mod capability;
mod config;
mod config_value;
mod deb;
mod files;
mod list;
mod oci;
mod owner;
mod rpm;
mod service;
mod source_date;
mod spdx;
mod text;
mod version_source;
mod vm;

use std::cell::RefCell;
use std::fmt;
use std::path::Path;

use advice::Advice;
use bake_formats::tree::TreePath;

use crate::error::{Place, RecipeError, RecipeErrors};
use crate::name::PackageName;
use crate::platform::Platform;
use crate::resolved;
use crate::version::{Release, Version};
use crate::written::{At, Keys, PackageArchitecture, Recipe};

/// What resolving may use besides the recipe.
#[derive(Clone, Copy)]
pub struct ResolveCx<'a> {
    /// What to resolve for.
    pub platform: Platform,
    /// Returns a variable of the build's identity; asked only for what `version = { env = … }`
    /// names.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The recipe's folder: what paths are relative to.
    pub base: &'a Path,
}

impl fmt::Debug for ResolveCx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { platform, base, .. } = self;
        f.debug_struct("ResolveCx")
            .field("platform", platform)
            .field("base", base)
            .finish_non_exhaustive()
    }
}

/// Resolves a recipe for one platform; every error that can be found is reported.
pub fn resolve(written: &Recipe, cx: ResolveCx<'_>) -> Result<resolved::Recipe, RecipeErrors> {
    let resolver = Resolver { written, cx, errors: RefCell::default() };
    let recipe = resolver.recipe();
    RecipeErrors::check(resolver.errors.into_inner(), recipe)
}

/// Returns the platforms that a recipe is baked for: its own, else those of its image, else the
/// host's.
pub fn platforms(written: &Recipe, host: Platform) -> Result<Vec<Platform>, RecipeErrors> {
    let errors = RefCell::default();
    let keys = &written.keys;
    let image = keys.oci.as_ref().and_then(|oci| oci.value.platforms.as_ref());
    let list = match keys.platforms.as_ref().or(image) {
        Some(list) => parse_platforms(written, &errors, list),
        None => vec![host],
    };
    RecipeErrors::check(errors.into_inner(), Some(list))
}

type Errors = RefCell<Vec<RecipeError>>;

fn parse_platforms(written: &Recipe, errors: &Errors, list: &[At<String>]) -> Vec<Platform> {
    let mut all = Vec::new();
    for text in list {
        let place = written.place(&text.span);
        match text.value.parse::<Platform>() {
            Ok(platform) if all.contains(&platform) => {
                errors.borrow_mut().push(place.error(format!("`{platform}` stands here twice")));
            }
            Ok(platform) => all.push(platform),
            Err(error) => errors.borrow_mut().push(error.at(&place)),
        }
    }
    all
}

/// Resolves one recipe, collecting what is wrong with it.
struct Resolver<'a> {
    written: &'a Recipe,
    cx: ResolveCx<'a>,
    errors: Errors,
}

/// What all parts of a recipe refer to.
struct Common {
    name: PackageName,
    version: Version,
    release: Release,
    epoch: Option<u32>,
    summary: String,
    maintainer: Option<resolved::Maintainer>,
    platforms: Option<Vec<Platform>>,
}

impl Resolver<'_> {
    fn place<T>(&self, at: &At<T>) -> Place {
        self.written.place(&at.span)
    }

    /// Reports an error about a value.
    fn fault<T>(&self, at: &At<T>, message: impl Into<String>) {
        self.report(self.place(at).error(message));
    }

    /// Reports an error about a value with what to do about it.
    fn advise<T>(&self, at: &At<T>, message: impl Into<String>, hint: impl Into<String>) {
        self.report(self.place(at).error(message).hint(hint));
    }

    fn report(&self, error: RecipeError) {
        self.errors.borrow_mut().push(error);
    }

    /// Returns the value that was parsed or reports why it was not.
    fn parsed<T, S, E: Advice>(&self, at: &At<S>, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.report(error.at(&self.place(at)));
                None
            }
        }
    }

    fn keys(&self) -> &Keys {
        &self.written.keys
    }

    fn recipe(&self) -> Option<resolved::Recipe> {
        let keys = self.keys();
        let common = self.common();
        let description = keys.description.as_ref().map(|at| self.paragraphs(at, "description"));
        let license = keys.license.as_ref().map(|at| self.license(at));
        let vendor = keys.vendor.as_ref().map(|at| self.line(at, "vendor"));
        let homepage = keys.homepage.as_ref().map(|at| self.homepage(at));
        let vcs = keys.vcs.as_ref().map(|at| self.vcs(at));
        let source_date = keys.source_date.as_ref().map(|at| self.source_date(at));
        let config = self.config();
        self.check_relations();
        let Some(common) = common else {
            self.files(None);
            return None;
        };
        let service = keys.service.as_ref().map(|at| self.service(at, &common));
        let files = self.files(service.as_ref().and_then(Option::as_ref));
        let service = service.map_or(Some(None), |service| service.map(Some));
        let all = [keys.deb.is_some(), keys.rpm.is_some(), keys.oci.is_some(), keys.vm.is_some()];
        let all = !all.contains(&true);
        let here = &keys.name;
        let deb = (all || keys.deb.is_some()).then(|| self.deb(keys.deb.as_ref(), here, &common));
        let rpm = (all || keys.rpm.is_some()).then(|| self.rpm(keys.rpm.as_ref(), here, &common));
        if deb.is_some() {
            self.check_deb_files(&files);
        }
        let vm = (all || keys.vm.is_some()).then(|| self.vm(keys.vm.as_ref(), here, &common));
        let service = service?;
        let oci = (all || keys.oci.is_some())
            .then(|| self.oci(keys.oci.as_ref(), here, &common, service.as_ref()));
        Some(resolved::Recipe {
            description: settled(description)?,
            license: settled(license)?,
            vendor: settled(vendor)?,
            homepage: settled(homepage)?,
            vcs: settled(vcs)?,
            source_date: settled(source_date)?,
            platform: self.cx.platform,
            architecture: architecture(keys.architecture.as_ref().map(|at| at.value)),
            files,
            service,
            config: config?,
            units: Vec::new(),
            alternatives: Vec::new(),
            hooks: resolved::Hooks::default(),
            auto_depends: resolved::AutoDepends::default(),
            changelog: Vec::new(),
            copyright: None,
            deb: settled(deb)?,
            rpm: settled(rpm)?,
            oci: settled(oci)?.flatten(),
            vm: settled(vm)?,
            name: common.name,
            version: common.version,
            release: common.release,
            epoch: common.epoch,
            summary: common.summary,
            maintainer: common.maintainer,
        })
    }

    fn common(&self) -> Option<Common> {
        let keys = self.keys();
        let name = self.parsed(&keys.name, PackageName::parse(&keys.name.value));
        let version = self.version(&keys.version);
        let release = match &keys.release {
            Some(at) => self.parsed(at, Release::parse(&at.value)),
            None => Some(Release::default()),
        };
        let epoch = keys.epoch.as_ref().map(|at| self.epoch(at));
        let summary = self.line(&keys.summary, "summary");
        let maintainer = keys.maintainer.as_ref().map(|at| self.maintainer(at));
        let platforms = self.own_platforms();
        Some(Common {
            name: name?,
            version: version?,
            release: release?,
            epoch: settled(epoch)?,
            summary: summary?,
            maintainer: settled(maintainer)?,
            platforms,
        })
    }

    /// dpkg keeps an epoch in a C `int`.
    fn epoch(&self, at: &At<i64>) -> Option<u32> {
        let epoch = u32::try_from(at.value).ok().filter(|epoch| i32::try_from(*epoch).is_ok());
        if epoch.is_none() {
            let found = at.value;
            self.fault(at, format!("expected an epoch from 0 to {}, found {found}", i32::MAX));
        }
        epoch
    }

    fn own_platforms(&self) -> Option<Vec<Platform>> {
        let list = self.keys().platforms.as_ref()?;
        let platforms = parse_platforms(self.written, &self.errors, list);
        let wanted = self.cx.platform;
        if platforms.len() == list.len() && !platforms.contains(&wanted) {
            let all: Vec<_> = platforms.iter().map(ToString::to_string).collect();
            let error = match list.first() {
                Some(first) => self.place(first).error(format!("the recipe is not for `{wanted}`")),
                None => RecipeError::new("the recipe is for no platform"),
            };
            self.report(error.hint(format!("it is for {}", all.join(", "))));
        }
        Some(platforms)
    }

    /// Returns an absolute path in the tree.
    fn tree_path(&self, at: &At<String>) -> Option<TreePath> {
        self.tree_path_of(at, &at.value)
    }

    fn tree_path_of<T>(&self, at: &At<T>, text: &str) -> Option<TreePath> {
        if let Some(bad) = text.chars().find(|c| c.is_control()) {
            self.fault(at, format!("a path cannot hold `{}`", bad.escape_debug()));
            return None;
        }
        if !text.starts_with('/') {
            let message = format!("`{text}` is not an absolute path");
            self.advise(at, message, format!("write `/{}`", text.trim_start_matches("./")));
            return None;
        }
        self.parsed(at, TreePath::parse(text))
    }
}

fn architecture(written: Option<PackageArchitecture>) -> resolved::Architecture {
    match written {
        None | Some(PackageArchitecture::Native) => resolved::Architecture::Native,
        Some(PackageArchitecture::All) => resolved::Architecture::All,
    }
}

/// Tells a value that is wrong (`None`) from one that is not there (`Some(None)`).
#[expect(clippy::option_option, reason = "absent and wrong are two things")]
fn settled<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}
