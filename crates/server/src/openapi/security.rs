//! Who may call: the security schemes of the document, and which of them an operation takes.

use utoipa::openapi::{
    Components,
    security::{
        ApiKey, ApiKeyValue, ClientCredentials, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Scopes, SecurityRequirement,
        SecurityScheme,
    },
};

use super::answers::Errors;
use crate::{admin::Access, protocol::browser};

/// What a caller shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// An access token of ours, about a user.
    AccessToken,
    /// An access token of ours with this scope.
    Administrator(Access),
    /// A browser brings its cookies, if it has any.
    Browser,
    /// A client proves who it is.
    Client,
    /// Leave to register, if the configuration asks for it.
    InitialAccess,
    /// Nothing.
    Nobody,
    /// A client that an administrator gave a scope for it: by its own authentication, or by an access token of its own.
    Privileged,
    /// The token of a provisioning system.
    Provisioning,
    /// The token that a client got when it registered itself.
    Registration,
}

const BASIC: &str = "client_secret_basic";
const CERTIFICATE: &str = "client_certificate";
const ADMINISTRATOR: &str = "administrator";
const ACCESS_TOKEN: &str = "access_token";
const CLIENT_TOKEN: &str = "client_access_token";
const INITIAL_ACCESS: &str = "initial_access_token";
const REGISTRATION: &str = "registration_access_token";
const SCIM: &str = "scim_token";
const COOKIE: &str = "session_cookie";

impl Security {
    /// The form of the errors that go with it.
    pub(crate) fn errors(self) -> Errors {
        match self {
            Self::Administrator(_) => Errors::Problem,
            Self::Browser => Errors::Page,
            Self::Provisioning => Errors::Scim,
            Self::AccessToken
            | Self::Client
            | Self::InitialAccess
            | Self::Nobody
            | Self::Privileged
            | Self::Registration => Errors::OAuth,
        }
    }

    /// The alternatives, any of which will do.
    pub(super) fn requirements(self) -> Vec<SecurityRequirement> {
        const NO_SCOPES: [&str; 0] = [];
        let one = |name: &str| SecurityRequirement::new(name, NO_SCOPES);
        match self {
            Self::AccessToken => vec![one(ACCESS_TOKEN)],
            Self::Administrator(access) => vec![SecurityRequirement::new(ADMINISTRATOR, [access.scope()])],
            Self::Browser => vec![SecurityRequirement::default(), one(COOKIE)],
            Self::Client => vec![one(BASIC), one(CERTIFICATE)],
            Self::InitialAccess => vec![SecurityRequirement::default(), one(INITIAL_ACCESS)],
            Self::Nobody => Vec::new(),
            Self::Privileged => vec![one(BASIC), one(CERTIFICATE), one(CLIENT_TOKEN)],
            Self::Provisioning => vec![one(SCIM)],
            Self::Registration => vec![one(REGISTRATION)],
        }
    }
}

/// Every scheme there is.
pub(super) fn schemes(components: &mut Components, issuer: &str) {
    const BY_CLIENT: &str = "Client authentication with the id and the secret, both form-encoded (RFC 6749 section 2.3.1). A \
         client that is registered for another method sends that in the form instead: `client_id` and `client_secret` \
         (`client_secret_post`), `client_assertion_type` and `client_assertion` (`client_secret_jwt`, `private_key_jwt`, RFC \
         7523), or `client_id` alone (public clients; with a client certificate `tls_client_auth` and \
         `self_signed_tls_client_auth`).";
    const BY_CERTIFICATE: &str = "A client certificate, with `client_id` in the form (RFC 8705 section 2).";
    let mut add = |name: &str, scheme: SecurityScheme| components.add_security_scheme(name, scheme);
    let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic).description(Some(BY_CLIENT)).build();
    add(BASIC, SecurityScheme::Http(basic));
    let by_certificate = Some(BY_CERTIFICATE.to_owned());
    add(CERTIFICATE, SecurityScheme::MutualTls { description: by_certificate, deprecated: None, extensions: None });
    let scopes = Access::ALL.map(|access| (access.scope(), access.about()));
    let flow = ClientCredentials::new(format!("{issuer}/token"), Scopes::from_iter(scopes));
    let about = "An access token for the issuer itself, given to a client that an administrator added. Each scope includes \
                 those before it: `rescind:read`, `rescind:revoke`, `rescind:write`.";
    add(ADMINISTRATOR, SecurityScheme::OAuth2(OAuth2::with_description([Flow::ClientCredentials(flow)], about)));
    let bearers = [
        (ACCESS_TOKEN, "An access token for the issuer, with the scope `openid`."),
        (CLIENT_TOKEN, "An access token that a client got with its own credentials, with the scope that is needed."),
        (INITIAL_ACCESS, "An initial access token, unless anybody may register (RFC 7591 section 3)."),
        (REGISTRATION, "The registration access token of the client (RFC 7592 section 3)."),
        (SCIM, "The SCIM token that an administrator made for a provisioning system."),
    ];
    for (name, about) in bearers {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build();
        add(name, SecurityScheme::Http(bearer));
    }
    let cookie = browser::session_cookie(issuer);
    let cookie = ApiKeyValue::with_description(cookie, "The session of a browser that is signed in.".to_owned());
    add(COOKIE, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
}
