//! Clients: the OAuth clients, which the console calls applications.

use std::sync::Arc;

use axum::response::Response;
use rescind_ledger::{
    Client, ClientAuthMethod, ClientChange, Ended, Lane, RefreshBinding, Rotation, Secret, SigningAlgorithm, Target,
    Timestamp, restricts_client,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use utoipa::ToSchema;

use super::{
    call::{Call, created, ok, patched, unchanged},
    guard,
    names::{self, Names},
    problem::Problem,
    target::load_client,
    users::{may_have_ended, show_ended, yes},
};
use crate::{
    app::App,
    clock::fresh_id,
    openapi::shape::{Shape, flag, free_object, inline, list_of, maybe, moment, object, of, one_of, text, words_of},
    protocol::register::{FreshSecret, lacks_secret, validate_keys, validate_redirect_uri},
};

const GRANT_TYPES: [&str; 3] = ["authorization_code", "client_credentials", "refresh_token"];

/// The longest grace, as for the server's own default: all the while a stolen refresh token goes unnoticed.
const GRACE_LIMIT: u32 = 300;

/// A client as people write it.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = NewClient, examples(json!({
    "name": "Portal",
    "redirect_uris": ["https://portal.example/callback"],
    "scopes": ["openid", "profile"],
})))]
#[serde(deny_unknown_fields)]
pub(super) struct ClientForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[A-Za-z0-9._~-]{1,128}$")]
    id: Option<String>,
    #[schema(min_length = 1)]
    name: String,
    #[serde(default = "basic")]
    #[schema(schema_with = auth_methods)]
    auth_method: ClientAuthMethod,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = key_set)]
    jwks: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls_client_auth_subject_dn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls_client_auth_san_dns: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    post_logout_redirect_uris: Vec<String>,
    /// Without it: the code with refresh if there are redirect URIs, else client credentials unless it only introspects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = grant_types)]
    grant_types: Option<Vec<String>>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serves: Option<String>,
    /// Without it: each use for public clients, never for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = rotations)]
    rotation: Option<Rotation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 300)]
    rotation_grace_secs: Option<u32>,
    #[serde(default)]
    #[schema(schema_with = refresh_bindings)]
    refresh_binding: RefreshBinding,
    #[serde(default)]
    session_revocation_api: bool,
    #[serde(default)]
    session_management_api: bool,
    #[serde(default)]
    #[schema(schema_with = algorithms)]
    id_token_signed_response_alg: SigningAlgorithm,
    #[serde(default)]
    #[schema(schema_with = algorithms)]
    introspection_signed_response_alg: SigningAlgorithm,
    #[serde(default)]
    require_pushed_authorization_requests: bool,
    #[serde(default)]
    first_party: bool,
    #[serde(default = "yes")]
    enabled: bool,
}

type Schema = utoipa::openapi::RefOr<utoipa::openapi::Schema>;

fn auth_methods() -> Schema {
    inline(words_of(&ClientAuthMethod::ALL))
}

fn key_set() -> Schema {
    inline(maybe(object().with("keys", list_of(free_object())).open()))
}

fn grant_types() -> Schema {
    inline(maybe(list_of(one_of(&GRANT_TYPES))))
}

fn rotations() -> Schema {
    inline(maybe(words_of(&[Rotation::EachUse, Rotation::Never])))
}

fn refresh_bindings() -> Schema {
    inline(words_of(&[RefreshBinding::Always, RefreshBinding::Never, RefreshBinding::UnlessOffline]))
}

fn algorithms() -> Schema {
    inline(words_of(&[SigningAlgorithm::ES256, SigningAlgorithm::RS256]))
}

/// What [`show_client`] writes.
pub(super) fn shown() -> Shape {
    let client = object().and(of::<ClientForm>()).with("id", text()).with("created_at", moment());
    let client = client.with("registered_itself", flag()).may("client_secret", text());
    may_have_ended(client).named("Client")
}

fn basic() -> ClientAuthMethod {
    ClientAuthMethod::ClientSecretBasic
}

