//! Who calls the admin API over the network: the holder of an access token of ours (RFC 6750).

use axum::http::{header, request::Parts};
use rescind_ledger::{Initiator, Role};

use super::{Access, problem::Problem};
use crate::{
    app::App,
    origin,
    protocol::{bearer::find_active, mint::has_scope},
};

/// Who calls, and how far they may go.
pub(super) struct Caller {
    pub(super) initiator: Initiator,
    /// The most that the scope gives.
    scope: Option<Access>,
    /// The most that the role gives, if the token is about a user.
    role: Option<Option<Role>>,
}

impl Caller {
    /// Whoever can open the local socket.
    pub(super) fn local() -> Self {
        Self { initiator: Initiator::Administrator("local".to_owned()), scope: Some(Access::Write), role: None }
    }

    /// Whether the caller may do this.
    pub(super) fn may(&self, access: Access) -> Result<(), Problem> {
        if self.scope < Some(access) {
            return Err(Problem::missing_scope(access.scope()));
        }
        // Signing in makes nobody an administrator: of a user's token the scope says what the client may do, the role what the
        // user may.
        match self.role {
            Some(role) if role.map(Access::of) < Some(access) => {
                Err(Problem::missing_role(Role::ALL.into_iter().find(|role| Access::of(*role) >= access)))
            }
            _ => Ok(()),
        }
    }
}

/// Finds out who is calling.
pub(super) async fn identify(app: &App, parts: &Parts) -> Result<Caller, Problem> {
    let token = bearer(parts)?;
    let known = find_active(app, parts, token).await?.ok_or_else(Problem::bad_token)?;
    let record = known.view()?;
    let client = app.live.client(record.client).ok_or_else(Problem::bad_token)?;
    origin::note_client(record.client);
    // A client that registered itself chose its own scopes; administration is given by an administrator.
    let registered_itself = client.registration_hash.is_some();
    let scope = Access::ALL.into_iter().rev().find(|access| !registered_itself && is_allowed(record.scope, *access));
    // The role is looked up now, so that taking it away takes effect with the next request.
    let role = record.user.map(|user| app.live.role(user));
    let initiator = Initiator::Administrator(record.user.unwrap_or(record.client).to_owned());
    Ok(Caller { initiator, scope, role })
}

/// Whether a token's scope gives an access, directly or by one that includes it.
fn is_allowed(scope: &str, needed: Access) -> bool {
    Access::ALL.into_iter().any(|access| access >= needed && has_scope(scope, access.scope()))
}

fn bearer(parts: &Parts) -> Result<&str, Problem> {
    let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Err(Problem::no_token()) };
    let text = value.to_str().map_err(|_| Problem::bad_token())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(Problem::bad_token)?;
    if values.next().is_some() || !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::bad_token());
    }
    Ok(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_includes_revoke_and_revoke_includes_read() {
        for (scope, level) in [("rescind:read", 0), ("x rescind:revoke", 1), ("rescind:write y", 2)] {
            for (place, access) in Access::ALL.into_iter().enumerate() {
                assert_eq!(is_allowed(scope, access), place <= level, "{scope} {access:?}");
            }
        }
        assert!(!is_allowed("rescind rescind:reader openid", Access::Read));
    }
}
