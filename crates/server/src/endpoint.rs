//! One line of the tables that say which path is what: from them come the router and the description of every endpoint.

use std::sync::Arc;

use axum::{
    Router,
    routing::{MethodFilter, MethodRouter},
};

use crate::{
    app::App,
    openapi::{Description, Operation, Security},
};

/// The methods that the tables use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Delete,
    Get,
    Options,
    Patch,
    Post,
    Put,
}

impl Verb {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }

    /// What makes the router answer to it.
    #[must_use]
    pub fn filter(self) -> MethodFilter {
        match self {
            Self::Delete => MethodFilter::DELETE,
            Self::Get => MethodFilter::GET,
            Self::Options => MethodFilter::OPTIONS,
            Self::Patch => MethodFilter::PATCH,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
        }
    }
}

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// Below the path of the issuer.
    Issuer,
    /// At the root of the host, with the path of the issuer behind it: RFC 8414 section 3.1 inserts the well-known part
    /// before that path, where OpenID Connect appends it.
    BeforeIssuer,
    /// At the root of the host, whatever the path of the issuer.
    Root,
}

/// One line.
pub struct Endpoint {
    pub method: Verb,
    pub beginning: Beginning,
    pub path: &'static str,
    pub tag: &'static str,
    pub security: Security,
    /// One sentence for people.
    pub summary: &'static str,
    pub describe: fn(Description) -> Description,
    pub serve: fn() -> MethodRouter<Arc<App>>,
}

/// Turns a handler of axum into a line of a table.
macro_rules! endpoint {
    ($method:ident $beginning:ident $path:expr, $tag:expr, $security:ident, $handler:path, $summary:literal, $describe:expr) => {
        $crate::endpoint::Endpoint {
            method: $crate::endpoint::Verb::$method,
            beginning: $crate::endpoint::Beginning::$beginning,
            path: $path,
            tag: $tag,
            security: $crate::openapi::Security::$security,
            summary: $summary,
            describe: $describe,
            serve: || axum::routing::on($crate::endpoint::Verb::$method.filter(), $handler),
        }
    };
}
pub(crate) use endpoint;

impl Endpoint {
    /// The path from the place where it begins, for an issuer with that path.
    fn full_path(&self, issuer_path: &str) -> String {
        match self.beginning {
            Beginning::Issuer | Beginning::Root => self.path.to_owned(),
            Beginning::BeforeIssuer => format!("{}{issuer_path}", self.path),
        }
    }

    /// The line as the document has it.
    #[must_use]
    pub fn operation(&self, issuer_path: &str) -> Operation {
        self.operation_at(self.full_path(issuer_path), self.beginning, self.tag)
    }

    /// The same for another path at which it is served.
    #[must_use]
    pub fn operation_at(&self, path: String, beginning: Beginning, tag: &str) -> Operation {
        Operation {
            method: self.method,
            path,
            beginning,
            tag: tag.to_owned(),
            summary: self.summary,
            security: self.security,
            errors: self.security.errors(),
            describe: self.describe,
        }
    }
}

/// The router that a table stands for. For an issuer without a path, what is before it and what is below it are the same
/// place, where each path is served once.
pub fn router(table: &'static [Endpoint], issuer_path: &str) -> Router<Arc<App>> {
    let (mut root, mut below) = (Router::new(), Router::new());
    for endpoint in served(table, issuer_path) {
        let (path, methods) = (endpoint.full_path(issuer_path), (endpoint.serve)());
        match endpoint.beginning {
            Beginning::Issuer => below = below.route(&path, methods),
            Beginning::BeforeIssuer | Beginning::Root => root = root.route(&path, methods),
        }
    }
    if issuer_path.is_empty() { root.merge(below) } else { root.nest(issuer_path, below) }
}

/// The same, with an answer of one's own for whatever else is asked for below a path.
pub fn router_below(
    table: &'static [Endpoint],
    issuer_path: &str,
    base: &str,
    nothing: &MethodRouter<Arc<App>>,
) -> Router<Arc<App>> {
    let rest = ["", "/", "/{*rest}"].map(|rest| format!("{issuer_path}{base}{rest}"));
    rest.iter().fold(router(table, issuer_path), |router, path| router.route(path, nothing.clone()))
}

/// A router of lines at other paths than their own.
pub fn router_at(lines: impl Iterator<Item = (String, &'static Endpoint)>) -> Router<Arc<App>> {
    lines.fold(Router::new(), |router, (path, line)| router.route(&path, (line.serve)()))
}

/// The lines that say something for an issuer with this path.
pub fn served(table: &'static [Endpoint], issuer_path: &str) -> impl Iterator<Item = &'static Endpoint> {
    let has_path = !issuer_path.is_empty();
    let is_elsewhere = move |line: &Endpoint| {
        let same = |other: &Endpoint| {
            other.beginning == Beginning::Issuer && other.path == line.path && other.method == line.method
        };
        line.beginning == Beginning::BeforeIssuer && table.iter().any(same)
    };
    table.iter().filter(move |line| has_path || !is_elsewhere(line))
}