pub(super) async fn add(call: Call) -> Result<Response, Problem> {
    let form: ClientForm = call.body()?;
    let id = form.id.clone().unwrap_or_else(|| fresh_id("c_"));
    check_id(&id)?;
    let mut client = form.client(&call.app, id, call.app.now())?;
    let secret = renew(&call.app, &mut client)?;
    let shown = show_client(&client, secret.as_ref());
    call.app.submit(Lane::Issuing, move |door| door.add_client(&client)).await?;
    Ok(created(&shown))
}

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    let query = call.query(&names::PARAMETERS)?;
    let filter = names::filter(query, &names::SORTS)?;
    let wanted = |client: &&Arc<Client>| filter.enabled.is_none_or(|enabled| client.enabled == enabled);
    let clients: Vec<Arc<Client>> =
        call.app.live.look(|_, configuration| configuration.clients.values().filter(wanted).cloned().collect());
    let page = names::page(
        &clients,
        query,
        &filter,
        |client| Names { id: &client.id, name: &client.name, created_at: client.created_at },
        |client| show_client(client, None),
    );
    Ok(ok(&page?))
}

pub(super) async fn show(call: Call) -> Result<Response, Problem> {
    let client = load_client(&call.app, call.id()?)?;
    Ok(ok(&show_client(&client, None)))
}

pub(super) async fn change(call: Call) -> Result<Response, Problem> {
    let patch: Value = call.body()?;
    if patch.get("id").is_some() {
        return Err(Problem::refused("the id of a client does not change"));
    }
    let before = load_client(&call.app, call.id()?)?;
    let form: ClientForm = patched(&ClientForm::of(&before), &patch)?;
    let fresh = form.client(&call.app, before.id.clone(), before.created_at)?;
    let mut after = Client {
        secret_hash: before.secret_hash,
        secret_sealed: before.secret_sealed.clone(),
        registration_hash: before.registration_hash,
        ..fresh
    };
    let query = call.query(&guard::PARAMETERS)?;
    if restricts_client(&before, &after) {
        guard::allow_change(&call, query, "change", &Target::Client { client: before.id.clone() }).await?;
    }
    let secret = if after.auth_method == before.auth_method { None } else { renew(&call.app, &mut after)? };
    let mut shown = show_client(&after, secret.as_ref());
    let ended = replace(&call, Lane::Ending, before, after).await?;
    show_ended(&mut shown, ended);
    Ok(ok(&shown))
}

/// Puts a client in the place of the one it was made from.
async fn replace(call: &Call, lane: Lane, before: Arc<Client>, after: Client) -> Result<Option<Ended>, Problem> {
    let (change, initiator) = (ClientChange::Put(Box::new(after)), call.initiator.clone());
    let replacing = call.app.submit(lane, move |door| {
        unchanged(door.find_client(&before.id)?.as_ref(), &before)?;
        door.change_client(&change, &initiator)
    });
    Ok(replacing.await?)
}

pub(super) async fn remove(call: Call) -> Result<Response, Problem> {
    let (query, client) = (call.query(&guard::PARAMETERS)?, load_client(&call.app, call.id()?)?);
    guard::allow_change(&call, query, "remove", &Target::Client { client: client.id.clone() }).await?;
    let (change, initiator) = (ClientChange::Delete(client.id.clone()), call.initiator.clone());
    let ended = call.app.submit(Lane::Ending, move |door| door.change_client(&change, &initiator)).await?;
    let mut shown = json!({ "id": client.id, "removed": true });
    show_ended(&mut shown, ended);
    Ok(ok(&shown))
}

pub(super) async fn renew_secret(call: Call) -> Result<Response, Problem> {
    let before = load_client(&call.app, call.id()?)?;
    let mut after = before.as_ref().clone();
    let secret = renew(&call.app, &mut after)?;
    if secret.is_none() {
        return Err(Problem::refused("this client does not authenticate with a secret"));
    }
    let shown = show_client(&after, secret.as_ref());
    replace(&call, Lane::Issuing, before, after).await?;
    Ok(ok(&shown))
}

/// A confidential client by which an API introspects the tokens that reach it, and its secret.
pub(super) fn introspection_client(app: &App, audience: &str, name: &str) -> Result<(Client, Secret), Problem> {
    let (name, method) = (format!("{name} (introspection)"), ClientAuthMethod::ClientSecretBasic);
    let mut client = Client {
        serves: Some(audience.to_owned()),
        first_party: true,
        ..Client::new(fresh_id("c_"), name, method, app.now())
    };
    let secret = renew(app, &mut client)?.ok_or_else(Problem::internal)?;
    Ok((client, secret))
}

/// Gives a client whatever secret its method calls for, and takes away any other.
fn renew(app: &App, client: &mut Client) -> Result<Option<Secret>, Problem> {
    (client.secret_hash, client.secret_sealed) = (None, None);
    if !lacks_secret(client) {
        return Ok(None);
    }
    let fresh = FreshSecret::make(app, &client.id).map_err(|why| {
        tracing::error!(error = %why, "cannot seal a client secret");
        Problem::internal()
    })?;
    fresh.give(client);
    Ok(Some(fresh.secret))
}

