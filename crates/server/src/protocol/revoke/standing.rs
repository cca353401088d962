//! Whether a client may revoke a token, by whose it is: one rule, without anything that could take longer for one than for
//! another.

use rescind_ledger::{Client, CredentialOwner, Settings};

use crate::protocol::{error::ProtocolError, privileged::REVOKE_ANY_TOKEN};

/// How a client stands to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Own,
    /// Another client's, which it may revoke.
    OfAnother,
    Unknown,
    /// Another client's, and the caller is to see no difference to an unknown one.
    Hidden,
}

/// Says it, or that the client is to be told no.
///
/// # Errors
/// `invalid_request` for another client's token, to a client that proved who it is (RFC 7009 section 2.1 refuses and informs;
/// Janssen's code is this). A public client could be anybody and is told nothing by which tokens could be guessed.
pub fn standing(
    client: &Client,
    owner: Option<&CredentialOwner>,
    settings: &Settings,
) -> Result<Standing, ProtocolError> {
    let Some(owner) = owner else { return Ok(Standing::Unknown) };
    if owner.client == client.id {
        return Ok(Standing::Own);
    }
    if client.is_public() {
        return Ok(Standing::Hidden);
    }
    if !settings.allow_revoke_for_other_clients {
        return Err(ProtocolError::invalid_request("the token was not issued to this client"));
    }
    if !client.scopes.iter().any(|scope| scope == REVOKE_ANY_TOKEN) {
        return Err(ProtocolError::invalid_request(
            "the token was not issued to this client, which does not have the scope revoke_any_token",
        ));
    }
    Ok(Standing::OfAnother)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rescind_ledger::{ClientAuthMethod, Timestamp};
    use serde_json::json;

    use super::*;

    fn client(method: ClientAuthMethod, scopes: &[&str]) -> Client {
        let client = Client::new("web".to_owned(), "Web".to_owned(), method, Timestamp(0));
        Client { scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(), ..client }
    }

    fn owner(client: &str) -> CredentialOwner {
        CredentialOwner {
            grant: "g".to_owned(),
            client: client.to_owned(),
            user: None,
            scope: String::new(),
            position: rescind_ledger::Position::START,
            root_time: Timestamp(0),
            expires_at: Timestamp::MAX,
        }
    }

    proptest! {
        /// The matrix, told the other way round: what must hold for a token to die.
        #[test]
        fn a_token_dies_only_by_its_own_client_or_by_one_that_is_allowed_everything_it_takes(
            method in proptest::sample::select(ClientAuthMethod::ALL.to_vec()),
            whose in proptest::sample::select(vec![None, Some("web"), Some("WEB"), Some("app"), Some("")]),
            allowed: bool,
            scopes in proptest::sample::subsequence(vec!["openid", "revoke_any_token", "revoke_any_token_x"], 0..=3),
        ) {
            let mut settings = Settings::default();
            settings.put("allowRevokeForOtherClients", Some(&json!(allowed))).unwrap();
            let caller = client(method, &scopes);
            let found = standing(&caller, whose.map(owner).as_ref(), &settings);
            let dies = matches!(found, Ok(Standing::Own | Standing::OfAnother));
            let public = method == ClientAuthMethod::None;
            let entitled = allowed && scopes.contains(&REVOKE_ANY_TOKEN) && !public;
            prop_assert_eq!(dies, whose == Some("web") || (whose.is_some() && entitled));
            // Nobody who has not proved who they are ever hears no.
            prop_assert!(!public || found.is_ok());
            prop_assert_eq!(found.is_err(), whose.is_some_and(|whose| whose != "web") && !public && !entitled);
        }
    }
}
