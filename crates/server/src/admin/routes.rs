//! The table: every route of the admin API, and what it takes to use it.

use super::{
    Access, Recorded, Route,
    Verb::{Delete, Get, Patch, Post},
    apis, audit, clients, devices, entries, explain, keys, listings, preview, registration_tokens, revocations,
    scripts, sessions, settings, status, users,
};

/// Turns an `async fn` into the table's kind of handler.
macro_rules! route {
    ($method:ident $path:literal, $access:ident, $recorded:ident, $handler:path, $summary:literal) => {
        Route {
            recorded: Recorded::$recorded,
            method: $method,
            path: $path,
            access: Access::$access,
            summary: $summary,
            handler: |call| Box::pin($handler(call)),
        }
    };
}

/// Every route there is.
pub static ROUTES: &[Route] = &[
    route!(Get "/status", Read, ByItself, status::show, "Where the ledger and the server stand."),
    route!(Post "/users", Write, Change, users::add, "Adds a user."),
    route!(Get "/users", Read, Read, users::list, "Lists users."),
    route!(Get "/users/{id}", Read, Read, users::show, "Shows a user, by id or user name."),
    route!(Patch "/users/{id}", Write, Change, users::change, "Changes a user; disabling, renaming or a new password ends access."),
    route!(Delete "/users/{id}", Write, Change, users::remove, "Removes a user and ends their access."),
    route!(Post "/clients", Write, Change, clients::add, "Adds a client; its secret is shown this once."),
    route!(Get "/clients", Read, ByItself, clients::list, "Lists clients."),
    route!(Get "/clients/{id}", Read, ByItself, clients::show, "Shows a client."),
    route!(Patch "/clients/{id}", Write, Change, clients::change, "Changes a client; taking something away ends its access."),
    route!(Delete "/clients/{id}", Write, Change, clients::remove, "Removes a client and ends its access."),
    route!(Post "/clients/{id}/secret", Write, Change, clients::renew_secret, "Gives a client a new secret, shown this once."),
    route!(Post "/apis", Write, Change, apis::add, "Adds an API, and if asked a client by which it introspects."),
    route!(Get "/apis", Read, ByItself, apis::list, "Lists APIs, or shows the one of the query's `audience`."),
    route!(Patch "/apis", Write, Change, apis::change, "Changes the API of the query's `audience`."),
    route!(Delete "/apis", Write, Change, apis::remove, "Removes the API of the query's `audience` and ends access to it."),
    route!(Post "/devices", Write, Change, devices::add, "Adds a managed device."),
    route!(Get "/devices", Read, ByItself, devices::list, "Lists devices."),
    route!(Get "/devices/{id}", Read, ByItself, devices::show, "Shows a device."),
    route!(Patch "/devices/{id}", Write, Change, devices::change, "Changes a device; switching it off ends what was issued on it."),
    route!(Get "/sessions", Read, Read, listings::sessions, "Lists sessions with their present state."),
    route!(Get "/sessions/{id}", Read, Read, sessions::show, "Shows a session, with its user, device, clients and grants."),
    route!(Get "/sessions/{id}/end-others", Read, Read, sessions::preview_others, "Counts what the order below would end."),
    route!(Post "/sessions/{id}/end-others", Revoke, ByItself, sessions::end_others, "Ends the user's other sessions."),
    route!(Get "/users/{id}/end-sessions", Read, Read, sessions::preview_of_user, "Counts what the order below would end."),
    route!(Post "/users/{id}/end-sessions", Revoke, ByItself, sessions::end_of_user, "Ends all sessions of a user, and nothing else."),
    route!(Get "/grants", Read, Read, listings::grants, "Lists grants with their present state."),
    route!(Get "/tokens", Read, Read, listings::tokens, "Lists access tokens with their present state."),
    route!(Post "/revocations", Revoke, ByItself, revocations::order, "Ends what the target names."),
    route!(Get "/revocations", Read, ByItself, entries::list, "Lists revocations, the newest first."),
    route!(Get "/revocations/preview", Read, Read, preview::show, "Counts what a revocation would end, and ends nothing."),
    route!(Get "/revocations/{id}", Read, ByItself, entries::show, "Shows the revocation at a position."),
    route!(Post "/explain", Read, Read, explain::explain, "Says of a token whether it is alive, and if not, why."),
    route!(Post "/introspect", Read, Read, explain::introspect, "Says of a token what an API would hear (RFC 7662)."),
    route!(Get "/audit", Read, Read, audit::list, "Searches the audit trail, the newest record first."),
    route!(Get "/audit/records", Read, Read, audit::records, "Gives the audit trail as it was hashed, with its signed heads, in order."),
    route!(Get "/audit/head", Read, ByItself, audit::head, "Signs the last record of the audit trail and gives the signed head."),
    route!(Get "/keys", Read, ByItself, keys::list, "Lists the signing keys."),
    route!(Post "/keys", Write, Change, keys::rotate, "Signs with fresh keys from now on."),
    route!(Post "/scripts", Write, ByItself, scripts::put, "Adds a script, or stores another version of it."),
    route!(Get "/scripts", Read, ByItself, scripts::list, "Lists the scripts that are asked before a revocation is written."),
    route!(Get "/scripts/{id}", Read, ByItself, scripts::show, "Shows a script, or the one of its versions in the query."),
    route!(Get "/scripts/{id}/versions", Read, ByItself, scripts::versions, "Lists every version of a script."),
    route!(Patch "/scripts/{id}", Write, ByItself, scripts::change, "Switches a script on or off, or changes its order or source."),
    route!(Delete "/scripts/{id}", Write, ByItself, scripts::remove, "Takes a script out of use; its versions are kept."),
    route!(Get "/settings", Read, ByItself, settings::list, "Lists what can be set while the server runs, with the values in force."),
    route!(Get "/settings/{id}", Read, ByItself, settings::show, "Shows a setting."),
    route!(Patch "/settings/{id}", Write, ByItself, settings::change, "Changes a setting, in force with the next request."),
    route!(Get "/settings/{id}/history", Read, ByItself, settings::history, "Lists the changes of a setting, the newest first."),
    route!(Get "/settings-history", Read, ByItself, settings::history_of_all, "Lists the changes of all settings, the newest first."),
    route!(Post "/initial-access-tokens", Write, Change, registration_tokens::issue, "Makes a token for registering clients."),
    route!(Get "/initial-access-tokens", Read, ByItself, registration_tokens::list, "Lists tokens for registering clients."),
    route!(Delete "/initial-access-tokens/{id}", Write, Change, registration_tokens::withdraw, "Takes back such a token."),
];
