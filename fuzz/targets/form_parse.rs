//! Form bodies and queries: what was read is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind::protocol::form::Form;

fuzz_target!(|input: &[u8]| {
    let Ok(form) = Form::parse(input) else { return };
    let mut again = String::new();
    for (name, value) in form.pairs() {
        assert!(!value.is_empty(), "a parameter without a value counts as absent");
        assert!(form.all(name).any(|one| one == value), "a pair that cannot be found");
        again.push_str(&format!("{}={}&", escaped(name), escaped(value)));
    }
    let Ok(read) = Form::parse(again.as_bytes()) else { panic!("refused what was read before") };
    assert!(form.pairs().eq(read.pairs()), "one form, two readings");
});

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
