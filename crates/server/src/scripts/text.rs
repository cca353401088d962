//! What scripts can do with texts.
//!
//! The language's own package of these is left out. Between two operations nothing stops a script, so that each function here
//! has to end soon and yield no more than was put in; of the package's, `pad` with an empty text never ends, and `replace` yields
//! the product of two lengths before anybody looks at its size.

use rhai::{Engine, ImmutableString};

/// Gives scripts these functions. All of them leave their texts as they are.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_get("len", |text: &mut ImmutableString| length(text))
        .register_fn("len", length)
        .register_fn("contains", |text: &str, part: &str| text.contains(part))
        .register_fn("starts_with", |text: &str, part: &str| text.starts_with(part))
        .register_fn("ends_with", |text: &str, part: &str| text.ends_with(part))
        .register_fn("index_of", |text: &str, part: &str| text.find(part).map_or(-1, |at| count(text[..at].chars())))
        .register_fn("sub_string", |text: &str, start: i64, most: i64| {
            text.chars().skip(not_negative(start)).take(not_negative(most)).collect::<String>()
        })
        .register_fn("trim", |text: &str| text.trim().to_owned())
        .register_fn("to_lower", |text: &str| text.to_lowercase())
        .register_fn("to_upper", |text: &str| text.to_uppercase());
}

/// In characters.
fn length(text: &str) -> i64 {
    count(text.chars())
}

fn count(letters: impl Iterator) -> i64 {
    i64::try_from(letters.count()).unwrap_or(i64::MAX)
}

fn not_negative(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}
