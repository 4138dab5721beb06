//! The init of machines (`bake/guest`), which the program carries for its own architecture.

use bake_recipes::Platform;

/// The program, empty where there is none.
static INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bake-machine-init"));

/// Returns the init for a platform, if this program carries it.
pub fn init(platform: Platform) -> Option<&'static [u8]> {
    is_own(platform).then_some(INIT)
}

/// Returns whether this program carries static programs for a platform: for its own only.
pub(crate) fn is_own(platform: Platform) -> bool {
    // RPM's names of architectures are those of the kernel.
    cfg!(target_os = "linux") && platform.rpm() == std::env::consts::ARCH
}

/// Returns what to do for a platform whose init this program does not carry.
pub fn hint(platform: Platform) -> String {
    format!(
        "this bake carries the init of {} machines only: name one for {platform} by `vm.init = \"PATH\"`; \
         docs/init.md says how it is built",
        std::env::consts::ARCH
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry;

    type Carried = fn(Platform) -> Option<&'static [u8]>;

    #[test]
    fn are_static_programs_of_the_own_architecture() {
        for program in [init as Carried, entry::program] {
            let mut carried = Platform::all().filter(|platform| program(*platform).is_some());
            let platform = carried.next().unwrap();
            assert_eq!(platform.rpm(), std::env::consts::ARCH);
            assert_eq!(carried.next(), None);
            let program = program(platform).unwrap();
            let elf = bake_formats::elf::read(&program.to_vec()).unwrap();
            assert_eq!((elf.interpreter, elf.needed), (None, vec![]));
            assert!(program.len() < 2 << 20, "{} bytes", program.len());
        }
    }

    #[test]
    fn do_not_say_where_they_were_built() {
        let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let workspace = workspace.to_str().unwrap().as_bytes();
        let own = Platform::all().find(|platform| is_own(*platform)).unwrap();
        for program in [init(own).unwrap(), entry::program(own).unwrap()] {
            assert!(!program.windows(workspace.len()).any(|window| window == workspace));
        }
    }
}
