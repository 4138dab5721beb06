#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bake_recipes_fuzz::entries::environment(data));
