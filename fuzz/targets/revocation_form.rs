//! What a revocation request asks for: any body is read without harm, and never as more than it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind::protocol::{
    form::Form,
    revoke::asked::{Asked, MOST_TOKENS},
};
use rescind_ledger::Settings;

fuzz_target!(|input: &[u8]| {
    let Some((switch, body)) = input.split_first() else { return };
    let mut settings = Settings::default();
    settings.allow_all_value_for_revoke_endpoint = switch & 1 == 1;
    let Ok(form) = Form::parse(body) else { return };
    let token = form.find("token");
    match Asked::read(&form, &settings) {
        Ok(Asked::Everything) => {
            assert!(settings.allow_all_value_for_revoke_endpoint, "everything, though that is not allowed");
            let says = |name: &str| form.find(name).is_some_and(|text| text.eq_ignore_ascii_case("all"));
            assert!(says("token") || says("token_type_hint"), "everything, though nobody said so");
            assert!(token.is_some(), "everything without a token");
        }
        Ok(Asked::Tokens { texts, .. }) => {
            assert!((1..=MOST_TOKENS).contains(&texts.len()));
            assert!(texts.iter().all(|text| !text.is_empty() && !text.contains(' ')));
            assert!(texts.iter().all(|text| token.is_some_and(|token| token.contains(text))));
        }
        Err(why) => assert_eq!(why.code(), "invalid_request"),
    }
});
