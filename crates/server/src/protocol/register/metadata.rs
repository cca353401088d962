//! Client metadata (RFC 7591 section 2), read and checked as a whole.

use rescind_ledger::{ClientAuthMethod, SigningAlgorithm};
use serde_json::{Map, Value, json};

use crate::{
    openapi::shape::{Members as Described, flag, free_object, list_of, maybe, name, object, one_of, text, words_of},
    protocol::{
        error::ProtocolError,
        register::{
            keys::{holds_a_certificate, validate_keys},
            redirect::{validate_keys_uri, validate_redirect_uri},
        },
    },
};

/// What a client says of itself, found consistent. Everything not named here was left out of account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub name: Option<String>,
    pub auth_method: ClientAuthMethod,
    pub redirect_uris: Vec<String>,
    pub post_logout_redirect_uris: Vec<String>,
    pub grant_types: Vec<String>,
    /// The scopes it asks for; `None` asks for the usual ones.
    pub scopes: Option<Vec<String>>,
    /// A JWK set (RFC 7517 section 5).
    pub jwks: Option<Value>,
    pub jwks_uri: Option<String>,
    pub tls_client_auth_subject_dn: Option<String>,
    pub tls_client_auth_san_dns: Option<String>,
    pub id_token_signed_response_alg: SigningAlgorithm,
    pub introspection_signed_response_alg: SigningAlgorithm,
    pub require_pushed_authorization_requests: bool,
}

const GRANT_TYPES: [&str; 3] = ["authorization_code", "refresh_token", "client_credentials"];
/// It is shown to people, on one line.
const NAME_CHARS: usize = 200;

impl Metadata {
    /// Reads metadata. Members nobody knows here are ignored, and `null` counts as absent (RFC 7592 section 2.2).
    ///
    /// # Errors
    /// `invalid_redirect_uri`, or `invalid_client_metadata` with the name of the member.
    pub fn read(members: &Map<String, Value>) -> Result<Self, ProtocolError> {
        let members = Members(members);
        let metadata = Self {
            name: members.name()?,
            auth_method: members.auth_method()?,
            redirect_uris: members.addresses("redirect_uris")?,
            post_logout_redirect_uris: members.addresses("post_logout_redirect_uris")?,
            grant_types: members.grant_types()?,
            scopes: members.scopes()?,
            jwks: members.find("jwks").map(validate_keys).transpose()?,
            jwks_uri: members.text("jwks_uri")?,
            tls_client_auth_subject_dn: members.text("tls_client_auth_subject_dn")?,
            tls_client_auth_san_dns: members.text("tls_client_auth_san_dns")?,
            id_token_signed_response_alg: members.algorithm("id_token_signed_response_alg")?,
            introspection_signed_response_alg: members.algorithm("introspection_signed_response_alg")?,
            require_pushed_authorization_requests: members.flag("require_pushed_authorization_requests")?,
        };
        metadata.agrees_on_grants(members.texts("response_types")?)?;
        metadata.agrees_on_keys()?;
        metadata.agrees_on_certificate()?;
        Ok(metadata)
    }

    /// Whether it uses a grant type.
    #[must_use]
    pub fn uses(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|one| one == grant_type)
    }

    /// Response types follow from grant types (RFC 7591 section 2.1).
    fn agrees_on_grants(&self, response_types: Option<Vec<String>>) -> Result<(), ProtocolError> {
        let with_code = self.uses("authorization_code");
        if let Some(types) = response_types {
            if types.iter().any(|one| one != "code") {
                return Err(wrong("response_types", "may only be `code`"));
            }
            if types.is_empty() == with_code {
                return Err(wrong("response_types", "does not fit `grant_types` (RFC 7591 section 2.1)"));
            }
        }
        if with_code && self.redirect_uris.is_empty() {
            return Err(ProtocolError::invalid_redirect_uri("`redirect_uris` is needed for authorization_code"));
        }
        if self.uses("refresh_token") && !with_code {
            return Err(wrong("grant_types", "has refresh_token without authorization_code"));
        }
        if self.uses("client_credentials") && self.auth_method == ClientAuthMethod::None {
            return Err(wrong("grant_types", "has client_credentials, which a client without credentials cannot use"));
        }
        Ok(())
    }

    fn agrees_on_keys(&self) -> Result<(), ProtocolError> {
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            return Err(wrong("jwks", "and `jwks_uri` exclude each other (RFC 7591 section 2)"));
        }
        if let Some(Err(why)) = self.jwks_uri.as_deref().map(validate_keys_uri) {
            return Err(wrong("jwks_uri", why));
        }
        match self.auth_method {
            ClientAuthMethod::PrivateKeyJwt if self.jwks.is_none() && self.jwks_uri.is_none() => {
                Err(wrong("jwks", "or `jwks_uri` is needed for private_key_jwt"))
            }
            ClientAuthMethod::SelfSignedTlsClientAuth => {
                // What stands at an address is looked at when a certificate is shown.
                if self.jwks_uri.is_some() || self.jwks.as_ref().is_some_and(holds_a_certificate) {
                    return Ok(());
                }
                Err(wrong(
                    "jwks",
                    "with a certificate, or `jwks_uri`, is needed for self_signed_tls_client_auth (RFC 8705 section 2.2)",
                ))
            }
            _ => Ok(()),
        }
    }

    /// One name, no more (RFC 8705 section 2.1.2).
    fn agrees_on_certificate(&self) -> Result<(), ProtocolError> {
        let names = [&self.tls_client_auth_subject_dn, &self.tls_client_auth_san_dns];
        let count = names.into_iter().flatten().count();
        if count > 1 {
            return Err(wrong("tls_client_auth_subject_dn", "and `tls_client_auth_san_dns` exclude each other"));
        }
        if self.auth_method == ClientAuthMethod::TlsClientAuth && count == 0 {
            return Err(wrong(
                "tls_client_auth_subject_dn",
                "or `tls_client_auth_san_dns` is needed for tls_client_auth (RFC 8705 section 2.1.2)",
            ));
        }
        Ok(())
    }
}

