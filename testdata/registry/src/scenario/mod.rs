//! Situations that a client must cope with, and what must be so afterwards.

mod pulls;
mod pushes;

use std::io;
use std::path::Path;

use bake_formats::digest::Digest;

use crate::auth::Auth;
use crate::image::Image;
use crate::kind::Kind;
use crate::profile::Profile;
use crate::rule::{Action, Match, Rule};
use crate::server::TestRegistry;
use crate::trace::{Property, Trace};

/// The repository of every scenario.
const REPOSITORY: &str = "team/app";
/// The tag of every scenario.
const TAG: &str = "v1";
/// Who clients are, where the registry asks.
const USER: &str = "robot";
/// Their password.
const PASSWORD: &str = "correct-horse";

/// A situation.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name, e.g. `location-relative`.
    pub name: String,
    /// What the client meets, in one sentence.
    pub what: &'static str,
    /// What the client is to do.
    pub direction: Direction,
    /// What is in the registry before.
    pub before: Before,
    /// Who may do what.
    pub auth: Auth,
    /// Whose credentials the client has.
    pub password: Option<String>,
    /// How the registry behaves.
    pub rules: Vec<Rule>,
    /// What the client must come to.
    pub expected: Expected,
    /// What must hold of the trace.
    pub properties: Vec<Property>,
}

/// What a client is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Put the layout's image into the registry.
    Push,
    /// Put the registry's image into the layout.
    Pull,
}

/// What is in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// The image.
    Same,
    /// Another version, whose larger layer is the same.
    Older,
}

/// What a client must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Success, and everything is there.
    Done,
    /// Failure, and neither tags nor images are other than before.
    Refused,
    /// Failure.
    Failure,
    /// Either success with everything there, or failure.
    Either,
}

/// What a client is given.
#[derive(Debug)]
pub struct Stage<'a> {
    /// What to do.
    pub direction: Direction,
    /// A layout with the image to push, or a path for the one to pull.
    pub layout: &'a Path,
    /// The tag in the layout.
    pub tag: &'a str,
    /// The reference, without scheme: `127.0.0.1:34567/team/app:v1`.
    pub reference: String,
    /// A `config.json` of Docker, which has the credentials.
    pub credentials: &'a Path,
}

/// What came of a scenario.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Why it failed, if it did.
    pub fault: Option<String>,
    /// What the client asked.
    pub trace: Trace,
}

/// Returns every scenario: pushes, a push to every profile, pulls.
pub fn scenarios() -> Vec<Scenario> {
    let profiles = Profile::ALL.into_iter().map(of_profile);
    pushes::scenarios().into_iter().chain(profiles).chain(pulls::scenarios()).collect()
}

fn of_profile(profile: Profile) -> Scenario {
    Scenario::push(&format!("push-{}", profile.name()), "a registry as it is met in the wild")
        .rules(profile.rules())
        .hold(&[Property::NoOpenUpload, Property::ManifestsLast])
}

