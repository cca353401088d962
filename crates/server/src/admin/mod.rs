//! The admin API, `/admin/v1`: one table of routes, from which the router is built. What is not in it is refused.

mod aim;
mod apis;
mod audit;
mod bulk;
mod call;
mod caller;
mod clients;
mod devices;
mod ended;
mod entries;
mod explain;
mod guard;
mod keys;
mod listings;
mod moment;
mod names;
mod overview;
mod pending;
mod preview;
pub mod problem;
mod receivers;
mod registration_tokens;
mod revocations;
mod routes;
mod scim_tokens;
mod scripts;
mod sessions;
mod settings;
mod state;
mod status;
mod target;
mod users;

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawPathParams, Request},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodRouter, any, on},
};
use rescind_ledger::{Action, AuditEvent, Initiator, Role};

use crate::{
    app::App,
    endpoint::{Beginning, Verb},
    openapi::{Description, Operation, Security},
};
use call::{Call, Handler};
use caller::Caller;
use problem::Problem;

pub use bulk::work_off;
pub use pending::carry_out_due;
pub use routes::ROUTES;

/// What a caller must be allowed to do. Each includes the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// See: `rescind:read`.
    Read,
    /// End access: `rescind:revoke`.
    Revoke,
    /// Change who and what there is: `rescind:write`.
    Write,
}

impl Access {
    /// All, the least first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Revoke, Self::Write];

    /// The scope that gives it.
    #[must_use]
    pub fn scope(self) -> &'static str {
        match self {
            Self::Read => "rescind:read",
            Self::Revoke => "rescind:revoke",
            Self::Write => "rescind:write",
        }
    }

    /// What a user of that role may do.
    #[must_use]
    pub fn of(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Read,
            Role::Revoker => Self::Revoke,
            Role::Administrator => Self::Write,
        }
    }

    /// What the scope lets its holder do.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Read => "See who and what there is.",
            Self::Revoke => "End access.",
            Self::Write => "Change who and what there is.",
        }
    }
}

/// One line of the table.
pub struct Route {
    pub method: Verb,
    /// Below `/admin/v1`; `{id}` is the one thing that may vary.
    pub path: &'static str,
    pub access: Access,
    /// What of it is recorded in the audit trail here.
    recorded: Recorded,
    /// One sentence for people.
    pub summary: &'static str,
    /// What it takes and answers.
    describe: fn(Description) -> Description,
    handler: Handler,
}

/// What the audit trail says of a call, besides what its orders and settings say themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recorded {
    /// Nothing more.
    ByItself,
    /// That somebody changed who or what there is.
    Change,
    /// That somebody saw what people hold.
    Read,
}

/// Where the API begins, below the issuer.
pub const BASE: &str = "/admin/v1";

/// The longest request on the local socket: a script of the greatest length fits, and a list of as many users as a bulk job
/// may have, whatever strangers may send.
pub const LOCAL_BODY_BYTES: usize =
    if scripts::BODY_LIMIT > bulk::BODY_LIMIT { scripts::BODY_LIMIT } else { bulk::BODY_LIMIT };

/// The table as the document has it.
pub fn operations() -> impl Iterator<Item = Operation> {
    ROUTES.iter().map(|route| {
        let noun = route.path.split('/').nth(1).unwrap_or_default().trim_end_matches("-history");
        let security = Security::Administrator(route.access);
        Operation {
            method: route.method,
            path: format!("{BASE}{}", route.path),
            beginning: Beginning::Issuer,
            tag: format!("Administration: {noun}"),
            summary: route.summary,
            security,
            errors: security.errors(),
            describe: route.describe,
        }
    })
}

/// By what door a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The socket in the data directory: whoever can open it owns the data anyway.
    Local,
    /// Over the network, with an access token of ours.
    Network,
}

/// The API for the network, under the path of the issuer: every request needs an access token with the route's scope.
pub fn router(app: &Arc<App>) -> Router {
    let path = url::Url::parse(&app.config.issuer).map(|issuer| issuer.path().trim_end_matches('/').to_owned());
    build(app, &format!("{}{BASE}", path.unwrap_or_default()), Way::Network)
}

