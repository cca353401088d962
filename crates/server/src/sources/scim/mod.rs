//! SCIM 2.0 (RFC 7643, RFC 7644): a directory makes, changes and removes accounts, and what it does to them ends what they hold.

pub mod attribute;
mod call;
mod describe;
mod discovery;
pub mod error;
pub mod filter;
mod list;
pub mod matching;
pub mod patch;
pub mod resource;
pub mod tokens;
mod users;
pub mod wanted;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::any,
};

use crate::{
    app::App,
    endpoint::{self, Endpoint, endpoint},
    sources::scim::{call::answered, error::ScimError, resource::BASE},
};

pub(crate) use describe::error as error_shape;
pub use error::SCIM_JSON;

const SCIM: &str = "Provisioning (SCIM)";

/// Every endpoint there is here.
pub static ENDPOINTS: &[Endpoint] = &[
    endpoint!(Post Issuer "/scim/v2/Users", SCIM, Provisioning, users::create, "Adds a user.", describe::create),
    endpoint!(Get Issuer "/scim/v2/Users", SCIM, Provisioning, list::list, "Finds users.", describe::list),
    endpoint!(Post Issuer "/scim/v2/Users/.search", SCIM, Provisioning, list::search,
        "Finds users; what to look for is in the body.", describe::search),
    endpoint!(Post Issuer "/scim/v2/.search", SCIM, Provisioning, list::search,
        "Finds resources of every kind: there are users.", describe::search),
    endpoint!(Get Issuer "/scim/v2/Users/{id}", SCIM, Provisioning, users::read, "Shows a user.", describe::one),
    endpoint!(Put Issuer "/scim/v2/Users/{id}", SCIM, Provisioning, users::replace,
        "Replaces a user; disabling, renaming or a new password ends access.", describe::replace),
    endpoint!(Patch Issuer "/scim/v2/Users/{id}", SCIM, Provisioning, users::patch,
        "Changes a user; disabling, renaming or a new password ends access.", describe::patch),
    endpoint!(Delete Issuer "/scim/v2/Users/{id}", SCIM, Provisioning, users::remove,
        "Removes a user and ends their access.", |it| it.gives_nothing(204).refuses(&[404])),
    endpoint!(Get Issuer "/scim/v2/ServiceProviderConfig", SCIM, Provisioning, discovery::service_provider,
        "Says what can be done here.", describe::anything),
    endpoint!(Get Issuer "/scim/v2/ResourceTypes", SCIM, Provisioning, discovery::resource_types,
        "Lists the kinds of resources.", describe::anything),
    endpoint!(Get Issuer "/scim/v2/ResourceTypes/{id}", SCIM, Provisioning, discovery::resource_type_of,
        "Shows a kind of resources.", describe::resource_type),
    endpoint!(Get Issuer "/scim/v2/Schemas", SCIM, Provisioning, discovery::schemas,
        "Lists what resources have.", describe::anything),
    endpoint!(Get Issuer "/scim/v2/Schemas/{id}", SCIM, Provisioning, discovery::schema_of,
        "Shows what a kind of resources has.", describe::schema),
];

/// The router of these endpoints; what is not among them is refused in the same form.
pub fn router(app: &Arc<App>) -> Router {
    let router = endpoint::router_below(ENDPOINTS, app.config.issuer_path(), BASE, &any(nothing));
    router.method_not_allowed_fallback(wrong_method).with_state(app.clone())
}

async fn nothing(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    answered(app, request, |_| async move { Err(ScimError::not_found(&path)) }).await
}

/// Which methods there are anybody may read in the description.
async fn wrong_method() -> ScimError {
    ScimError::wrong_method()
}
