//! Metadata (RFC 8414, OpenID Connect Discovery 1.0) and the published keys (RFC 7517): only what answers is advertised.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use rescind_jose::assertion::{KEY_ALGORITHMS, SECRET_ALGORITHMS};
use rescind_ledger::{ClientAuthMethod, Feature};
use serde_json::{Value, json};

use crate::{
    app::App,
    config::Registration,
    openapi::{
        Description,
        shape::{free_object, list_of, object, text},
    },
    protocol::{
        cors,
        error::answer,
        feature,
        mint::STANDARD_SCOPES,
        mount::{Mount, Place},
    },
};

/// The metadata document: the same at every well-known path but one. Under the prefix for Janssen's clients it says where
/// they find the endpoints, of the same issuer.
pub async fn metadata(State(app): State<Arc<App>>, request: Request) -> Response {
    let mount = Mount::of(request.extensions());
    public(answer(StatusCode::OK, "application/json", describe(&app, mount).to_string()))
}

/// The keys that our tokens may be signed with.
pub async fn jwks(State(app): State<Arc<App>>) -> Response {
    public(answer(StatusCode::OK, "application/json", app.keys.ring().published.to_jwks().to_string()))
}

/// Anybody may read it, and keep it for a minute: a revoked key must not linger in caches.
fn public(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    headers.remove(header::PRAGMA);
    cors::open(response)
}

/// Whether a client can show a certificate: to us, or to a trusted proxy.
fn has_certificates(app: &App) -> bool {
    app.config.tls.is_some() || app.config.proxy.client_certificate_header.is_some()
}

fn methods(app: &App, with_public: bool) -> Vec<&'static str> {
    let has_certificates = has_certificates(app);
    ClientAuthMethod::ALL
        .into_iter()
        .filter(|method| match method {
            ClientAuthMethod::TlsClientAuth | ClientAuthMethod::SelfSignedTlsClientAuth => has_certificates,
            ClientAuthMethod::None => with_public,
            _ => true,
        })
        .map(ClientAuthMethod::name)
        .collect()
}

fn scopes(app: &App) -> Vec<String> {
    let mut scopes: Vec<String> = STANDARD_SCOPES.iter().map(|scope| (*scope).to_owned()).collect();
    scopes.retain(|scope| scope != "address" && scope != "phone");
    app.live.look(|_, configuration| {
        for scope in configuration.apis.values().flat_map(|api| &api.scopes) {
            if !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
    });
    scopes
}

/// Its body has no room for credentials of a client, so they come in the header or by the connection; or as an access token
/// (RFC 8414 section 2 has `Bearer` where introspection takes one).
fn global_revocation_methods(app: &App) -> Vec<&'static str> {
    use ClientAuthMethod::{ClientSecretBasic, SelfSignedTlsClientAuth, TlsClientAuth};
    let mut possible = methods(app, false);
    possible.retain(|method| {
        [ClientSecretBasic, SelfSignedTlsClientAuth, TlsClientAuth].iter().any(|one| one.name() == *method)
    });
    possible.push("Bearer");
    possible
}

fn describe(app: &App, mount: Mount) -> Value {
    let at = |place: Place| mount.url(&app.config, place);
    let algorithms: Vec<&str> = KEY_ALGORITHMS.iter().chain(&SECRET_ALGORITHMS).copied().collect();
    let (all, confidential) = (methods(app, true), methods(app, false));
    let mut document = json!({
        "issuer": app.config.issuer,
        "authorization_endpoint": at(Place::Authorize),
        "token_endpoint": at(Place::Token),
        "userinfo_endpoint": at(Place::Userinfo),
        "jwks_uri": at(Place::Jwks),
        "revocation_endpoint": at(Place::Revoke),
        "session_revocation_endpoint": at(Place::RevokeSession),
        "global_token_revocation_endpoint": at(Place::GlobalTokenRevocation),
        "global_token_revocation_endpoint_auth_methods_supported": global_revocation_methods(app),
        "introspection_endpoint": at(Place::Introspect),
        "end_session_endpoint": at(Place::EndSession),
        "ping_end_session_endpoint": at(Place::EndSession),
        "ping_revoked_sris_endpoint": at(Place::RevokedSris),
        "ping_session_management_sris_endpoint": at(Place::Sessions),
        "ping_session_management_users_endpoint": at(Place::Users),
        "status_list_endpoint": at(Place::StatusList),
        "status_list_aggregation_endpoint": at(Place::StatusListAggregation),
        "pushed_authorization_request_endpoint": at(Place::Par),
        "require_pushed_authorization_requests": false,
        "scopes_supported": scopes(app),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "token_endpoint_auth_methods_supported": all,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": all,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": confidential,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_signing_alg_values_supported": ["RS256", "ES256"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "sid", "pi.sri", "name", "preferred_username", "email"],
        "authorization_response_iss_parameter_supported": true,
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    });
    if let Some(members) = document.as_object_mut() {
        leave_out_what_is_off(app, members);
        if app.config.registration != Registration::Off && feature::is_on(app, Feature::DynamicRegistration) {
            members.insert("registration_endpoint".to_owned(), at(Place::Register).into());
        }
        if has_certificates(app) {
            members.insert("tls_client_certificate_bound_access_tokens".to_owned(), true.into());
        }
    }
    document
}

pub(super) fn describe_jwks(it: Description) -> Description {
    it.gives(200, object().with("keys", list_of(free_object())).named("Jwks"))
}

pub(super) fn describe_metadata(it: Description) -> Description {
    let members = object().with("issuer", text()).with("authorization_endpoint", text()).with("token_endpoint", text());
    let members = members.with("jwks_uri", text()).with("response_types_supported", list_of(text()));
    it.gives(200, members.with("grant_types_supported", list_of(text())).named("Metadata"))
}

/// The members that speak of an endpoint which can be switched off, by how they begin.
const OF_FEATURES: [(Feature, &[&str]); 7] = [
    (Feature::EndSession, &["end_session_endpoint", "ping_end_session_endpoint"]),
    (Feature::GlobalTokenRevocation, &["global_token_revocation_"]),
    (Feature::Introspection, &["introspection_"]),
    (Feature::RevokeSession, &["session_revocation_endpoint"]),
    (Feature::RevokeToken, &["revocation_"]),
    (Feature::StatusList, &["status_list_"]),
    (Feature::Userinfo, &["userinfo_endpoint"]),
];

fn leave_out_what_is_off(app: &App, members: &mut serde_json::Map<String, Value>) {
    let settings = app.settings();
    for (_, names) in OF_FEATURES.iter().filter(|(feature, _)| !settings.is_on(*feature)) {
        members.retain(|member, _| !names.iter().any(|name| member.starts_with(name)));
    }
}