/// Everything about a client; its secret only when it was just made.
pub(super) fn show_client(client: &Client, secret: Option<&Secret>) -> Value {
    let mut shown = serde_json::to_value(ClientForm::of(client)).unwrap_or_default();
    if let Some(object) = shown.as_object_mut() {
        object.insert("created_at".to_owned(), json!(client.created_at));
        object.insert("registered_itself".to_owned(), json!(client.registration_hash.is_some()));
        if let Some(secret) = secret {
            object.insert("client_secret".to_owned(), json!(secret.reveal()));
        }
    }
    shown
}

impl ClientForm {
    fn of(client: &Client) -> Self {
        Self {
            id: Some(client.id.clone()),
            name: client.name.clone(),
            auth_method: client.auth_method,
            jwks: client.jwks.as_ref().and_then(|text| serde_json::from_str(text).ok()),
            jwks_uri: client.jwks_uri.clone(),
            tls_client_auth_subject_dn: client.tls_client_auth_subject_dn.clone(),
            tls_client_auth_san_dns: client.tls_client_auth_san_dns.clone(),
            redirect_uris: client.redirect_uris.clone(),
            post_logout_redirect_uris: client.post_logout_redirect_uris.clone(),
            grant_types: Some(client.grant_types.clone()),
            scopes: client.scopes.clone(),
            resources: client.resources.clone(),
            serves: client.serves.clone(),
            rotation: Some(client.rotation),
            rotation_grace_secs: Some(client.rotation_grace_secs),
            refresh_binding: client.refresh_binding,
            session_revocation_api: client.session_revocation_api,
            session_management_api: client.session_management_api,
            id_token_signed_response_alg: client.id_token_signed_response_alg,
            introspection_signed_response_alg: client.introspection_signed_response_alg,
            require_pushed_authorization_requests: client.require_pushed_authorization_requests,
            first_party: client.first_party,
            enabled: client.enabled,
        }
    }

    /// The checked client, without a secret.
    fn client(self, app: &App, id: String, created_at: Timestamp) -> Result<Client, Problem> {
        let grace = app.lifetimes().rotation_grace.as_secs();
        let grant_types = self.grant_types.clone().unwrap_or_else(|| self.usual_grant_types());
        self.check(app, &grant_types)?;
        let usual = Client::new(id, self.name, self.auth_method, created_at);
        Ok(Client {
            jwks: self.jwks.map(|keys| keys.to_string()),
            jwks_uri: self.jwks_uri,
            tls_client_auth_subject_dn: self.tls_client_auth_subject_dn,
            tls_client_auth_san_dns: self.tls_client_auth_san_dns,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            grant_types,
            scopes: self.scopes,
            resources: self.resources,
            serves: self.serves,
            rotation: self.rotation.unwrap_or(usual.rotation),
            rotation_grace_secs: self.rotation_grace_secs.unwrap_or_else(|| u32::try_from(grace).unwrap_or(u32::MAX)),
            refresh_binding: self.refresh_binding,
            session_revocation_api: self.session_revocation_api,
            session_management_api: self.session_management_api,
            id_token_signed_response_alg: self.id_token_signed_response_alg,
            introspection_signed_response_alg: self.introspection_signed_response_alg,
            require_pushed_authorization_requests: self.require_pushed_authorization_requests,
            first_party: self.first_party,
            enabled: self.enabled,
            ..usual
        })
    }

    fn usual_grant_types(&self) -> Vec<String> {
        let usual: &[&str] = if !self.redirect_uris.is_empty() {
            &["authorization_code", "refresh_token"]
        } else if self.auth_method == ClientAuthMethod::None || self.serves.is_some() {
            &[]
        } else {
            &["client_credentials"]
        };
        usual.iter().map(|one| (*one).to_owned()).collect()
    }