impl Scenario {
    fn push(name: &str, what: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            what,
            direction: Direction::Push,
            before: Before::Nothing,
            auth: Auth::Open,
            password: Some(PASSWORD.to_owned()),
            rules: Vec::new(),
            expected: Expected::Done,
            properties: vec![Property::NoCredentialElsewhere],
        }
    }

    fn pull(name: &str, what: &'static str) -> Self {
        let push = Self::push(name, what);
        Self { direction: Direction::Pull, before: Before::Same, ..push }
    }

    fn before(self, before: Before) -> Self {
        Self { before, ..self }
    }

    fn auth(self, auth: Auth) -> Self {
        Self { auth, ..self }
    }

    fn rule(mut self, when: Match, then: Action) -> Self {
        self.rules.push(when.then(then));
        self
    }

    fn rules(self, rules: Vec<Rule>) -> Self {
        Self { rules, ..self }
    }

    fn expect(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    fn hold(mut self, properties: &[Property]) -> Self {
        self.properties.extend_from_slice(properties);
        self
    }

    /// Lets a client play. It returns what went wrong, if it could not do what it was to do.
    ///
    /// The error is that of the scratch folder or of listening; a client's fault is in the verdict.
    pub fn run(
        &self,
        scratch: &Path,
        client: &mut dyn FnMut(&Stage<'_>) -> Result<(), String>,
    ) -> io::Result<Verdict> {
        let image = Image::sample("1")?;
        let layout = scratch.join("layout");
        match self.direction {
            Direction::Push => image.write(&layout, TAG)?,
            Direction::Pull => {}
        }
        let builder = TestRegistry::builder().auth(self.auth.clone());
        let registry = builder.rules(self.rules.clone()).start()?;
        match self.before {
            Before::Nothing => {}
            Before::Same => image.put(&registry, REPOSITORY, TAG),
            Before::Older => Image::sample("0")?.put(&registry, REPOSITORY, TAG),
        }
        let credentials = scratch.join("config.json");
        fs_err::write(&credentials, self.config(&registry.address()))?;
        let stage = Stage {
            direction: self.direction,
            layout: &layout,
            tag: TAG,
            reference: format!("{}/{REPOSITORY}:{TAG}", registry.address()),
            credentials: &credentials,
        };
        let before = tagged(&registry);
        let came = client(&stage);
        let trace = registry.trace();
        let fault = self.judge(came, &registry, &image, before, &layout);
        let fault = fault.and_then(|()| {
            trace.check(&self.properties).map_err(|violation| {
                format!("{:?} does not hold: {}", violation.property, violation.found)
            })
        });
        Ok(Verdict { fault: fault.err(), trace })
    }

    /// Returns a configuration of Docker with the credentials for an address.
    fn config(&self, address: &str) -> String {
        use base64::Engine as _;
        let Some(password) = &self.password else { return "{}".to_owned() };
        let encoded =
            base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"));
        serde_json::json!({ "auths": { address: { "auth": encoded } } }).to_string()
    }

    fn judge(
        &self,
        came: Result<(), String>,
        registry: &TestRegistry,
        image: &Image,
        before: Option<Digest>,
        layout: &Path,
    ) -> Result<(), String> {
        match (self.expected, came) {
            (Expected::Done, Err(error)) => Err(error),
            (Expected::Done | Expected::Either, Ok(())) => match self.direction {
                Direction::Push => is_pushed(registry, image),
                Direction::Pull => is_pulled(layout, image),
            },
            (Expected::Refused | Expected::Failure, Ok(())) => {
                Err("the client says that all is well".to_owned())
            }
            (Expected::Refused, Err(_)) if tagged(registry) != before => {
                Err("the client failed, but the tag moved".to_owned())
            }
            (Expected::Refused | Expected::Failure | Expected::Either, Err(_)) => Ok(()),
        }
    }
}

fn tagged(registry: &TestRegistry) -> Option<Digest> {
    registry.state().repository(REPOSITORY).tags.get(TAG).copied()
}

/// Says what of an image is not in the registry.
fn is_pushed(registry: &TestRegistry, image: &Image) -> Result<(), String> {
    let repository = registry.state().repository(REPOSITORY);
    if repository.tags.get(TAG) != Some(&image.digest()) {
        return Err("the tag does not lead to the image".to_owned());
    }
    let missing = image.blobs.keys().find(|digest| !repository.blobs.contains_key(digest));
    missing.map_or(Ok(()), |digest| Err(format!("blob {digest} is not there")))
}

/// Says what of an image is not in a layout.
fn is_pulled(layout: &Path, image: &Image) -> Result<(), String> {
    let manifest = (image.digest(), &image.manifest);
    for (digest, bytes) in
        image.blobs.iter().map(|(digest, bytes)| (*digest, bytes)).chain([manifest])
    {
        let path = layout.join("blobs/sha256").join(digest.hex());
        match fs_err::read(&path) {
            Ok(found) if found == *bytes => {}
            Ok(_) => return Err(format!("{} has other contents", path.display())),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

/// What carries bytes of blobs to the registry.
const BODIES: &[Kind] = &[Kind::UploadPatch, Kind::UploadPut, Kind::UploadWhole];
