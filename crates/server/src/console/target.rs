//! What is to end, as the address of the dialog names it and as an entry of the ledger does: in words, with links.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{
    json::Json,
    trouble::Trouble,
    visit::{Fields, Visit, link, segment, user_name},
};

/// A kind of target: the members that it takes, as the admin API has them, and what is said of it before and behind their names.
struct Kind {
    name: &'static str,
    takes: &'static [&'static str],
    who: &'static str,
    then: &'static str,
}

const fn kind(name: &'static str, takes: &'static [&'static str], who: &'static str, then: &'static str) -> Kind {
    Kind { name, takes, who, then }
}

static KINDS: [Kind; 13] = [
    kind(
        "token",
        &["token"],
        "This one access token",
        "stops working at once, wherever its state is asked for. The rest of the grant goes on.",
    ),
    kind(
        "grant",
        &["grant"],
        "This access token and its refresh token",
        "stop working. The application has to send the user through sign-in again.",
    ),
    kind(
        "session",
        &["session"],
        "This session",
        "ends, and with it every token that depends on it. The user has to sign in again in that browser.",
    ),
    kind("key", &["key"], "Every token signed with the key", "stops working. A fresh key signs from now on."),
    kind(
        "device",
        &["device"],
        "Everything issued on the device",
        "stops working. Whoever uses it has to sign in again.",
    ),
    kind(
        "user",
        &["user"],
        "Every session and token of",
        "stops working, in every application. Userinfo and refresh are refused at once, and the user has to sign in again.",
    ),
    kind(
        "client",
        &["client"],
        "Every token issued to the application",
        "stops working, for all users. Each of them has to sign in to it again.",
    ),
    kind(
        "api",
        &["api"],
        "Every token for the API",
        "stops working there, for all users and applications. Access to other APIs goes on.",
    ),
    kind(
        "everything",
        &[],
        "Everything that was ever issued",
        "stops working: every session, token and grant of every user, yours included.",
    ),
    kind(
        "user_client",
        &["user", "client"],
        "What the application got for the user",
        "stops working. The user's other applications go on.",
    ),
    kind("user_api", &["user", "api"], "The user's access to the API", "stops working. Other APIs go on."),
    kind("client_api", &["client", "api"], "The application's access to the API", "stops working, for all users."),
    kind("device_client", &["device", "client"], "What the application got on the device", "stops working."),
];

/// A target as the admin API takes it.
pub(super) struct Aim {
    kind: &'static Kind,
    members: Vec<(&'static str, String)>,
}

impl Aim {
    /// What a query or a form names.
    pub(super) fn read(fields: &Fields) -> Result<Self, Trouble> {
        let asked = fields.find("kind").ok_or(Trouble::NotFound)?;
        let kind = KINDS.iter().find(|kind| kind.name == asked).ok_or(Trouble::NotFound)?;
        let member = |name: &&'static str| Some((*name, fields.find(name)?.to_owned()));
        let members: Option<Vec<_>> = kind.takes.iter().map(member).collect();
        Ok(Self { kind, members: members.ok_or(Trouble::NotFound)? })
    }

    pub(super) fn json(&self) -> Value {
        let mut target = json!({ "kind": self.kind.name });
        for (name, value) in &self.members {
            target[*name] = json!(value);
        }
        target
    }

    /// As parameters of a query.
    pub(super) fn parameters(&self) -> Vec<(&'static str, &str)> {
        let members = self.members.iter().map(|(name, value)| (*name, value.as_str()));
        [("kind", self.kind.name)].into_iter().chain(members).collect()
    }

    /// Finds out what the members are called.
    pub(super) async fn describe(&self, visit: &Visit) -> Result<Said, Trouble> {
        let mut called = Vec::new();
        for (name, value) in &self.members {
            let id = segment(value);
            let found = match *name {
                "user" => user_name(&visit.load(&format!("/users/{id}")).await?),
                "client" => visit.load(&format!("/clients/{id}")).await?.text("name"),
                // The server itself is an audience, too, without being registered.
                "api" => visit.find(&link("/apis", &[("audience", value)])).await?.unwrap_or_default().text("name"),
                "device" => visit.load(&format!("/devices/{id}")).await?.text("name"),
                "key" => value.clone(),
                // An id says nothing to anybody.
                _ => continue,
            };
            called.push(if found.trim().is_empty() { value.clone() } else { found });
        }
        Ok(Said { who: self.kind.who, what: called.join(" · "), then: self.kind.then })
    }
}

/// One sentence that says what will stop working: before, in and behind a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) who: &'static str,
    pub(super) what: String,
    pub(super) then: &'static str,
}

/// A target in a list, with a link to what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// What kind of thing it is.
    pub(super) kind: String,
    pub(super) parts: Vec<(String, Option<String>)>,
}

