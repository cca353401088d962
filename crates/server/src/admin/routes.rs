//! The table: every route of the admin API, what it takes to use it, and what it takes and answers.

use rescind_ledger::{AccessToken, Grant, Session};

use super::{
    Access, Recorded, Route, apis, audit, bulk, clients, devices, entries, explain, guard, keys, listings, names,
    overview, pending, preview, receivers, registration_tokens, revocations, scim_tokens, scripts, sessions, settings,
    status, users,
};
use crate::{
    endpoint::Verb::{Delete, Get, Patch, Post},
    openapi::{
        Description,
        shape::{Shape, any_of, free_object, name, number, of, page_of, patch_of, text},
    },
};

/// Turns an `async fn` into the table's kind of handler.
macro_rules! route {
    ($method:ident $path:literal, $access:ident, $recorded:ident, $handler:path, $summary:literal, $describe:expr) => {
        Route {
            method: $method,
            path: $path,
            access: Access::$access,
            recorded: Recorded::$recorded,
            summary: $summary,
            describe: $describe,
            handler: |call| Box::pin($handler(call)),
        }
    };
}

/// A listing, page by page.
fn listing(it: Description, item: Shape) -> Description {
    it.pages().gives(200, page_of(item))
}

/// A script is named in the path.
fn named(it: Description, such_as: &str) -> Description {
    it.place("id", name(), "Its name.").such_as(such_as)
}

/// An API is named by its identifier, in the query.
fn of_audience(it: Description) -> Description {
    it.needs_query("audience", name(), "The identifier of the API.")
        .such_as("https://billing.example")
        .refuses(&[404, 409, 422])
}

