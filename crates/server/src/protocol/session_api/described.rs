//! What these APIs take and answer. A place where the name is missing has nothing to describe: it only refuses.

use serde_json::json;

use super::{PLACES, Place, Verb};
use crate::{
    endpoint::Beginning,
    openapi::{
        Description, Errors, Operation, Security,
        shape::{Shape, list_of, object, one_of, pattern, text},
    },
};

/// The operations, as the document has them.
pub fn operations() -> impl Iterator<Item = Operation> {
    PLACES.iter().filter_map(operation)
}

fn operation(place: &Place) -> Option<Operation> {
    let (summary, describe): (_, fn(Description) -> Description) = match place.verb {
        Verb::AddToList => ("Puts a session on the revocation list, which ends it.", add_to_list),
        Verb::AskTheList => ("Asks whether a session is on the revocation list; this is activity in it.", ask_the_list),
        Verb::ShowSession => ("Shows a session.", |it| called(it).place("sri", id(), SRI).gives(200, session())),
        Verb::ExtendSession => {
            ("Begins a session's idle time anew.", |it| called(it).place("sri", id(), SRI).gives(200, session()))
        }
        Verb::RevokeSession => {
            ("Ends a session.", |it| called(it).place("sri", id(), SRI).gives(200, session()).refuses(&[429]))
        }
        Verb::DeleteAuthnSession => ("Ends an authentication session, and with the last one the session.", |it| {
            called(it).place("sri", id(), SRI).gives_nothing(204).refuses(&[404, 429])
        }),
        Verb::ShowUser => ("Lists a user's sessions that run.", |it| {
            let sessions = object().with("sessions", list_of(authn_session()));
            called(it).place("key", text(), KEY).gives(200, sessions.named("UserSessions"))
        }),
        Verb::RevokeUser => {
            ("Ends every session of a user.", |it| called(it).place("key", text(), KEY).gives_nothing(200))
        }
        Verb::Nothing => return None,
    };
    Some(Operation {
        method: place.method,
        path: format!("{}{}", place.base, place.rest),
        beginning: Beginning::Issuer,
        tag: "Session APIs".to_owned(),
        summary,
        security: Security::Client,
        errors: Errors::SessionApi,
        describe,
    })
}

const SRI: &str = "The session's reference identifier: its `sid`, which tokens also carry as `pi.sri`.";
const KEY: &str = "What names a user, by `sessions.user_key` in the configuration.";

/// What every call has.
fn called(it: Description) -> Description {
    it.needs_header("X-XSRF-HEADER", text(), "Any value will do: a form on some page cannot send it.")
}

fn id() -> Shape {
    pattern("^[A-Za-z0-9._~:+=-]{1,512}$")
}

fn add_to_list(it: Description) -> Description {
    let listed = object().with("id", id()).for_example(json!({ "id": "s_AAAAAAAAAAAAAAAAAAAAAA" }));
    called(it).json(listed.named("ListedSession")).gives(201, object().with("id", id()).open()).refuses(&[415, 429])
}

fn ask_the_list(it: Description) -> Description {
    let about = "`false`: do not count this as activity.";
    let it = called(it).place("sri", id(), SRI).query("updateActivityTime", one_of(&["true", "false"]), about);
    it.gives(200, object().with("id", id()).open()).refuses(&[404])
}

fn session() -> Shape {
    let status = one_of(&["HAS_VALID_SESSIONS", "NO_VALID_SESSIONS", "SESSION_REVOKED"]);
    let session = object().with("id", id()).with("status", status);
    session.with("authnSessions", list_of(authn_session())).named("ManagedSession")
}

fn authn_session() -> Shape {
    let source = object().with("type", text()).with("id", text()).open();
    let session = object().with("id", text()).with("authnSource", source);
    let session = session.with("creationTime", text()).with("lastActivityTime", text());
    let session = session.with("idleTimeout", text()).with("maxTimeout", text());
    session.may("ipAddress", text()).may("userAgent", text()).named("AuthnSession")
}