/// The API for the local socket: no credential, since the file's permissions are one.
pub fn local_router(app: &Arc<App>) -> Router {
    build(app, BASE, Way::Local)
}

fn build(app: &Arc<App>, base: &str, way: Way) -> Router {
    let mut paths: Vec<(&'static str, MethodRouter)> = Vec::new();
    for route in ROUTES {
        let app = app.clone();
        let handle = move |parameters: RawPathParams, request: Request| answer(app, way, route, parameters, request);
        let served = on(route.method.filter(), handle);
        match paths.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, methods)) => *methods = std::mem::take(methods).merge(served),
            None => paths.push((route.path, served)),
        }
    }
    let mut router = Router::new();
    for (path, methods) in paths {
        router = router.route(&format!("{base}{path}"), methods.fallback(refuse(app, way, Problem::wrong_method)));
    }
    router
        .route(base, any(refuse(app, way, Problem::no_route)))
        .route(&format!("{base}/"), any(refuse(app, way, Problem::no_route)))
        .route(&format!("{base}/{{*rest}}"), any(refuse(app, way, Problem::no_route)))
}

/// Even what does not exist is told only to those who may ask.
fn refuse(
    app: &Arc<App>,
    way: Way,
    why: fn() -> Problem,
) -> impl Fn(Request) -> futures_util::future::BoxFuture<'static, Response> + Clone + Send + Sync + 'static {
    let app = app.clone();
    move |request: Request| {
        let app = app.clone();
        Box::pin(async move {
            let (parts, _) = request.into_parts();
            let refused = match identify(&app, way, &parts).await {
                Ok(caller) => caller.may(Access::Read).err(),
                Err(problem) => Some(problem),
            };
            refused.unwrap_or_else(why).into_response()
        })
    }
}

async fn identify(app: &App, way: Way, parts: &Parts) -> Result<Caller, Problem> {
    match way {
        Way::Local => Ok(Caller::local()),
        Way::Network => caller::identify(app, parts).await,
    }
}

async fn answer(
    app: Arc<App>,
    way: Way,
    route: &'static Route,
    parameters: RawPathParams,
    request: Request,
) -> Response {
    let caller = parking_lot::Mutex::new(None);
    let id = parameters.iter().next().map(|(_, value)| value.to_owned());
    let asked = call::words(route, id.as_deref(), request.uri().query().unwrap_or_default());
    let outcome = async {
        let (parts, body) = request.into_parts();
        let known = identify(&app, way, &parts).await?;
        let initiator = known.initiator.clone();
        *caller.lock() = Some(initiator.clone());
        known.may(route.access)?;
        let call = Call::read(app.clone(), initiator, id, (way, parts), body).await?;
        record(&app, route, &call, &asked).await?;
        (route.handler)(call).await
    };
    match outcome.await {
        Ok(response) => response,
        Err(problem) => {
            let who = caller.lock().take();
            if let Err(why) = refused(&app, &asked, who, &problem).await {
                return Problem::from(why).into_response();
            }
            app.telemetry.count("rescind_requests_refused_total", &[("endpoint", "admin"), ("error", problem.code())]);
            problem.into_response()
        }
    }
}

/// Before anything is shown or changed: what cannot be recorded does not happen.
async fn record(app: &App, route: &Route, call: &Call, asked: &str) -> Result<(), Problem> {
    let action = match route.recorded {
        Recorded::ByItself => return Ok(()),
        Recorded::Change => Action::Change,
        Recorded::Read => Action::Read,
    };
    let event = AuditEvent::new(action, Some(call.initiator.clone()), "asked").about(asked);
    Ok(app.audit(event).await?)
}

/// Whatever an administrator asked for and did not get is a refusal; of strangers, what they were not allowed.
async fn refused(
    app: &App,
    asked: &str,
    caller: Option<Initiator>,
    problem: &Problem,
) -> Result<(), rescind_ledger::LedgerError> {
    let status = problem.status();
    let is_refusal = match &caller {
        Some(_) => status.is_client_error(),
        None => matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
    };
    if !is_refusal {
        return Ok(());
    }
    app.audit_refusal(caller, asked, problem.code()).await
}

#[cfg(test)]
mod tests;
