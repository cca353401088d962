//! Where an endpoint is: at its own path below the issuer and, if a prefix is configured, at the path by which clients
//! written for Janssen know it. Routes and metadata are made from the same table.

use axum::http::Extensions;

use crate::{
    config::Config,
    protocol::session_api::{REVOKED_SRIS, SESSIONS, USERS},
};

/// An endpoint whose address clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Authorize,
    EndSession,
    GlobalTokenRevocation,
    Introspect,
    Jwks,
    Par,
    Register,
    Revoke,
    RevokeSession,
    RevokedSris,
    Sessions,
    StatusList,
    StatusListAggregation,
    Token,
    Userinfo,
    Users,
}

impl Place {
    /// All of them.
    const ALL: [Self; 16] = [
        Self::Authorize,
        Self::EndSession,
        Self::GlobalTokenRevocation,
        Self::Introspect,
        Self::Jwks,
        Self::Par,
        Self::Register,
        Self::Revoke,
        Self::RevokeSession,
        Self::RevokedSris,
        Self::Sessions,
        Self::StatusList,
        Self::StatusListAggregation,
        Self::Token,
        Self::Userinfo,
        Self::Users,
    ];

    /// Its path below the issuer.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Authorize => "/authorize",
            Self::EndSession => "/logout",
            Self::GlobalTokenRevocation => "/global-token-revocation",
            Self::Introspect => "/introspect",
            Self::Jwks => "/jwks",
            Self::Par => "/par",
            Self::Register => "/register",
            Self::Revoke => "/revoke",
            Self::RevokeSession => "/revoke_session",
            Self::RevokedSris => REVOKED_SRIS,
            Self::Sessions => SESSIONS,
            Self::StatusList => "/status_list",
            Self::StatusListAggregation => "/status_list_aggregation",
            Self::Token => "/token",
            Self::Userinfo => "/userinfo",
            Self::Users => USERS,
        }
    }

    /// What is at a path below the issuer.
    #[must_use]
    pub fn find(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.path() == path)
    }

    /// Its path below the prefix; none, if Janssen has no such thing.
    #[must_use]
    pub fn janssen_path(self) -> Option<&'static str> {
        match self {
            Self::EndSession => Some("/end_session"),
            Self::Introspect => Some("/introspection"),
            Self::RevokedSris | Self::Sessions | Self::Users => None,
            _ => Some(self.path()),
        }
    }
}

/// By which of its addresses an endpoint was called. Requests under the prefix carry it as an extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mount {
    #[default]
    Issuer,
    Janssen,
}

impl Mount {
    /// How a request came.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or_default()
    }

    /// The address of an endpoint, as somebody who came this way is told it. The issuer stays who it is.
    #[must_use]
    pub fn url(self, config: &Config, place: Place) -> String {
        match (self, &config.janssen_prefix, place.janssen_path()) {
            (Self::Janssen, Some(prefix), Some(path)) => format!("{}{}{path}", config.issuer_origin(), prefix.as_str()),
            _ => format!("{}{}", config.issuer, place.path()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::from_toml;

    #[test]
    fn an_address_is_told_as_the_one_who_asks_knows_it() {
        let text = "issuer = \"https://id.example/tenant\"\njanssen.prefix = \"/jans-auth/restv1\"";
        let config = from_toml(text, []).unwrap();
        let told = |mount: Mount, place| mount.url(&config, place);
        assert_eq!(told(Mount::Issuer, Place::Introspect), "https://id.example/tenant/introspect");
        assert_eq!(told(Mount::Janssen, Place::Introspect), "https://id.example/jans-auth/restv1/introspection");
        assert_eq!(told(Mount::Janssen, Place::Users), told(Mount::Issuer, Place::Users));
        let plain = from_toml("issuer = \"https://id.example/tenant\"", []).unwrap();
        assert_eq!(Mount::Janssen.url(&plain, Place::Token), "https://id.example/tenant/token");
    }
}
