//! The session-revocation and session-management APIs as PingFederate has them, so that a client written for those runs
//! unchanged: one table of paths, from which the router is built.

mod answer;
mod caller;
mod described;
pub mod quota;
mod revoked_sris;
mod sessions;
mod standing;
mod users;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::Method as Asked,
    response::{IntoResponse, Response},
    routing::any,
};
use rescind_ledger::{Client, Initiator};

use crate::{app::App, endpoint::Verb as Method};
use answer::Refusal;
use caller::Received;
pub use described::operations;

/// The revocation list.
pub const REVOKED_SRIS: &str = "/pf-ws/rest/sessionMgmt/revokedSris";
/// Sessions by their reference identifiers (SRI), which are their `sid`.
pub const SESSIONS: &str = "/pf-ws/rest/sessionMgmt/sessions";
/// Sessions by their users.
pub const USERS: &str = "/pf-ws/rest/sessionMgmt/users";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    AddToList,
    AskTheList,
    ShowSession,
    ExtendSession,
    RevokeSession,
    DeleteAuthnSession,
    ShowUser,
    RevokeUser,
    /// The name is missing from the path.
    Nothing,
}

/// What a client must be allowed to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Permission {
    RevocationApi,
    ManagementApi,
}

impl Permission {
    fn is_given_to(self, client: &Client) -> bool {
        // A public client could be anybody, whatever its record says.
        !client.is_public()
            && match self {
                Self::RevocationApi => client.session_revocation_api,
                Self::ManagementApi => client.session_management_api,
            }
    }

    fn name(self) -> &'static str {
        match self {
            Self::RevocationApi => "session_revocation_api",
            Self::ManagementApi => "session_management_api",
        }
    }
}

/// A path with the one method it answers to.
struct Place {
    base: &'static str,
    rest: &'static str,
    method: Method,
    verb: Verb,
    /// What a refused method is told.
    allow: &'static str,
}

const fn place(base: &'static str, rest: &'static str, method: Method, verb: Verb) -> Place {
    Place { base, rest, method, verb, allow: method.name() }
}

/// The list and its items are one resource to whoever is told what is allowed there.
const fn on_list(rest: &'static str, method: Method, verb: Verb) -> Place {
    Place { allow: "GET, POST", ..place(REVOKED_SRIS, rest, method, verb) }
}

static PLACES: [Place; 13] = [
    on_list("", Method::Post, Verb::AddToList),
    on_list("/", Method::Get, Verb::Nothing),
    on_list("/{sri}", Method::Get, Verb::AskTheList),
    place(SESSIONS, "", Method::Get, Verb::Nothing),
    place(SESSIONS, "/", Method::Get, Verb::Nothing),
    place(SESSIONS, "/{sri}", Method::Get, Verb::ShowSession),
    place(SESSIONS, "/{sri}/extend", Method::Post, Verb::ExtendSession),
    place(SESSIONS, "/{sri}/revoke", Method::Post, Verb::RevokeSession),
    place(SESSIONS, "/{sri}/authnSessions/{id}", Method::Delete, Verb::DeleteAuthnSession),
    place(USERS, "", Method::Get, Verb::Nothing),
    place(USERS, "/", Method::Get, Verb::Nothing),
    place(USERS, "/{key}", Method::Get, Verb::ShowUser),
    place(USERS, "/{key}/revoke", Method::Post, Verb::RevokeUser),
];

impl Place {
    fn answers(&self, method: &Asked) -> bool {
        // RFC 9110 section 9.3.2: HEAD is GET without a body.
        method.as_str() == self.method.name() || (*method == Asked::HEAD && self.method == Method::Get)
    }

    fn permission(&self) -> Permission {
        if self.base == REVOKED_SRIS { Permission::RevocationApi } else { Permission::ManagementApi }
    }
}

/// The endpoints, under the path of the issuer.
pub fn routes() -> Router<Arc<App>> {
    PLACES.iter().fold(Router::new(), |router, place| {
        let serve = move |State(app): State<Arc<App>>, request: Request| serve(app, request, place);
        router.route(&format!("{}{}", place.base, place.rest), any(serve))
    })
}

/// Answers a call, and says beside the answer whose call it was.
async fn serve(app: Arc<App>, request: Request, place: &'static Place) -> Response {
    let received = Received::read(request, app.config.limits.body_bytes).await;
    let (answered, client, logged) = match received.authenticate(&app, place).await {
        Ok(client) => {
            let answered = match caller::permit(place, &client) {
                Ok(()) => carry_out(&app, place.verb, &received, &client).await,
                Err(why) => Err(why),
            };
            let logged = caller::proven(&client);
            (answered, Some(client), Some(logged))
        }
        Err(why) => (Err(why), None, received.claimed(&app)),
    };
    let mut response = match answered {
        Ok(response) => response,
        Err(why) => refuse(&app, place, client.as_deref(), why).await,
    };
    if let Some(logged) = logged {
        response.extensions_mut().insert(logged);
    }
    response
}

/// Records what was not allowed or not done, and answers. What could not be read is no refusal.
async fn refuse(app: &App, place: &Place, client: Option<&Client>, why: Refusal) -> Response {
    app.telemetry.count("rescind_requests_refused_total", &[("endpoint", "session_api"), ("error", why.result_id())]);
    if why.is_recorded() {
        let actor = client.map(|client| Initiator::Client(client.id.clone()));
        let what = format!("{} {}{}", place.method.name(), place.base, place.rest);
        if let Err(unrecorded) = app.audit_refusal(actor, &what, why.result_id()).await {
            return Refusal::from(unrecorded).into_response();
        }
    }
    why.into_response()
}

async fn carry_out(app: &App, verb: Verb, received: &Received, client: &Client) -> Result<Response, Refusal> {
    match verb {
        Verb::AddToList => revoked_sris::add(app, client, received).await,
        Verb::AskTheList => revoked_sris::ask(app, received).await,
        Verb::ShowSession => sessions::show(app, received).await,
        Verb::ExtendSession => sessions::extend(app, received).await,
        Verb::RevokeSession => sessions::revoke(app, client, received).await,
        Verb::DeleteAuthnSession => sessions::delete_authn_session(app, client, received).await,
        Verb::ShowUser => users::show(app, received).await,
        Verb::RevokeUser => users::revoke(app, client, received).await,
        Verb::Nothing => Err(Refusal::invalid("the path does not say which one: the name is missing")),
    }
}
