//! The document as a page for people, made here and without scripts.

use std::collections::BTreeMap;

use askama::Template;
use serde_json::Value;

use super::words::{Kind, Member, example, kind, members};
use crate::protocol::pages::Site;

/// The page.
#[derive(Template)]
#[template(path = "openapi.html")]
pub(super) struct Reference<'a> {
    site: Site<'a>,
    issuer: &'a str,
    version: &'a str,
    about: &'a str,
    json: String,
    tags: Vec<Tag<'a>>,
    schemas: Vec<Named<'a>>,
    schemes: Vec<Scheme<'a>>,
}

/// Operations that belong together.
struct Tag<'a> {
    name: &'a str,
    id: String,
    operations: Vec<Operation<'a>>,
}

struct Operation<'a> {
    id: &'a str,
    method: String,
    path: &'a str,
    summary: &'a str,
    text: &'a str,
    callers: Vec<String>,
    parameters: Vec<Parameter<'a>>,
    bodies: Vec<Content<'a>>,
    answers: Vec<Answer<'a>>,
}

struct Parameter<'a> {
    place: &'a str,
    member: Member<'a>,
}

/// What a body is, in one media type.
struct Content<'a> {
    media_type: &'a str,
    kind: Kind,
}

struct Answer<'a> {
    status: &'a str,
    about: &'a str,
    contents: Vec<Content<'a>>,
}

/// A schema among the components.
struct Named<'a> {
    name: &'a str,
    about: &'a str,
    kind: Kind,
    members: Vec<Member<'a>>,
    example: Option<String>,
}

/// A security scheme.
struct Scheme<'a> {
    name: &'a str,
    about: &'a str,
}

/// A text member, empty if there is none.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn pairs(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

impl<'a> Reference<'a> {
    /// The page that says what a document says.
    pub(super) fn of(document: &'a Value, issuer: &'a str) -> Self {
        let mut tags: BTreeMap<&str, Vec<Operation<'_>>> = BTreeMap::new();
        for (path, item) in pairs(&document["paths"]) {
            for (method, operation) in pairs(item).filter(|(_, operation)| operation["operationId"].is_string()) {
                let tag = operation["tags"][0].as_str().unwrap_or_default();
                tags.entry(tag).or_default().push(Operation::of(document, method, path, operation));
            }
        }
        let tags = tags.into_iter().map(|(name, operations)| Tag { name, id: slug(name), operations });
        let components = &document["components"];
        let schemas = pairs(&components["schemas"]).map(|(name, schema)| Named {
            name,
            about: text(schema, "description"),
            kind: kind(schema),
            members: members(schema),
            example: example(schema),
        });
        let schemes = pairs(&components["securitySchemes"]);
        let site = Site::of(issuer);
        Self {
            site,
            issuer,
            version: text(&document["info"], "version"),
            about: text(&document["info"], "description"),
            json: site.path("/openapi.json"),
            tags: tags.collect(),
            schemas: schemas.collect(),
            schemes: schemes.map(|(name, scheme)| Scheme { name, about: text(scheme, "description") }).collect(),
        }
    }
}

/// What can stand in an address behind `#`.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

impl<'a> Operation<'a> {
    fn of(document: &'a Value, method: &str, path: &'a str, operation: &'a Value) -> Self {
        let parameter = |parameter: &'a Value| Parameter {
            place: text(parameter, "in"),
            member: Member {
                name: text(parameter, "name"),
                required: parameter["required"] == true,
                kind: kind(&parameter["schema"]),
                about: text(parameter, "description"),
            },
        };
        let answers = pairs(&operation["responses"]).map(|(status, answer)| {
            let named = answer["$ref"].as_str().and_then(|place| document.pointer(place.trim_start_matches('#')));
            let answer = named.unwrap_or(answer);
            Answer { status, about: text(answer, "description"), contents: contents(answer) }
        });
        Self {
            id: text(operation, "operationId"),
            method: method.to_ascii_uppercase(),
            path,
            summary: text(operation, "summary"),
            text: text(operation, "description"),
            callers: items(&operation["security"]).map(caller).collect(),
            parameters: items(&operation["parameters"]).map(parameter).collect(),
            bodies: contents(&operation["requestBody"]),
            answers: answers.collect(),
        }
    }
}

fn contents(of: &Value) -> Vec<Content<'_>> {
    pairs(&of["content"]).map(|(media_type, content)| Content { media_type, kind: kind(&content["schema"]) }).collect()
}

/// One of the ways to be let in.
fn caller(requirement: &Value) -> String {
    let schemes = pairs(requirement).map(|(scheme, scopes)| {
        let scopes: Vec<&str> = items(scopes).filter_map(Value::as_str).collect();
        if scopes.is_empty() { scheme.to_owned() } else { format!("{scheme} with {}", scopes.join(" ")) }
    });
    let schemes: Vec<String> = schemes.collect();
    if schemes.is_empty() { "nobody in particular".to_owned() } else { schemes.join(" and ") }
}
