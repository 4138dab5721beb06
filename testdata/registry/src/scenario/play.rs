//! One client in one situation.

use std::io;
use std::path::Path;

use super::{
    Before, Direction, Meets, REPOSITORY, SOURCE, Scenario, Source, Stage, TAG, TAGS, USER,
    Verdict, end,
};
use crate::image::Image;
use crate::server::TestRegistry;
use crate::trace::{Property, Trace};

impl Scenario {
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
        if self.direction == Direction::Push {
            image.write(&layout, TAG)?;
        }
        let builder = TestRegistry::builder().auth(self.auth.clone());
        let registry = builder.rules(self.rules.clone()).start()?;
        self.fill(&registry, &image)?;
        let other = self.source(&registry, &image)?;
        let from = other.as_ref().unwrap_or(&registry);
        let credentials = scratch.join("config.json");
        fs_err::write(&credentials, self.config(&[registry.address(), from.address()]))?;
        let stage = Stage {
            direction: self.direction,
            layout: &layout,
            tag: TAG,
            reference: format!("{}/{REPOSITORY}:{TAG}", registry.address()),
            source: format!("{}/{SOURCE}:{TAG}", from.address()),
            hosts: [&registry, from]
                .iter()
                .flat_map(|registry| [registry.address(), registry.other_address()])
                .collect(),
            chunk: self.chunk,
            credentials: &credentials,
        };
        let before = end::tagged(&registry);
        let came = client(&stage);
        let trace = registry.trace();
        let asked = other.as_ref().map(TestRegistry::trace);
        let fault = end::judge(self, came, &registry, &image, before, &layout)
            .and_then(|()| self.check(&trace, asked.as_ref()));
        let unmet = self.unmet(&trace).or_else(|| unmet(asked.as_ref()?, Meets::All));
        Ok(Verdict { fault: fault.err(), unmet, trace })
    }

    /// Puts into the registry what is there before.
    fn fill(&self, registry: &TestRegistry, image: &Image) -> io::Result<()> {
        match self.before {
            Before::Nothing => {}
            Before::Same if self.direction == Direction::List => {
                for tag in TAGS {
                    image.put(registry, REPOSITORY, tag);
                }
            }
            Before::Same => image.put(registry, REPOSITORY, TAG),
            Before::Older => Image::sample("0")?.put(registry, REPOSITORY, TAG),
        }
        Ok(())
    }

    /// Starts the registry that copies come from, if it is another one, and puts the image there.
    fn source(&self, registry: &TestRegistry, image: &Image) -> io::Result<Option<TestRegistry>> {
        if !matches!(self.direction, Direction::Copy | Direction::CopyAttached) {
            return Ok(None);
        }
        let other = match &self.source {
            Source::SameRegistry => None,
            Source::OtherRegistry(rules) => {
                let builder = TestRegistry::builder().auth(self.auth.clone());
                Some(builder.rules(rules.clone()).start()?)
            }
        };
        let from = other.as_ref().unwrap_or(registry);
        image.put(from, SOURCE, TAG);
        image.attached().put_untagged(from, SOURCE);
        Ok(other)
    }

    /// Returns a configuration of Docker with the credentials for addresses.
    fn config(&self, addresses: &[String]) -> String {
        use base64::Engine as _;
        let Some(password) = &self.password else { return "{}".to_owned() };
        let encoded =
            base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"));
        let logins = addresses
            .iter()
            .map(|address| (address.clone(), serde_json::json!({ "auth": encoded })));
        let logins: serde_json::Map<_, _> = logins.collect();
        serde_json::json!({ "auths": logins }).to_string()
    }

    fn check(&self, trace: &Trace, source: Option<&Trace>) -> Result<(), String> {
        if trace.exchanges.is_empty() {
            return Err("the registry was not asked for anything".to_owned());
        }
        let checked = trace.check(&self.properties);
        let elsewhere = [Property::NoCredentialElsewhere];
        checked.and_then(|()| source.map_or(Ok(()), |trace| trace.check(&elsewhere))).map_err(
            |violation| format!("{:?} does not hold: {}", violation.property, violation.found),
        )
    }

    fn unmet(&self, trace: &Trace) -> Option<String> {
        unmet(trace, self.meets)
    }
}

/// Says which rule made no difference, although it was to.
fn unmet(trace: &Trace, meets: Meets) -> Option<String> {
    let mut unmet = (0..trace.met.len())
        .filter_map(|rule| trace.check(&[Property::Met(rule)]).err())
        .map(|violation| violation.found);
    match meets {
        Meets::All => unmet.next(),
        Meets::Some if trace.met.is_empty() => None,
        Meets::Some => {
            let unmet: Vec<_> = unmet.collect();
            (unmet.len() == trace.met.len()).then(|| unmet.join(", "))
        }
    }
}