/// Names by id, as far as they are known.
#[derive(Default)]
pub(super) struct Names {
    pub(super) users: HashMap<String, String>,
    pub(super) applications: HashMap<String, String>,
    pub(super) apis: HashMap<String, String>,
}

impl Mark {
    /// A target as the ledger names it.
    pub(super) fn of(visit: &Visit, target: &Json, names: &Names) -> Self {
        let kind = target.text("kind");
        let words = match kind.as_str() {
            "subject" | "user" => "User",
            "client" => "Application",
            "audience" | "api" => "API",
            "everything" => "Everything",
            "subject_client" | "user_client" => "User and application",
            "subject_audience" | "user_api" => "User and API",
            "client_audience" | "client_api" => "Application and API",
            "device_client" => "Device and application",
            other => return Self { kind: super::words::sentence(other), parts: parts(visit, target, names) },
        };
        Self { kind: words.to_owned(), parts: parts(visit, target, names) }
    }
}

fn parts(visit: &Visit, target: &Json, names: &Names) -> Vec<(String, Option<String>)> {
    let called = |known: &HashMap<String, String>, id: &str| known.get(id).cloned().unwrap_or_else(|| id.to_owned());
    let mut parts = Vec::new();
    for member in ["subject", "user", "client", "audience", "api", "session", "token", "grant", "device", "key"] {
        let Some(id) = target.find(member) else { continue };
        let one = segment(&id);
        let path = |path: String| Some(visit.console.path(&path));
        parts.push(match member {
            "subject" | "user" => (called(&names.users, &id), path(format!("/users/{one}"))),
            "client" => (called(&names.applications, &id), path(format!("/applications/{one}"))),
            "audience" | "api" => (called(&names.apis, &id), path(link("/apis", &[("audience", &id)]))),
            "session" => (id, path(format!("/sessions/{one}"))),
            _ => (id, None),
        });
    }
    parts
}

/// The users that targets name.
pub(super) fn users_of<'a>(targets: impl Iterator<Item = &'a Json>) -> Vec<String> {
    targets.filter_map(|target| target.find("subject").or_else(|| target.find("user"))).collect()
}

/// Whether a text is a position, such as `1-42`.
pub(super) fn is_position(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.len() <= 20 && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('-').is_some_and(|(epoch, seq)| number(epoch) && number(seq))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_with_a_member_missing_is_none() {
        let read = |query: &str| Aim::read(&Fields::parse(query.as_bytes())).map(|aim| aim.json());
        assert_eq!(read("kind=user&user=u_1&client=c"), Ok(json!({ "kind": "user", "user": "u_1" })));
        for wrong in ["", "kind=user", "kind=user&user=", "kind=planet&user=x", "kind=user_client&user=x"] {
            assert_eq!(read(wrong), Err(Trouble::NotFound), "{wrong}");
        }
    }

    #[test]
    fn a_position_is_two_numbers() {
        assert!(is_position("1-42"));
        for wrong in ["", "1", "1-", "-1", "1-2-3", "1-<", "a-1"] {
            assert!(!is_position(wrong), "{wrong}");
        }
    }
}
