//! The init of machines (`bake/guest`), which the program carries for its own architecture.

use bake_recipes::Platform;

/// The program, empty where there is none.
static INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bake-machine-init"));

/// Returns the init for a platform, if this program carries it.
pub fn init(platform: Platform) -> Option<&'static [u8]> {
    // RPM's names of architectures are those of the kernel.
    let own = cfg!(target_os = "linux") && platform.rpm() == std::env::consts::ARCH;
    own.then_some(INIT)
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

    #[test]
    fn is_a_static_program_of_its_own_architecture() {
        let mut carried = Platform::all().filter(|platform| init(*platform).is_some());
        let platform = carried.next().unwrap();
        assert_eq!(platform.rpm(), std::env::consts::ARCH);
        assert_eq!(carried.next(), None);
        let program = init(platform).unwrap();
        let elf = bake_formats::elf::read(&program.to_vec()).unwrap();
        assert_eq!((elf.interpreter, elf.needed), (None, vec![]));
        assert!(program.len() < 2 << 20, "{} bytes", program.len());
    }

    #[test]
    fn does_not_say_where_it_was_built() {
        let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let workspace = workspace.to_str().unwrap().as_bytes();
        assert!(!INIT.windows(workspace.len()).any(|window| window == workspace));
    }
}
