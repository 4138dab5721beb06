//! Writes the seeds of every target to `corpus/`, where cargo-fuzz looks for them.

use std::fs;
use std::path::Path;

use bake_formats_fuzz::{entries, seeds};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in entries::TARGETS {
        let folder = corpus.join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds::seeds(target.name)?.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
