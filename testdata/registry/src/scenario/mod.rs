//! Situations that a client must cope with, and what must be so afterwards.

mod copies;
mod end;
mod lists;
mod play;
mod pulls;
mod pushes;

use std::path::Path;

use crate::auth::Auth;
use crate::kind::Kind;
use crate::profile::Profile;
use crate::rule::{Action, Match, Rule};
use crate::trace::{Property, Trace};

/// The repository of every scenario.
const REPOSITORY: &str = "team/app";
/// The repository that copies come from.
const SOURCE: &str = "team/base";
/// The tag of every scenario.
const TAG: &str = "v1";
/// All tags, where they are listed.
const TAGS: [&str; 5] = [TAG, "v2", "v3", "v4", "v5"];
/// The chunks that a client is told to send, where it is told: the shortest that bake sends.
const CHUNK: u64 = 65_536;
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
    /// Where copies come from.
    pub source: Source,
    /// How long the client's chunks are to be, if it can be told.
    pub chunk: Option<u64>,
    /// How the registry behaves.
    pub rules: Vec<Rule>,
    /// Which of the rules must have made a difference, or the scenario has shown nothing.
    pub meets: Meets,
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
    /// Put the image of the source into the registry.
    Copy,
    /// The same, with what is attached to the image.
    CopyAttached,
    /// Write the tags of the repository to the file that the layout's path leads to.
    List,
}

/// Where copies come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Another repository of the same registry.
    SameRegistry,
    /// Another registry, with rules of its own.
    OtherRegistry(Vec<Rule>),
}

/// Which rules must have made a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meets {
    /// All of them.
    All,
    /// One at least, if there are any.
    Some,
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
    /// Failure, and nothing is stored under a digest that it does not have.
    Failure,
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
    /// The reference that copies come from.
    pub source: String,
    /// Who is asked without TLS: the registry, its other host, and the same of the source.
    pub hosts: Vec<String>,
    /// How long chunks are to be, if the client can be told.
    pub chunk: Option<u64>,
    /// A `config.json` of Docker, which has the credentials.
    pub credentials: &'a Path,
}

/// What came of a scenario.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Why it failed, if it did.
    pub fault: Option<String>,
    /// Which rule made no difference to what this client asked, although it was to: then the
    /// scenario says nothing of the client.
    pub unmet: Option<String>,
    /// What the client asked.
    pub trace: Trace,
}

/// Returns every scenario: pushes, a push to every profile, pulls, copies, lists.
pub fn scenarios() -> Vec<Scenario> {
    let profiles = Profile::ALL.into_iter().map(of_profile);
    let pushes = pushes::scenarios().into_iter().chain(profiles).chain(pulls::scenarios());
    pushes.chain(copies::scenarios()).chain(lists::scenarios()).collect()
}

/// Pushes in chunks where the traps lie there; limits are those of the profile by 1000, as the
/// image is small.
fn of_profile(profile: Profile) -> Scenario {
    let scaled = |rule: Rule| {
        let then = match rule.then {
            Action::BodyLimit(most) => Action::BodyLimit(most >> 10),
            Action::ChunkLimit(most) => Action::ChunkLimit(most >> 10),
            then => then,
        };
        Rule { then, ..rule }
    };
    let name = format!("push-{}", profile.name());
    let scenario = Scenario::push(&name, "a registry as it is met in the wild");
    let scenario = match profile {
        Profile::Ecr | Profile::Ghcr | Profile::Gar | Profile::Hub | Profile::Ancient => {
            scenario.in_chunks()
        }
        Profile::Strict | Profile::Quay | Profile::Jfrog | Profile::Cloudflare => scenario,
    };
    scenario
        .rules(profile.rules().into_iter().map(scaled).collect())
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
            source: Source::SameRegistry,
            chunk: None,
            rules: Vec::new(),
            meets: Meets::All,
            expected: Expected::Done,
            properties: vec![Property::NoCredentialElsewhere],
        }
    }

    fn pull(name: &str, what: &'static str) -> Self {
        let push = Self::push(name, what);
        Self { direction: Direction::Pull, before: Before::Same, ..push }
    }

    fn copy(name: &str, what: &'static str) -> Self {
        Self { direction: Direction::Copy, ..Self::push(name, what) }
    }

    fn list(name: &str, what: &'static str) -> Self {
        Self { direction: Direction::List, ..Self::pull(name, what) }
    }

    fn attached(self) -> Self {
        Self { direction: Direction::CopyAttached, ..self }
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
        Self { rules, meets: Meets::Some, ..self }
    }

    fn in_chunks(self) -> Self {
        Self { chunk: Some(CHUNK), ..self }
    }

    fn expect(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    fn hold(mut self, properties: &[Property]) -> Self {
        self.properties.extend_from_slice(properties);
        self
    }
}

/// What carries bytes of blobs to the registry.
const BODIES: &[Kind] = &[Kind::UploadPatch, Kind::UploadPut, Kind::UploadWhole];