    fn check(&self, app: &App, grant_types: &[String]) -> Result<(), Problem> {
        if self.name.trim().is_empty() {
            return Err(Problem::refused("a client has a name"));
        }
        if self.rotation_grace_secs.is_some_and(|secs| secs > GRACE_LIMIT) {
            return Err(Problem::refused(format!("`rotation_grace_secs` is a number from 0 to {GRACE_LIMIT}")));
        }
        if let Some(unknown) = grant_types.iter().find(|one| !GRANT_TYPES.contains(&one.as_str())) {
            return Err(Problem::refused(format!(
                "unknown grant type `{unknown}`; one of: {}",
                GRANT_TYPES.join(", ")
            )));
        }
        let has = |grant_type: &str| grant_types.iter().any(|one| one == grant_type);
        if has("authorization_code") && self.redirect_uris.is_empty() {
            return Err(Problem::refused("authorization_code needs a redirect URI"));
        }
        if has("client_credentials") && self.auth_method == ClientAuthMethod::None {
            return Err(Problem::refused("a public client has no credentials of its own (RFC 6749 section 4.4)"));
        }
        if (self.session_revocation_api || self.session_management_api) && self.auth_method == ClientAuthMethod::None {
            return Err(Problem::refused(
                "a public client cannot have the session APIs: anybody could use them under its name",
            ));
        }
        for uri in self.redirect_uris.iter().chain(&self.post_logout_redirect_uris) {
            check_redirect_uri(uri)?;
        }
        for scope in &self.scopes {
            check_scope(scope)?;
        }
        for api in self.resources.iter().chain(&self.serves) {
            app.live.api(api).ok_or_else(|| Problem::unknown("api", api))?;
        }
        self.check_keys()
    }

    /// What the method needs must be there.
    fn check_keys(&self) -> Result<(), Problem> {
        if let Some(keys) = &self.jwks {
            validate_keys(keys).map_err(|why| Problem::refused(why.description().to_owned()))?;
        }
        if let Some(uri) = &self.jwks_uri {
            Url::parse(uri).map_err(|_| Problem::refused("`jwks_uri` is an absolute URL"))?;
        }
        let has_keys = self.jwks.is_some() || self.jwks_uri.is_some();
        let missing = match self.auth_method {
            ClientAuthMethod::PrivateKeyJwt | ClientAuthMethod::SelfSignedTlsClientAuth => {
                (!has_keys).then_some("this way of authentication needs `jwks` or `jwks_uri`")
            }
            ClientAuthMethod::TlsClientAuth => {
                let named = self.tls_client_auth_subject_dn.is_some() || self.tls_client_auth_san_dns.is_some();
                (!named).then_some("tls_client_auth needs a subject DN or a DNS name (RFC 8705 section 2.1.2)")
            }
            _ => None,
        };
        missing.map_or(Ok(()), |why| Err(Problem::refused(why)))
    }
}

/// An id stands in HTTP Basic, in paths and in logs.
fn check_id(id: &str) -> Result<(), Problem> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if id.is_empty() || id.len() > 128 || !id.bytes().all(plain) {
        return Err(Problem::refused("a client id has 1 to 128 letters, digits, `-`, `.`, `_` or `~`"));
    }
    // Entries and records name administrators by such ids: the command line's own and those of users are taken.
    if id == "local" || id.starts_with("u_") {
        return Err(Problem::refused("a client id is not `local` and does not begin with `u_`, as user ids do"));
    }
    Ok(())
}

/// As for a client that registers itself.
fn check_redirect_uri(uri: &str) -> Result<(), Problem> {
    validate_redirect_uri(uri).map_err(|why| Problem::refused(format!("`{uri}` {why}")))
}

/// RFC 6749 section 3.3.
pub(super) fn check_scope(scope: &str) -> Result<(), Problem> {
    let sound = !scope.is_empty() && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    if sound { Ok(()) } else { Err(Problem::refused(format!("`{scope}` is not one scope (RFC 6749 section 3.3)"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_grant_types_follow_from_what_a_client_is() {
        let form = |text: &str| serde_json::from_str::<ClientForm>(text).unwrap().usual_grant_types();
        assert_eq!(form(r#"{"name":"a","redirect_uris":["https://a/cb"]}"#), ["authorization_code", "refresh_token"]);
        assert_eq!(form(r#"{"name":"a"}"#), ["client_credentials"]);
        assert!(form(r#"{"name":"a","serves":"https://api"}"#).is_empty());
        assert!(form(r#"{"name":"a","auth_method":"none"}"#).is_empty());
    }

    #[test]
    fn names_on_the_wire_are_checked() {
        assert!(check_id("portal-1").is_ok() && check_id("a:b").is_err() && check_id("").is_err());
        assert!(check_redirect_uri("com.example.app:/cb").is_ok());
        for wrong in ["/cb", "https://a/cb#x", "javascript:alert(1)", "http://app.example/cb", "myapp:/cb"] {
            assert!(check_redirect_uri(wrong).is_err(), "{wrong}");
        }
        assert!(check_scope("a:b").is_ok() && check_scope("a b").is_err() && check_scope("a\"").is_err());
    }
}
