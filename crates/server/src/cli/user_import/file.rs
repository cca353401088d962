//! The file: CSV with a header, or a JSON array of objects, both with the members of a user in the admin API. It is read as a whole
//! before anything is sent, and every mistake in it is told.

use std::{collections::HashMap, path::Path};

use anyhow::Context;
use serde_json::{Map, Value};

use crate::cli::failure::Failure;

/// What a row may say of a user.
const MEMBERS: [&str; 7] = ["user_name", "email", "display_name", "enabled", "password", "role", "external_id"];

/// One user of the file. What a row does not say stays as it is.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// Where it stands, for messages: a line of CSV or the number of an object, from 1.
    pub(super) place: usize,
    pub(super) members: Map<String, Value>,
}

impl Row {
    pub(super) fn find(&self, member: &str) -> Option<&str> {
        self.members.get(member).and_then(Value::as_str)
    }

    pub(super) fn user_name(&self) -> &str {
        self.find("user_name").unwrap_or_default()
    }
}

/// Reads a file by what it begins with.
pub(super) fn read(path: &Path) -> Result<Vec<Row>, Failure> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = text.trim_start_matches('\u{feff}');
    let rows = if text.trim_start().starts_with(['[', '{']) { of_json(text) } else { of_csv(text) };
    let (rows, mut mistakes) = rows?;
    mistakes.extend(doubles(&rows));
    if mistakes.is_empty() {
        return Ok(rows);
    }
    Err(Failure::usage(format!("nothing was imported:\n{}", mistakes.join("\n"))))
}

type Found = (Vec<Row>, Vec<String>);

fn of_csv(text: &str) -> Result<Found, Failure> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().context("the first line names the columns")?.clone();
    let unknown: Vec<_> = header.iter().filter(|name| !MEMBERS.contains(name)).collect();
    if !unknown.is_empty() || !header.iter().any(|name| name == "user_name") {
        return Err(Failure::usage(format!(
            "the first line names the columns, `user_name` and any of {}; it has {}",
            MEMBERS[1..].join(", "),
            header.iter().collect::<Vec<_>>().join(", ")
        )));
    }
    let (mut rows, mut mistakes) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(why) => {
                mistakes.push(why.to_string());
                continue;
            }
        };
        let place = record.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(0));
        // An empty cell says nothing.
        let cells = header.iter().zip(record.iter()).filter(|(_, cell)| !cell.is_empty());
        match cells.map(|(name, cell)| of_cell(name, cell)).collect::<Result<Map<_, _>, _>>() {
            Ok(members) => rows.push(Row { place, members }),
            Err(why) => mistakes.push(format!("line {place}: {why}")),
        }
    }
    mistakes.extend(nameless(&rows, "line"));
    Ok((rows, mistakes))
}

fn of_cell(name: &str, cell: &str) -> Result<(String, Value), String> {
    let value = match (name, cell.to_ascii_lowercase().as_str()) {
        ("enabled", "true") => Value::Bool(true),
        ("enabled", "false") => Value::Bool(false),
        ("enabled", _) => return Err("`enabled` is true or false".to_owned()),
        ("role", "none") => Value::Null,
        _ => Value::String(cell.to_owned()),
    };
    Ok((name.to_owned(), value))
}

fn of_json(text: &str) -> Result<Found, Failure> {
    let read: Vec<Map<String, Value>> = serde_json::from_str(text)
        .map_err(|why| Failure::usage(format!("not a JSON array of users, at line {}", why.line())))?;
    let (mut rows, mut mistakes) = (Vec::new(), Vec::new());
    for (place, members) in read.into_iter().enumerate().map(|(place, members)| (place + 1, members)) {
        mistakes.extend(members.iter().filter_map(|(name, value)| {
            let fits = match name.as_str() {
                "enabled" => value.is_boolean(),
                "user_name" | "password" => value.is_string(),
                known if MEMBERS.contains(&known) => value.is_string() || value.is_null(),
                _ => return Some(format!("user {place}: unknown member `{name}`; one of: {}", MEMBERS.join(", "))),
            };
            (!fits).then(|| format!("user {place}: the value of `{name}` does not fit"))
        }));
        rows.push(Row { place, members });
    }
    mistakes.extend(nameless(&rows, "user"));
    Ok((rows, mistakes))
}

fn nameless(rows: &[Row], unit: &str) -> Vec<String> {
    let nameless = rows.iter().filter(|row| row.user_name().is_empty());
    nameless.map(|row| format!("{unit} {}: `user_name` is missing", row.place)).collect()
}

/// Two rows for one user would be two opinions.
fn doubles(rows: &[Row]) -> Vec<String> {
    let mut mistakes = Vec::new();
    for member in ["user_name", "external_id"] {
        let mut seen = HashMap::new();
        for row in rows {
            let Some(value) = row.find(member).filter(|value| !value.is_empty()) else { continue };
            let key = if member == "user_name" { value.to_lowercase() } else { value.to_owned() };
            if let Some(first) = seen.insert(key, row.place) {
                mistakes.push(format!("{first} and {}: the same {member}", row.place));
            }
        }
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_text(text: &str) -> Result<Vec<Row>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        std::fs::write(&path, text).unwrap();
        read(&path).map_err(|why| why.show(crate::cli::arguments::Output::Table))
    }

    fn members(rows: &[Row]) -> Vec<Value> {
        rows.iter().map(|row| Value::Object(row.members.clone())).collect()
    }

    #[test]
    fn csv_and_json_say_the_same_and_an_empty_cell_says_nothing() {
        let csv = "\u{feff}user_name, email ,enabled,role\nada,\"ada@example.org\",TRUE,none\nbob,,false,\n";
        let json = r#"[{"user_name":"ada","email":"ada@example.org","enabled":true,"role":null},{"user_name":"bob","enabled":false}]"#;
        let (one, other) = (read_text(csv).unwrap(), read_text(json).unwrap());
        assert_eq!(members(&one), members(&other));
        assert_eq!(members(&one)[1], json!({ "user_name": "bob", "enabled": false }));
        assert_eq!((one[1].place, other[1].place), (3, 2));
    }

    #[test]
    fn every_mistake_is_told_and_where_it_stands() {
        for (text, words) in [
            ("name\nada\n", "the first line names the columns"),
            ("user_name,planet\nada,mars\n", "the first line names the columns"),
            ("user_name,enabled\nada,maybe\n", "line 2: `enabled` is true or false"),
            ("user_name,email\n,ada@example.org\n", "line 2: `user_name` is missing"),
            ("user_name\nada\nADA\n", "2 and 3: the same user_name"),
            ("user_name,external_id\nada,7\nbob,7\n", "2 and 3: the same external_id"),
            ("user_name,email\nada\n", "line: 2"),
            ("[{}]", "user 1: `user_name` is missing"),
            (r#"[{"user_name":"ada","planet":1}]"#, "user 1: unknown member `planet`"),
            (r#"[{"user_name":"ada","enabled":"yes"}]"#, "user 1: the value of `enabled` does not fit"),
            (r#"{"user_name":"ada"}"#, "not a JSON array of users"),
        ] {
            let why = read_text(text).unwrap_err();
            assert!(why.contains(words), "{text:?}: {why}");
        }
    }
}