/// The members that are read, as [`Metadata::read`] takes them.
pub(super) fn described() -> Described {
    let (algorithms, texts) = (["ES256", "RS256"], || maybe(list_of(text())));
    object()
        .may("client_name", maybe(name()))
        .may("token_endpoint_auth_method", maybe(words_of(&ClientAuthMethod::ALL)))
        .may("redirect_uris", texts())
        .may("post_logout_redirect_uris", texts())
        .may("grant_types", maybe(list_of(one_of(&GRANT_TYPES))))
        .may("response_types", maybe(list_of(one_of(&["code"]))))
        .may("scope", maybe(name()))
        .may("jwks", maybe(object().with("keys", list_of(free_object())).open()))
        .may("jwks_uri", maybe(name()))
        .may("tls_client_auth_subject_dn", maybe(name()))
        .may("tls_client_auth_san_dns", maybe(name()))
        .may("id_token_signed_response_alg", maybe(one_of(&algorithms)))
        .may("introspection_signed_response_alg", maybe(one_of(&algorithms)))
        .may("require_pushed_authorization_requests", maybe(flag()))
        .for_example(json!({ "client_name": "Portal", "redirect_uris": ["https://portal.example/callback"] }))
}

/// A complaint about one member.
pub(super) fn wrong(member: &'static str, why: &str) -> ProtocolError {
    ProtocolError::invalid_client_metadata(format!("`{member}` {why}"))
}

struct Members<'a>(&'a Map<String, Value>);

impl Members<'_> {
    fn find(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &'static str) -> Result<Option<String>, ProtocolError> {
        let Some(value) = self.find(name) else { return Ok(None) };
        let text = value.as_str().filter(|text| !text.is_empty()).ok_or_else(|| wrong(name, "must be a text"))?;
        if text.chars().any(char::is_control) {
            return Err(wrong(name, "has a control character"));
        }
        Ok(Some(text.to_owned()))
    }

    /// A list without repetitions.
    fn texts(&self, name: &'static str) -> Result<Option<Vec<String>>, ProtocolError> {
        let Some(value) = self.find(name) else { return Ok(None) };
        let mut texts: Vec<String> = Vec::new();
        for item in value.as_array().ok_or_else(|| wrong(name, "must be a list of texts"))? {
            let text = item.as_str().ok_or_else(|| wrong(name, "must be a list of texts"))?;
            if !texts.iter().any(|known| known == text) {
                texts.push(text.to_owned());
            }
        }
        Ok(Some(texts))
    }

    fn flag(&self, name: &'static str) -> Result<bool, ProtocolError> {
        self.find(name).map_or(Ok(false), |value| value.as_bool().ok_or_else(|| wrong(name, "must be true or false")))
    }

    fn name(&self) -> Result<Option<String>, ProtocolError> {
        let name = self.text("client_name")?;
        if name.as_ref().is_some_and(|name| name.chars().count() > NAME_CHARS) {
            return Err(wrong("client_name", "is longer than 200 characters"));
        }
        Ok(name)
    }

    fn auth_method(&self) -> Result<ClientAuthMethod, ProtocolError> {
        const NAME: &str = "token_endpoint_auth_method";
        let Some(written) = self.text(NAME)? else { return Ok(ClientAuthMethod::ClientSecretBasic) };
        let known = ClientAuthMethod::ALL.into_iter().find(|method| method.name() == written);
        known.ok_or_else(|| wrong(NAME, "is not a method that is known here"))
    }

    fn addresses(&self, name: &'static str) -> Result<Vec<String>, ProtocolError> {
        let addresses = self.texts(name)?.unwrap_or_default();
        for (n, address) in addresses.iter().enumerate() {
            if let Err(why) = validate_redirect_uri(address) {
                let why = format!("`{name}`: number {} {why}", n + 1);
                return Err(if name == "redirect_uris" {
                    ProtocolError::invalid_redirect_uri(why)
                } else {
                    ProtocolError::invalid_client_metadata(why)
                });
            }
        }
        Ok(addresses)
    }

    fn grant_types(&self) -> Result<Vec<String>, ProtocolError> {
        const NAME: &str = "grant_types";
        let types = self.texts(NAME)?.unwrap_or_else(|| vec!["authorization_code".to_owned()]);
        if types.is_empty() {
            return Err(wrong(NAME, "is empty"));
        }
        if types.iter().any(|one| !GRANT_TYPES.contains(&one.as_str())) {
            return Err(wrong(NAME, "may be authorization_code, refresh_token and client_credentials"));
        }
        Ok(types)
    }

    fn scopes(&self) -> Result<Option<Vec<String>>, ProtocolError> {
        let Some(text) = self.text("scope")? else { return Ok(None) };
        // RFC 6749 section 3.3.
        let is_scope = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        let mut scopes: Vec<String> = Vec::new();
        for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
            if !scope.bytes().all(is_scope) {
                return Err(wrong("scope", "has a character that a scope cannot have (RFC 6749 section 3.3)"));
            }
            if !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
        Ok(Some(scopes))
    }

    fn algorithm(&self, name: &'static str) -> Result<SigningAlgorithm, ProtocolError> {
        match self.text(name)?.as_deref() {
            None => Ok(SigningAlgorithm::default()),
            Some("RS256") => Ok(SigningAlgorithm::RS256),
            Some("ES256") => Ok(SigningAlgorithm::ES256),
            Some(_) => Err(wrong(name, "may be RS256 or ES256")),
        }
    }
}
