#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bake_formats_fuzz::entries::vagrant(data));
