//! The document, from the tables.

use std::collections::BTreeMap;

use utoipa::openapi::{
    Components, Info, License, OpenApi, Paths, Ref, RefOr, Required, Server, Tag,
    path::{HttpMethod, Operation as Written, OperationBuilder, ParameterBuilder, ParameterIn, PathItem},
};

use super::{
    answers::{ANYWHERE, Errors},
    description::Description,
    security::{Security, schemes},
    shape::{Component, name as any_name},
};
use crate::{
    config::Config,
    endpoint::{Beginning, Verb},
};

/// One operation, as the tables have it.
pub struct Operation {
    pub method: Verb,
    pub path: String,
    pub beginning: Beginning,
    pub tag: String,
    pub summary: &'static str,
    pub security: Security,
    pub errors: Errors,
    pub describe: fn(Description) -> Description,
}

const ABOUT: &str = "Every endpoint of rescind. A path that has no such method answers 405, whatever has `GET` answers `HEAD`, and \
    what is not described here does not exist. A request may bring `X-Correlation-Id` (1 to 128 letters, digits and \
    `-_.:/+=@`): the answer has it, or one of ours, and so does the audit trail. What can be switched off answers 403 \
    `access_denied` while it is. Any request may be answered by the connection itself, in the form of `OAuthError`: 408 and \
    413 for its body, 500 and 503 for troubles here.";

/// The document of a server that is configured so.
#[must_use]
pub fn document(config: &Config, operations: impl IntoIterator<Item = Operation>) -> OpenApi {
    let (issuer, root) = (config.issuer.as_str(), config.issuer_origin());
    let (mut components, mut paths, mut tags) = (Components::new(), Paths::new(), BTreeMap::new());
    schemes(&mut components, issuer);
    for operation in operations {
        tags.insert(operation.tag.clone(), ());
        let (path, method) = (operation.path.clone(), method(operation.method));
        let server = (operation.beginning != Beginning::Issuer && root != issuer).then(|| Server::new(root));
        let mut written = write(operation, &mut components);
        written.servers = server.map(|server| vec![server]);
        add(&mut paths, path, PathItem::new(method, written));
    }
    let licence = License::builder().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build();
    let about = Info::builder().title("rescind").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT));
    let mut document = OpenApi::new(about.license(Some(licence)).build(), paths);
    document.servers = Some(vec![Server::new(issuer)]);
    document.tags = Some(tags.into_keys().map(Tag::new).collect());
    document.components = Some(components);
    document
}

fn add(paths: &mut Paths, path: String, item: PathItem) {
    match paths.paths.get_mut(&path) {
        Some(known) => known.merge_operations(item),
        None => drop(paths.paths.insert(path, item)),
    }
}

fn method(verb: Verb) -> HttpMethod {
    match verb {
        Verb::Delete => HttpMethod::Delete,
        Verb::Get => HttpMethod::Get,
        Verb::Options => HttpMethod::Options,
        Verb::Patch => HttpMethod::Patch,
        Verb::Post => HttpMethod::Post,
        Verb::Put => HttpMethod::Put,
    }
}

fn write(operation: Operation, components: &mut Components) -> Written {
    let described = (operation.describe)(Description::default());
    keep(components, described.components);
    let words = operation.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let id = words.fold(operation.method.name().to_ascii_lowercase(), |id, word| format!("{id}_{word}"));
    let mut written = OperationBuilder::new()
        .operation_id(Some(id))
        .tag(operation.tag)
        .summary(Some(operation.summary))
        .description(described.text)
        .securities(Some(operation.security.requirements()))
        .request_body(described.body);
    for name in places(&operation.path) {
        if !described.parameters.iter().any(|known| known.name == name) {
            let place = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
            written = written.parameter(place.schema(Some(any_name().schema)).build());
        }
    }
    for parameter in described.parameters {
        written = written.parameter(parameter);
    }
    let mut refusals = described.refusals;
    refusals.extend(ANYWHERE.iter().chain(operation.errors.usual()));
    refusals.retain(|status| !described.answers.contains_key(status));
    for (status, answer) in described.answers {
        written = written.response(status.to_string(), answer);
    }
    // Its schema is named in the answers that the connection gives.
    keep(components, Errors::OAuth.answer(500).1);
    for status in refusals {
        let name = operation.errors.answer_name(status);
        written = written.response(status.to_string(), RefOr::Ref(Ref::from_response_name(name.clone())));
        let (answer, parts) = operation.errors.answer(status);
        keep(components, parts);
        components.responses.insert(name, RefOr::T(answer));
    }
    written.build()
}

fn keep(components: &mut Components, parts: Vec<Component>) {
    components.schemas.extend(parts);
}

/// The names in braces.
fn places(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}
