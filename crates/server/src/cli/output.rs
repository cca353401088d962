//! Answers, as tables or as JSON.

use comfy_table::{Table, presets};
use rescind_ledger::{Initiator, Target};
use serde::Deserialize;
use serde_json::Value;

use super::arguments::{Globals, Output};

/// A list: its `items` as rows with the named members as columns, and where to go on.
pub(super) fn list(globals: &Globals, answer: &Value, members: &[&str]) {
    if globals.output == Output::Json {
        return json(answer);
    }
    let none = Vec::new();
    let items = answer.get("items").and_then(Value::as_array).unwrap_or(&none);
    let mut table = empty_table();
    table.set_header(members.iter().map(|member| member.replace('_', " ")));
    for item in items {
        table.add_row(members.iter().map(|member| cell(member, item.get(member))));
    }
    say(&table);
    if let Some(next) = answer.get("next").and_then(Value::as_str) {
        eprintln!("there are more: --cursor {next}");
    }
}

/// One record: its members as rows.
pub(super) fn record(globals: &Globals, answer: &Value) {
    if globals.output == Output::Json {
        return json(answer);
    }
    let mut table = empty_table();
    if let Some(members) = answer.as_object() {
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            table.add_row([name.replace('_', " "), cell(name, Some(value))]);
        }
    }
    say(&table);
}

/// The answer itself.
pub(super) fn json(answer: &Value) {
    say(&format_args!("{answer:#}"));
}

/// Whoever reads may have seen enough: that is no failure of ours.
fn say(what: &dyn std::fmt::Display) {
    use std::io::{ErrorKind, Write, stdout};
    match writeln!(stdout(), "{what}") {
        Err(why) if why.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        // Nowhere is left to say it.
        _ => {}
    }
}

fn empty_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// Moments are milliseconds since 1970 in members that are called so.
fn cell(member: &str, value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::Number(number))
            if member.ends_with("_at") || matches!(member, "at" | "before" | "time" | "this_server") =>
        {
            number.as_i64().and_then(moment).unwrap_or_else(|| number.to_string())
        }
        // What a stranger chose, such as a user agent, must not speak to the terminal.
        Some(Value::String(text)) => text.replace(char::is_control, "\u{fffd}"),
        Some(Value::Array(items)) => {
            let between = if items.iter().any(Value::is_object) { "\n" } else { " " };
            items.iter().map(|item| cell("", Some(item))).collect::<Vec<_>>().join(between)
        }
        Some(object @ Value::Object(members)) => {
            if let Some(words) = words(object) {
                return words.replace(char::is_control, "\u{fffd}");
            }
            let shown = |(name, value): (&String, &Value)| format!("{name}={}", cell(name, Some(value)));
            members.iter().filter(|(_, value)| !value.is_null()).map(shown).collect::<Vec<_>>().join(" ")
        }
        Some(other) => other.to_string(),
    }
}

/// What is ended and who did it, as the ledger itself puts it into words.
fn words(object: &Value) -> Option<String> {
    let target = Target::deserialize(object).map(|target| target.to_string());
    target.or_else(|_| Initiator::deserialize(object).map(|initiator| initiator.to_string())).ok()
}

fn moment(millis: i64) -> Option<String> {
    jiff::Timestamp::from_second(millis.div_euclid(1000)).ok().map(|moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_for_people() {
        assert_eq!(cell("expires_at", Some(&json!(1_700_000_000_123_i64))), "2023-11-14T22:13:20Z");
        assert_eq!(cell("before", Some(&json!(1_700_000_000_000_i64))), "2023-11-14T22:13:20Z");
        assert_eq!(cell("idle_secs", Some(&json!(60))), "60");
        assert_eq!(cell("scopes", Some(&json!(["a", "b"]))), "a b");
        assert_eq!(cell("target", Some(&json!({"kind": "client", "client": "c"}))), "client c");
        assert_eq!(cell("initiator", Some(&json!({"kind": "system", "id": "restore"}))), "system restore");
        assert_eq!(cell("by_api", Some(&json!([{"api": "a", "access_tokens": 2}]))), "access_tokens=2 api=a");
        assert_eq!(cell("device", None), "");
        assert_eq!(cell("user_agent", Some(&json!("a\u{1b}[2J"))), "a\u{fffd}[2J");
    }
}