/// Every route there is.
pub static ROUTES: &[Route] = &[
    route!(Get "/status", Read, ByItself, status::show, "Where the ledger and the server stand.",
        |it| it.gives(200, status::shown())),
    route!(Get "/overview", Read, ByItself, overview::show, "How much there is, and how much was revoked lately.",
        |it| it.gives(200, overview::shown())),
    route!(Post "/users", Write, Change, users::add, "Adds a user.",
        |it| it.json(of::<users::NewUser>()).gives(201, users::shown()).refuses(&[409, 422])),
    route!(Get "/users", Read, Read, users::list, "Lists users.", users::describe_list),
    route!(Get "/users/{id}", Read, Read, users::show, "Shows a user, by id or user name.",
        |it| it.gives(200, users::shown()).refuses(&[404])),
    route!(Patch "/users/{id}", Write, Change, users::change, "Changes a user; disabling, renaming or a new password ends access.",
        |it| it.patch(of::<users::ChangedUser>()).gives(200, users::shown()).refuses(&[404, 409, 422])),
    route!(Delete "/users/{id}", Write, Change, users::remove, "Removes a user and ends their access.",
        |it| it.gives(200, users::removed("id")).refuses(&[404, 422])),
    route!(Post "/clients", Write, Change, clients::add, "Adds a client; its secret is shown this once.",
        |it| it.json(of::<clients::ClientForm>()).gives(201, clients::shown()).refuses(&[404, 409, 422])),
    route!(Get "/clients", Read, ByItself, clients::list, "Lists clients.",
        |it| names::describe(it, clients::shown(), &names::SORTS, true)),
    route!(Get "/clients/{id}", Read, ByItself, clients::show, "Shows a client.",
        |it| it.gives(200, clients::shown()).refuses(&[404])),
    route!(Patch "/clients/{id}", Write, Change, clients::change, "Changes a client; taking something away ends its access.",
    |it| {
        let patch = patch_of::<clients::ClientForm>("ChangedClient", &["id"]);
        guard::parameters(it).patch(patch).gives(200, clients::shown()).refuses(&[404, 409, 422])
    }),
    route!(Delete "/clients/{id}", Write, Change, clients::remove, "Removes a client and ends its access.",
        |it| guard::parameters(it).gives(200, users::removed("id")).refuses(&[404, 409, 422])),
    route!(Post "/clients/{id}/secret", Write, Change, clients::renew_secret, "Gives a client a new secret, shown this once.",
        |it| it.gives(200, clients::shown()).refuses(&[404, 409, 422])),
    route!(Post "/apis", Write, Change, apis::add, "Adds an API, and if asked a client by which it introspects.",
        |it| it.json(of::<apis::ApiForm>()).gives(201, apis::shown()).refuses(&[409, 422])),
    route!(Get "/apis", Read, ByItself, apis::list, "Lists APIs, or shows the one of the query's `audience`.",
    |it| {
        let it = it.query("audience", name(), "The identifier of an API: only this one is shown.");
        let it = it.query("search", name(), "How the identifier or the name begins, in letters of either case.");
        names::sorted(it, &names::SORTS).pages().gives(200, any_of([page_of(apis::shown()), apis::shown()])).refuses(&[404])
    }),
    route!(Patch "/apis", Write, Change, apis::change, "Changes the API of the query's `audience`.",
    |it| {
        let patch = patch_of::<apis::ApiForm>("ChangedApi", &["audience", "introspection_client"]);
        guard::parameters(of_audience(it)).patch(patch).gives(200, apis::shown())
    }),
    route!(Delete "/apis", Write, Change, apis::remove, "Removes the API of the query's `audience` and ends access to it.",
        |it| guard::parameters(of_audience(it)).gives(200, users::removed("audience"))),
    route!(Post "/devices", Write, Change, devices::add, "Adds a managed device.",
        |it| it.json(of::<devices::DeviceForm>()).gives(201, devices::shown()).refuses(&[409, 422])),
    route!(Get "/devices", Read, ByItself, devices::list, "Lists devices.",
        |it| names::describe(it, devices::shown(), &names::SORTS, true)),
    route!(Get "/devices/{id}", Read, ByItself, devices::show, "Shows a device.",
        |it| it.gives(200, devices::shown()).refuses(&[404])),
    route!(Patch "/devices/{id}", Write, Change, devices::change, "Changes a device; switching it off ends what was issued on it.",
    |it| {
        let patch = patch_of::<devices::DeviceForm>("ChangedDevice", &[]);
        guard::parameters(it).patch(patch).gives(200, devices::shown()).refuses(&[404, 409, 422])
    }),
    route!(Get "/sessions", Read, Read, listings::list::<Session>, "Lists sessions with their present state.",
        |it| listings::describe::<Session>(it, listings::session())),
    route!(Get "/sessions/{id}", Read, Read, sessions::show, "Shows a session, with its user, device, clients and grants.",
        |it| it.gives(200, sessions::shown()).refuses(&[404])),
    route!(Get "/sessions/{id}/end-others", Read, Read, sessions::preview_others, "Counts what the order below would end.",
        sessions::describe_preview),
    route!(Post "/sessions/{id}/end-others", Revoke, ByItself, sessions::end_others, "Ends the user's other sessions.",
        sessions::describe_end),
    route!(Get "/users/{id}/end-sessions", Read, Read, sessions::preview_of_user, "Counts what the order below would end.",
        sessions::describe_preview),
    route!(Post "/users/{id}/end-sessions", Revoke, ByItself, sessions::end_of_user, "Ends all sessions of a user, and nothing else.",
        sessions::describe_end),
    route!(Get "/grants", Read, Read, listings::list::<Grant>, "Lists grants with their present state.",
        |it| listings::describe::<Grant>(it, listings::listed_grant())),
    route!(Get "/tokens", Read, Read, listings::list::<AccessToken>, "Lists access tokens with their present state.",
        |it| listings::describe::<AccessToken>(it, listings::listed_token())),
    route!(Post "/revocations", Revoke, ByItself, revocations::order, "Ends what the target names.", revocations::describe),
    route!(Get "/revocations", Read, ByItself, entries::list, "Lists revocations, the newest first.",
        entries::describe_list),
    route!(Get "/revocations/preview", Read, Read, preview::show, "Counts what a revocation would end, and ends nothing.",
        preview::describe),
    route!(Get "/revocations/{id}", Read, ByItself, entries::show, "Shows the revocation at a position, with what became of it.",
        entries::describe_show),
    route!(Get "/revocations/{id}/receipt", Read, ByItself, entries::sign, "Signs that receipt, for whoever wants to check it elsewhere.",
        entries::describe_sign),
    route!(Get "/pending-revocations", Read, ByItself, pending::list, "Lists revocations that wait, or have waited, the newest first.",
        pending::describe_list),
    route!(Get "/pending-revocations/{id}", Read, ByItself, pending::show_one, "Shows a pending revocation and what became of it.",
        |it| it.gives(200, pending::shown()).refuses(&[404])),
    route!(Post "/pending-revocations/{id}/approve", Revoke, ByItself, pending::approve,
        "Approves a revocation that another administrator has ordered.",
        |it| it.gives(200, pending::shown()).refuses(&[404, 409])),
    route!(Post "/pending-revocations/{id}/withdraw", Revoke, ByItself, pending::withdraw, "Takes back a revocation that still waits.",
        |it| it.gives(200, pending::shown()).refuses(&[404, 409])),
    route!(Post "/bulk-jobs", Revoke, ByItself, bulk::order, "Does one thing to many users, in the background.", bulk::describe),
    route!(Get "/bulk-jobs", Read, ByItself, bulk::list, "Lists bulk jobs, the newest first.", |it| listing(it, bulk::shown())),
    route!(Get "/bulk-jobs/{id}", Read, ByItself, bulk::show_one, "Shows how far a bulk job has come.",
        |it| it.gives(200, bulk::shown()).refuses(&[404])),
    route!(Get "/bulk-jobs/{id}/failures", Read, ByItself, bulk::failures, "Lists the users for whom a bulk job did nothing.",
        |it| listing(it, bulk::failure()).refuses(&[404])),
    route!(Post "/bulk-jobs/{id}/approve", Revoke, ByItself, bulk::approve, "Approves a bulk job that another administrator has ordered.",
        |it| it.gives(200, bulk::shown()).refuses(&[404, 409])),
    route!(Post "/bulk-jobs/{id}/stop", Revoke, ByItself, bulk::stop, "Stops a bulk job; what is done stays done.",
        |it| it.gives(200, bulk::shown()).refuses(&[404, 409])),
    route!(Get "/receivers", Read, ByItself, receivers::list, "Lists who must hear of revocations, and how each does.",
        |it| listing(it, receivers::shown())),
    route!(Post "/explain", Read, ByItself, explain::explain, "Says of a token whether it is alive, and if not, why.",
        |it| it.json(of::<explain::Presented>()).gives(200, explain::explained())),
    route!(Post "/introspect", Read, ByItself, explain::introspect, "Says of a token what an API would hear (RFC 7662).",
        |it| it.json(of::<explain::Presented>()).gives(200, free_object())),
    route!(Get "/keys", Read, ByItself, keys::list, "Lists the signing keys.", |it| it.gives(200, keys::shown())),
    route!(Post "/keys", Write, Change, keys::rotate, "Signs with fresh keys from now on.", |it| it.gives(201, keys::shown())),
    route!(Get "/settings", Read, ByItself, settings::list, "Lists what can be set while the server runs, with the values in force.",
        |it| it.gives(200, settings::listed())),
    route!(Get "/settings/{id}", Read, ByItself, settings::show, "Shows a setting.",
        |it| settings::named(it).gives(200, settings::shown())),
    route!(Patch "/settings/{id}", Write, ByItself, settings::change, "Changes a setting, in force with the next request.",
        |it| settings::named(it).json(of::<settings::ChangeForm>()).gives(200, settings::shown()).refuses(&[409, 422])),
    route!(Get "/settings/{id}/history", Read, ByItself, settings::history, "Lists the changes of a setting, the newest first.",
        |it| listing(settings::named(it), settings::changed())),
    route!(Get "/settings-history", Read, ByItself, settings::history_of_all, "Lists the changes of all settings, the newest first.",
        |it| listing(it, settings::changed())),
    route!(Post "/scripts", Write, ByItself, scripts::put, "Adds a script, or stores another version of it.",
        |it| it.json(of::<scripts::NewScript>()).gives(201, scripts::shown()).refuses(&[409, 422])),
    route!(Get "/scripts", Read, ByItself, scripts::list, "Lists the scripts that are asked before a revocation is written.",
        |it| listing(it, scripts::summarized())),
    route!(Get "/scripts/{id}", Read, ByItself, scripts::show, "Shows a script, or the one of its versions in the query.",
        |it| named(it, "guard").query("version", number(), "Which version; without it the one in use.").gives(200, scripts::found()).refuses(&[404])),
    route!(Get "/scripts/{id}/versions", Read, ByItself, scripts::versions, "Lists every version of a script.",
        |it| named(it, "guard").gives(200, page_of(scripts::version())).refuses(&[404])),
    route!(Patch "/scripts/{id}", Write, ByItself, scripts::change, "Switches a script on or off, or changes its order or source.",
        |it| named(it, "guard").json(of::<scripts::Change>()).gives(200, scripts::shown()).refuses(&[404, 409, 422])),
    route!(Delete "/scripts/{id}", Write, ByItself, scripts::remove, "Takes a script out of use; its versions are kept.",
        |it| named(it, "lenient").gives(200, scripts::removed()).refuses(&[404])),
    route!(Get "/audit", Read, Read, audit::list, "Searches the audit trail, the newest record first.", audit::describe_list),
    route!(Get "/audit/records", Read, Read, audit::records, "Gives the audit trail as it was hashed, with its signed heads, in order.",
        audit::describe_records),
    route!(Get "/audit/head", Read, ByItself, audit::head, "Signs the last record of the audit trail and gives the signed head.",
        audit::describe_head),
    route!(Post "/initial-access-tokens", Write, Change, registration_tokens::issue, "Makes a token for registering clients.",
        |it| it.gives(201, registration_tokens::issued())),
    route!(Get "/initial-access-tokens", Read, ByItself, registration_tokens::list, "Lists tokens for registering clients.",
        |it| listing(it, registration_tokens::shown())),
    route!(Delete "/initial-access-tokens/{id}", Write, Change, registration_tokens::withdraw, "Takes back such a token.",
        |it| it.place("id", text(), "The token's id.").gives(200, users::removed("id")).refuses(&[404])),
    route!(Post "/scim-tokens", Write, Change, scim_tokens::issue, "Makes a token for a provisioning system, shown this once.",
        |it| it.json(of::<scim_tokens::NewToken>()).gives(201, scim_tokens::issued()).refuses(&[422])),
    route!(Get "/scim-tokens", Read, ByItself, scim_tokens::list, "Lists the tokens of provisioning systems.",
        |it| listing(it, scim_tokens::shown())),
    route!(Delete "/scim-tokens/{id}", Write, Change, scim_tokens::withdraw, "Takes back such a token.",
        |it| it.place("id", text(), "The token's id.").gives(200, users::removed("id")).refuses(&[404])),
];
