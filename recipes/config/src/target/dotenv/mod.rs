//! `dotenv`: `.env` for development on one's own machine.
//!
//! ```text
//! .env          0600  all variables
//! secrets/FILE  0600  files of one value each, 0644 if open; their variables hold paths relative to .env
//! files/PATH          rendered files
//! ```

mod assignment;

use zeroize::Zeroizing;

use super::beside::{Beside, Source};
use super::parts::{Content, Parts, Variable};
use crate::deployment::{Deployment, OutputFile, Refusal};

/// The file.
const FILE: &str = ".env";
/// What stands above the variables. No quotes: some readers take those in comments for more.
const HEADER: &str =
    "# Written by bake for development: secrets may be in it. Never commit this file.\n";

pub(super) fn render(deployment: &Deployment<'_>) -> Result<Vec<OutputFile>, Vec<Refusal>> {
    let Parts { variables, values, files } = Parts::of(deployment)?;
    let Beside { mut files, values, rendered: _, mut refusals } = Beside::of(values, files);
    let room: usize = variables.iter().map(Variable::room).sum();
    let mut text = Zeroizing::new(String::with_capacity(4096 + room));
    text.push_str(HEADER);
    for variable in &variables {
        match &variable.content {
            Content::Text(value, _) => {
                if let Err(reason) = assignment::assign(&mut text, &variable.name, value) {
                    let hint = "deliver it as a file, or in a document";
                    refusals.push(Refusal::new(variable.key, reason, hint));
                }
            }
            Content::Reference(reference) => {
                let reason = format!("it is a reference, `{reference}`, which nobody follows here");
                let hint = "give its value in this environment";
                refusals.push(Refusal::new(variable.key, reason, hint));
            }
        }
    }
    for place in &values {
        let Some(variable) = &place.path_variable else { continue };
        let (Source::Beside(path) | Source::Machine(path)) = &place.source;
        if let Err(reason) = assignment::assign(&mut text, variable, path) {
            refusals.push(Refusal::new(variable, reason, "choose another path"));
        }
    }
    let contents = Zeroizing::new(text.as_bytes().to_vec());
    // As secret as it may become.
    files.push(OutputFile::secret(FILE, contents));
    if refusals.is_empty() { Ok(files) } else { Err(refusals) }
}
