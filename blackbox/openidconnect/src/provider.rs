//! The provider under test, as seen through the library: one method for each thing an application asks of it.

use crate::person::Person;
use crate::{Failure, check, optional, required};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreRevocableToken, CoreSubjectIdentifierType,
    CoreTokenIntrospectionResponse, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AdditionalProviderMetadata, AuthType, AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret,
    CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, IntrospectionUrl, IssuerUrl, Nonce, PkceCodeChallenge,
    ProviderMetadata, RedirectUrl, RefreshToken, RequestTokenError, RevocationUrl, Scope, SubjectIdentifier,
    TokenIntrospectionResponse, TokenResponse, UserInfoError,
};
use reqwest::blocking::Client as HttpClient;
use reqwest::{Certificate, Url, header, redirect};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(20);

/// The members of the discovery document that the library leaves to its users.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Endpoints {
    introspection_endpoint: IntrospectionUrl,
    revocation_endpoint: RevocationUrl,
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Endpoints {}

type Metadata = ProviderMetadata<
    Endpoints,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Client = CoreClient<EndpointSet, EndpointNotSet, EndpointSet, EndpointSet, EndpointMaybeSet, EndpointMaybeSet>;

/// An HTTP client that trusts the CA in `CA_FILE` and follows no redirect.
pub(crate) fn http_client(keeps_cookies: bool) -> Result<HttpClient, Failure> {
    let mut builder = HttpClient::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .cookie_store(keeps_cookies);
    if let Some(file) = optional("CA_FILE") {
        let pem = std::fs::read(&file).map_err(|error| format!("CA_FILE {file}: {error}"))?;
        builder = builder.tls_built_in_root_certs(false);
        for certificate in Certificate::from_pem_bundle(&pem)? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    Ok(builder.build()?)
}

/// What one sign-in gave, its ID token already checked.
pub(crate) struct SignedIn {
    pub(crate) tokens: CoreTokenResponse,
    pub(crate) subject: SubjectIdentifier,
}

/// The provider under test with the application and the resource server that use it.
pub(crate) struct Provider {
    http: HttpClient,
    issuer: String,
    redirect_uri: Url,
    application: Client,
    resource_server: Client,
}

impl Provider {
    /// Reads the discovery document and the keys.
    pub(crate) fn discover() -> Result<Self, Failure> {
        let http = http_client(false)?;
        let issuer = required("ISSUER")?;
        check(issuer.starts_with("https://"), "ISSUER must be an https URL for this client")?;
        let metadata = Metadata::discover(&IssuerUrl::new(issuer.clone())?, &http)?;
        let promises_iss = metadata.additional_metadata().authorization_response_iss_parameter_supported;
        check(promises_iss, "discovery does not promise iss in the answer (RFC 9207)")?;
        let application =
            client(&metadata, required("CLIENT_ID")?, required("CLIENT_SECRET")?)?.set_auth_type(auth_type()?);
        let resource_server = match optional("INTROSPECT_CLIENT_ID") {
            Some(id) => client(&metadata, id, required("INTROSPECT_CLIENT_SECRET")?)?,
            None => application.clone(),
        };
        Ok(Self { http, issuer, redirect_uri: Url::parse(&required("REDIRECT_URI")?)?, application, resource_server })
    }

    /// Authorization code with PKCE; checks state, iss, and the ID token with its nonce and signature.
    pub(crate) fn sign_in(&self, person: &Person) -> Result<SignedIn, Failure> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = self
            .application
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(scopes())
            // OpenID Connect Core 11: offline_access is only heard together with prompt=consent.
            .add_prompt(CoreAuthPrompt::Consent)
            .set_pkce_challenge(challenge)
            .url();
        let back = person.visit(url, &self.redirect_uri)?;
        if let Some(error) = parameter(&back, "error") {
            return Err(format!("the answer is the error {error}").into());
        }
        check(parameter(&back, "state").as_ref() == Some(state.secret()), "the state did not come back")?;
        let iss = parameter(&back, "iss");
        check(iss.as_ref() == Some(&self.issuer), format!("the answer carries iss {iss:?} (RFC 9207)"))?;
        let code = AuthorizationCode::new(parameter(&back, "code").ok_or("the answer carries no code")?);
        let tokens = self.application.exchange_code(code)?.set_pkce_verifier(verifier).request(&self.http)?;
        let id_token = tokens.id_token().ok_or("no ID token was issued")?;
        let subject = id_token.claims(&self.application.id_token_verifier(), &nonce)?.subject().clone();
        Ok(SignedIn { tokens, subject })
    }

    /// Userinfo answers, about the same subject as the ID token.
    pub(crate) fn see_userinfo(&self, token: &AccessToken, subject: &SubjectIdentifier) -> Result<(), Failure> {
        let _claims: CoreUserInfoClaims =
            self.application.user_info(token.clone(), Some(subject.clone()))?.request(&self.http)?;
        Ok(())
    }

    /// Userinfo answers 401 with the challenge invalid_token (RFC 6750 3.1).
    pub(crate) fn see_userinfo_refused(&self, token: &AccessToken) -> Result<(), Failure> {
        let answer: Result<CoreUserInfoClaims, _> =
            self.application.user_info(token.clone(), None)?.request(&self.http);
        match answer {
            Ok(_) => return Err("expected a refusal, got claims".into()),
            Err(UserInfoError::Response(status, _, _)) => {
                check(status.as_u16() == 401, format!("expected 401, got {status}"))?
            }
            Err(other) => return Err(other.into()),
        }
        // The library does not show the challenge, so ask once more without it.
        let url = self.application.user_info_url().ok_or("discovery names no userinfo_endpoint")?.url().clone();
        let answer = self.http.get(url).bearer_auth(token.secret()).send()?;
        let challenge =
            answer.headers().get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or("");
        check(
            challenge.contains("error=\"invalid_token\""),
            format!("expected the challenge invalid_token, got {challenge:?}"),
        )
    }

    fn introspect(&self, token: &AccessToken) -> Result<CoreTokenIntrospectionResponse, Failure> {
        Ok(self.resource_server.introspect(token).set_token_type_hint("access_token").request(&self.http)?)
    }

    /// The resource server learns that the token is active.
    pub(crate) fn see_active(&self, token: &AccessToken) -> Result<(), Failure> {
        check(self.introspect(token)?.active(), "it is not active")
    }

    /// The resource server learns that the token is inactive and nothing else (RFC 7662 2.2).
    pub(crate) fn see_inactive(&self, token: &AccessToken) -> Result<(), Failure> {
        let answer = serde_json::to_value(self.introspect(token)?)?;
        check(answer == serde_json::json!({ "active": false }), "expected exactly {\"active\":false}")
    }

    /// New tokens for a refresh token.
    pub(crate) fn refresh(&self, token: &RefreshToken) -> Result<CoreTokenResponse, Failure> {
        Ok(self.application.exchange_refresh_token(token)?.request(&self.http)?)
    }

    /// The refresh token is refused with invalid_grant (RFC 6749 5.2).
    pub(crate) fn see_refresh_refused(&self, token: &RefreshToken) -> Result<(), Failure> {
        match self.application.exchange_refresh_token(token)?.request(&self.http) {
            Ok(_) => Err("expected a refusal, got tokens".into()),
            Err(RequestTokenError::ServerResponse(answer)) => {
                let expected = *answer.error() == CoreErrorResponseType::InvalidGrant;
                check(expected, format!("expected invalid_grant, got {answer}"))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Takes the token back (RFC 7009).
    pub(crate) fn revoke(&self, token: CoreRevocableToken) -> Result<(), Failure> {
        Ok(self.application.revoke_token(token)?.request(&self.http)?)
    }

    /// A token for the application itself.
    pub(crate) fn client_credentials(&self) -> Result<CoreTokenResponse, Failure> {
        let mut request = self.application.exchange_client_credentials()?;
        for scope in optional("SERVICE_SCOPE").unwrap_or_default().split_whitespace() {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
        if let Some(resource) = optional("RESOURCE") {
            request = request.add_extra_param("resource", resource);
        }
        Ok(request.request(&self.http)?)
    }
}

fn client(metadata: &Metadata, id: String, secret: String) -> Result<Client, Failure> {
    let endpoints = metadata.additional_metadata();
    Ok(CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(id), Some(ClientSecret::new(secret)))
        .set_redirect_uri(RedirectUrl::new(required("REDIRECT_URI")?)?)
        .set_introspection_url(endpoints.introspection_endpoint.clone())
        .set_revocation_url(endpoints.revocation_endpoint.clone()))
}

fn auth_type() -> Result<AuthType, Failure> {
    match optional("CLIENT_AUTH_METHOD").as_deref() {
        None | Some("client_secret_basic") => Ok(AuthType::BasicAuth),
        Some("client_secret_post") => Ok(AuthType::RequestBody),
        Some(other) => Err(format!("CLIENT_AUTH_METHOD {other} is not spoken by this library").into()),
    }
}

/// The scopes to ask for; the library adds openid itself.
fn scopes() -> Vec<Scope> {
    let wanted = optional("SCOPE").unwrap_or_else(|| "openid profile email offline_access".to_owned());
    wanted.split_whitespace().filter(|scope| *scope != "openid").map(|scope| Scope::new(scope.to_owned())).collect()
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}
